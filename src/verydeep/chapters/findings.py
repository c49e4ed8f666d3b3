"""What was found, for someone who has a minute: the verdicts of all recorded studies."""

import re
from collections.abc import Iterable

from verydeep import paper, results, studies
from verydeep.chapters import claim_tables, display, error_tables
from verydeep.results import claims
from verydeep.results.claims import Compared, Verdict
from verydeep.studies.targets import TARGETS
from verydeep.studies.transfer import ON

#: Studies that are no reproduction: a test of the machinery, and networks that others trained.
_NOT_OURS = ("smoke", "released")


def recorded() -> list[str]:
    """The studies of which a network has been trained and tested here, in the order of their names."""
    return [name for name in studies.names() if name not in _NOT_OURS and results.read(name).done]


def others(study: str, table: int) -> list[str]:
    """The recorded studies but ``study`` that have measured a number of a table of the paper."""
    return [name for name in recorded() if name != study and f"table{table}" in error_tables.tables_measured(name)]


def verdicts_table(*only: int) -> display.Table:
    """The claims that our own networks can test: the paper's difference, and the verdict and difference of each study.

    Differences as in :func:`verydeep.chapters.claim_tables.claims_table`. A study that has tested none of these claims
    yet is left out. Where studies rest on different comparisons the paper's difference for each stands there, with the
    study's name.

    Parameters
    ----------
    only
        The numbers of the claims to show, in this order; all that have a rule by default.
    """
    asked = only or tuple(claims.rules())
    snapshots = {name: results.read(name) for name in recorded() if tests_any(name, asked)}
    rows = []
    for number in asked:
        rule = claims.rules()[number]
        judged = {name: snapshot.verdict(number) for name, snapshot in snapshots.items()}
        # The paper's difference stands beside the comparison that decided ours, and each study has its own rows.
        theirs = {name: verdict for name, verdict in judged.items() if verdict.paper is not None}
        tested = {name: verdict for name, verdict in theirs.items() if verdict.direction} or theirs
        told = _by_study({name: display.signed(verdict.paper) for name, verdict in tested.items()})
        row = {"claim": rule.name[0].upper() + rule.name[1:], "paper's difference": told}
        rows.append(row | {name: in_a_cell(verdict) for name, verdict in judged.items()})
    return display.of_rows(rows, "claim", units={"paper's difference": "points"})


def _by_study(said: dict[str, str]) -> str:
    """What is said of studies, with their names where it is not the same of all."""
    if len({*said.values()}) < 2:
        return next(iter(said.values()), display.signed(None))
    return ", ".join(f"{what} ({name})" for name, what in said.items())


def tests_any(study: str, asked: Iterable[int]) -> bool:
    """Whether a study's records judge one of the claims of these numbers, fairly or not."""
    snapshot = results.read(study)
    return any(snapshot.verdict(number).direction for number in asked)


def in_a_cell(verdict: Verdict) -> str:
    """A verdict with the difference behind it, ``reproduced: +2.1 points, +1.2 to +3.0``.

    Where each of several comparisons must hold, with the one whose difference it is: ``D-jitter against D-384``.
    """
    behind = claim_tables.in_parentheses(verdict)
    if verdict.least is not None and len(verdict.compared) > 1:
        behind += f" ({_without_data(verdict.compared[verdict.least])})"
    return f"{verdict.verdict}: {behind}" if behind else verdict.verdict


def _without_data(compared: Compared) -> str:
    """The two rows of a comparison, of features on other data without its name: the claim's has it."""
    first, second = (reference.partition(".")[2] for reference in (compared.first, compared.second))
    for source in sorted(TARGETS, key=len, reverse=True):  # voc2007-val before voc2007
        first, second = (re.sub(rf"{ON}{source}(?=-|$)", "", row) for row in (first, second))
    return f"{second} against {first}"


def in_short(names: Iterable[str]) -> str:
    """A Markdown list: the claims that come to each verdict by a fair test, and in which studies.

    Those that no study tested fairly are counted in a last line, and so are those that none tested.
    """
    by_verdict: dict[str, dict[tuple, list[str]]] = {verdict: {} for verdict in claims.VERDICTS}
    for number, rule in claims.rules().items():
        judged = {name: results.read(name).verdict(number).verdict for name in names}
        fair = {name: said for name, said in judged.items() if said not in (claims.UNFAIR, claims.NOT_TESTED)}
        tested = fair or {name: said for name, said in judged.items() if said != claims.NOT_TESTED}
        for said in dict.fromkeys(tested.values() or [claims.NOT_TESTED]):
            where = tuple(name for name in tested if tested[name] == said)
            by_verdict[said].setdefault(where, []).append(rule.name)
    others = {said: sum(map(len, by_verdict.pop(said).values())) for said in (claims.UNFAIR, claims.NOT_TESTED)}
    lines = []
    for said, by_studies in by_verdict.items():
        for where, told in by_studies.items():
            places = " and ".join(f"`{name}`" for name in where)
            lines.append(f"- **{said.capitalize()}** in {places}: {'; '.join(told)}.")
    if counted := [f"**{said.capitalize()}**: {count}" for said, count in others.items() if count]:
        lines.append(f"- {'; '.join(counted)}.")
    return "\n".join(lines)


def errors_of_others(data: str) -> str:
    """A Markdown table of what others published on the same data set, each with its source."""
    lines = ["| network | trained | measured on | top-1 error (%) | published by |", "|---|---|---|---|---|"]
    for row in paper.errors_of_others().itertuples():
        if row.data == data:
            cited = f"{{cite:t}}`{row.source}`"
            lines.append(f"| {row.method} | {row.trained} | {row.measured_on} | {row.top1_error:.1f} | {cited} |")
    return "\n".join(lines)
