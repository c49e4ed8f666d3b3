"""From records to numbers: every cell of every table that a study can fill, with a stable identity.

Reads ``runs/`` and the paper's facts, and imports no torch.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pandas as pd
from scipy.stats import binomtest

from verydeep import paper, runs
from verydeep.errors import UnknownName
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations
from verydeep.studies import Measurement, Run, Study, load, planned_runs, table6_fusions
from verydeep.studies.fusions import method_of, table6_row
from verydeep.studies.measurements import SEVERAL, several, single

CONFIDENCE = 0.95
METRICS = ("top1", "top5")


@dataclass(frozen=True)
class Number:
    """One cell: ``<study>.<table>.<row>.<metric>``.

    ``value``, ``low`` and ``high`` (95 % interval over the ``n`` validation images) are ``None`` when the cell
    has not been run, and so is the interval of an exact count. ``paper`` is the published value at the paper's
    own size and data, ``None`` where it prints none. Errors are in percent. ``run`` is the folder below
    ``runs/<study>`` and ``measurement`` the name in its predictions.
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
    spec = load(study)
    found = _table2(spec)
    for table in ("table3", "table4", "table5"):
        found += [cell for row in rows(table, spec) for cell in _cells(table, row)]
    found += _table6(spec)
    return found + [cell for row in rows("centre-crop", spec) for cell in _cells("centre-crop", row)]


def number(identity: str) -> Number:
    """The number with this identity, for example ``quarter.table3.D-384.top1``.

    Raises
    ------
    UnknownName
        When there is none; the message lists the nearest.
    """
    study, _, _ = identity.partition(".")
    known = {found.id: found for found in numbers(study)}
    if identity not in known:
        raise UnknownName("number", identity, difflib.get_close_matches(identity, known, 3, 0) or known)
    return known[identity]


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
    printed = [identity.split(".")[1] for identity in printed_numbers() if identity.startswith(f"{table}.")]
    order = [name for name in dict.fromkeys(printed) if name in found]
    return [found[name] for name in dict.fromkeys([*order, *found])]


def _rows_of(table: str, run: Run) -> Iterator[Row]:
    match table:
        case "table3":
            yield Row(run.row, run, single(run.train_scale))
        case "table4":
            yield Row(run.row, run, several(run.train_scale))
        case "table5":
            for method in SEVERAL:
                yield Row(f"{run.row}-{method}", run, several(run.train_scale, method))
        case "centre-crop":
            yield Row(run.row, run, single(run.train_scale, "centre-crop"))


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
    record = runs.read_record(row.run, "evaluate")
    measured = record.measurements.get(row.measurement.name) if record else None
    yield from _errors(f"{table}.{row.name}", row.run.study, measured, row.run.name, row.measurement.name)


def _table6(study: Study) -> Iterator[Number]:
    for name, fusion in table6_fusions(study).items():
        record = runs.read_fusion(fusion)
        measured = record.measurements[fusion.method] if record else None
        yield from _errors(f"table6.{name}", study, measured, fusion.name, fusion.method)


def _errors(row: str, study: Study, measured: dict | None, run: str, measurement: str) -> Iterator[Number]:
    for metric in METRICS:
        identity, printed = f"{study.name}.{row}.{metric}", printed_numbers().get(f"{row}.{metric}")
        if measured is None:
            yield Number(identity, None, None, None, None, printed, "not run", run, measurement)
        else:
            value, n = measured[f"{metric}_error"], measured["n"]
            yield Number(identity, value, *error_interval(value, n), n, printed, "done", run, measurement)


def error_interval(error: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an error (percent) measured on ``n`` images: sampling of the images only."""
    wrong = round(error * n / 100)
    interval = binomtest(wrong, n).proportion_ci(CONFIDENCE, method="wilson")
    return 100 * float(interval.low), 100 * float(interval.high)
