"""Unpacking of downloaded archives that trusts nothing inside them."""

import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from verydeep.errors import DataError

# The largest data set here that comes as an archive unpacks to under 2 GiB.
MAX_UNPACKED_BYTES = 16 * 2**30


def extract(archive: Path, target: Path) -> None:
    """Unpack a ``.zip`` or a tar file so that ``target`` holds its content, whole or not at all.

    Everything is written beside ``target`` first and renamed at the end.

    Raises
    ------
    DataError
        When the file is no archive, is truncated, holds a path outside the target, a link or a device, or
        unpacks to more than 16 GiB; the message names the member. Nothing is left behind.
    """
    archive, target = Path(archive), Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        if zipfile.is_zipfile(archive):
            _extract_zip(archive, staging)
        elif tarfile.is_tarfile(archive):
            _extract_tar(archive, staging)
        else:
            raise DataError(f"{archive}: not a zip or tar archive")
        staging.chmod(0o755)
        staging.replace(target)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise DataError(f"{archive}: cannot be unpacked into {target} ({error})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract_zip(archive: Path, staging: Path) -> None:
    with zipfile.ZipFile(archive) as bundle:
        members = bundle.infolist()
        _check(archive, ((m.filename, m.is_dir() or _is_regular(m), m.file_size) for m in members))
        bundle.extractall(staging)


def _is_regular(member: zipfile.ZipInfo) -> bool:
    kind = (member.external_attr >> 16) & 0o170000
    return kind in (0, 0o100000)


def _extract_tar(archive: Path, staging: Path) -> None:
    with tarfile.open(archive) as bundle:
        members = bundle.getmembers()
        _check(archive, ((m.name, m.isreg() or m.isdir(), m.size) for m in members))
        bundle.extractall(staging, filter="data")


def _check(archive: Path, members) -> None:
    total = 0
    for name, plain, size in members:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
            raise DataError(f"{archive}: member {name!r} points outside the target; nothing was unpacked")
        if not plain:
            raise DataError(f"{archive}: member {name!r} is a link or a device; nothing was unpacked")
        total += size
        if total > MAX_UNPACKED_BYTES:
            raise DataError(f"{archive}: unpacks to more than {MAX_UNPACKED_BYTES} bytes; nothing was unpacked")
