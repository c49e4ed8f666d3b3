"""How sure a number is: intervals, paired comparisons of two networks, and what a study can tell apart.

Works on which images were answered wrongly, ``wrong``: bool (images,), or (seeds, images) for several seeds of one
network, images in the same order throughout. Errors and differences are in percent and percentage points.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy  # which imports scipy.stats, half a second, where it is first used

CONFIDENCE = 0.95
#: With fewer images on which two networks differ, a bootstrap is too sure of itself, and the exact test is asked too.
FEW = 25
POWER = 0.8
RESAMPLES = 9999
_SEED = 0  # the same resamples at every build, so that a page changes only when a record does


@dataclass(frozen=True)
class Interval:
    """A value with its confidence interval."""

    value: float
    low: float
    high: float


def error_interval(error: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an error (percent) measured on ``n`` images: sampling of the images only."""
    interval = scipy.stats.binomtest(round(error * n / 100), n).proportion_ci(CONFIDENCE, method="wilson")
    return 100 * float(interval.low), 100 * float(interval.high)


def error(wrong: np.ndarray) -> Interval:
    """Error in percent with its bootstrap interval over images; over seeds and images where there are several seeds.

    Wilson's interval where every image has the same answer under every seed, of which no resample differs.
    """
    values = 100.0 * np.atleast_2d(wrong)
    if values.min() == values.max():
        return Interval(float(values.max()), *error_interval(float(values.max()), values.shape[1]))
    return _resampled(values)


def seed_spread(wrong: np.ndarray) -> float | None:
    """Standard deviation of the error over seeds, in percentage points; ``None`` with a single seed."""
    errors = 100 * np.atleast_2d(wrong).mean(1)
    return float(errors.std(ddof=1)) if len(errors) > 1 else None


