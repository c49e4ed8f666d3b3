"""What a test keeps of every image, classes or boxes, each in a file of its own that its errors are computed from."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from verydeep import files
from verydeep.errors import RecordError, first_line
from verydeep.paths import short
from verydeep.runs import boxes, predictions
from verydeep.runs.seals import SEAL, read_seal

#: File in a run's folder -> the module that says which of its answers are right.
KINDS = {predictions.FILE: predictions, boxes.FILE: boxes}


def read(path: Path, measurement: str) -> pd.DataFrame:
    """The answers of one measurement in a file of answers, a row an image, as the test left them in order.

    Raises
    ------
    RecordError
        When the file is missing, not the one that was sealed, if it was, or cannot be read.
    """
    return read_table(path, filters=[("measurement", "==", measurement)])


def read_table(path: Path, **options) -> pd.DataFrame:
    """A table that a test left, its answers or what was made of them; raises as :func:`read`, options as pandas'."""
    try:
        known = path.stat()
    except FileNotFoundError:
        raise RecordError(
            f"{short(path)}: missing; restore it (git checkout), or delete the record beside it and test again"
        ) from None
    _require_as_sealed(path, known.st_mtime_ns, known.st_size)
    try:
        return pd.read_parquet(path, **options)
    except (ValueError, OSError) as error:
        raise RecordError(
            f"{short(path)}: not a readable table ({first_line(error)}); restore it (git checkout), or delete it and "
            f"test again"
        ) from None


@lru_cache(maxsize=1024)
def _require_as_sealed(path: Path, modified: int, size: int) -> None:
    """A number is read from the very answers that its run left; ``modified`` and ``size`` tell a file that changed."""
    sealed = read_seal(path.parent).get(path.name) if (path.parent / SEAL).exists() else None
    if sealed not in (None, files.sha256(path)):
        raise RecordError(
            f"{short(path)}: content differs from its sha256 in {SEAL}; restore it (git checkout), or delete it and "
            f"test again"
        )


def file_of(folder: Path) -> Path:
    """The file of answers in a folder of a run or a fusion; that of classes where there is none."""
    return next((folder / name for name in KINDS if (folder / name).exists()), folder / predictions.FILE)


def hits(path: Path, table: pd.DataFrame, k: int) -> np.ndarray:
    """Which images are answered rightly among the ``k`` best, by the answers of the file ``path``; (n,) bool."""
    return KINDS[path.name].hits(table, k)


def errors(path: Path, table: pd.DataFrame) -> dict:
    """The errors of one measurement in percent, by the answers of the file ``path``, and the number of images."""
    return KINDS[path.name].errors(table)
