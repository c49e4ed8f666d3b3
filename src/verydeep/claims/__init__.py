"""The paper's claims against a study's numbers: a rule for each, written down beforehand, and the verdict it gives."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import compress

import yaml

from verydeep import paper, results, statistics
from verydeep.errors import UnknownName
from verydeep.results import Number
from verydeep.statistics import Interval

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
UNDECIDED, NOT_TESTED = "undecided at this n", "not tested"

# The same networks at the same scale, tested densely and on one crop.
_TABLE3, _CENTRE_CROP = "table3.", "centre-crop."


@dataclass(frozen=True)
class Rule:
    """How one claim is put to the test; see ``rules.yaml``."""

    number: int
    name: str
    rule: str
    combine: str
    compare: list[list[str]]
    reads: str
    margin: float = 0.0
    paper: list[list[str]] | None = None


@dataclass(frozen=True)
class Compared:
    """One comparison of a rule: the rows, the paper's difference in top-1 error and ours, percent points.

    A positive difference means that the second row has the lower error. What was not printed, or not run, is ``None``.
    """

    first: str
    second: str
    paper: float | None
    ours: Interval | None


@dataclass(frozen=True)
class Verdict:
    """What a study says of one claim.

    ``paper`` and ``ours`` are the difference that the verdict rests on: the average over the comparisons, or where each
    must hold, that of the comparison which speaks least for the claim.
    """

    number: int
    section: str
    statement: str
    rule: Rule | None
    compared: list[Compared]
    paper: float | None
    ours: Interval | None
    verdict: str
    n: int | None


@cache
def rules() -> dict[int, Rule]:
    """The rules by claim number; a claim without one is not tested by any study."""
    text = files(__package__).joinpath("rules.yaml").read_text(encoding="utf-8")
    return {rule["number"]: Rule(**rule) for rule in yaml.safe_load(text)}


def tally(study: str) -> dict[str, int]:
    """How many of the claims that have a rule come to each verdict.

    Raises
    ------
    UnknownName
        For a study that does not exist.
    """
    counted = Counter(one.verdict for one in board(study) if one.rule)
    return {verdict: counted[verdict] for verdict in (REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_TESTED)}


def board(study: str) -> list[Verdict]:
    """The verdict on each of the paper's 32 claims, in the paper's order.

    Raises
    ------
    UnknownName
        For a study that does not exist.
    """
    known = {found.id: found for found in results.numbers(study)}
    return [_judge(study, claim, rules().get(claim["number"]), known) for claim in paper.claims()]


def verdict(study: str, number: int) -> Verdict:
    """The verdict on one claim.

    Raises
    ------
    UnknownName
        For a study, or a number of a claim, that does not exist.
    """
    asked = {claim["number"]: claim for claim in paper.claims()}
    if number not in asked:
        raise UnknownName("claim", number, list(asked))
    known = {found.id: found for found in results.numbers(study)}
    return _judge(study, asked[number], rules().get(number), known)


def on_one_crop(study: str) -> dict[int, tuple[Verdict, Verdict]]:
    """Whether verdicts hang on the way of testing: of rules about Table 3, as they are and on a centre crop instead.

    By the claim's number. A rule's comparisons within other tables are left out of both. The verdict on the board is
    that of the whole rule.

    Raises
    ------
    UnknownName
        For a study that does not exist.
    """
    known = {found.id: found for found in results.numbers(study)}
    found = {}
    for claim in paper.claims():
        rule = rules().get(claim["number"])
        within = [_within(pair, _TABLE3) for pair in rule.compare] if rule else []
        if not any(within):
            continue
        pairs = list(compress(rule.compare, within))
        dense = replace(rule, compare=pairs, paper=list(compress(_paper_pairs(rule), within)))
        cropped = [[reference.replace(_TABLE3, _CENTRE_CROP) for reference in pair] for pair in pairs]
        both = (dense, replace(dense, compare=cropped))
        found[claim["number"]] = tuple(_judge(study, claim, one, known) for one in both)
    return found


def _within(pair: list[str], table: str) -> bool:
    return all(one.startswith(table) for reference in pair for one in _alternatives(reference))


def decide(rule: Rule, differences: list[Interval], average: Interval) -> str:
    """The verdict of a rule: reproduced, not reproduced, or undecided where the interval leaves both open.

    Parameters
    ----------
    differences
        Of each comparison, positive where the second row has the lower error.
    average
        Of their mean.
    """
    deciding = differences if rule.combine == "each" else [average]
    if rule.rule == "not-lower":
        deciding = [
            Interval(rule.margin - one.value, rule.margin - one.high, rule.margin - one.low) for one in deciding
        ]
    if all(one.low > 0 for one in deciding):
        return REPRODUCED
    if any(one.high <= 0 for one in deciding):
        return NOT_REPRODUCED
    return UNDECIDED


def _judge(study: str, claim: dict, rule: Rule | None, known: dict[str, Number]) -> Verdict:
    said = {"number": claim["number"], "section": claim["section"], "statement": claim["statement"], "rule": rule}
    if rule is None:
        return Verdict(**said, compared=[], paper=None, ours=None, verdict=NOT_TESTED, n=None)
    pairs = [[_resolve(study, reference, known) for reference in pair] for pair in rule.compare]
    printed = [_printed(pair) for pair in _paper_pairs(rule)]
    wrong, compared = [], []
    for (first, second), theirs in zip(pairs, printed, strict=True):
        ran = all(one is not None and one.status == "done" for one in (first, second))
        if ran:
            both = (results.wrong(first), results.wrong(second))
            wrong.append(both)
        ours = statistics.mean_difference([both]) if ran else None
        names = (one.id.split(".", 1)[1].rsplit(".", 1)[0] if one else "" for one in (first, second))
        compared.append(Compared(*names, theirs, ours))
    theirs = None if None in printed else sum(printed) / len(printed)
    if len(wrong) < len(pairs):
        return Verdict(**said, compared=compared, paper=theirs, ours=None, verdict=NOT_TESTED, n=None)
    ours = statistics.mean_difference(wrong)
    verdict = decide(rule, [one.ours for one in compared], ours)
    if rule.combine == "each":
        least = min(compared, key=lambda one: one.ours.high if verdict == NOT_REPRODUCED else one.ours.low)
        theirs, ours = least.paper, least.ours
    return Verdict(**said, compared=compared, paper=theirs, ours=ours, verdict=verdict, n=wrong[0][0].shape[1])


def _alternatives(reference: str) -> list[str]:
    return [one.strip() for one in reference.split("|")]


def _paper_pairs(rule: Rule) -> list[list[str]]:
    """The rows of the paper that stand beside each comparison."""
    return rule.paper or [[_alternatives(one)[0] for one in pair] for pair in rule.compare]


def _resolve(study: str, reference: str, known: dict[str, Number]) -> Number | None:
    """The first of a reference's alternatives that the study has a cell for."""
    found = (known.get(f"{study}.{one}.top1") for one in _alternatives(reference))
    return next((one for one in found if one is not None), None)


def _printed(pair: list[str]) -> float | None:
    """The paper's difference between two rows, or ``None`` where it does not print both."""
    printed = results.printed_numbers()
    first, second = (printed.get(f"{reference}.top1") for reference in pair)
    return None if first is None or second is None else first - second
