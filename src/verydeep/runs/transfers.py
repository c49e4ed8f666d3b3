"""What a linear classifier says of the images of another data set, and the numbers made of it (Appendix B).

Mean class recall is the mean over classes of the share of a class's images that are called so; mean average precision
the mean over classes of the average precision of the images ranked by the class's score, difficult ones left out.
Numbers are in percent. Each is also computed on resampled images, the same for every row of a data set, so that the
difference of two rows has its interval too.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from verydeep import files
from verydeep.data.examples import images_of
from verydeep.errors import RecordError
from verydeep.paths import short
from verydeep.runs import answers
from verydeep.runs.records import OtherDataRecord
from verydeep.studies.targets import TARGETS
from verydeep.studies.transfer import resampling

#: Its files in a folder: what was said of every image, and the numbers on resampled images.
FILE, RESAMPLED = "transfer.parquet", "resampled.parquet"
RESAMPLES = 999
_LEVELS = np.arange(11) / 10


def read(folder: Path, measurement: str | None = None) -> pd.DataFrame:
    """What was said of every image in a folder, by one way of describing images or by all.

    Raises
    ------
    RecordError
        As :func:`verydeep.runs.answers.read`, and when a class score is NaN: it has no place in a ranking.
    """
    path = folder / FILE
    said = answers.read_table(path) if measurement is None else answers.read(path, measurement)
    if said.filter(like="score_").isna().any(axis=None):
        raise RecordError(
            f"{short(path)}: a class score is no number (NaN), by which images cannot be ranked; restore it (git "
            f"checkout), or delete the record beside it and carry the features again"
        )
    return said


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

    ``n`` counts the images, or the objects in them, that were tested in any split; ``classes`` has the mean over splits
    of each class's number. ``precision`` is ``"eleven"`` or ``"area"``; of recalls it is not asked.
    """
    images = images_of(table["image"])
    ones = np.ones((1, len(np.unique(images))))
    by_split = _by_class(table, images, ones, metric, precision)[:, 0]  # (splits, classes)
    return {
        "n": table["image"].nunique(),
        "value": float(_mean(by_split, 1).mean()),
        "splits": [float(number) for number in _mean(by_split, 1)],
        "classes": [float(number) for number in _mean(by_split, 0)],
    }


def resampled(table: pd.DataFrame, metric: str, precision: str = "eleven") -> np.ndarray:
    """The number on resampled images, float32 (RESAMPLES,); two tables of the same images are resampled alike.

    Images are drawn as often as there are, with replacement: those of one class among themselves where each has one. An
    image is drawn with every object in it, and with what was said of it in every split; a class without an image of a
    split is left out of it.
    """
    images = images_of(table["image"])
    names, first = np.unique(images, return_index=True)
    groups = table["label"].to_numpy()[first] if metric == "recall" else np.zeros(len(names))
    weights = _drawn("\n".join(names), groups.astype(np.int64).tobytes())
    return _mean(_by_class(table, images, weights, metric, precision), 2).mean(0).astype(np.float32)


def is_resampled_by_rule(record: OtherDataRecord) -> bool:
    """Whether the numbers on resampled images beside a record were made as :func:`resampled` makes them today."""
    target = TARGETS.get(record.data.source)
    return target is not None and resampling(target).items() <= record.protocol.items()


@lru_cache(maxsize=1)  # many ways of describing the same images follow one another
def _drawn(names: str, groups: bytes) -> np.ndarray:
    """How often each image counts in each resample, (RESAMPLES, images): drawn among those of its group."""
    group_of = np.frombuffer(groups, np.int64)
    generator = np.random.default_rng(int(files.sha256_bytes(names.encode())[:8], 16))
    weights = np.empty((len(group_of), RESAMPLES)).T  # the counts of one image lie together
    for group in np.unique(group_of):
        members = np.flatnonzero(group_of == group)
        weights[:, members] = generator.multinomial(len(members), np.full(len(members), 1 / len(members)), RESAMPLES)
    return weights


def _by_class(table: pd.DataFrame, images: np.ndarray, weights: np.ndarray, metric: str, precision: str) -> np.ndarray:
    """The number of each split and class when images, sorted by name, count so often: (splits, draws, classes).

    ``images`` has the image of each line of the table. NaN of a recall of a class without an image.
    """
    places = np.unique(images, return_inverse=True)[1]
    by_split = []
    for split, part in table.groupby("split", observed=True):
        counts = weights.T[places[(table["split"] == split).to_numpy()]].T
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
        (draws, n): how often each image counts; once by default. 0 for a draw without an image of the class, which
        has no precision, and so where every image is difficult.

    Raises
    ------
    RecordError
        When a score is NaN: it has no place in a ranking.
    """
    if np.isnan(scores).any():
        raise RecordError("average precision: a class score is no number (NaN), by which images cannot be ranked")
    counts = np.ones((1, len(labels))) if counts is None else counts
    order = np.argsort(-scores, kind="stable")
    order = order[labels[order] != 0]
    of_class, ranked = labels[order] == 1, counts.T[order]  # images are rows, which are copied whole
    if not of_class.any():
        return np.zeros(len(counts))
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of each score
    before = np.cumsum(of_class)[last]
    # Further down, until the next image of the class, precision only falls and recall stays.
    reaches = np.diff(before, prepend=0) > 0
    every = np.cumsum(ranked, 0)[last[reaches]]
    true = np.cumsum(ranked[of_class], 0)[before[reaches] - 1]
    total = true[-1]
    precisions = np.divide(true, every, out=np.zeros_like(true), where=every > 0)
    recalls = np.divide(true, total, out=np.zeros_like(true), where=total > 0)
    best = np.maximum.accumulate(precisions[::-1])[::-1]
    if precision == "area":
        return (np.diff(recalls, axis=0, prepend=0) * best).sum(0)
    # the first place at which a recall is reached; a tenth of a whole number is not exact
    reached = np.stack([(recalls < level - 1e-12).sum(0) for level in _LEVELS])
    at = np.take_along_axis(best, np.minimum(reached, len(recalls) - 1), 0)
    return at.mean(0) * (total > 0)
