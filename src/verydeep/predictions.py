"""Predictions: for every measurement and image the true class, the five best classes and their probabilities.

Any error, interval or paired test can be computed from them again, without torch and without the data.
"""

import numpy as np
import pandas as pd

BEST = 5


def table(measurement: str, names: list[str], labels: np.ndarray, posteriors: np.ndarray) -> pd.DataFrame:
    """The predictions of one measurement.

    Parameters
    ----------
    measurement
        Its name, for example ``dense-256``.
    names, labels
        Name and true class of each image, (n,).
    posteriors
        Class probabilities, (n, classes). Equal probabilities go to the lower class index.
    """
    best = np.argsort(-posteriors, axis=1, kind="stable")[:, :BEST]
    chosen = np.take_along_axis(posteriors, best, 1).astype(np.float32)
    columns = {"measurement": measurement, "image": names, "label": labels.astype(np.int16)}
    columns |= {f"class_{k + 1}": best[:, k].astype(np.int16) for k in range(best.shape[1])}
    columns |= {f"probability_{k + 1}": chosen[:, k] for k in range(best.shape[1])}
    frame = pd.DataFrame(columns)
    return frame.astype({"measurement": "category"})


def hits(predictions: pd.DataFrame, k: int) -> np.ndarray:
    """Whether each image's true class is among its ``k`` best, or among all where there are fewer; (n,) bool."""
    known = [f"class_{i + 1}" for i in range(k) if f"class_{i + 1}" in predictions]
    best = predictions[known].to_numpy()
    return (best == predictions["label"].to_numpy()[:, None]).any(1)


def errors(predictions: pd.DataFrame) -> dict:
    """Top-1 and top-5 error of one measurement in percent (Sect. 4), and the number of images."""
    n = len(predictions)
    if n == 0:
        return {"n": 0, "top1_error": None, "top5_error": None}
    return {
        "n": n,
        "top1_error": 100 * int((~hits(predictions, 1)).sum()) / n,
        "top5_error": 100 * int((~hits(predictions, BEST)).sum()) / n,
    }
