"""From records to numbers: every cell of every table that a study can fill, with a stable identity.

Reads ``runs/`` and the paper's facts, and imports no torch.
"""

import difflib
from dataclasses import dataclass

from scipy.stats import binomtest

from verydeep import paper, runs
from verydeep.errors import UnknownName
from verydeep.networks import anatomy
from verydeep.networks.configurations import all_configurations
from verydeep.studies import Run, Study, load
from verydeep.studies.plan import SINGLE_TEST_SCALE

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Number:
    """One cell: ``<study>.<table>.<row>.<metric>``.

    ``value``, ``low`` and ``high`` (95 % interval over the ``n`` validation images) are ``None`` when the cell
    has not been run, and so is the interval of an exact count. ``paper`` is the published value at the paper's
    own size and data, ``None`` where it prints none. Errors are in percent.
    """

    id: str
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    paper: float | None
    status: str
    run: str | None = None


def numbers(study: str) -> list[Number]:
    """Every number of a study: Tables 2 and 3, in the paper's row order.

    Raises
    ------
    UnknownName
        For a study that does not exist.
    RecordError
        For a record that does not fit its schema.
    """
    spec = load(study)
    return [*_table2(spec), *_table3(spec)]


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
    known = {}
    for row in paper.table(3).itertuples():
        name = f"table3.{row.config}-{paper.scale_name(row.train_min, row.train_max)}"
        known |= {f"{name}.top1": row.top1_val_error, f"{name}.top5": row.top5_val_error}
    known |= {f"table2.{row.config}.parameters": row.params_millions for row in paper.table(2).itertuples()}
    if identity not in known:
        raise UnknownName("number of the paper", identity, difflib.get_close_matches(identity, known, 3, 0))
    return known[identity]


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


def table3_runs(study: Study, seed: int | None = None) -> list[Run]:
    """The runs behind the rows of Table 3 that the study trains, in the paper's order; first seed by default."""
    seed = study.seeds[0] if seed is None else seed
    found = []
    for row in paper.table(3).itertuples():
        scale = paper.scale_name(row.train_min, row.train_max)
        if row.config in study.networks.get(scale, []):
            found.append(Run(study, row.config, scale, seed))
    return found


def _table3(study: Study) -> list[Number]:
    if not study.train:
        return []
    found = []
    for run in table3_runs(study):
        record = runs.read_record(run, "evaluate")
        measured = record.measurements[f"dense-{SINGLE_TEST_SCALE[run.train_scale]}"] if record else None
        for metric in ("top1", "top5"):
            identity = f"{study.name}.table3.{run.row}.{metric}"
            printed = paper_number(f"table3.{run.row}.{metric}")
            found.append(_error(identity, measured, f"{metric}_error", printed, run))
    return found


def _error(identity: str, measured: dict | None, key: str, printed: float, run: Run) -> Number:
    if measured is None:
        return Number(identity, None, None, None, None, printed, "not run", run.name)
    low, high = error_interval(measured[key], measured["n"])
    return Number(identity, measured[key], low, high, measured["n"], printed, "done", run.name)


def error_interval(error: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an error (percent) measured on ``n`` images: sampling of the images only."""
    wrong = round(error * n / 100)
    interval = binomtest(wrong, n).proportion_ci(CONFIDENCE, method="wilson")
    return 100 * float(interval.low), 100 * float(interval.high)
