"""What a linear classifier says of the images of another data set, and the numbers made of it (Appendix B).

Mean class recall is the mean over classes of the share of a class's images that are called so; mean average precision
the mean over classes of the average precision of the images ranked by the class's score, difficult ones left out.
Numbers are in percent. Each is also computed on resampled images, the same for every row of a data set, so that the
difference of two rows has its interval too.
"""

import numpy as np
import pandas as pd

from verydeep import files

#: Its files in a folder: what was said of every image, and the numbers on resampled images.
FILE, RESAMPLED = "transfer.parquet", "resampled.parquet"
RESAMPLES = 999
_LEVELS = np.arange(11) / 10


def table(name: str, split: int, names, labels: np.ndarray, scores: np.ndarray, metric: str) -> pd.DataFrame:
    """What was said by one way of describing images, on one split.

    Parameters
    ----------
    name
        Of the way, :attr:`verydeep.studies.transfer.Features.name`.
    names, labels, scores
        Of the images tested, or the objects in them: (n,); (n, classes), 1, -1, or 0 for a difficult one; (n, classes).
    metric
        ``"map"`` keeps labels and scores of every class; ``"recall"`` the class, and that of the best score.
    """
    frame = pd.DataFrame({"measurement": name, "split": np.int8(split), "image": list(names)})
    if metric == "recall":
        said = {"label": labels.argmax(1), "class_1": scores.argmax(1)}
        return frame.assign(**{column: classes.astype(np.int16) for column, classes in said.items()})
    columns = {f"label_{k}": labels[:, k].astype(np.int8) for k in range(labels.shape[1])}
    # four decimals are kept, and everything is computed from these
    columns |= {f"score_{k}": scores[:, k].astype(np.float32).round(4) for k in range(labels.shape[1])}
    return pd.concat([frame, pd.DataFrame(columns)], axis=1)


def value(table: pd.DataFrame, metric: str, precision: str = "eleven") -> dict:
    """The number of one way of describing images: ``n``, ``value``, ``splits`` (that of each), and ``classes``.

    ``n`` counts the images that were tested in any split, ``classes`` has the mean over splits of each class's number.
    ``precision`` is ``"eleven"`` or ``"area"``; of recalls it is not asked.
    """
    ones = np.ones((1, table["image"].nunique()))
    by_split = _by_class(table, ones, metric, precision)[:, 0]  # (splits, classes)
    return {
        "n": ones.shape[1],
        "value": float(_mean(by_split, 1).mean()),
        "splits": [float(number) for number in _mean(by_split, 1)],
        "classes": [float(number) for number in _mean(by_split, 0)],
    }


def resampled(table: pd.DataFrame, metric: str, precision: str = "eleven") -> np.ndarray:
    """The number on resampled images, float32 (RESAMPLES,); two tables of the same images are resampled alike.

    Images are drawn as often as there are, with replacement: those of one class among themselves where each has one. An
    image is drawn with what was said of it in every split; a class without an image of a split is left out of it.
    """
    images = table.drop_duplicates("image").sort_values("image")
    groups = images["label"].to_numpy() if metric == "recall" else np.zeros(len(images), int)
    seed = int(files.sha256_bytes("\n".join(images["image"]).encode())[:8], 16)
    generator, weights = np.random.default_rng(seed), np.empty((RESAMPLES, len(images)))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        weights[:, members] = generator.multinomial(len(members), np.full(len(members), 1 / len(members)), RESAMPLES)
    return _mean(_by_class(table, weights, metric, precision), 2).mean(0).astype(np.float32)


def _by_class(table: pd.DataFrame, weights: np.ndarray, metric: str, precision: str) -> np.ndarray:
    """The number of each split and class when images, sorted by name, count so often: (splits, draws, classes).

    NaN of a recall of a class without an image.
    """
    place = {name: k for k, name in enumerate(sorted(table["image"].unique()))}
    by_split = []
    for _, part in table.groupby("split", observed=True):
        counts = weights[:, part["image"].map(place).to_numpy()]
        if metric == "recall":
            by_split.append(_recalls(part["label"].to_numpy(), part["class_1"].to_numpy(), counts))
            continue
        columns = [column for column in part if column.startswith("label_")]
        of_classes = [
            average_precision(part[f"label_{k}"].to_numpy(), part[f"score_{k}"].to_numpy(), precision, counts)
            for k in range(len(columns))
        ]
        by_split.append(100 * np.stack(of_classes, 1))
    return np.stack(by_split)


def _recalls(labels: np.ndarray, said: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The recall of each class in percent, (draws, classes); NaN of a class without an image."""
    classes = labels.max() + 1
    belongs = (labels[:, None] == np.arange(classes)).astype(float)
    total = counts @ belongs
    right = counts @ (belongs * (said == labels)[:, None])
    return 100 * np.divide(right, total, out=np.full_like(right, np.nan), where=total > 0)


def _mean(numbers: np.ndarray, axis: int) -> np.ndarray:
    """The mean of those that are there; 0 where none is."""
    there = ~np.isnan(numbers)
    return np.where(there, numbers, 0).sum(axis) / np.maximum(there.sum(axis), 1)


def average_precision(
    labels: np.ndarray, scores: np.ndarray, precision: str = "eleven", counts: np.ndarray | None = None
) -> np.ndarray:
    """Average precision of one class, 0 to 1, for each row of ``counts``: (draws,).

    Parameters
    ----------
    labels
        (n,): 1 for an image of the class, -1 for another, 0 for a difficult one, which is left out.
    scores
        (n,); images of one score stand at one place of the ranking.
    precision
        ``"eleven"``: the mean over the recalls 0, 0.1, ..., 1 of the best precision at that recall or a higher one, as
        VOC-2007 defines it. ``"area"``: the area under that best precision, as VOC defines it since 2010.
    counts
        (draws, n): how often each image counts; once by default. 0 for a draw without an image of the class.
    """
    counts = np.ones((1, len(labels))) if counts is None else counts
    counted = labels != 0
    labels, scores, counts = labels[counted], scores[counted], counts[:, counted]
    order = np.argsort(-scores, kind="stable")
    true = np.cumsum(counts[:, order] * (labels[order] == 1), 1)
    every = np.cumsum(counts[:, order], 1)
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of each score
    true, every = true[:, last], every[:, last]
    total = true[:, -1:]
    precisions = np.divide(true, every, out=np.zeros_like(true), where=every > 0)
    recalls = np.divide(true, total, out=np.zeros_like(true), where=total > 0)
    best = np.maximum.accumulate(precisions[:, ::-1], 1)[:, ::-1]
    if precision == "area":
        return (np.diff(recalls, axis=1, prepend=0) * best).sum(1)
    # the first place at which a recall is reached; a tenth of a whole number is not exact
    reached = np.stack([(recalls < level - 1e-12).sum(1) for level in _LEVELS], 1)
    at = np.take_along_axis(best, np.minimum(reached, recalls.shape[1] - 1), 1)
    return at.mean(1) * (total[:, 0] > 0)
