"""From records to numbers: every cell of every table that a study can fill, with a stable identity.

Reads ``runs/`` and the paper's facts, and imports no torch.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from verydeep import paper, paths, runs
from verydeep.errors import UnknownName
from verydeep.identity import NumberId
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations
from verydeep.runs import predictions
from verydeep.statistics import error, error_interval, seed_spread
from verydeep.studies import Measurement, Run, Study, load, planned_runs, table6_fusions
from verydeep.studies.fusions import method_of, table6_row
from verydeep.studies.measurements import SEVERAL, measured_by, several, single

#: Metric -> how many of the best classes may be the true one.
METRICS = {"top1": 1, "top5": predictions.BEST}


@dataclass(frozen=True)
class Number:
    """One cell: ``<study>.<table>.<row>.<metric>``.

    ``value``, ``low`` and ``high`` (95 % interval over the ``n`` validation images) are ``None`` when the cell
    has not been run, and so is the interval of an exact count. Where several seeds were run the value is their mean,
    the interval is over seeds and images, and ``seed_spread`` is their standard deviation. ``paper`` is the
    published value at the paper's own size and data, ``None`` where it prints none. Errors are in percent. ``run`` is
    the folder below ``runs/<study>`` of the first seed, and ``measurement`` the name in its predictions.
    """

    id: str
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    paper: float | None
    status: str
    run: str | None = None
    measurement: str | None = None
    runs: tuple[str, ...] = ()
    seed_spread: float | None = None

    @property
    def study(self) -> str:
        return NumberId.parse(self.id).study

    @property
    def table(self) -> str:
        return NumberId.parse(self.id).table

    @property
    def row(self) -> str:
        return NumberId.parse(self.id).row

    @property
    def metric(self) -> str:
        return NumberId.parse(self.id).metric


def as_dict(found: Number) -> dict:
    """A number for ``numbers.json``, in the form of ``numbers.schema.json``."""
    return asdict(found) | {"runs": list(found.runs)}


def numbers(study: str) -> list[Number]:
    """Every number of a study: Tables 2 to 6, then the centre crops of Sect. 4.1's comparison.

    The paper's rows come first, in its order, then the rows of the study's other networks.

    Raises
    ------
    UnknownName
        For a study that does not exist.
    RecordError
        For a record that does not fit its schema.
    """
    return list(read(study).numbers)


def number(identity: str) -> Number:
    """The number with this identity, for example ``quarter.table3.D-384.top1``.

    Raises
    ------
    VerydeepError
        When ``identity`` is not of the form of one; the message shows it.
    UnknownName
        When there is none; the message lists the nearest.
    """
    return read(NumberId.parse(identity).study).number(identity)


class Snapshot:
    """A study's records as of now, read once: its numbers, in the order of :func:`numbers`."""

    def __init__(self, study: Study):
        self.study = study
        found = _table2(study)
        for table in ("table3", "table4", "table5"):
            found += [cell for row in rows(table, study) for cell in _cells(table, row)]
        found += _table6(study)
        found += [cell for row in rows("centre-crop", study) for cell in _cells("centre-crop", row)]
        self.numbers = tuple(found)
        self._by_id = {number.id: number for number in found}

    def number(self, identity: str) -> Number:
        """One number; raises :class:`UnknownName` when there is none, with the nearest."""
        if identity not in self._by_id:
            raise UnknownName("number", identity, difflib.get_close_matches(identity, self._by_id, 3, 0))
        return self._by_id[identity]


def read(study: str) -> Snapshot:
    """The records of a study; read again only when one of them has changed. Raises as :func:`numbers` does."""
    spec = load(study)
    return _read(study, id(spec), stamp(study))


@lru_cache(maxsize=16)
def _read(study: str, spec: int, changed: tuple) -> Snapshot:
    return Snapshot(load(study))


def stamp(study: str) -> tuple:
    """Which records a study has, told without reading one: it is another whenever one of them is."""
    found = [path for pattern in ("*.json", runs.SEAL) for path in (paths.runs() / study).glob(f"*/{pattern}")]
    stats = [(str(path), path.stat()) for path in sorted(found)]
    return tuple((path, one.st_ino, one.st_mtime_ns, one.st_size) for path, one in stats)


def paper_number(identity: str) -> float | int:
    """A number as the paper printed it, for example ``table3.D-384.top1``; raises as :func:`number` does."""
    known = printed_numbers()
    if identity not in known:
        raise UnknownName("number of the paper", identity, difflib.get_close_matches(identity, known, 3, 0))
    return known[identity]


@cache
def printed_numbers() -> dict[str, float | int]:
    """Identity -> printed value, of Tables 2 to 7."""
    found = {f"table2.{row.config}.parameters": row.params_millions for row in paper.table(2).itertuples()}
    for table in (3, 4, 5, 6, 7):
        for row in paper.table(table).itertuples():
            name = f"table{table}.{paper_row(table, row)}"
            found |= {f"{name}.top1": row.top1_val_error, f"{name}.top5": row.top5_val_error}
            if table in (6, 7):
                found[f"{name}.top5_test"] = row.top5_test_error
    return {identity: value for identity, value in found.items() if not pd.isna(value)}


def paper_row(table: int, row) -> str:
    """The name of a row of Tables 3 to 7: ``D-384``, ``D-jitter-both``, ``7-dense``, ``GoogLeNet-7``."""
    if table == 7:
        return f"{re.sub('[^A-Za-z]+', '-', row.method).strip('-')}-{row.n_nets}"
    if table == 6:
        return table6_row(row)
    name = f"{row.config}-{paper.scale_name(row.train_min, row.train_max)}"
    return f"{name}-{method_of(row.evaluation)}" if table == 5 else name


