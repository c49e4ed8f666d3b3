"""Errors against depth: A to E at S=256 by each recipe that trained several of them, the paper's and the studies'."""

import itertools
import statistics

import pandas as pd

from verydeep import results, runs, studies
from verydeep.chapters import display, findings
from verydeep.networks.configurations import configuration
from verydeep.results import Snapshot, printed_numbers
from verydeep.studies import recipes

_NETWORKS = ("A", "B", "C", "D", "E")
_DEPTH_CLAIM = 3
_TESTED = {"dense": "validation, dense", "centre-crop": "validation, one crop"}


def by_depth(*of: str) -> pd.DataFrame:
    """Top-1 error of A to E at S=256 against their depth, the paper's and every study's that has measured two depths.

    Of the studies ``of``; of all without one.

    A row a network: ``source`` (``paper`` or a study), ``row`` (of its table), ``config``, ``layers`` (with weights),
    ``error``, ``low`` and ``high`` in percent, ``training``: the error on the training crops of the last epoch, which
    the paper does not print, ``trained``: for how many epochs and by which recipe of several networks, ``recipe``: what
    a line and its single A share, ``after``: how many epochs the A had that it starts from, 0 without one, and ``way``:
    how it was tested, on a centre crop in a study whose networks dense testing harms, as its verdict on depth is. A
    recipe that has one depth so far, of those trained for as long, is left out, and so is what was trained for another
    time: but an A for as long as the others and the A that they start from. An A that was trained as long and by the
    same recipe as networks from random weights stands in their line, too: it starts from none in either.
    """
    rows = []
    printed = printed_numbers()
    for name in _NETWORKS:
        error = printed[f"table3.{name}-256.top1"]
        point = _point("paper", f"{name}-256", (error, error, error), "", 0, "dense")
        rows.append(point | {"training": None, "recipe": ""})
    for study in of or findings.recorded():
        rows += _measured(results.read(study))
    return pd.DataFrame(rows)


def _measured(snapshot: Snapshot) -> list[dict]:
    way = snapshot.verdict(_DEPTH_CLAIM).way or "dense"
    table = "centre-crop" if way == "centre-crop" else "table3"
    planned = {run.name: run for run in studies.planned_runs(snapshot.study)}
    # what changes anything of one network alone is an ablation
    of_several = {recipes.changes(run) for run in planned.values() if not run.variant or _is_shared(run)}
    lines: dict[str, list[tuple[studies.Run, dict]]] = {}
    for number in snapshot.done:
        config, scale = [*number.row.split("-", 2), ""][:2]
        if number.table == table and number.metric == "top1" and scale == "256" and config in _NETWORKS:
            errors, run = (number.value, number.low, number.high), planned[number.run]
            changes = recipes.changes(run)
            if changes in of_several:
                words = ", ".join(filter(None, [f"{run.recipe.epochs} epochs", recipes.changes_in_words(run)]))
                after = run.parent.recipe.epochs if run.parent else 0
                point = _point(snapshot.study.name, number.row, errors, words, after, way)
                point["training"] = _training_error([planned[name] for name in number.runs])
                lines.setdefault(changes, []).append((run, point))
    return [
        point | {"recipe": changes} for changes, line in lines.items() for point in _compared(_with_an_a(line, lines))
    ]


def _training_error(seeds: list[studies.Run]) -> float:
    """Of the networks behind a number the mean."""
    return statistics.mean(runs.read_record(run, "train").metrics.train_top1_error for run in seeds)


def _compared(line: list[dict]) -> list[dict]:
    """Of a recipe's networks those that say something of depth: two depths or more that were trained for as long.

    Where they start from A, an A that was trained for another time too: for as long as they and their A together.
    """
    frame = pd.DataFrame(line)
    depths = frame.groupby("trained")["layers"].nunique()
    several = set(depths.index[depths > 1])
    return [point for point in line if several and (point["trained"] in several or frame["after"].any())]


def _with_an_a(line: list[tuple[studies.Run, dict]], lines: dict[str, list[tuple[studies.Run, dict]]]) -> list[dict]:
    """The points of a line; of networks from random weights with the A that was trained as they were, if there is one.

    It is of another line where the study's others start from A: the recipe names the start, and A has none.
    """
    run, point = line[0]
    shown = [one for _, one in line]
    if run.parent or any(one.config == "A" for one, _ in line):
        return shown
    for a, measured in itertools.chain(*lines.values()):
        recipe = a.recipe.model_copy(update={"transfer_from_a": run.recipe.transfer_from_a})
        if a.config == "A" and recipe == run.recipe and a.network == run.network:
            return [measured | {"trained": point["trained"]}, *shown]
    return shown


def _is_shared(run: studies.Run) -> bool:
    return len(run.study.variants[run.variant].networks) > 1


def _point(source: str, row: str, errors: tuple, trained: str, after: int, way: str) -> dict:
    config = row.partition("-")[0]
    point = {"source": source, "row": row, "config": config, "layers": configuration(config).weight_layers}
    return (
        point
        | dict(zip(("error", "low", "high"), errors, strict=True))
        | {"trained": trained, "after": after, "way": way}
    )


def trained_in_words(line: pd.DataFrame) -> str:
    """How long the networks of a line of :func:`by_depth`, or its one, were trained, and which of them after an A."""
    words, started = line["trained"].iat[0], line.loc[line["after"] > 0]
    if len(line) == 1:
        return f"{line['config'].iat[0]}, {words}"
    if started.empty:
        return words
    ends = dict.fromkeys((started["config"].iat[0], started["config"].iat[-1]))
    return f"{words}, {'–'.join(ends)} after A's {started['after'].iat[0]}"


def by_recipe(study: str) -> display.Table:
    """Top-1 errors of A to E of a study at S=256, in percent: two rows a recipe, in testing and in training.

    The recipes and networks are those of :func:`by_depth`, and so is the way of testing; errors in training are those
    on the random crops of the last epoch. What was not trained by a recipe has no number in its rows.
    """
    frame = by_depth(study)
    rows = []
    lines = frame[frame["source"] == study].sort_values(["layers", "config"]).groupby("trained", sort=False)
    for _, line in lines:
        for told, column in ((_TESTED[line["way"].iat[0]], "error"), ("training crops", "training")):
            errors = dict.fromkeys(_NETWORKS) | dict(zip(line["config"], line[column], strict=True))
            rows.append({"trained": trained_in_words(line), "error on": told} | errors)
    units = dict.fromkeys(_NETWORKS, "%")
    return display.of_rows(rows, ["trained", "error on"], digits=1, units=units, missing="")
