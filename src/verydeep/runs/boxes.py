"""Predicted boxes: for every measurement and image the classes that were named, a box for each, and how well it fits.

One row a measurement and image, as in :mod:`verydeep.runs.predictions`, so that errors and paired tests are made alike.
Boxes are left, top, right and bottom in parts of the image's width and height, in which intersection over union is the
same as in pixels. ``iou_k`` is that of the ``k``-th box with the true box that it fits best; ``truth`` has the true
boxes, four numbers each, so that it can be computed again.
"""

import numpy as np
import pandas as pd

from verydeep.runs.predictions import BEST
from verydeep.studies.localisation import OVERLAP

#: Its file in a run's folder.
FILE = "boxes.parquet"
#: The names of a box's numbers, each with its rank behind: ``left_1``.
SIDES = ("left", "top", "right", "bottom")


def table(
    measurement: str, names: list[str], labels: np.ndarray, classes: np.ndarray, boxes: np.ndarray, ious: np.ndarray,
    truth: list[np.ndarray],
) -> pd.DataFrame:  # fmt: skip
    """The boxes of one measurement.

    Parameters
    ----------
    names, labels
        Name and true class of each image, (n,).
    classes, boxes, ious
        The classes named for each image, best first (n, k), a box for each (n, k, 4), and their intersection over
        union with a true box (n, k). ``k`` is 1 where the true class is given.
    truth
        The true boxes of each image, (boxes, 4) each.
    """
    columns = {"measurement": measurement, "image": names, "label": labels.astype(np.int16)}
    for k in range(BEST):
        there = k < classes.shape[1]
        columns[f"class_{k + 1}"] = classes[:, k].astype(np.int16) if there else np.full(len(labels), -1, np.int16)
        columns[f"iou_{k + 1}"] = ious[:, k].astype(np.float32) if there else np.zeros(len(labels), np.float32)
        for side, name in enumerate(SIDES):
            columns[f"{name}_{k + 1}"] = boxes[:, k, side].astype(np.float32) if there else np.float32(np.nan)
    columns["truth"] = [true.astype(np.float32).ravel() for true in truth]
    return pd.DataFrame(columns).astype({"measurement": "category"})


def hits(table: pd.DataFrame, k: int) -> np.ndarray:
    """Whether one of each image's ``k`` first boxes is of the true class and fits a true box (A.1); (n,) bool."""
    return _ious_of_true_class(table, k) > OVERLAP


def errors(table: pd.DataFrame) -> dict:
    """Top-1 and top-5 localisation error of one measurement in percent, and the mean intersection over union.

    Where the true class is given, one box is all there is, and the two errors are the same.
    """
    n = len(table)
    if n == 0:
        return {"n": 0, "top1_error": None, "top5_error": None, "mean_iou": None}
    return {
        "n": n,
        "top1_error": 100 * int((~hits(table, 1)).sum()) / n,
        "top5_error": 100 * int((~hits(table, BEST)).sum()) / n,
        "mean_iou": float(_ious_of_true_class(table, BEST).mean()),
    }


def boxes_of(row, k: int) -> np.ndarray:
    """The ``k``-th box, from 1, of a row of the table: (4,)."""
    return np.array([row[f"{side}_{k}"] for side in SIDES])


def _ious_of_true_class(table: pd.DataFrame, k: int) -> np.ndarray:
    """The intersection over union of the true class's box, (n,); 0 where that class is not among the ``k`` first."""
    ranks = range(1, k + 1)
    is_true = table[[f"class_{rank}" for rank in ranks]].to_numpy() == table["label"].to_numpy()[:, None]
    ious = table[[f"iou_{rank}" for rank in ranks]].to_numpy(np.float64)
    return np.where(is_true, ious, 0).max(1)
