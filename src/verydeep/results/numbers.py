"""From records to numbers: every cell of every table that a study can fill, with a stable identity."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from verydeep import paper, paths, runs
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations
from verydeep.results import transfers
from verydeep.results.identity import NumberId
from verydeep.results.likeness import Test, require_mean
from verydeep.results.printed import box_row, printed_beside, printed_rows
from verydeep.runs import answers, boxes, predictions
from verydeep.statistics import error, error_interval, seed_spread
from verydeep.studies import Fusion, Measurement, Run, Study, planned_runs, table6_fusions, table9_fusions
from verydeep.studies.measurements import BASELINES, GIVEN, SEVERAL, box_scales, measured_by, several, single
from verydeep.studies.targets import TRANSFER_TABLES

#: The tables of single networks, in the order of the numbers; the last is the comparison of Sect. 4.1.
SINGLE_NETWORK_TABLES = ("table3", "table4", "table5", "centre-crop")
#: The tables of single networks that give boxes (A.2).
BOX_TABLES = ("table8", "table9")

#: Metric -> how many of the best classes may be the true one.
METRICS = {"top1": 1, "top5": predictions.BEST}
#: The same of a table that has others: Table 8's boxes are of the true class, so that one is all there is.
_METRICS_OF = {"table8": {"true_class": 1}, "table10": {"top5": predictions.BEST}}
#: What may be said of a cell: it was measured; its network was trained and not tested with the weights that it has;
#: neither.
DONE, NOT_TESTED, NOT_RUN = "done", "not tested", "not run"
#: Every metric that counts images.
COUNTED = METRICS | _METRICS_OF["table8"]


@dataclass(frozen=True)
class Number:
    """One cell: ``<study>.<table>.<row>.<metric>``.

    ``status`` is :data:`DONE`, :data:`NOT_TESTED` or :data:`NOT_RUN`, as a table shows it where it has no value.
    ``value``, ``low`` and ``high`` (95 % interval over the ``n`` validation images) are ``None`` when it is
    not done, and so is the interval of an exact count. Of Tables 11 and 12 the value is a share of which more
    is better, and ``n`` counts the images tested on. Where several seeds were run the value is their mean, the interval
    is over seeds and images, and ``seed_spread`` is their standard deviation. ``paper`` is the published value at the
    paper's own size and data, ``None`` where it prints none. Errors are in percent. ``run`` is the folder below
    ``runs/<study>`` of the first seed, and ``measurement`` the name in its predictions.
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

    @cached_property
    def identity(self) -> NumberId:
        """Its identity in parts.

        Raises
        ------
        VerydeepError
            When it is not of the form.
        """
        return NumberId.parse(self.id)

    @property
    def study(self) -> str:
        """The study that it is of: ``quarter`` of ``quarter.table3.D-384.top1``."""
        return self.identity.study

    @property
    def table(self) -> str:
        """The table of the paper that it belongs to, ``table3``, or ``centre-crop``."""
        return self.identity.table

    @property
    def row(self) -> str:
        """Its row in that table: ``D-384``."""
        return self.identity.row

    @property
    def metric(self) -> str:
        """What was measured or counted: ``top1``, ``top5``, ``true_class``, ``parameters``, ``map`` or ``recall``."""
        return self.identity.metric

    @property
    def is_error(self) -> bool:
        """Whether it is an error that was measured; the others are exact counts, and shares of which more is better."""
        return bool(self.n) and self.table not in TRANSFER_TABLES


def as_dict(number: Number) -> dict:
    """A number for ``numbers.json``, in the form of ``numbers.schema.json``."""
    return asdict(number) | {"runs": list(number.runs)}


