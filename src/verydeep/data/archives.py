"""Unpacking of downloaded archives that trusts nothing inside them."""

import errno
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from verydeep import files
from verydeep.errors import DataError, in_one_line

# The largest data set here that comes as an archive unpacks to under 2 GiB.
MAX_UNPACKED_BYTES = 16 * 2**30
MAX_MEMBERS = 1_000_000
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


def extract(archive: Path, target: Path) -> None:
    """Unpack a ``.zip`` or a tar file so that ``target`` holds its content, whole or not at all.

    Raises
    ------
    DataError
        When the file is no archive, is truncated or encrypted, holds a path outside the target, a link or a device,
        or unpacks to more than 16 GiB or a million files; the message names the member. Nothing is left behind.
    StorageError
        When ``target`` cannot be written, as on a full disk.
    """
    with files.atomic_folder(target) as staging:
        try:
            if zipfile.is_zipfile(archive):
                _extract_zip(archive, staging)
            elif tarfile.is_tarfile(archive):
                _extract_tar(archive, staging)
            else:
                raise DataError(f"{archive}: not a zip or tar archive")
        except DataError:
            raise
        except Exception as error:  # zipfile and tarfile raise what they, struct and each decompressor raise
            if getattr(error, "errno", None) in _OF_THE_DISK:  # the archive is not to blame, and is kept
                raise
            raise DataError(f"{archive}: cannot be unpacked into {target} ({in_one_line(error)})") from error


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
        # header by header: of a bomb no more is read than the limit
        _check(archive, ((m.name, m.isreg() or m.isdir(), m.size) for m in bundle))
        files.extract(bundle, staging)


def _check(archive: Path, members) -> None:
    total = 0
    for number, (name, plain, size) in enumerate(members, 1):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or any(":" in part for part in path.parts[:1]):
            raise DataError(f"{archive}: member {name!r} points outside the target; nothing was unpacked")
        if not plain:
            raise DataError(f"{archive}: member {name!r} is a link or a device; nothing was unpacked")
        if number > MAX_MEMBERS:
            raise DataError(f"{archive}: holds more than {MAX_MEMBERS} files; nothing was unpacked")
        total += size
        if total > MAX_UNPACKED_BYTES:
            raise DataError(f"{archive}: unpacks to more than {MAX_UNPACKED_BYTES} bytes; nothing was unpacked")
