"""What one change of a network or of its training is worth: the ablations of a study, each with its rule."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from verydeep.results.claims.evidence import Evidence
from verydeep.results.claims.rulebook import Rule, rules
from verydeep.results.claims.verdicts import IN_PART, NOT_REPRODUCED, REPRODUCED, Verdict, judge, pairs_of
from verydeep.statistics import Interval
from verydeep.studies import Run

#: Which row of a comparison has the change.
_CHANGED = {"first": 1, "second": -1}
#: What a verdict is called where the rule is none of the paper's claims: there is nothing to reproduce.
_OF_A_RULE = {REPRODUCED: "holds", IN_PART: "holds in part", NOT_REPRODUCED: "does not hold"}


@dataclass(frozen=True)
class Ablation:
    """One change: what it is, the rule by which it is judged, and which row of the rule's comparisons has it.

    ``claim`` is the number of the claim of the paper whose rule it is, if any; ``others`` what others report.
    """

    name: str
    change: str
    changed: str
    rule: Rule
    claim: int | None = None
    others: str = ""


@dataclass(frozen=True)
class Effect:
    """What a study says of an ablation: the verdict, and the runs of its comparisons that have not been tested.

    ``tested`` is when the first test of a network with the change was started, ISO 8601, ``None`` where none was. (That
    of the verdict may be of a network without it, which other rules judge too.)
    """

    ablation: Ablation
    verdict: Verdict
    missing: tuple[Run, ...]
    tested: str | None = None

    @property
    def value(self) -> Interval | None:
        """Top-1 error with the change less that without it, percentage points; ``None`` where a run is missing."""
        ours = self.verdict.ours
        if ours is None or _CHANGED[self.ablation.changed] > 0:
            return ours
        return Interval(-ours.value, -ours.high, -ours.low)

    @property
    def said(self) -> str:
        """The verdict in words: one on a claim of the paper, or whether the rule *holds* or *does not hold*."""
        verdict = self.verdict.verdict
        return verdict if self.ablation.claim else _OF_A_RULE.get(verdict, verdict)


@cache
def ablations() -> dict[str, Ablation]:
    """Every ablation by name, in the order of ``ablations.yaml``."""
    by_name = {}
    text = files(__package__).joinpath("ablations.yaml").read_text(encoding="utf-8")
    for entry in yaml.safe_load(text):
        claim, changed, others = (entry.pop(key, None) for key in ("claim", "changed", "others"))
        name = f"claim-{claim}" if claim else entry["number"]
        rule = rules()[claim] if claim else Rule(**entry)
        by_name[name] = Ablation(name, entry["name"], changed, rule, claim, others or "")
    return by_name


def effect(evidence: Evidence, ablation: Ablation) -> Effect | None:
    """What the records say of one ablation; ``None`` where the study does not have its networks."""
    pairs = pairs_of(evidence, ablation.rule)
    if not evidence.has(pairs):
        return None
    said = {"number": ablation.rule.number, "section": "", "statement": ablation.change}
    references = dict.fromkeys(reference for pair in pairs for reference in pair)
    waiting = [name for name in references if evidence.numbers[name].status != "done"]
    missing = {run.name: run for name in waiting for run in evidence.networks[name]}
    changed = 0 if ablation.changed == "first" else 1
    tested = evidence.first_test(pair[changed] for pair in pairs)
    return Effect(ablation, judge(evidence, said, ablation.rule), tuple(missing.values()), tested)


def effects(evidence: Evidence) -> list[Effect]:
    """The ablations whose networks a study has, the largest effect first; those that were not run come last."""
    told = [said for ablation in ablations().values() if (said := effect(evidence, ablation)) is not None]
    return sorted(told, key=lambda said: -abs(said.value.value) if said.value else 1.0)
