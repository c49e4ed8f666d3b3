"""Predictions: for every measurement and image the true class, the five best classes and their probabilities.

Any error, interval or paired test can be computed from them again, without torch and without the data.
"""

import numpy as np
import pandas as pd

from verydeep.errors import VerydeepError

BEST = 5
#: Its file in a run's folder.
FILE = "predictions.parquet"


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
    columns = [f"class_{i + 1}" for i in range(k) if f"class_{i + 1}" in predictions]
    best = predictions[columns].to_numpy()
    return (best == predictions["label"].to_numpy()[:, None]).any(1)


def true_class_probability(predictions: pd.DataFrame) -> np.ndarray:
    """The probability that each image's true class was given, (n,); NaN where it is not among the best kept."""
    ranks = [k + 1 for k in range(BEST) if f"class_{k + 1}" in predictions]
    is_true = predictions[[f"class_{k}" for k in ranks]].to_numpy() == predictions["label"].to_numpy()[:, None]
    given = predictions[[f"probability_{k}" for k in ranks]].to_numpy(np.float64)
    return np.where(is_true.any(1), (given * is_true).sum(1), np.nan)


def gained_most(predictions: pd.DataFrame, after: str, before: str) -> tuple[int, pd.Series]:
    """The image whose true class gained most probability by the measurement ``after`` against ``before``.

    Of the images that ``after`` answers rightly, and of whose true class ``before`` has kept the probability too: of
    the others the gain is not known.

    Returns
    -------
    tuple
        Its position among the images of ``after``, and its predictions there.

    Raises
    ------
    VerydeepError
        When there is no such image.
    """
    tested = predictions[predictions["measurement"] == after].set_index("image")
    other = predictions[predictions["measurement"] == before].set_index("image")
    earlier = pd.Series(true_class_probability(other), other.index).reindex(tested.index)
    gain = np.where(hits(tested, 1), tested["probability_1"] - earlier, np.nan)
    if np.isnan(gain).all():
        raise VerydeepError(f"no image is right by {after} and has its true class among the best by {before}")
    position = int(np.nanargmax(gain))
    return position, tested.iloc[position]


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
