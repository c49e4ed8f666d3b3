"""The verdicts on the paper's claims as DataFrames: their three parts, the rules and their dates."""

from collections.abc import Iterable

import pandas as pd

from verydeep import results
from verydeep.chapters import display
from verydeep.results import claims
from verydeep.results.claims import Rule, Verdict, history
from verydeep.results.printed import more_is_better

_FAIR = {
    "fits": "each network fits its training images at least as well as the one that it is compared with",
    "unhurt": "dense testing is not worse than a centre crop for any of the networks",
    "sharp": "no images were enlarged for networks that are compared across training scales",
    "epochs": "each network had as many epochs as the one that it is compared with, with those of what it starts from",
    "acts": "response normalisation does more than divide by a constant",
    "placed": "each network finds more objects than the class's mean box does",
    "learned": "the features of each network serve better than its own before it was trained, and than pixels",
    "named": "the true class is missing among the five named less often than the first row is wrong",
}
_POINTS = dict.fromkeys(("paper's difference", "ours", "dense: ours", "centre crop: ours"), "points")
_UNTOLD = "unknown: this copy has no history in git"


def claims_table(study: str, *only: int) -> display.Table:
    """The claims that have a rule, and a study's verdict in its three parts: direction, size, fair test.

    Differences of errors in percentage points, averaged over the comparisons of the rule or, where each must hold, of
    the one that speaks least for the claim; positive where the row that the paper finds better has the lower error. The
    errors are top-1 errors, in claims 18 to 22 localisation errors. In claims 23 to 30, about features on other data,
    the row that the paper finds better has the higher number.

    Parameters
    ----------
    only
        The numbers of the claims to show, in this order; all by default.
    """
    snapshot = results.read(study)
    asked = [snapshot.verdict(number) for number in only] or snapshot.verdicts
    rows = [
        {
            "claim": verdict.number,
            "in the paper": verdict.statement,
            "verdict": verdict.verdict,
            "paper's difference": display.signed(verdict.paper),
            "ours": display.difference(verdict.ours) + (", on a centre crop" if verdict.on_a_crop else ""),
            "direction": agreement(verdict),
            "size": verdict.size or "",
            "fair test": fair_test(verdict),
        }
        for verdict in asked
        if verdict.rule is not None
    ]
    return display.of_rows(rows, "claim", units=_POINTS, caption=coverage(asked))


#: The last columns of the two tables of rules.
_ASKED, _WHY = "a fair test asks that", "why it was changed"


def rules_table(*studies: str) -> display.Table:
    """What each rule compares and asks, since when it stands, and when each study's first test that it judges began."""
    rows = {}
    for study in studies:
        for verdict in results.read(study).verdicts:
            if verdict.rule is None:
                continue
            row = rows.setdefault(
                verdict.number,
                {
                    "in few words": verdict.rule.name,
                    "rule": verdict.rule.reads,
                    "rule of": since(verdict.rule),
                    _ASKED: "; ".join(_FAIR[name] for name in verdict.rule.fair) or "nothing more",
                },
            )
            row[f"first test, {study}"] = minute(verdict.tested)
    for row in rows.values():
        row[_ASKED] = row.pop(_ASKED)  # behind the studies' columns
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim").sort_index()
    return display.table(frame, missing="")


def changed_rules(*studies: str) -> display.Table:
    """Every rule that was changed: as it was, when and why, and what it said of each study's records, and says today.

    Of one that asked for no fair test that is the direction. Ablations of which no study has networks are left out.
    """
    rows: dict[int, dict] = {}
    for study in studies:
        snapshot = results.read(study)
        judged = [*snapshot.verdicts, *(effect.verdict for effect in snapshot.effects)]
        now = {verdict.number: verdict for verdict in judged}
        for place, verdict in enumerate(claims.under_earlier_rules(snapshot.evidence)):
            if verdict.number in now:
                told = {
                    "claim": verdict.number,
                    "in few words": now[verdict.number].rule.name,
                    "earlier rule": verdict.rule.reads,
                    "of": since(verdict.rule),
                    _WHY: verdict.rule.why,
                }
                rows.setdefault(place, told)[study] = _then_and_now(verdict, now[verdict.number])
    for row in rows.values():
        row[_WHY] = row.pop(_WHY)  # behind the studies' columns
    return display.of_rows([rows[place] for place in sorted(rows)], "claim", missing="")