def printed_rows(table: str) -> list[str]:
    """The names of the rows that the paper prints in one of its Tables 3 to 7, in its order; none for another."""
    number = {f"table{k}": k for k in (3, 4, 5, 6, 7)}.get(table)
    return [] if number is None else [paper_row(number, row) for row in paper.table(number).itertuples()]


@dataclass(frozen=True)
class Row:
    """One network tested in one way: a row of Tables 3, 4 or 5, or of the centre crops."""

    name: str
    run: Run
    measurement: Measurement


def rows(table: str, study: Study, seed: int | None = None) -> list[Row]:
    """The rows of a table for every network of the study that is no pilot; those the paper has come first.

    Parameters
    ----------
    table
        ``"table3"``, ``"table4"``, ``"table5"`` or ``"centre-crop"``.
    seed
        The study's first by default.
    """
    seed = study.seeds[0] if seed is None else seed
    planned = [run for run in planned_runs(study) if run.seed == seed]
    found = {row.name: row for run in planned for row in _rows_of(table, run)}
    order = [name for name in printed_rows(table) if name in found]
    return [found[name] for name in dict.fromkeys([*order, *found])]


def _rows_of(table: str, run: Run) -> Iterator[Row]:
    match table:
        case "table3":
            yield Row(run.row, run, single(run.train_scale))
        case "table4":
            yield Row(run.row, run, several(run.train_scale))
        case "table5":
            for method in SEVERAL if _has_crops(run) else ():
                yield Row(f"{run.row}-{method}", run, several(run.train_scale, method))
        case "centre-crop":
            yield Row(run.row, run, single(run.train_scale, "centre-crop"))


def _has_crops(run: Run) -> bool:
    """Whether a network is tested on many crops: its study asks it, or it was done."""
    crops = several(run.train_scale, "multi-crop")
    if crops in measured_by(run):
        return True
    records = (runs.read_record(one, "evaluate") for one in _seeds(run))
    return any(record and crops.name in record.measurements for record in records)


def _table2(study: Study) -> list[Number]:
    """Parameters of each configuration at the study's size; an exact count, so always done."""
    full_size = study.network.width_divisor == 1 and study.num_classes == 1000
    found = []
    for row in paper.table(2).itertuples():
        millions = anatomy.parameters(all_configurations()[row.config], **study.size()) / 1e6
        printed = int(row.params_millions) if full_size else None
        found.append(
            Number(f"{study.name}.table2.{row.config}.parameters", millions, None, None, None, printed, "done")
        )
    return found


def _cells(table: str, row: Row) -> Iterator[Number]:
    measured = {}
    for run in _seeds(row.run):
        record = runs.read_record(run, "evaluate")
        if record and row.measurement.name in record.measurements:
            measured[run.name] = record.measurements[row.measurement.name]
    yield from _errors(f"{table}.{row.name}", row.run.study, measured, row.run.name, row.measurement.name)


def _seeds(run: Run) -> list[Run]:
    """The same network with every seed of the study, and with every other that was recorded."""
    recorded = {name.seed for name in runs.evaluated(run.study.name) if name.row == run.row}
    return [replace(run, seed=seed) for seed in sorted(recorded | set(run.study.seeds))]


def _table6(study: Study) -> Iterator[Number]:
    for name, fusion in table6_fusions(study).items():
        record = runs.read_fusion(fusion)
        measured = {fusion.name: record.measurements[fusion.method]} if record else {}
        yield from _errors(f"table6.{name}", study, measured, fusion.name, fusion.method)


def _errors(row: str, study: Study, measured: dict[str, dict], run: str, measurement: str) -> Iterator[Number]:
    """The cells of one row from what each recorded seed measured, run name -> errors."""
    for metric, k in METRICS.items():
        identity, printed = f"{study.name}.{row}.{metric}", printed_numbers().get(f"{row}.{metric}")
        if not measured:
            yield Number(identity, None, None, None, None, printed, "not run", run, measurement)
            continue
        errors, n = [one[f"{metric}_error"] for one in measured.values()], next(iter(measured.values()))["n"]
        spread = None
        if len(errors) == 1:
            value, (low, high) = errors[0], error_interval(errors[0], n)
        else:
            wrong_by_seed = np.stack([wrong_images(study.name, name, measurement, k) for name in measured])
            interval, spread = error(wrong_by_seed), seed_spread(wrong_by_seed)
            value, low, high = interval.value, interval.low, interval.high
        names = tuple(measured)
        yield Number(identity, value, low, high, n, printed, "done", names[0], measurement, names, spread)


def wrong(found: Number) -> np.ndarray:
    """What a number that has been run counts as wrong: bool (seeds, images), ordered by image name.

    The number's value is 100 times its mean.
    """
    return np.stack([wrong_images(found.study, run, found.measurement, METRICS[found.metric]) for run in found.runs])


def wrong_images(study: str, run: str, measurement: str, k: int) -> np.ndarray:
    """Which images the predictions of one run count as wrong among the ``k`` best: bool (images,), by image name."""
    path = paths.runs() / study / run / "predictions.parquet"
    return _wrong(path, path.stat().st_mtime_ns, measurement, k)


@lru_cache(maxsize=256)
def _wrong(path: Path, changed: int, measurement: str, k: int) -> np.ndarray:
    table = pd.read_parquet(path, filters=[("measurement", "==", measurement)]).sort_values("image")
    return ~predictions.hits(table, k)
