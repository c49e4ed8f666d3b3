"""Every folder of the project, named once.

Nothing is created on import. The root is found from the working directory upwards, so a notebook that
papermill runs from any folder of a checkout finds the same ``runs/``.
"""

import os
from pathlib import Path

from verydeep.errors import VerydeepError

_MARKS = ("_config.yml", "runs", "book")


def root() -> Path:
    """The checkout: ``$VERYDEEP_ROOT``, or the first folder upwards with ``_config.yml``, runs and book.

    Raises
    ------
    VerydeepError
        When neither the working directory nor the package lies in a checkout.
    """
    if named := os.environ.get("VERYDEEP_ROOT"):
        return Path(named).expanduser().resolve()
    for start in (Path.cwd(), Path(__file__)):
        for folder in (start, *start.resolve().parents):
            if all((folder / mark).exists() for mark in _MARKS):
                return folder
    raise VerydeepError(
        f"no checkout of verydeep above {Path.cwd()}: change into one, or set VERYDEEP_ROOT to its folder"
    )


def runs() -> Path:
    """What every run left behind, in git."""
    return root() / "runs"


def book() -> Path:
    """The chapters."""
    return root() / "book"


def artifacts() -> Path:
    """Checkpoints and image stores, outside git: ``$VERYDEEP_ARTIFACTS`` or ``artifacts/``."""
    if named := os.environ.get("VERYDEEP_ARTIFACTS"):
        return Path(named).expanduser().resolve()
    return root() / "artifacts"


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


def data() -> Path:
    """Where data sets are unpacked: ``$VERYDEEP_DATA`` or ``~/data``."""
    return Path(os.environ.get("VERYDEEP_DATA", "~/data")).expanduser().resolve()


def package() -> Path:
    """The sources of this package."""
    return Path(__file__).resolve().parent
