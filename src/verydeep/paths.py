"""Every folder of the project, and the files that several of its rooms write or read, named once.

Nothing is created on import. The root is found from the working directory upwards, so a notebook that
papermill runs from any folder of a checkout finds the same ``runs/``.
"""

import os
from pathlib import Path

from verydeep.errors import VerydeepError

#: The file of a network's weights, in every folder that has one.
WEIGHTS = "weights.safetensors"
#: What a training that stopped has left in its workspace, to go on from.
CHECKPOINT = "checkpoint.pt"

#: Many a project has a book with a ``_config.yml``; only that of a checkout names this extension.
_MARK = "verydeep.book.extension"


def root() -> Path:
    """The checkout: ``$VERYDEEP_ROOT``, or the first folder upwards whose ``_config.yml`` is that of this book.

    Raises
    ------
    VerydeepError
        When neither the working directory nor the package lies in a checkout, or ``$VERYDEEP_ROOT`` is none.
    """
    if named := os.environ.get("VERYDEEP_ROOT"):
        folder = expanded(named).resolve()
        if not _is_checkout(folder):
            raise VerydeepError(f"VERYDEEP_ROOT={named}: no checkout of verydeep; set it to one, or unset it")
        return folder
    for start in (Path.cwd(), Path(__file__)):
        for folder in (start, *start.resolve().parents):
            if _is_checkout(folder):
                return folder
    raise VerydeepError(
        f"no checkout of verydeep above {Path.cwd()}: change into one, or set VERYDEEP_ROOT to its folder"
    )


def checkout() -> Path | None:
    """The checkout, or ``None`` where there is none, as for a package that was installed from a wheel.

    Raises
    ------
    VerydeepError
        When ``$VERYDEEP_ROOT`` is none.
    """
    try:
        return root()
    except VerydeepError:
        if os.environ.get("VERYDEEP_ROOT"):
            raise
        return None


def _is_checkout(folder: Path) -> bool:
    try:
        return (folder / "book").is_dir() and _MARK in (folder / "_config.yml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def runs() -> Path:
    """What every run left behind, in git."""
    return root() / "runs"


def short(path: Path) -> str:
    """A path as it is called in the checkout; one outside of it in full."""
    here = checkout()
    return path.relative_to(here).as_posix() if here and path.is_relative_to(here) else str(path)


def book() -> Path:
    """The chapters."""
    return root() / "book"


def artifacts() -> Path:
    """Checkpoints and image stores, outside git: ``$VERYDEEP_ARTIFACTS`` or ``artifacts/``."""
    if named := os.environ.get("VERYDEEP_ARTIFACTS"):
        return expanded(named).resolve()
    return root() / "artifacts"


def has_artifacts() -> bool:
    """Whether there is a place for them: a checkout, or the variable."""
    return bool(os.environ.get("VERYDEEP_ARTIFACTS") or checkout())


def staging(path: Path) -> Path:
    """The folder in which ``path`` is written before it is renamed into place, on the same file system.

    For a file under ``runs/`` that is the run's workspace, so that ``runs/`` never holds a part of a file. Where that
    is on another file system, and for every other file, it is the folder of ``path`` itself.
    """
    beside = path.resolve().parent
    try:
        workspace = artifacts() / beside.relative_to(runs().resolve())
    except (ValueError, VerydeepError):  # not under runs/, or no checkout
        return beside
    workspace.mkdir(parents=True, exist_ok=True)
    return workspace if workspace.stat().st_dev == beside.stat().st_dev else beside


def expanded(path: str | Path) -> Path:
    """A path as it was given, with ``~`` as the home directory that it means.

    Raises
    ------
    VerydeepError
        When there is no such user, or none with a home directory.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise VerydeepError(f"{path}: no such home directory; give the whole path") from None


def data() -> Path:
    """Where data sets are unpacked: ``$VERYDEEP_DATA`` or ``~/data``.

    Raises
    ------
    VerydeepError
        When this user has no home directory and the variable is not set.
    """
    try:
        return Path(os.environ.get("VERYDEEP_DATA") or "~/data").expanduser().resolve()
    except RuntimeError:
        if named := os.environ.get("VERYDEEP_DATA"):
            raise VerydeepError(f"VERYDEEP_DATA={named}: no such home directory; give the whole path") from None
        raise VerydeepError(
            "this user has no home directory for data sets: set VERYDEEP_DATA to the folder in which they lie"
        ) from None


def package() -> Path:
    """The sources of this package."""
    return Path(__file__).resolve().parent
