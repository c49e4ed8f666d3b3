"""The difference of two rows that were tested on the same images, which two intervals beside each other do not tell."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from verydeep import statistics
from verydeep.errors import UnknownName, VerydeepError
from verydeep.results.claims import Evidence
from verydeep.results.numbers import SINGLE_NETWORK_TABLES, Number
from verydeep.results.printed import more_is_better
from verydeep.results.snapshot import read
from verydeep.statistics import Interval


@dataclass(frozen=True)
class Difference:
    """How much better the second number of a pair is than the first, percentage points; of several pairs the average.

    Of errors the first's less the second's, by the paired bootstrap over images, and over ``seeds`` where both have
    several in common; of Tables 11 and 12, whose numbers are no errors, the second's less the first's. ``only_wrong``
    counts the images on which only the first of a single pair is wrong, and only the second; ``None`` of several pairs
    or seeds, and of what is no error. ``training`` are the top-1 errors (percent) of the two networks on the crops of
    their last epoch; ``None`` where these are no two single networks that a study trained.
    """

    pairs: tuple[tuple[Number, Number], ...]
    interval: Interval
    seeds: tuple[int, ...]
    only_wrong: tuple[int, int] | None
    training: tuple[float, float] | None

    @property
    def n(self) -> int:
        """How many images, or objects in them, both were tested on."""
        return self.pairs[0][0].n

    @property
    def p(self) -> float | None:
        """McNemar's exact two-sided p-value, of a single pair with one seed."""
        return statistics.mcnemar(*self.only_wrong) if self.only_wrong else None

    @property
    def detectable(self) -> float | None:
        """:func:`verydeep.statistics.minimum_detectable_difference` of a comparison as sure as this one."""
        return statistics.minimum_detectable_difference(self.interval)


def as_dict(difference: Difference) -> dict:
    """The difference of a single pair for programs; what it has not is ``None``."""
    ((first, second),) = difference.pairs
    only_first, only_second = difference.only_wrong or (None, None)
    return {
        "first": first.id,
        "second": second.id,
        "difference": difference.interval.value,
        "low": difference.interval.low,
        "high": difference.interval.high,
        "n": difference.n,
        "seeds": list(difference.seeds),
        "only_first_wrong": only_first,
        "only_second_wrong": only_second,
        "p": difference.p,
        "detectable": difference.detectable,
        "training_errors": difference.training and list(difference.training),
    }


def between(study: str, *rows: str, seeds: Iterable[int] | None = None) -> Difference | None:
    """The difference of two rows of a study, or the average over several pairs, each first with second.

    ``None`` where one of them has not been run, or all of them with no seed in common.

    Parameters
    ----------
    rows
        As the rules of claims name them: ``"table3.D-384"``, ``"centre-crop.B-256"``. Compared are top-1 errors, in
        localisation those of the box (A.2), in Tables 11 and 12 precisions and recalls.
    seeds
        Those that may be taken; all that the rows have in common by default.

    Raises
    ------
    VerydeepError
        When these are no pairs, or an error stands beside a share of which more is better.
    UnknownName
        When the study has no such row; the message lists the nearest.
    RecordError
        When two rows were tested on other images, or by a setting that their study has alike for both.
    """
    if not rows or len(rows) % 2:
        raise VerydeepError(f"{len(rows)} rows are no pairs: give two, or several times two")
    evidence = read(study).evidence
    for row in rows:
        if row not in evidence.numbers:
            near = difflib.get_close_matches(row, evidence.numbers, 3, 0)
            raise UnknownName("row", row, near, f"verydeep numbers {study}")
    pairs = [list(rows[k : k + 2]) for k in range(0, len(rows), 2)]
    for pair in pairs:
        if len({more_is_better(row) for row in pair}) > 1:
            raise VerydeepError(f"{' and '.join(pair)}: an error and a share of which more is better are no pair")
    common = [seed for seed in evidence.seeds(list(rows)) if seeds is None or seed in seeds]
    return _difference(evidence, pairs, common) if common else None


def _difference(evidence: Evidence, pairs: list[list[str]], seeds: list[int]) -> Difference:
    return Difference(
        tuple((evidence.numbers[first], evidence.numbers[second]) for first, second in pairs),
        evidence.difference(pairs, seeds),
        tuple(seeds),
        evidence.only_one_wrong(*pairs[0], seeds) if len(pairs) == 1 else None,
        _training_errors(evidence, pairs[0], seeds) if len(pairs) == 1 else None,
    )


def _training_errors(evidence: Evidence, pair: list[str], seeds: list[int]) -> tuple[float, float] | None:
    if any(row.partition(".")[0] not in SINGLE_NETWORK_TABLES for row in pair):
        return None
    fitted = [evidence.training_error(row, seeds) for row in pair]
    return None if None in fitted else (fitted[0][0], fitted[1][0])