def only_one_wrong(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    """How many images only the first of two networks answers wrongly, and how many only the second; a seed of each."""
    return int((first & ~second).sum()), int((second & ~first).sum())


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of McNemar's test: a sign test on the images that just one network answers wrongly."""
    both = only_first + only_second
    return float(scipy.stats.binomtest(only_first, both, 0.5).pvalue) if both else 1.0


def mean_difference(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Interval:
    """Average over pairs of the first's error less the second's, percentage points, with its paired bootstrap interval.

    An image is resampled together with all that every network said of it, so that what the pairs have in common is
    not counted twice. With several seeds, which must be as many for every network, seeds are resampled first.

    Zero lies in the interval where fewer than :data:`FEW` images differ and the sign test cannot tell their two sides
    apart: if all of four images speak for one network, 98 % of resamples have one of them at least.
    """
    differences = [_difference(np.atleast_2d(first), np.atleast_2d(second)) for first, second in pairs]
    seeds = {len(difference) for difference in differences}
    if len(seeds) > 1:
        raise ValueError(f"networks with different numbers of seeds cannot be averaged: {sorted(seeds)}")
    values = np.mean(differences, axis=0)
    return _not_too_sure(_resampled(values), *_sides(values.mean(0)))


def difference_of_counts(only_first: int, only_second: int, n: int) -> Interval:
    """As :func:`mean_difference` of two networks with a seed each, from how many of ``n`` images only that one answers
    wrongly."""
    values, counts = np.array([-100.0, 0.0, 100.0]), np.array([only_second, n - only_first - only_second, only_first])
    bounds = _bounds(values[None, counts > 0], counts[counts > 0])
    return _not_too_sure(Interval(100 * (only_first - only_second) / n, *bounds), only_first, only_second)


def _sides(values: np.ndarray) -> tuple[int, int]:
    """How many images have a difference above zero, and how many one below; what cancels leaves a residue that is
    none."""
    values = values.round(6)
    return int((values > 0).sum()), int((values < 0).sum())


def _not_too_sure(found: Interval, above: int, below: int) -> Interval:
    if above + below >= FEW or mcnemar(above, below) <= 1 - CONFIDENCE:
        return found
    return Interval(found.value, min(found.low, 0.0), max(found.high, 0.0))


def _difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    if first.shape != second.shape:
        raise ValueError(f"(seeds, images) {first.shape} cannot be paired with {second.shape}")
    return 100.0 * (first.astype(np.float64) - second.astype(np.float64))


def _resampled(values: np.ndarray) -> Interval:
    """Mean of values (seeds, images) with its percentile bootstrap interval over images; over seeds too, if several."""
    return Interval(float(values.mean()), *_bounds(*np.unique(values, axis=1, return_counts=True)))


def _bounds(kinds: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """The interval of a mean, of each kind of images its values, (seeds, kinds), and how many images it has.

    Images that have the same value under every seed are one kind, and how many of each kind fall into a resample is
    multinomial. That is the bootstrap itself, without drawing every image: there are few kinds, since a value is an
    answer that is wrong or right, or the mean of a few differences of such.
    """
    seeds, images = len(kinds), counts.sum()
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(images, counts / images, RESAMPLES) / images
    weights = seeds_drawn(rng, seeds, RESAMPLES)
    return _percentiles((drawn @ kinds.T * weights).sum(1))


def _percentiles(resampled: np.ndarray) -> tuple[float, float]:
    """Between which the middle 95 % of resampled numbers lie."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)


def basic_bootstrap(value: float, resampled: np.ndarray) -> Interval:
    """A value with its basic bootstrap interval, by resampled ones (seeds, resamples); seeds are resampled too.

    Average precision is higher on resampled images, of which some count twice, than on as many new ones. The percentile
    interval would be shifted by that; the basic one, mirrored at the value, is shifted back.
    """
    weights = seeds_drawn(np.random.default_rng(_SEED), *resampled.shape)
    low, high = _percentiles((weights.T * resampled).sum(0))
    return Interval(value, 2 * value - high, 2 * value - low)


def basic_bootstrap_of_share(value: float, resampled: np.ndarray) -> Interval:
    """:func:`basic_bootstrap` of a share in percent, whose interval lies between 0 and 100."""
    interval = basic_bootstrap(value, resampled)
    return Interval(value, max(0.0, interval.low), min(100.0, interval.high))


def seeds_drawn(rng: np.random.Generator, seeds: int, resamples: int) -> np.ndarray:
    """How much each seed counts in each resample, (resamples, seeds), adding up to one.

    One seed fewer is drawn than there are: as many would scatter too little by n / (n - 1), and there are few.
    """
    drawn = max(1, seeds - 1)
    return rng.multinomial(drawn, np.full(seeds, 1 / seeds), resamples) / drawn


def minimum_detectable_difference(found: Interval) -> float | None:
    """The smallest difference, in percentage points, that a comparison as sure as ``found`` finds with this ``POWER``.

    By the normal approximation to its interval, whatever that covers, at the 5 % level, two-sided. ``None`` where the
    interval has no width: two networks with the same answers throughout do not tell what another pair would show.
    """
    if found.low == found.high:
        return None
    sure, power = scipy.stats.norm.ppf([1 - (1 - CONFIDENCE) / 2, POWER])
    return float((found.high - found.low) / 2 * (sure + power) / sure)


def weighted_difference(first: np.ndarray, second: np.ndarray, group: np.ndarray, weights: dict) -> Interval:
    """The first's error less the second's, percentage points, group by group and added up by the groups' ``weights``.

    With the normal 95 % interval of images drawn within each group. Weights that add up to one give a mean, such as one
    in which classes count alike, and those that add up to zero how much larger a difference is in some than in others.

    Parameters
    ----------
    first, second, group
        Of each image: whether each network answers it wrongly, and its group, (images,).
    """
    value = variance = 0.0
    for name, weight in weights.items():
        of_group = 100.0 * (first[group == name].astype(float) - second[group == name])
        value += weight * float(of_group.mean())
        variance += weight**2 * float(of_group.var(ddof=1)) / len(of_group)
    half = _normal() * math.sqrt(variance)
    return Interval(value, value - half, value + half)


def _normal() -> float:
    """How many standard deviations of a normal distribution the interval reaches to either side."""
    return float(scipy.stats.norm.ppf(1 - (1 - CONFIDENCE) / 2))


def difference_of_shares(first: float, n: int, second: float, m: int) -> Interval:
    """``first`` less ``second``, independent shares in percent of ``n`` and ``m``, with the normal 95 % interval."""
    spread = math.sqrt(first * (100 - first) / n + second * (100 - second) / m)
    half = _normal() * spread
    return Interval(first - second, first - second - half, first - second + half)
