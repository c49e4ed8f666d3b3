"""The paper's claims against a study's numbers: a rule for each, written down beforehand, and the verdict it gives.

A verdict has three parts, all computed: the *direction* of the difference, its *size* beside the paper's, and whether
the test was a *fair* one. Only a fair test that agrees counts as reproduced.
"""

from verydeep.results.claims.ablations import Ablation, Effect, ablations, effects
from verydeep.results.claims.evidence import Evidence
from verydeep.results.claims.fairness import Condition
from verydeep.results.claims.rulebook import Rule, earlier_rules, rules
from verydeep.results.claims.verdicts import (
    AGREES,
    AS_PRINTED,
    IN_PART,
    LARGER,
    NOT_REPRODUCED,
    NOT_TESTED,
    OPPOSITE,
    REPRODUCED,
    SMALLER,
    UNDECIDED,
    UNFAIR,
    VERDICTS,
    Compared,
    Verdict,
    decide,
    direction,
    judge,
    on_one_crop,
    pairs_of,
    size,
    under_earlier_rules,
    verdicts,
)

__all__ = [
    "AGREES",
    "AS_PRINTED",
    "IN_PART",
    "LARGER",
    "NOT_REPRODUCED",
    "NOT_TESTED",
    "OPPOSITE",
    "REPRODUCED",
    "SMALLER",
    "UNDECIDED",
    "UNFAIR",
    "VERDICTS",
    "Ablation",
    "Compared",
    "Condition",
    "Effect",
    "Evidence",
    "Rule",
    "Verdict",
    "ablations",
    "decide",
    "direction",
    "earlier_rules",
    "effects",
    "judge",
    "on_one_crop",
    "pairs_of",
    "rules",
    "size",
    "under_earlier_rules",
    "verdicts",
]
