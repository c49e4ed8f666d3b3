"""Files that are either whole or absent, and their hashes."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from verydeep import paths
from verydeep.errors import DataError, StorageError, VerydeepError

_PART = ".part"
#: How the name of a folder ends that :func:`atomic_folder` is making, or that a kill has left of one.
STAGING = ".staging"


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path; on success it becomes ``path``, on failure it is removed.

    The rename is atomic and the data reach the disk before it, so a reader, or the same program after a
    power cut, finds the old file or the new one and never a part of either. What a kill leaves of the temporary
    file lies in :func:`verydeep.paths.staging` of ``path`` until :func:`clear_parts`.

    Raises
    ------
    StorageError
        When the file cannot be written: no space, no permission, a read-only disk. The old file is as it was.
    """
    path = Path(path)
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=paths.staging(path), prefix=f".{path.name}.", suffix=_PART)
        part = Path(name)
        _lock(handle)
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        raise StorageError(path, error) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
            os.close(handle)


def _lock(handle: int) -> None:
    """Hold an open file until it is closed or the process ends, where the file system has locks."""
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def atomic_folder(folder: Path, new: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside; on success it takes the place of ``folder``, on failure it is removed.

    With ``new`` it takes no place but an empty one: what has come to be there meanwhile is somebody's.

    Raises
    ------
    StorageError
        When it cannot be written, or ``new`` has found something there. The old folder is as it was.
    """
    aside = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=STAGING))
        making, old = aside / "new", aside / "old"
        making.mkdir()
        yield making
        if folder.exists() and not new:
            folder.replace(old)
        try:
            making.replace(folder)  # of what is there it takes the place of an empty folder alone
        except OSError:
            if old.exists():
                old.replace(folder)
            raise
    except OSError as error:
        raise StorageError(folder, error) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def require_writable(folder: Path) -> None:
    """Raise :class:`StorageError` when nothing could be written to ``folder``, which need not be there yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise StorageError(folder, error) from error


def clear_parts(folder: Path) -> None:
    """Remove from ``folder`` the temporary files that a killed process left there; not those that one is writing."""
    for part in folder.rglob(f".*{_PART}"):
        if not _is_held(part):
            part.unlink(missing_ok=True)


def _is_held(part: Path) -> bool:
    """Whether a living process has a file of :func:`atomic` open: its lock ends with it."""
    try:
        with part.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # gone by now, or a file system without locks
        return False
    return False


def shown(path: Path | str) -> str:
    """A path as it can be printed and stored: what in its name is no UTF-8 becomes a question mark."""
    return str(path).encode("utf-8", "replace").decode()


#: What desktops, Jupyter and file servers leave in any folder that they have been shown.
_LITTER = {".ds_store", ".localized", ".directory", "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir",
           ".ipynb_checkpoints", ".fseventsd", ".spotlight-v100", "icon\r", "$recycle.bin",
           "system volume information"}  # fmt: skip
_LITTER_BEGINS = ("._", ".trash", ".nfs", ".fuse_hidden", ".~lock.", "~$")


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is nobody's work: it is passed over wherever a folder is listed."""
    lower = name.lower()
    return lower in _LITTER or lower.startswith(_LITTER_BEGINS)


def require_printable(folder: Path, names: Iterable[str]) -> None:
    """Raise :class:`DataError` where a name of something in ``folder`` holds what no table can show, or is no UTF-8."""
    if strange := next((name for name in names if not name.isprintable()), None):
        raise DataError(f"{folder}: the name {strange!r} holds a character that cannot be printed; rename it")


def listed(folder: Path, pattern: str) -> list[Path]:
    """What lies in ``folder`` by a pattern of :meth:`pathlib.Path.glob`, in order, without litter.

    Raises
    ------
    OSError
        When a folder that is looked into cannot be read: pathlib would pass over it.
    """
    before = Path(pattern).parts[:-1]
    for depth in range(len(before) + 1):
        for looked_into in folder.glob("/".join(before[:depth])) if depth else [folder]:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # gone meanwhile, or a file
                os.scandir(looked_into).close()
    above = len(folder.parts)  # where there are a million files, relative_to takes half of the time
    return sorted(path for path in folder.glob(pattern) if not any(map(is_litter, path.parts[above:])))


def read_yaml(path: Path) -> dict:
    """What a file in YAML says, keys and values.

    Raises
    ------
    VerydeepError
        When it is not that; the message has the line.
    """
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise VerydeepError(f"{path}{where}: not YAML; restore it (git checkout)") from error
    if not isinstance(said, dict):
        raise VerydeepError(f"{path}: says nothing; restore it (git checkout)")
    return said


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in one piece."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: dict) -> None:
    """Write ``value`` as JSON in one piece."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def sha256_bytes(data: bytes) -> str:
    """Hex digest of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def extract(bundle: tarfile.TarFile, folder: Path) -> None:
    """Unpack a checked or trusted tar archive, as data: without owners and special modes.

    Before Python 3.11.4 (Debian 12 has 3.11.2) ``tarfile`` has no such filter, and it is unpacked as it stands.
    """
    bundle.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