def read_numbers(study: Study) -> Iterator[Number]:
    """Every number of a study: Tables 2 to 6, the centre crops of Sect. 4.1's comparison, then Tables 8 to 12.

    The paper's rows come first, in its order, then the rows of the study's other networks.

    Raises
    ------
    RecordError
        For a record that does not fit its schema, and for two seeds of a row that were tested or trained otherwise.
    """
    *printed, last = SINGLE_NETWORK_TABLES
    yield from _table2(study)
    for table in printed:
        yield from _single_networks(table, study)
    yield from _fusions("table6", table6_fusions(study), study)
    yield from _single_networks(last, study)
    for table in BOX_TABLES:
        yield from _single_networks(table, study)
    together = table9_fusions(study)
    yield from _fusions("table9", together, study)
    yield from _fusions("table10", dict(zip(["VGG"], together.values(), strict=False)), study)
    for keys in transfers.read(study):
        yield Number(status=NOT_RUN if keys["value"] is None else DONE, **keys)


def _single_networks(table: str, study: Study) -> Iterator[Number]:
    for row in rows(table, study):
        yield from _cells(table, row)


@dataclass(frozen=True)
class Row:
    """One network tested in one way: a row of Tables 3, 4, 5, 8 or 9, or of the centre crops.

    Or, in Tables 8 and 9, what needs no network; then ``run`` is the one whose record has it.
    """

    name: str
    run: Run
    measurement: Measurement


def rows(table: str, study: Study) -> list[Row]:
    """The rows of a table for every network of the study that is no pilot, at its first seed; the paper's come first.

    Parameters
    ----------
    table
        ``"table3"``, ``"table4"``, ``"table5"``, ``"table8"``, ``"table9"`` or ``"centre-crop"``.
    """
    planned = [run for run in planned_runs(study) if run.seed == study.seeds[0]]
    by_name = {row.name: row for run in planned for row in _rows_of(table, run)}
    if table in BOX_TABLES:
        by_name |= {row.name: row for row in _without_network(table, [run for run in planned if run.boxes])}
    order = [name for name in printed_rows(table) if name in by_name]
    return [by_name[name] for name in dict.fromkeys([*order, *by_name])]


def _rows_of(table: str, run: Run) -> Iterator[Row]:
    if bool(run.boxes) != (table in BOX_TABLES):
        return
    match table:
        case "table8":
            yield Row(run.row, run, measured_by(run)[0])
            for scales in box_scales(run):
                yield Row(box_row(run.row, scales), run, Measurement("true-dense-boxes", scales))
        case "table9":
            for scales in box_scales(run):
                yield Row(box_row(run.row, scales), run, Measurement("dense-boxes", scales))
        case "table3":
            yield Row(run.row, run, single(run.train_scale))
        case "table4":
            yield Row(run.row, run, several(run.train_scale))
        case "table5":
            for method in SEVERAL if _has_crops(run) else ():
                yield Row(f"{run.row}-{method}", run, several(run.train_scale, method))
        case "centre-crop":
            yield Row(run.row, run, single(run.train_scale, "centre-crop"))


def _without_network(table: str, planned: list[Run]) -> Iterator[Row]:
    """The baselines of Tables 8 and 9, from the first network whose record has them."""
    run = next((run for run in planned if runs.read_record(run, "evaluate")), next(iter(planned), None))
    for name in BASELINES if run else ():
        yield Row(name, run, Measurement((GIVEN if table == "table8" else "") + name, ()))


def _has_crops(run: Run) -> bool:
    """Whether a network is tested on many crops: its study asks it, or it was done."""
    crops = several(run.train_scale, "multi-crop")
    if crops in measured_by(run):
        return True
    records = (runs.read_record(seeded, "evaluate") for seeded in _seeds(run))
    return any(record and crops.name in record.measurements for record in records)


def _table2(study: Study) -> Iterator[Number]:
    """Parameters of each configuration at the study's size; an exact count, so always done."""
    full_size = study.network.width_divisor == 1 and study.num_classes == 1000
    for row in paper.table(2).itertuples():
        millions = anatomy.parameters(all_configurations()[row.config], study.size) / 1e6
        printed = int(row.params_millions) if full_size else None
        yield Number(f"{study.name}.table2.{row.config}.parameters", millions, None, None, None, printed, DONE)


