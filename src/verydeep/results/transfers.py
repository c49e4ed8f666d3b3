"""The numbers of features on other data: Tables 11 and 12, by the same identities in every study (Appendix B).

A row is networks-on-data set, described as the paper does; behind that may stand another way of describing images.
Numbers are shares in percent of which more is better, not errors.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from verydeep import runs
from verydeep.results.likeness import Test, require_mean
from verydeep.results.printed import printed_beside
from verydeep.runs import answers, transfers
from verydeep.runs.records import OtherDataRecord
from verydeep.statistics import Interval, basic_bootstrap_of_share
from verydeep.studies import Features, Study, Transfer, planned_transfers
from verydeep.studies.targets import TARGETS
from verydeep.studies.transfer import ON, PIXELS

#: The data sets on which ways of joining scales are compared, so that those rows are asked for.
_TRIED = ("voc2007-val", "caltech101", "voc2012-action", "photographs")


@dataclass(frozen=True)
class TransferRow:
    """A row of Table 11 or 12: networks whose features are carried to a data set, described in one way."""

    name: str
    transfer: Transfer
    features: Features

    @property
    def table(self) -> str:
        """``table11``, or ``table12`` of actions."""
        return self.transfer.target.table

    @property
    def cell(self) -> str:
        """Its number within a study: ``table11.D-jitter-on-caltech101.recall``."""
        return f"{self.table}.{self.name}.{self.transfer.target.metric}"


def rows(study: Study) -> list[TransferRow]:
    """The rows that a study plans, and those that were recorded beside, in the order of the data sets."""
    recorded = {transfer.row: transfer for transfer in _recorded(study)}
    planned = planned_transfers(study)
    others = [transfer for row, transfer in recorded.items() if row not in {plan.row for plan in planned}]
    listed, with_pixels = [], set()
    for transfer in sorted([*planned, *others], key=lambda transfer: [*TARGETS].index(transfer.source)):
        for features in transfer.measured():
            asked = features == transfer.usual or (not features.of and len(features.scales) > 1 and _tried(transfer))
            if features.of == PIXELS:
                if transfer.row in recorded and transfer.source not in with_pixels:
                    with_pixels.add(transfer.source)
                    listed.append(TransferRow(f"{PIXELS}{ON}{transfer.source}", recorded[transfer.row], features))
            elif asked or transfer.row in recorded:
                listed.append(TransferRow(row_name(transfer, features), transfer, features))
    return listed


def _tried(transfer: Transfer) -> bool:
    return transfer.source in _TRIED


def row_name(transfer: Transfer, features: Features) -> str:
    """The row of one way of describing images: the paper's has the name of the networks and the data set alone."""
    if features == transfer.usual:
        return transfer.row
    if features == replace(transfer.usual, view="image"):
        return f"{transfer.row}-image"
    return f"{transfer.row}-{features.name}"


@dataclass(frozen=True)
class Cell:
    """What was recorded of a row: run name -> score, and on resampled images (seeds, resamples)."""

    scores: dict[str, runs.parts.TransferScore]
    resampled: np.ndarray

    @property
    def interval(self) -> Interval:
        """The mean over seeds, with the 95 % interval over images, and over seeds where there are several."""
        values = [score.value for score in self.scores.values()]
        return basic_bootstrap_of_share(float(np.mean(values)), self.resampled)


def recorded(row: TransferRow, every: list[Transfer] | None = None) -> Cell | None:
    """What was recorded of a row, with every seed; ``None`` where nothing was.

    ``every`` are the recorded transfers of the study, which are looked up where they are not given. Raises as
    :func:`verydeep.results.likeness.require_mean`.
    """
    scores, resampled, first = {}, [], None
    for transfer in _seeds(row.transfer, every):
        record = runs.read_record(transfer)
        measured = record and row.features.name in record.measurements
        if measured and runs.still_holds(transfer.folder, record):
            first = first or Test(transfer, record)
            require_mean(f"{row.table}.{row.name}", first, Test(transfer, record))
            scores[transfer.name] = record.measurements[row.features.name]
            resampled.append(resamples(transfer.folder, record, row.features.name))
    return Cell(scores, np.stack(resampled)) if scores else None


def other_precision(row: TransferRow) -> float | None:
    """Mean average precision by the other definition, percent, of the first seed that was recorded.

    ``None`` of recalls, and where nothing was recorded.
    """
    if row.transfer.target.metric != "map" or (cell := recorded(row)) is None:
        return None
    folder = row.transfer.folder.with_name(next(iter(cell.scores)))
    said = transfers.read(folder, row.features.name)
    other = {"eleven": "area", "area": "eleven"}[row.transfer.average_precision]
    return transfers.value(said, "map", other)["value"]


def _seeds(transfer: Transfer, every: list[Transfer] | None = None) -> list[Transfer]:
    """The same networks with every seed that was recorded, all of them with one."""
    every = _recorded(transfer.study) if every is None else every
    repeats = [repeat for repeat in every if repeat.row == transfer.row]
    return sorted(repeats, key=lambda repeat: repeat.members[0].seed)


def _recorded(study: Study) -> list[Transfer]:
    """The recorded transfers that are rows: of networks that share a seed, by which verdicts pair them."""
    return [transfer for transfer in runs.recorded_transfers(study) if len({run.seed for run in transfer.members}) == 1]


def resamples(folder: Path, record: OtherDataRecord, measurement: str) -> np.ndarray:
    """The number of one record on resampled images, by the rule of today: (resamples,).

    Read where the record was made by that rule, and else computed from what was said of every image. Raises as
    :func:`verydeep.runs.answers.read`.
    """
    if transfers.is_resampled_by_rule(record):
        path = folder / transfers.RESAMPLED
        return _read_resamples(path, _changed(path))[measurement].to_numpy(np.float64)
    protocol, changed = record.protocol, _changed(folder / transfers.FILE)
    asked = measurement, protocol["metric"], protocol["average_precision"]
    return _resample(folder, changed, *asked).astype(np.float64)


def _changed(path: Path) -> int:
    """When a file was written, by which a table that was read is known again; of none that is missing."""
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=64)
def _read_resamples(path: Path, changed: int) -> pd.DataFrame:
    return answers.read_table(path)


@lru_cache(maxsize=256)
def _resample(folder: Path, changed: int, measurement: str, metric: str, precision: str) -> np.ndarray:
    return transfers.resampled(transfers.read(folder, measurement), metric, precision)


def read(study: Study) -> Iterator[dict]:
    """The keys of every ``Number`` of Tables 11 and 12 but for its status: what has no value was not run."""
    every = _recorded(study)  # read once: a study has a hundred rows
    for row in rows(study):
        identity, cell = f"{study.name}.{row.cell}", recorded(row, every)
        common = {"id": identity, "paper": printed_beside(row.cell), "measurement": row.features.name}
        if cell is None:
            nothing = dict.fromkeys(("value", "low", "high", "n"))
            yield common | nothing | {"run": row.transfer.name}
            continue
        interval, names = cell.interval, tuple(cell.scores)
        values = [score.value for score in cell.scores.values()]
        yield common | {
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
            "n": cell.scores[names[0]].n,
            "run": names[0],
            "runs": names,
            "seed_spread": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        }
