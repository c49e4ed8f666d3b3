"""The seal of a run folder: ``SHA256SUMS``, a line for every file, in the format of ``sha256sum``."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from verydeep import files
from verydeep.errors import RecordError
from verydeep.paths import short

SEAL = "SHA256SUMS"
_RESTORE = "restore it (git checkout)"


def seal(folder: Path, changed: list[str]) -> None:
    """Write the seal of ``folder`` after the files named in ``changed`` were written.

    Lines of other files are kept as they are, so that sealing never covers up a file that was damaged since.
    """
    sums = read_seal(folder) if (folder / SEAL).exists() else {}
    sums |= {name: files.sha256(folder / name) for name in changed}
    _write_seal(folder, sums)


def unseal(folder: Path, names: list[str]) -> None:
    """Take files that are about to be written anew out of the seal of ``folder``: until they are sealed again, a
    kill leaves an unfinished run and not a damaged one.
    """
    sums = read_seal(folder) if (folder / SEAL).exists() else {}
    if sums.keys() & set(names):
        kept = {name: digest for name, digest in sums.items() if name not in names}
        _write_seal(folder, kept)


@contextlib.contextmanager
def rewriting(folder: Path, names: list[str]) -> Iterator[None]:
    """Within the block the files ``names`` of ``folder`` are written anew; sealed after it, but not after an error.

    They are out of the seal meanwhile, and a record (``.json``) among them is removed first: whenever a kill comes, it
    leaves an unfinished run, and no record of other answers than lie beside it.
    """
    unseal(folder, names)
    for name in names:
        if name.endswith(".json"):
            (folder / name).unlink(missing_ok=True)
    yield
    seal(folder, names)


def _write_seal(folder: Path, sums: dict[str, str]) -> None:
    files.write_text(folder / SEAL, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))


def read_seal(folder: Path) -> dict[str, str]:
    """File name -> sha256, from ``SHA256SUMS``.

    Raises
    ------
    RecordError
        When it is missing or a line is malformed.
    """
    path = folder / SEAL
    if not path.exists():
        raise RecordError(f"{short(path)}: missing; the run is unfinished, or the file was lost")
    sums = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise RecordError(f"{short(path)}: not text; {_RESTORE}") from None
    if lines.pop() != "":
        raise RecordError(f"{short(path)}: does not end with a new line; {_RESTORE}")
    for number, line in enumerate(lines, 1):
        digest, gap, name = line[:64], line[64:66], line[66:]
        if gap != "  " or not name or set(digest) - set("0123456789abcdef"):
            raise RecordError(f"{short(path)}: line {number} is not '<sha256>  <file>'; {_RESTORE}")
        if name in sums:
            raise RecordError(f"{short(path)}: line {number} names {name} again; {_RESTORE}")
        sums[name] = digest
    return sums
