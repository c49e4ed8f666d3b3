"""Fine-tuning as tables: three ways of learning a data set, by the number of images of each class."""

import numpy as np
import pandas as pd

from verydeep import runs
from verydeep.chapters import display
from verydeep.chapters.display import NOT_RUN
from verydeep.results import transfers
from verydeep.statistics import Interval, basic_bootstrap, basic_bootstrap_of_share
from verydeep.studies import Tuning
from verydeep.studies.tuning import TUNED, WAYS


def points(tuning: Tuning) -> pd.DataFrame:
    """The error of every way, for a picture: ``way`` in words, ``images`` of each class, ``error``, ``low``, ``high``.

    The mean over classes of the share of a class's images that are called otherwise, percent, with its 95 % interval
    over the images tested on. Empty where nothing was recorded.
    """
    record, lines = runs.read_record(tuning), []
    for name, score in record.measurements.items() if record else ():
        way, _, images = name.rpartition("-")
        recall = basic_bootstrap_of_share(score.value, transfers.resamples(tuning.folder, record, name)[None])
        lines.append(
            {
                "way": WAYS[way],
                "images": int(images),
                "error": 100 - recall.value,
                "low": 100 - recall.high,
                "high": 100 - recall.low,
            }
        )
    return pd.DataFrame(lines, columns=["way", "images", "error", "low", "high"])


def ways(tuning: Tuning) -> display.Table:
    """The mean class error of every way by the number of images of each class, and what learning cost."""
    record, curves = runs.read_record(tuning), points(tuning)
    lines = []
    for point, name in zip(curves.itertuples(), record.measurements if record else (), strict=True):
        work = record.work[name]
        lines.append(
            {
                "images of each class": point.images,
                "way": point.way,
                "mean class error": display.with_interval(point.error, point.low, point.high),
                "multiply-adds": float(f"{work.multiply_adds:.3g}"),
                "epochs": work.epochs,
                "rate": f"{work.rate:g}" if work.rate else "",
                "learning": round(work.seconds, 1),
            }
        )
    if not lines:
        return display.without_rows(f"{tuning.row}: {NOT_RUN}; {tuning.command}")
    units = {"mean class error": "%", "learning": "seconds"}
    caption = f"Intervals: 95 %, over the {record.splits[0].test:,} images tested on."
    return display.of_rows(lines, ["images of each class", "way"], units=units, caption=caption)


def gains(tuning: Tuning) -> display.Table:
    """What fine-tuning gains over the two other ways, in percentage points of mean class error, with 95 % intervals."""
    record, lines = runs.read_record(tuning), []
    for count in tuning.counts if record else ():
        line = {"images of each class": count}
        for way, words in WAYS.items():
            if way != TUNED:
                line[words] = display.difference(_gain(tuning, record, f"{TUNED}-{count}", f"{way}-{count}"))
        lines.append(line)
    units = {words: "points" for way, words in WAYS.items() if way != TUNED}
    caption = "" if lines else f"{tuning.row}: {NOT_RUN}; {tuning.command}"
    return display.of_rows(lines, "images of each class", units=units, caption=caption)


def _gain(tuning: Tuning, record: runs.TuningRecord, after: str, before: str) -> Interval:
    values = [record.measurements[name].value for name in (after, before)]
    resampled = [transfers.resamples(tuning.folder, record, name) for name in (after, before)]
    return basic_bootstrap(values[0] - values[1], np.subtract(*resampled)[None])
