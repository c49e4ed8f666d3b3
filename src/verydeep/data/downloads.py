"""Downloads: archives fetched, checked and unpacked into one folder, whole or not at all."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pooch

from verydeep import files, locks, paths
from verydeep.data.archives import extract
from verydeep.errors import DataError


@dataclass(frozen=True)
class Archive:
    """A download: address, checksum as ``algorithm:hex``, and the folder at its top.

    ``checksum`` is ``None`` where the server packs the archive anew when it likes, so that its bytes may change while
    the files inside stay the same: then those have the checksum (``images_sha256`` of the source). ``only`` names the
    folders in ``top`` that are kept where it has more than the data set.
    """

    url: str
    checksum: str | None
    top: str
    only: tuple[str, ...] = ()


def download(name: str, archives: tuple[Archive, ...], folder: Path, check: Callable[[Path], None]) -> None:
    """Fetch the ``archives`` of the data set ``name`` and unpack them into ``folder``, the content of each in it.

    Parameters
    ----------
    check
        Takes the folder in which everything was unpacked, before it is renamed to ``folder``; raises DataError where
        the images are not the right ones.

    Raises
    ------
    DataError
        When a download fails, a checksum differs, an archive cannot be unpacked, two hold the same file, or ``check``
        finds a fault. What an archive without a checksum brought is then fetched anew the next time.
    """
    downloads = paths.data() / "downloads"
    # by the folder, not the name: of VOC-2012 several data sets have one
    with locks.hold(downloads / f".{folder.name}.lock", f"the download of {name}"):
        if folder.exists():  # unpacked by the process that was waited for
            return
        files = [_retrieve(name, archive, folder, downloads) for archive in archives]
        unpacked = folder.with_name(f".{folder.name}.unpacked")
        shutil.rmtree(unpacked, ignore_errors=True)  # left by a process that was killed
        try:
            for file, archive in zip(files, archives, strict=True):
                extract(file, unpacked / "archive")
                top = unpacked / "archive" / archive.top
                if not top.is_dir():
                    raise DataError(f"{file}: holds no folder {archive.top!r}")
                for kept in archive.only or [""]:
                    if not (top / kept).is_dir():
                        raise DataError(f"{file}: holds no folder {kept!r} in {archive.top!r}")
                    _move(top / kept, unpacked / "content" / kept, file)
                shutil.rmtree(unpacked / "archive")
            check(unpacked / "content")
            (unpacked / "content").replace(folder)
        except DataError:
            for file, archive in zip(files, archives, strict=True):
                if archive.checksum is None:
                    file.unlink(missing_ok=True)
            raise
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)


def _retrieve(name: str, archive: Archive, folder: Path, downloads: Path) -> Path:
    try:
        file = pooch.retrieve(
            archive.url,
            known_hash=archive.checksum,
            fname=archive.url.rsplit("/", 1)[-1],
            path=downloads,
            progressbar=True,
        )
    except (OSError, ValueError) as error:
        file = downloads / archive.url.rsplit("/", 1)[-1]
        raise DataError(
            f"{name}: download of {archive.url} failed ({error}). Fetch it by hand as {file}; the same command "
            f"checks it and goes on"
        ) from error
    return Path(file)


def _move(source: Path, target: Path, archive: Path) -> None:
    """Move what is in ``source`` into ``target``, into the folders that are there already."""
    target.mkdir(parents=True, exist_ok=True)
    for path in files.listed(source, "*"):
        there = target / path.name
        if path.is_dir() and there.is_dir():
            _move(path, there, archive)
        elif there.exists():
            raise DataError(f"{archive}: holds {there.name}, as another archive of the set does")
        else:
            path.replace(there)
