"""Two rows of a study compared on the same images, as DataFrames: those behind the claims, and every two of some."""

import itertools

import pandas as pd

from verydeep import results
from verydeep.chapters import display
from verydeep.results import differences
from verydeep.results.differences import Difference
from verydeep.results.printed import more_is_better


def comparisons(study: str) -> display.Table:
    """Every comparison of errors behind the claims that has been run: rows, differences, and McNemar's exact p.

    Claims about features on other data compare no errors of single images; see :func:`feature_comparisons`.
    """
    compared = _behind_claims(study, of_features=False)
    return _table_of(compared, ["claim", "first", "second"], "validation")


def feature_comparisons(study: str) -> display.Table:
    """The same of precisions and recalls on other data (Appendix B): positive where the second row has the higher."""
    compared = _behind_claims(study, of_features=True)
    keys = ("only first wrong", "only second wrong", "p")
    compared = [({key: part for key, part in row.items() if key not in keys}, found) for row, found in compared]
    return _table_of(compared, ["claim", "first", "second"], "test")


def pairwise(study: str, *rows: str) -> display.Table:
    """Every two of some rows of a study, each named as ``table3.A-256``, compared on the same images.

    Which rule or claim a comparison is of is not asked; a pair of which one has not been run is left out.
    """
    pairs = itertools.combinations(rows, 2)
    found = [(pair, differences.between(study, *pair)) for pair in pairs]
    compared = [({"first": first, "second": second} | _parts(one), one) for (first, second), one in found if one]
    return _table_of(compared, ["first", "second"], "validation")


def _behind_claims(study: str, of_features: bool) -> list[tuple[dict, Difference]]:
    """A row and its difference for every comparison behind the claims that has been run."""
    compared = []
    for verdict in results.read(study).verdicts:
        for pair in verdict.compared:
            if pair.ours is None or more_is_better(pair.first) != of_features:
                continue
            found = differences.between(study, pair.first, pair.second, seeds=pair.seeds)
            named = {"claim": verdict.number, "first": pair.first, "second": pair.second}
            compared.append((named | {"paper's difference": pair.paper} | _parts(found), found))
    return compared


def _parts(found: Difference) -> dict:
    only_first, only_second = found.only_wrong or (None, None)
    return {
        "difference": found.interval.value,
        "low": found.interval.low,
        "high": found.interval.high,
        "only first wrong": only_first,
        "only second wrong": only_second,
        "p": found.p,
        "detectable": found.detectable,
    }


def _table_of(compared: list[tuple[dict, Difference]], index: list[str], kind: str) -> display.Table:
    """Rows and the differences that they are of as a table, with what the intervals cover."""
    frame = pd.DataFrame([row for row, _ in compared])
    if frame.empty:
        return display.table(frame)
    points = dict.fromkeys(("paper's difference", "difference", "low", "high", "detectable"), "points")
    units = {name: unit for name, unit in points.items() if name in frame}
    several = dict.fromkeys(("only first wrong", "only second wrong", "p"), "several seeds")
    missing = several | {"paper's difference": "", "detectable": "the same answers"}
    caption = display.coverage_of([(found.n, len(found.seeds)) for _, found in compared], kind)
    frame = frame.set_index(index).round(dict.fromkeys(units, 3))
    return display.table(frame, units=units, missing=missing, caption=caption)
