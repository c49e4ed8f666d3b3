"""The rules by which claims are judged, those in force and those that were changed, as data."""

from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

import yaml

# The same networks at the same scale, tested densely and on one crop.
_TABLE3, _CENTRE_CROP = "table3.", "centre-crop."


@dataclass(frozen=True)
class Rule:
    """How one claim is put to the test; see ``rules.yaml``. ``why`` is for an earlier rule: why it was changed.

    ``number`` is the claim's, or of a rule of ``ablations.yaml`` the ablation's name.
    """

    number: int | str
    rule: str
    combine: str
    compare: list[list[str]]
    reads: str
    name: str = ""
    margin: float = 0.0
    paper: list[list[str]] | None = None
    equal: list[list[str]] = field(default_factory=list)
    fair: list[str] = field(default_factory=list)
    if_hurt: str | None = None
    why: str = ""

    def __post_init__(self):
        if (self.rule != "lower" or self.equal) and self.margin <= 0:  # no difference at all would be the opposite
            raise ValueError(f"rule of {self.number}: what is to be equal, or not lower, needs a margin above zero")

    @property
    def deciding(self) -> dict:
        """What decides the verdict: all but the words."""
        keys = ("rule", "margin", "combine", "compare", "paper", "equal", "fair", "if_hurt")
        return {key: getattr(self, key) for key in keys}

    @property
    def pairs(self) -> list[list[str]]:
        """Every pair of rows that is compared, with their alternatives: those of ``compare``, then of ``equal``."""
        return [*self.compare, *self.equal]

    def of(self, comparison: int) -> "Rule":
        """The rule as it is for one of :attr:`pairs`: of another kind for those that must be equal."""
        return replace(self, rule="same") if self.equal and comparison >= len(self.compare) else self

    @property
    def paper_pairs(self) -> list[list[str]]:
        """The rows of the paper that stand beside each comparison."""
        return self.paper or [[_alternatives(reference)[0] for reference in pair] for pair in self.pairs]

    def at_level(self, level: int) -> list[list[str]]:
        """The pairs of rows when the ``level``-th alternative of each is taken, or its last where it has fewer."""
        chosen = [[_alternatives(reference) for reference in pair] for pair in self.pairs]
        return [[options[min(level, len(options) - 1)] for options in pair] for pair in chosen]

    @property
    def levels(self) -> int:
        """How many alternatives the row that has the most of them names; see :meth:`at_level`."""
        return max(len(_alternatives(reference)) for pair in self.pairs for reference in pair)

    def within_table3(self) -> "Rule":
        """The same rule without its comparisons in other tables than Table 3."""
        compare, equal = (list(filter(_within_table3, pairs)) for pairs in (self.compare, self.equal))
        paper = [printed for pair, printed in zip(self.pairs, self.paper_pairs, strict=True) if _within_table3(pair)]
        return replace(self, compare=compare, equal=equal, paper=paper, if_hurt=None)

    def on_one_crop(self) -> "Rule":
        """The same rule on a centre crop: of its rows of Table 3, the others left out."""
        dense = self.within_table3()
        return replace(dense, compare=_cropped(dense.compare), equal=_cropped(dense.equal))


@cache
def rules() -> dict[int, Rule]:
    """The rules by claim number; a claim without one is not tested by any study."""
    return {rule.number: rule for rule in read_rules(_text("rules.yaml"))}


@cache
def earlier_rules() -> list[Rule]:
    """The rules that were changed, as they were, in the order of their claims and then of time."""
    return read_rules(_text("earlier.yaml"))


def read_rules(text: str) -> list[Rule]:
    """The rules of a file in the format of ``rules.yaml``, of today or of an earlier commit."""
    return [Rule(**rule) for rule in yaml.safe_load(text)]


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _within_table3(pair: list[str]) -> bool:
    return all(option.startswith(_TABLE3) for reference in pair for option in _alternatives(reference))


def _cropped(pairs: list[list[str]]) -> list[list[str]]:
    return [[reference.replace(_TABLE3, _CENTRE_CROP) for reference in pair] for pair in pairs]


def _alternatives(reference: str) -> list[str]:
    return [option.strip() for option in reference.split("|")]
