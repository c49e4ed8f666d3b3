"""Which classes a network gets wrong, and for which it takes them, from its predictions."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from verydeep import runs, statistics
from verydeep.chapters import display
from verydeep.data.sources import SOURCES
from verydeep.errors import RecordError, UnknownName, VerydeepError
from verydeep.runs import answers, predictions
from verydeep.studies import Run, load, planned_runs
from verydeep.studies.measurements import single

_PERCENT = 100
#: The configurations that are shown where none are named: the paper's shallowest, and its two best.
_SHOWN = ("A", "D", "E")


def networks_shown(study: str, named: list[str] | None = None) -> list[str]:
    """The rows of Table 3 that are named, or, where none are, A, D and E of the study's first scale.

    Each with batch normalisation and nothing else changed, where the study trains it so: that is the fair test of
    depth; else as the study itself has it.

    Raises
    ------
    VerydeepError
        For what is no list of names.
    """
    if named is not None:
        if not (isinstance(named, list) and named and all(isinstance(name, str) for name in named)):
            raise VerydeepError(f"networks must be a list of rows of Table 3, for example ['A-256'], not {named!r}")
        return named
    spec = load(study)
    scale = next(iter(spec.networks))
    runs_there = [run for run in planned_runs(spec) if (run.seed, run.train_scale) == (spec.seeds[0], scale)]
    normalised = spec.network_at(scale).model_copy(update={"batch_norm": True})
    chosen = []
    for config in _SHOWN:
        plain, *variants = [run for run in runs_there if run.config == config] or [None]
        if plain:
            chosen.append(next((run for run in variants if run.network == normalised), plain).row)
    return chosen


def errors_by_class(study: str, *networks: str) -> display.Table:
    """Top-1 error of each class in percent, a column a network, the hardest class for the last network first.

    Tested as in Table 3. A network that has not been tested is left out.

    Parameters
    ----------
    networks
        Rows of Table 3, for example ``A-256``.
    """
    frame = _by_class(study, networks)
    if not frame.empty:
        frame = frame.sort_values(frame.columns[-1], ascending=False).round(1)
    return display.table(frame, units=dict.fromkeys(frame, "%"), caption=display.FIRST_SEED)


def _by_class(study: str, networks: Iterable[str]) -> pd.DataFrame:
    """Top-1 error in percent on the images of each class, a column for each network that was tested."""
    words, columns = class_words(study), {}
    for network in networks:
        if (table := _tested(study, network)) is not None:
            wrong = pd.Series(~predictions.hits(table, 1), index=table["label"])
            columns[network] = _PERCENT * wrong.groupby(level=0).mean().rename(index=words)
    return pd.DataFrame(columns).rename_axis("class")


def errors_by_half(study: str, *networks: str) -> display.Table:
    """Top-1 error in percent over the easier and the harder half of the classes, by the mean of the networks' errors.

    And by how much each network is better than the first, with its paired 95 % interval, in either half, and by how
    much more in the harder than in the easier. Each class counts alike, whatever its images. By the errors of one
    network, what was chance in them would be held against it in the harder half.
    """
    by_class = _by_class(study, networks)
    if by_class.empty:
        return display.without_rows()
    order = by_class.mean(axis=1).sort_values().index
    half = len(order) // 2
    easier, harder = (dict.fromkeys(classes, 1 / len(classes)) for classes in (order[:half], order[half:]))
    parts = {"easier half": easier, "harder half": harder}
    frame = pd.DataFrame({name: by_class.loc[list(weights)].mean() for name, weights in parts.items()}).T.round(1)
    more = harder | {name: -weight for name, weight in easier.items()}
    first, *others = by_class
    for other in others:
        answers_of_both = _paired(study, first, other)
        gains = {
            name: display.difference(statistics.weighted_difference(*answers_of_both, weights))
            for name, weights in (parts | {"difference of the halves": more}).items()
        }
        frame = frame.reindex(gains).assign(**{f"{other}: better by": gains})
    units = dict.fromkeys(by_class, "%") | dict.fromkeys(frame.columns.difference(by_class.columns), "points")
    missing = dict.fromkeys(by_class, "")
    return display.table(frame.rename_axis("classes"), units=units, missing=missing, caption=display.FIRST_SEED)


def _paired(study: str, first: str, other: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which images each of two networks answers wrongly, bool (images,), and the words of each image's class."""
    before, after = (_tested(study, network).sort_values("image") for network in (first, other))
    if before["image"].tolist() != after["image"].tolist():
        raise RecordError(f"{study}: {first} and {other} were tested on other images; make the older of the two again")
    words = before["label"].map(class_words(study)).to_numpy()
    return ~predictions.hits(before, 1), ~predictions.hits(after, 1), words


def confused_pairs(study: str, network: str, count: int = 12) -> display.Table:
    """The pairs of classes that a network confuses most, either way round, tested as in Table 3.

    One row a pair: images of either class that were taken for the other, and what percent of both classes' images that
    is, with its 95 % interval.
    """
    table, words = _tested(study, network), class_words(study)
    if table is None:
        return display.without_rows()
    images = table["label"].value_counts()
    wrong = table[table["label"] != table["class_1"]]
    pairs = wrong[["label", "class_1"]].apply(lambda row: tuple(sorted(row)), axis=1).value_counts().head(count)
    rows = []
    for (label, other), taken in pairs.items():
        shown = int(images[label] + images[other])
        error = _PERCENT * taken / shown
        rows.append(
            {
                "classes": f"{words[label]} and {words[other]}",
                "images": int(taken),
                "of both": display.with_interval(error, *statistics.error_interval(error, shown)),
            }
        )
    return display.of_rows(rows, "classes", units={"of both": "%"}, caption=display.FIRST_SEED)


def class_words(study: str) -> dict[int, str]:
    """Class index -> its name in words, where the data set's are known without its files, else ``class 17``."""
    source = SOURCES[load(study).data.source]
    names = list(source.class_names.values()) or [f"class {k}" for k in range(source.num_classes)]
    return dict(enumerate(names))


def _tested(study: str, network: str) -> pd.DataFrame | None:
    """The predictions of Table 3's test of a network; ``None`` where it has not been run."""
    run = _run(study, network)
    if runs.tested(run) is None:
        return None
    return answers.read(run.folder / predictions.FILE, single(run.train_scale).name)


def _run(study: str, network: str) -> Run:
    """Raises :class:`UnknownName` for a network that the study does not have."""
    spec = load(study)
    by_row = {run.row: run for run in planned_runs(spec) if run.seed == spec.seeds[0]}
    if network not in by_row:
        raise UnknownName(f"network of {study}", network, by_row)
    return by_row[network]