def _cells(table: str, row: Row) -> Iterator[Number]:
    measured, first = {}, None
    for run in _seeds(row.run):
        record = runs.tested(run)
        if not record or row.measurement.name not in record.measurements:
            continue
        first = first or Test(run, record)
        require_mean(f"{table}.{row.name}", first, Test(run, record))
        measured[run.name] = record.measurements[row.measurement.name]
    missing = NOT_TESTED if row.run.study.train and runs.read_record(row.run, "train") else NOT_RUN
    yield from _errors(f"{table}.{row.name}", row.run.study, measured, row.run.name, row.measurement.name, missing)


def _seeds(run: Run) -> list[Run]:
    """The same network with every seed of the study, and with every other that was recorded."""
    recorded = {name.seed for name in runs.evaluated(run.study.name) if name.row == run.row}
    return [replace(run, seed=seed) for seed in sorted(recorded | set(run.study.seeds))]


def _fusions(table: str, fusions: dict[str, Fusion], study: Study) -> Iterator[Number]:
    for name, fusion in fusions.items():
        record = runs.read_record(fusion)
        holds = record and runs.still_holds(fusion.folder, record)
        measured = {fusion.name: record.measurements[fusion.method]} if holds else {}
        yield from _errors(f"{table}.{name}", study, measured, fusion.name, fusion.method)


def _errors(
    row: str, study: Study, measured: dict[str, runs.Errors], run: str, measurement: str, missing: str = NOT_RUN
) -> Iterator[Number]:
    """The cells of one row from what each recorded seed measured, run name -> errors; ``missing``: what none is."""
    for metric, k in _METRICS_OF.get(row.partition(".")[0], METRICS).items():
        identity, printed = f"{study.name}.{row}.{metric}", printed_beside(f"{row}.{metric}")
        if not measured:
            yield Number(identity, None, None, None, None, printed, missing, run, measurement)
            continue
        errors, n = [seed.error(f"top{k}") for seed in measured.values()], next(iter(measured.values())).n
        spread = None
        if len(errors) == 1:
            value, (low, high) = errors[0], error_interval(errors[0], n)
        else:
            wrong_by_seed = np.stack([wrong_images(study.name, name, measurement, k) for name in measured])
            interval, spread = error(wrong_by_seed), seed_spread(wrong_by_seed)
            value, low, high = interval.value, interval.low, interval.high
        names = tuple(measured)
        yield Number(identity, value, low, high, n, printed, DONE, names[0], measurement, names, spread)


def wrong(number: Number) -> np.ndarray:
    """What a number that has been run counts as wrong: bool (seeds, images), ordered by image name.

    The number's value is 100 times its mean.
    """
    k = COUNTED[number.metric]
    return np.stack([wrong_images(number.study, run, number.measurement, k) for run in number.runs])


def wrong_images(study: str, run: str, measurement: str, k: int) -> np.ndarray:
    """Which images the predictions of one run count as wrong among the ``k`` best: bool (images,), by image name."""
    path = answers.file_of(paths.runs() / study / run)
    changed = path.stat().st_mtime_ns if path.exists() else 0  # of a missing one it is said where it is read
    return _wrong(path, changed, measurement, k)


@lru_cache(maxsize=256)
def _wrong(path: Path, changed: int, measurement: str, k: int) -> np.ndarray:
    table = answers.read(path, measurement).sort_values("image")
    return ~answers.hits(path, table, k)


def unnamed_images(number: Number) -> np.ndarray:
    """The images whose true class is not among those that boxes were given to: bool (seeds, images), by image name.

    Of a number of Table 9 that has been run: whatever its boxes, these it cannot answer.
    """
    by_run = []
    for run in number.runs:
        path = paths.runs() / number.study / run / boxes.FILE
        table = answers.read(path, number.measurement).sort_values("image")
        by_run.append(~predictions.hits(table, predictions.BEST))
    return np.stack(by_run)
