"""What a test keeps of every image, classes or boxes, each in a file of its own that its errors are computed from."""

from pathlib import Path

import numpy as np
import pandas as pd

from verydeep.runs import boxes, predictions

#: File in a run's folder -> the module that says which of its answers are right.
KINDS = {predictions.FILE: predictions, boxes.FILE: boxes}


def read(path: Path, measurement: str) -> pd.DataFrame:
    """The answers of one measurement in a file of answers, a row an image, as the test left them in order."""
    return pd.read_parquet(path, filters=[("measurement", "==", measurement)])


def file_of(folder: Path) -> Path:
    """The file of answers in a folder of a run or a fusion; that of classes where there is none."""
    return next((folder / name for name in KINDS if (folder / name).exists()), folder / predictions.FILE)


def hits(path: Path, table: pd.DataFrame, k: int) -> np.ndarray:
    """Which images are answered rightly among the ``k`` best, by the answers of the file ``path``; (n,) bool."""
    return KINDS[path.name].hits(table, k)


def errors(path: Path, table: pd.DataFrame) -> dict:
    """The errors of one measurement in percent, by the answers of the file ``path``, and the number of images."""
    return KINDS[path.name].errors(table)
