"""Files of recorded runs where there is no checkout: fetched from the repository's address, and checked by the seal."""

import contextlib
import logging
import tempfile
from pathlib import Path

import pooch

from verydeep import files, paths
from verydeep.errors import RecordError, VerydeepError, in_one_line
from verydeep.runs import publication
from verydeep.runs.seals import SEAL, read_seal

#: What requests raises where nobody answers.
_NO_ANSWER = ("ConnectionError", "ConnectTimeout", "ReadTimeout")


def cache() -> Path:
    """Where fetched files are kept: the artifacts of a checkout, or the user's own cache where there is none."""
    return paths.artifacts() if paths.has_artifacts() else Path(pooch.os_cache("verydeep"))


def fetch_run(study: str, run: str, names: list[str]) -> Path:
    """The folder of a run with the files ``names`` in it, fetched unless they are there.

    The seal, ``SHA256SUMS``, is fetched first; a file is kept only if it has the hash that stands there. What was
    fetched once is not fetched again, but where a file is missing that the kept seal does not fit: then the run was
    made anew since, and is fetched whole.

    Raises
    ------
    VerydeepError
        When the repository has no address, does not answer, or gives another file.
    """
    base = publication.raw_url(f"runs/{study}/{run}")
    if base is None:
        raise VerydeepError(f"{study}/{run}: no address to fetch from; set VERYDEEP_REPOSITORY_URL to the repository's")
    folder = cache() / "fetched" / files.sha256_bytes(base.encode())[:12] / study / run
    before = (folder / SEAL).read_bytes() if (folder / SEAL).exists() else None
    if before is None:
        _fetch_seal(base, folder)
    try:
        _fetch_files(base, folder, names)
    except VerydeepError:
        if before is not None:
            _fetch_seal(base, folder)
        if before in (None, (folder / SEAL).read_bytes()):
            raise
        _fetch_files(base, folder, names)
    return folder


def _fetch_seal(base: str, folder: Path) -> None:
    """Fetch the seal of a run; one that is there stays until another has come."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as new:  # one of its own: other processes may fetch the same run
        _fetch(f"{base}/{SEAL}", Path(new), None)
        try:
            read_seal(Path(new))
        except RecordError:
            raise VerydeepError(f"{base}/{SEAL}: no seal of a run there; is the repository's address right?") from None
        (Path(new) / SEAL).replace(folder / SEAL)


def _fetch_files(base: str, folder: Path, names: list[str]) -> None:
    """Fetch files of a run that are not there as its seal says."""
    sums = read_seal(folder)
    for name in names:
        if name not in sums:
            raise VerydeepError(f"{base}: the run has no {name}; its study does not publish its weights")
        _fetch(f"{base}/{name}", folder, f"sha256:{sums[name]}")


def _fetch(url: str, folder: Path, checksum: str | None) -> None:
    try:
        with _quiet():
            pooch.retrieve(url, known_hash=checksum, fname=url.rsplit("/", 1)[-1], path=folder)
    except (OSError, ValueError) as error:  # no answer, or another file than the seal names
        unanswered = type(error).__name__ in _NO_ANSWER  # whose own words are the objects of urllib3
        said = "nothing answers there; see VERYDEEP_REPOSITORY_URL" if unanswered else in_one_line(error)
        raise VerydeepError(f"{url}: cannot be fetched ({said}); nothing of it was kept") from None


@contextlib.contextmanager
def _quiet():
    """Without pooch's lines about every download."""
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
