"""Eleven years later: D as published, and a step at a time D as one would train it today, by the records.

A rung is a variant of the study, ``ladder-1`` and so on, that adds one change to the rung before it; the first starts
from the variant ``random``. The rule by which a rung is taken stands in :func:`taken`.
"""

import re
from collections.abc import Iterator

import pandas as pd

from verydeep import progress, results, runs
from verydeep.chapters import display, error_tables, training_tables
from verydeep.chapters.display import NOT_RUN
from verydeep.networks import anatomy
from verydeep.results import training_cost
from verydeep.studies import Run, Study, load, planned_runs, recipes

_RUNG = re.compile(r"ladder-\d+")
#: Keys that say where a network starts and not how one would train it; the same on every rung.
_LEFT_OUT = {"transfer_from_a"}


def rungs(study: Study) -> list[Run]:
    """The runs of a study's ladder in order, the network as published first; none where it has no ladder."""
    steps = [run for run in planned_runs(study) if _RUNG.fullmatch(run.variant or "") and run.seed == study.seeds[0]]
    if not steps:
        return []
    steps.sort(key=lambda run: int(run.variant.rpartition("-")[2]))
    networks = {(run.config, run.train_scale) for run in steps}
    start = [run for run in planned_runs(study) if run.variant == "random" and run.seed == study.seeds[0]
             and (run.config, run.train_scale) in networks]  # fmt: skip
    return [*start, *steps]


def changed(run: Run, before: Run) -> dict[str, object]:
    """The keys of network and recipe in which a rung differs from the last one that was taken, with its values."""
    pairs = [(run.network, before.network), (run.recipe, before.recipe)]
    return {key: value for ours, theirs in pairs for key, value in ours
            if value != getattr(theirs, key) and key not in _LEFT_OUT}  # fmt: skip


def taken(errors: list[float | None]) -> list[bool | None]:
    """Which rungs are taken, by their top-1 errors on the held-out images after the last epoch, in order.

    The first is where the ladder begins. Another is taken where its error is not higher than that of the last rung that
    was taken. One that is not taken stays in the table, and its change is taken out of the rungs after it before they
    are run. ``None`` where a rung, or one before it, has not been run.
    """
    verdicts, best = [], None
    for number, error in enumerate(errors):
        if error is None or None in errors[:number]:
            verdicts.append(None)
            continue
        verdicts.append(best is None or error <= best)
        best = error if verdicts[-1] else best
    return verdicts


def _judged(steps: list[Run]) -> Iterator[tuple[Run, runs.TrainRecord | None, bool | None, dict[str, object]]]:
    """Each rung, its record, whether it is :func:`taken`, and what it changes of the last taken one before it."""
    records = [runs.read_record(run, "train") for run in steps]
    errors = [record.metrics.held_out_error("top1") if record else None for record in records]
    before = None
    for run, record, kept in zip(steps, records, taken(errors), strict=True):
        yield run, record, kept, changed(run, before) if before else {}
        before = before if kept is False else run


def points(study: str) -> pd.DataFrame:
    """Top-1 errors of the rungs for a picture, as of :func:`verydeep.chapters.error_tables.points`: a row a rung.

    ``row`` says what it adds, and that it was not taken where it was not. There are none where no rung has been tested.
    """
    lines = []
    for run, _, kept, told in _judged(rungs(load(study))):
        row = (f"+ {recipes.in_words(told)}" if told else "the study's recipe") + " (not taken)" * (kept is False)
        lines.append(error_tables.point(row, study, results.number(f"{study}.table3.{run.row}.top1")))
    return error_tables.measured_points(lines)


def ladder(study: str) -> display.Table:
    """A row a rung: what it changes, its errors with 95 % intervals, whether it is taken, its size and its time.

    The held-out error is that of the centre crop after the last epoch; the test error that of Table 3, dense, on the
    validation images. A rung that has not been run has the command that runs it, and how long that takes.
    """
    spec = load(study)
    steps = rungs(spec)
    if not steps:
        return display.without_rows(f"The study {study} has no ladder.")
    snapshot, said = results.read(study), {True: "yes", False: "no", None: NOT_RUN}
    rows, first = [], None
    for run, record, kept, told in _judged(steps):
        first = first or record
        parameters = anatomy.parameters(run.configuration, run.size)
        rows.append(
            {
                "rung": run.row,
                "adds": ", ".join(f"{key}: {value}" for key, value in told.items()) or "the study's recipe",
                "held-out top-1": training_tables.held_out(record, "top1"),
                "taken": said[kept],
                "top-1": display.measured(snapshot.number(f"{study}.table3.{run.row}.top1")),
                "parameters (millions)": round(parameters / 1e6, 3),
                "training": progress.duration(record.cost.seconds) if record else NOT_RUN,
                "to run": "" if record else f"{run.command} ({training_cost.time_left(run)})",
            }
        )
    caption = ""
    if first:
        held_out, tested = first.data.held_out.count, first.data.counts["val"]
        caption = display.covered(
            f"the {held_out:,} held-out images and, of top-1, the {tested:,} validation images", [1]
        )
    return display.of_rows(rows, "rung", dtype=object, units={"held-out top-1": "%", "top-1": "%"}, caption=caption)
