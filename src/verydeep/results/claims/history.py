"""When each rule was committed, and whether every change of a rule is told: read from git."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import yaml

from verydeep import paths
from verydeep.results.claims.ablations import ablations
from verydeep.results.claims.rulebook import Rule, earlier_rules, rules
from verydeep.runs import provenance

_CLAIMS, _ABLATIONS = "rules.yaml", "ablations.yaml"
_FIELDS = {field.name for field in fields(Rule)}


@dataclass(frozen=True)
class Version:
    """A rule as it once stood: ``commit`` and ``date`` (ISO 8601) are of the commit that brought it."""

    rule: Rule
    commit: str
    date: str


def versions() -> list[Version] | None:
    """Every version of every rule in the history of ``rules.yaml`` and ``ablations.yaml``, of each the oldest first.

    ``None`` where git does not tell: a tarball has no history, and a shallow clone only the end of it.
    """
    return _versions(paths.root(), paths.package())


@cache
def _versions(root: Path, package: Path) -> list[Version] | None:
    if provenance.history_unknown() or not provenance.is_of_checkout():
        return None
    folder = (package / "results" / "claims").relative_to(root.resolve())
    claims, ablations_ = ([*_of_file((folder / name).as_posix())] for name in (_CLAIMS, _ABLATIONS))
    return [*claims, *ablations_] if claims else None


def _of_file(name: str) -> Iterator[Version]:
    log = provenance.git("log", "--follow", "--format=commit %H %cI", "--name-only", "--", name)
    last: dict[int | str, dict] = {}
    for entry in reversed((log or "").split("commit ")[1:]):
        heading, *names = entry.split("\n")
        commit, date = heading.split()
        text = provenance.git("show", f"{commit}:{next(name for name in names if name)}")
        for rule in _lenient(text):
            if last.get(rule.number) != rule.deciding:
                last[rule.number] = rule.deciding
                yield Version(rule, commit, date)


def since(rule: Rule) -> Version | None:
    """The version that brought a rule as it stands; ``None`` where git does not tell, or it is not committed yet."""
    same = [version for version in versions() or [] if version.rule.number == rule.number]
    return next((version for version in reversed(same) if version.rule.deciding == rule.deciding), None)


def undisclosed_changes() -> list[str]:
    """A line for every rule in the history of the rules' files that is neither in force nor in ``earlier.yaml``."""
    own = [ablation.rule for ablation in ablations().values() if ablation.claim is None]
    told = [(rule.number, rule.deciding) for rule in (*rules().values(), *own, *earlier_rules())]
    untold = [version for version in versions() or [] if (version.rule.number, version.rule.deciding) not in told]
    return [
        f"results/claims/{_of(version.rule)} of {version.date[:10]} ({version.commit[:7]}) was changed; add it as it "
        f"was to results/claims/earlier.yaml, with the reason"
        for version in untold
    ]


def _of(rule: Rule) -> str:
    """Which rule it is, in words, after the file that it stands in."""
    if isinstance(rule.number, int):
        return f"{_CLAIMS}: the rule of claim {rule.number}"
    return f"{_ABLATIONS}: the rule of {rule.number}"


def _lenient(text: str | None) -> list[Rule]:
    """The rules of an earlier commit, without keys that rules do not have; an entry may have none of its own."""
    entries = [entry for entry in yaml.safe_load(text or "") or [] if "rule" in entry]
    trimmed = [{key: value for key, value in rule.items() if key in _FIELDS} for rule in entries]
    return [Rule(**keys) for keys in trimmed]