def _then_and_now(earlier: Verdict, today: Verdict) -> str:
    """What an earlier rule said of the records of today, and what today's says where that is something else."""
    said = _as_judged(earlier) if earlier.rule.fair else _in_short(earlier)
    return said if said == _as_judged(today) else f"{said}; today {_as_judged(today)}"


def _as_judged(verdict: Verdict) -> str:
    return f"{verdict.verdict}: {_in_short(verdict)}" if verdict.direction else verdict.verdict


def on_one_crop(study: str) -> display.Table:
    """The claims about Table 3 tested densely, and beside them on a centre crop instead."""
    rows, tested = [], results.read(study).on_one_crop
    for dense, cropped in tested.values():
        row = {
            "claim": dense.number,
            "in few words": dense.rule.name,
            "paper's difference": display.signed(dense.paper),
        }
        for way, verdict in (("dense", dense), ("centre crop", cropped)):
            row[f"{way}: ours"] = display.difference(verdict.ours)
            row[f"{way}: direction"] = verdict.direction or claims.NOT_TESTED
        rows.append(row)
    caption = coverage(dense for dense, _ in tested.values())
    return display.of_rows(rows, "claim", units=_POINTS, caption=caption)


def agreement(verdict: Verdict) -> str:
    """``agrees: 9 of 10 agree``: the direction, the comparisons that agree, and those surely against the claim."""
    if verdict.direction is None:
        return ""
    against = f", {verdict.opposed} surely against" if verdict.opposed else ""
    return f"{verdict.direction}: {verdict.agreeing} of {len(verdict.compared)} agree{against}"


def fair_test(verdict: Verdict) -> str:
    """``yes``, or ``no`` with what the records say."""
    if verdict.direction is None:
        return ""
    failed = [condition.detail for condition in verdict.conditions if not condition.holds]
    return f"no; {'; '.join(failed)}" if failed else "yes"


def in_parentheses(verdict: Verdict) -> str:
    """What stands behind a verdict in a sentence: the difference, its direction where the test was no fair one."""
    if verdict.ours is None:
        return ""
    direction = "" if verdict.fair else f"{verdict.direction}, "
    way = " on a centre crop" if verdict.on_a_crop else ""
    value, interval = display.in_points(verdict.ours)
    return f"{direction}{value}{way}, {interval}"


def coverage(verdicts: Iterable[Verdict]) -> str:
    """What the intervals of some verdicts cover, in words; nothing where none was tested."""
    tested = [verdict for verdict in verdicts if verdict.n is not None]
    kind = "test" if tested and more_is_better(tested[0].compared[0].first) else "validation"
    return display.coverage_of([(verdict.n, verdict.seeds) for verdict in tested], kind)


def _in_short(verdict: Verdict) -> str:
    if verdict.ours is None:
        return verdict.verdict
    return f"{verdict.direction}, {verdict.ours.value:+.2f}" + (" on a centre crop" if verdict.on_a_crop else "")


def minute(tested: str | None) -> str:
    """When a test was started (ISO 8601), to the minute."""
    return (tested or claims.NOT_TESTED)[:16].replace("T", " ")


def since(rule: Rule) -> str:
    """When a rule was committed, and by which commit."""
    if history.versions() is None:
        return _UNTOLD
    version = history.since(rule)
    return "not committed yet" if version is None else f"{version.date[:16].replace('T', ' ')}, {version.commit[:7]}"
