"""When each rule was committed, and whether every change of a rule is told: read from git."""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import yaml

from verydeep import paths
from verydeep.results.claims.rulebook import Rule, earlier_rules, rules
from verydeep.runs import provenance

_FIELDS = {field.name for field in fields(Rule)}


@dataclass(frozen=True)
class Version:
    """A rule as it once stood: ``commit`` and ``date`` (ISO 8601) are of the commit that brought it."""

    rule: Rule
    commit: str
    date: str


def versions() -> list[Version] | None:
    """Every version of every rule in the history of ``rules.yaml``, oldest first; ``None`` where git does not tell.

    A tarball has no history, and a shallow clone only the end of it.
    """
    return _versions(paths.root(), paths.package())


@cache
def _versions(root: Path, package: Path) -> list[Version] | None:
    if provenance.history_unknown() or not provenance.is_of_checkout():
        return None
    name = (package / "results" / "claims" / "rules.yaml").relative_to(root.resolve()).as_posix()
    log = provenance.git("log", "--follow", "--format=commit %H %cI", "--name-only", "--", name)
    if not log:
        return None
    history: list[Version] = []
    last: dict[int, dict] = {}
    for entry in reversed(log.split("commit ")[1:]):
        heading, *names = entry.split("\n")
        commit, date = heading.split()
        text = provenance.git("show", f"{commit}:{next(name for name in names if name)}")
        for rule in _lenient(text):
            if last.get(rule.number) != rule.deciding:
                last[rule.number] = rule.deciding
                history.append(Version(rule, commit, date))
    return history


def since(rule: Rule) -> Version | None:
    """The version that brought a rule as it stands; ``None`` where git does not tell, or it is not committed yet."""
    same = [version for version in versions() or [] if version.rule.number == rule.number]
    return next((version for version in reversed(same) if version.rule.deciding == rule.deciding), None)


def undisclosed_changes() -> list[str]:
    """A line for every rule in the history of ``rules.yaml`` that is neither in force nor in ``earlier.yaml``."""
    told = [(rule.number, rule.deciding) for rule in (*rules().values(), *earlier_rules())]
    untold = [version for version in versions() or [] if (version.rule.number, version.rule.deciding) not in told]
    return [
        f"results/claims/rules.yaml: the rule of claim {version.rule.number} of {version.date[:10]} "
        f"({version.commit[:7]}) was changed; add it as it was to results/claims/earlier.yaml, with the reason"
        for version in untold
    ]


def _lenient(text: str | None) -> list[Rule]:
    """The rules of an earlier commit, without keys that rules no longer have."""
    trimmed = [{key: value for key, value in rule.items() if key in _FIELDS} for rule in yaml.safe_load(text or "")]
    return [Rule(**keys) for keys in trimmed]
