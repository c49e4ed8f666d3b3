"""The verdict that a rule gives on a claim: the direction of the difference, its size, whether the test was fair."""

from dataclasses import dataclass

from verydeep import paper
from verydeep.results.claims.evidence import Evidence
from verydeep.results.claims.fairness import CONDITIONS, Condition, unhurt
from verydeep.results.claims.rulebook import Rule, earlier_rules, rules
from verydeep.results.printed import judged_cell, more_is_better, printed_numbers
from verydeep.statistics import Interval

# direction: what the interval of a difference says of the claim
AGREES, OPPOSITE, UNDECIDED = "agrees", "opposite", "undecided"
# size: the paper's difference against the interval of ours
AS_PRINTED, LARGER, SMALLER = "as in the paper", "larger", "smaller"
# the verdict
REPRODUCED, IN_PART, NOT_REPRODUCED = "reproduced", "reproduced in part", "not reproduced"
UNFAIR, NOT_TESTED = "not tested fairly", "not tested"
VERDICTS = (REPRODUCED, IN_PART, NOT_REPRODUCED, UNDECIDED, UNFAIR, NOT_TESTED)


@dataclass(frozen=True)
class Compared:
    """One comparison of a rule: the rows, the paper's difference in error and ours, percentage points.

    The error is the top-1 error, in localisation that of :func:`verydeep.results.printed.judged`. A positive difference
    means that the second row has the lower error, or in Tables 11 and 12 the higher number.
    What was not printed, or not run, is ``None``. ``seeds`` are those over which the difference is the mean.
    """

    first: str
    second: str
    paper: float | None
    ours: Interval | None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What a study says of one claim.

    ``paper`` and ``ours`` are the difference that the verdict rests on, in percentage points: the average over the
    comparisons, or where each must hold, that of the comparison which speaks least for the claim, whose place among
    them is ``least``. ``way`` is ``centre-crop`` where dense testing would have harmed one of the networks. ``tested``
    is when the first test of the rows was started, ISO 8601. Parts that cannot be told yet are ``None``.
    """

    number: int | str
    section: str
    statement: str
    rule: Rule | None
    compared: list[Compared]
    paper: float | None = None
    ours: Interval | None = None
    least: int | None = None
    direction: str | None = None
    conditions: tuple[Condition, ...] = ()
    way: str | None = None
    n: int | None = None
    seeds: int | None = None
    tested: str | None = None

    @property
    def size(self) -> str | None:
        """The paper's difference lies inside our interval, or ours is larger or smaller; none where it is opposite."""
        if self.ours is None or self.paper is None or self.direction == OPPOSITE:
            return None
        return size(self.paper, self.ours)

    @property
    def fair(self) -> bool | None:
        """Whether every condition of the rule holds; ``None`` where nothing was tested or a record is missing."""
        if self.direction is None or any(condition.holds is None for condition in self.conditions):
            return None
        return all(condition.holds for condition in self.conditions)

    @property
    def on_a_crop(self) -> bool:
        """Whether every row of the comparisons was tested on a centre crop."""
        rows = [row for pair in self.compared for row in (pair.first, pair.second)]
        return bool(rows) and all(row.startswith("centre-crop.") for row in rows)

    @property
    def agreeing(self) -> int:
        """How many of the comparisons speak for the claim, whether surely or not."""
        return sum(_supports(rule, ours.value) for rule, ours in self._by_rule)

    @property
    def opposed(self) -> int:
        """How many of the comparisons speak against the claim, surely."""
        return sum(direction(rule, ours) == OPPOSITE for rule, ours in self._by_rule)

    @property
    def _by_rule(self) -> list[tuple[Rule, Interval]]:
        """The comparisons that were run, each with the rule as it is for it."""
        compared = enumerate(self.compared)
        return [(self.rule.of(k), pair.ours) for k, pair in compared if pair.ours is not None]

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`: *reproduced* only for a fair test that agrees, with no comparison surely against."""
        if self.direction is None:
            return NOT_TESTED
        if not self.fair:
            return UNFAIR
        if self.direction == AGREES:
            return IN_PART if self.opposed else REPRODUCED
        return NOT_REPRODUCED if self.direction == OPPOSITE else UNDECIDED


def verdicts(evidence: Evidence) -> list[Verdict]:
    """The verdict on each of the paper's 32 claims, in the paper's order."""
    return [judge(evidence, claim, rules().get(claim["number"])) for claim in paper.claims()]


def _claim(number: int) -> dict:
    return next(claim for claim in paper.claims() if claim["number"] == number)


def on_one_crop(evidence: Evidence, judged_by: dict[int, Rule] | None = None) -> dict[int, tuple[Verdict, Verdict]]:
    """Whether verdicts hang on the way of testing: of rules about Table 3, tested densely and on a centre crop.

    By the claim's number; by the rules in force unless others are given. A rule's comparisons within other tables are
    left out of both.
    """
    both = {}
    for number, rule in (judged_by or rules()).items():
        dense = rule.within_table3()
        if dense.pairs:
            cropped = rule.on_one_crop()
            both[number] = tuple(judge(evidence, _claim(number), variant) for variant in (dense, cropped))
    return both


def under_earlier_rules(evidence: Evidence) -> list[Verdict]:
    """The verdict under each rule that was changed, in the order of :func:`earlier_rules`.

    Some asked for no fair test: of these the direction is what they said.
    """
    return [judge(evidence, _judged(rule), rule) for rule in earlier_rules()]


def _judged(rule: Rule) -> dict:
    """What a rule judges: a claim of the paper, or an ablation."""
    if isinstance(rule.number, int):
        return _claim(rule.number)
    return {"number": rule.number, "section": "", "statement": rule.name}


def direction(rule: Rule, difference: Interval) -> str:
    """What an interval of a difference says of a claim: it agrees, says the opposite, or leaves both open."""
    low, high, margin = difference.low, difference.high, rule.margin
    match rule.rule:
        case "lower":
            agrees, opposite = low > 0, high < 0
        case "not-lower":
            agrees, opposite = high < margin, low >= margin
        case _:
            agrees, opposite = -margin < low and high < margin, low >= margin or high <= -margin
    return AGREES if agrees else OPPOSITE if opposite else UNDECIDED


def size(paper_difference: float, ours: Interval) -> str:
    """Whether the paper's difference lies inside our interval, or ours is larger or smaller."""
    if ours.low > paper_difference:
        return LARGER
    return SMALLER if ours.high < paper_difference else AS_PRINTED


def _supports(rule: Rule, difference: float) -> bool:
    match rule.rule:
        case "lower":
            return difference > 0
        case "not-lower":
            return difference < rule.margin
        case _:
            return abs(difference) < rule.margin


def decide(rule: Rule, differences: list[Interval], average: Interval) -> tuple[str, int | None]:
    """The direction of a rule, and which comparison it rests on where each must hold (``None``: the average)."""
    if rule.combine == "mean":
        return direction(rule, average), None
    directions = [direction(rule.of(k), difference) for k, difference in enumerate(differences)]
    outcome = next(which for which in (OPPOSITE, UNDECIDED, AGREES) if which in directions)
    of_it = [k for k, which in enumerate(directions) if which == outcome]
    return outcome, min(of_it, key=lambda k: _support(rule.of(k), outcome, differences[k]))


def _support(rule: Rule, outcome: str, difference: Interval) -> float:
    """How much a comparison speaks for a rule, among those of one direction: points from where it would turn."""
    match rule.rule:
        case "lower":
            return difference.high if outcome == OPPOSITE else difference.low
        case "not-lower":
            return rule.margin - (difference.low if outcome == OPPOSITE else difference.high)
        case _:
            return rule.margin - max(abs(difference.low), abs(difference.high))


def judge(evidence: Evidence, claim: dict, rule: Rule | None) -> Verdict:
    """What the records say of a claim by a rule."""
    said = {"number": claim["number"], "section": claim["section"], "statement": claim["statement"], "rule": rule}
    if rule is None:
        return Verdict(**said, compared=[])
    way, untold = None, ()
    if rule.if_hurt and evidence.complete(dense := pairs_of(evidence, rule)):
        harmless = unhurt(evidence, dense, _seeds(evidence, dense))
        if harmless.holds is False:
            rule, way = rule.on_one_crop(), rule.if_hurt
        untold = (harmless,) if harmless.holds is None else ()
    pairs = pairs_of(evidence, rule)
    printed = [_printed(pair) for pair in rule.paper_pairs]
    theirs = None if None in printed else sum(printed) / len(printed)
    if not evidence.complete(pairs):
        compared = [
            Compared(*pair, beside, *ours)
            for pair, beside, ours in zip(pairs, printed, _each(evidence, pairs), strict=True)
        ]
        return Verdict(**said, compared=compared, paper=theirs)
    seeds = _seeds(evidence, pairs)
    differences = [evidence.difference([pair], seeds) for pair in pairs]
    average = evidence.difference(pairs, seeds)
    towards, least = decide(rule, differences, average)
    compared = [
        Compared(*pair, *beside, tuple(seeds)) for pair, *beside in zip(pairs, printed, differences, strict=True)
    ]
    return Verdict(
        **said,
        compared=compared,
        paper=theirs if least is None else printed[least],
        ours=average if least is None else differences[least],
        least=least,
        direction=towards,
        conditions=(*(CONDITIONS[name](evidence, pairs, seeds) for name in rule.fair), *untold),
        way=way,
        n=evidence.numbers[pairs[0][0]].n,
        seeds=len(seeds),
        tested=evidence.first_test(reference for pair in pairs for reference in pair),
    )


def _seeds(evidence: Evidence, pairs: list[list[str]]) -> list[int]:
    """The seeds with which every row of the pairs was run."""
    return evidence.seeds([reference for pair in pairs for reference in pair])


def _each(evidence: Evidence, pairs: list[list[str]]) -> list[tuple[Interval | None, tuple[int, ...]]]:
    """The difference of each pair of rows by itself with its seeds, ``None`` with none where it was not run."""
    paired = [evidence.paired(*pair) for pair in pairs]
    return [(difference, tuple(seeds)) for difference, seeds in paired]


def pairs_of(evidence: Evidence, rule: Rule) -> list[list[str]]:
    """The rows that a rule compares: its first set of networks that was run, or that the study has cells for."""
    sets = [rule.at_level(level) for level in range(rule.levels)]
    of_the_study = [pairs for pairs in sets if evidence.has(pairs)] or sets[-1:]
    return next((pairs for pairs in of_the_study if evidence.complete(pairs)), of_the_study[0])


def _printed(pair: list[str]) -> float | None:
    """The paper's difference between two rows, or ``None`` where it does not print both."""
    printed = printed_numbers()
    first, second = (printed.get(judged_cell(reference)) for reference in pair)
    if first is None or second is None:
        return None
    return second - first if more_is_better(pair[0]) else first - second
