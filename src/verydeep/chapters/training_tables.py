"""How the networks of a study were trained: its pilots, and how far each network came."""

import pandas as pd

from verydeep import runs
from verydeep.chapters import display
from verydeep.chapters.display import NOT_RUN
from verydeep.results import training_cost
from verydeep.runs.records import HISTORY
from verydeep.statistics import error_interval
from verydeep.studies import Run, Study, lineage, load, planned_runs, recipes

_BOX = "held-out, true class's box"
_HELD_OUT = {"held-out top-1": "%", "held-out top-5": "%", _BOX: "%"}


def pilots(study: str, boxes: bool = False) -> pd.DataFrame:
    """The short runs by which a study's recipe was chosen: what each changed, and its errors on held-out images.

    One row a pilot and network. Errors are in percent with their 95 % interval over the held-out images; a pilot that
    has not been run says so.

    Parameters
    ----------
    boxes
        Those of networks that give boxes, whose error is that of the true class's box, in place of all others.
    """
    spec = load(study)
    rows = []
    for run in (run for run in planned_runs(spec, pilots=True) if bool(run.boxes) == boxes):
        record = runs.read_record(run, "train")
        row = {
            "pilot": run.variant.removeprefix("pilot-"),
            "network": f"{run.config}-{run.train_scale}",
            "changes": recipes.changes(run) or "nothing",
            "why": spec.variants[run.variant].why,
            "epochs": run.recipe.epochs,
        }
        metrics = {_BOX: "top1"} if boxes else {"held-out top-1": "top1", "held-out top-5": "top5"}
        row |= {heading: held_out(record, metric) for heading, metric in metrics.items()}
        row["training loss"] = round(record.metrics.train_loss, 4 if boxes else 2) if record else NOT_RUN
        rows.append(row)
    if not rows:
        return display.without_rows()
    return display.of_rows(rows, ["pilot", "network"], units=_HELD_OUT, caption=_held_out_coverage(spec))


def training(study: str, trained: bool = False) -> pd.DataFrame:
    """How long each network of a study was trained, with all that it starts from, and how far it came.

    Training loss and top-1 error (percent) are means over the last epoch, on its random crops. The held-out error, with
    its 95 % interval, is that of the images held out from the training set. What has not been run says so. A network
    of another seed than the study's first has the seed in its name.

    Parameters
    ----------
    trained
        Only the networks that were.
    """
    rows = []
    for run in planned_runs(load(study)):
        record = runs.read_record(run, "train")
        if run.boxes or (trained and record is None):
            continue
        done = training_cost.done_multiply_adds(run, record) if record else 0
        rows.append(
            {
                "network": run.label,
                "starts from": run.parent.label if run.parent else "",
                "epochs": epochs(run),
                "with its ancestors'": sum(map(epochs, lineage(run))),
                "training loss": round(record.metrics.train_loss, 2) if record else NOT_RUN,
                "training top-1": round(record.metrics.train_top1_error, 1) if record else NOT_RUN,
                "held-out top-1": held_out(record, "top1"),
                "multiply-adds (1e15)": round(done / 1e15, 2) if record else NOT_RUN,
            }
        )
    if not rows:
        return display.without_rows()
    units = _HELD_OUT | {"training top-1": "%"}
    return display.of_rows(rows, "network", dtype=object, units=units, caption=_held_out_coverage(load(study)))


def epochs(run: Run) -> int:
    """How many epochs a network was trained for, or is to be."""
    record = runs.read_record(run, "train")
    return record.cost.epochs if record else run.recipe.epochs


def budget(study: str) -> pd.DataFrame:
    """How far each classifier A to E of a study came at S=256, against how many updates it and what it starts from had.

    Those of the study's own recipe, and of each other by which networks of two depths were trained: one of a single
    depth says nothing of depth. A row a network of the study's first seed that was trained: ``network``, ``config``,
    ``updates``, ``changes`` (of the study's recipe, but for its length, and of its networks), ``training`` (top-1 error
    in percent on the crops of the last epoch), and ``held_out`` with ``low`` and ``high``, that on the held-out images
    with its 95 % interval.
    """
    rows = []
    for run in planned_runs(load(study)):
        if run.config not in tuple("ABCDE") or run.train_scale != "256" or run.seed != run.study.seeds[0] or run.boxes:
            continue
        chain = [runs.read_record(ancestor, "train") for ancestor in lineage(run)]
        if None in chain:
            continue
        record, error = chain[-1], chain[-1].metrics.held_out_error("top1")
        low, high = error_interval(error, record.data.held_out.count)
        rows.append(
            {
                "network": run.row,
                "config": run.config,
                "updates": sum(trained.cost.steps for trained in chain),
                "changes": recipes.changes_in_words(run),
                "training": record.metrics.train_top1_error,
                "held_out": error,
                "low": low,
                "high": high,
            }
        )
    columns = ["network", "config", "updates", "changes", "training", "held_out", "low", "high"]
    frame = pd.DataFrame(rows, columns=columns)
    depths = frame.groupby("changes")["config"].transform("nunique")
    return frame[(frame["changes"] == "") | (depths > 1)].sort_values(["config", "updates"], ignore_index=True)


def histories(study: str, variant: str | None = None) -> dict[str, pd.DataFrame]:
    """What every epoch left, of the networks A to E of a study that were trained, the shallowest first: their history.

    Parameters
    ----------
    variant
        Of the study; its networks as planned by default. At the training scale S=256.
    """
    asked = {run.config: run for run in planned_runs(load(study))
             if (run.variant, run.train_scale, run.seed) == (variant, "256", run.study.seeds[0])}  # fmt: skip
    trained = (asked[config] for config in "ABCDE" if config in asked and runs.read_record(asked[config], "train"))
    return {run.config: pd.read_csv(run.folder / HISTORY) for run in trained}


def _held_out_coverage(study: Study) -> str:
    """What the intervals of a study's held-out errors cover: those of a run are for its own seed."""
    records = (runs.read_record(run, "train") for run in planned_runs(study))
    first = next((record for record in records if record), None)
    return display.coverage(first.data.held_out.count, [1], "held-out") if first else ""


def held_out(record: runs.TrainRecord | None, metric: str) -> str:
    """Error on the held-out images after the last epoch with its interval, or ``not run``."""
    if record is None:
        return NOT_RUN
    error = record.metrics.held_out_error(metric)
    low, high = error_interval(error, record.data.held_out.count)
    return display.with_interval(error, low, high)
