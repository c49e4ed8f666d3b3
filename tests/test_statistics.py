"""Intervals and paired comparisons, against hand computation, closed forms and simulation."""

import numpy as np
import pytest
from scipy import stats

from verydeep import statistics


def draws(n, *rates, seed=0):
    """Wrong answers of networks that share what makes an image hard: bool (n,) each."""
    hard = np.random.default_rng(seed).random(n)
    return [hard < rate for rate in rates]


def test_the_error_interval_is_wilsons():
    assert statistics.error_interval(50.0, 100) == pytest.approx((40.38, 59.62), abs=0.01)
    assert statistics.error_interval(0.0, 100)[0] == 0.0


def test_the_bootstrap_of_a_proportion_is_near_wilsons():
    wrong = np.arange(10_000) < 3000
    found, (low, high) = statistics.error(wrong), statistics.error_interval(30.0, 10_000)
    assert found.value == 30.0
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1)
    assert statistics.error(wrong) == found  # the same resamples every time


@pytest.mark.parametrize("seeds", [1, 2])
def test_answers_that_are_all_alike_have_wilsons_interval(seeds):
    """Of 50 images none wrong: z²/(n + z²) is 7.1 %."""
    found = statistics.error(np.zeros((seeds, 50), bool))
    assert (found.value, found.low, found.high) == (0.0, 0.0, pytest.approx(7.135, abs=0.001))
    found = statistics.error(np.ones((seeds, 50), bool))
    assert (found.value, found.low, found.high) == (100.0, pytest.approx(92.865, abs=0.001), 100.0)


@pytest.mark.parametrize(("only_first", "only_second", "sure"), [
    (4, 0, False), (5, 0, False), (6, 0, True), (0, 5, False), (0, 6, True),  # 2 / 2^5 is 0.0625, 2 / 2^6 0.031
    (7, 1, False), (8, 1, True),  # (1 + 8) * 2 / 2^8 is 0.070, (1 + 9) * 2 / 2^9 0.039
    (60, 38, True),
])  # fmt: skip
def test_few_images_do_not_decide(only_first, only_second, sure):
    found = statistics.difference_of_counts(only_first, only_second, 10_000)
    assert (found.low > 0 or found.high < 0) == sure
    first, second = np.zeros(10_000, bool), np.zeros(10_000, bool)
    first[:only_first] = True
    second[only_first : only_first + only_second] = True
    same = statistics.mean_difference([(first, second)])
    assert (same.value, same.low, same.high) == pytest.approx((found.value, found.low, found.high), abs=0.02)


def test_answers_that_cancel_over_pairs_and_seeds_are_no_difference():
    """Shares that cancel in thirds and eighteenths leave a residue; counted, twenty such images would decide."""
    pairs, seeds, images = 18, 3, 2000
    first = np.zeros((pairs, seeds, images), bool)
    second = first.copy()
    for image in range(20):
        for seed, share in enumerate((1, 2, -3) if image % 2 else (-1, -2, 3)):
            (first if share > 0 else second)[: abs(share), seed, image] = True
    first[:, :, 1000:1005] = True  # five images speak for the second network, and no other does
    assert statistics.mean_difference(list(zip(first, second, strict=True))).low == 0
    first[:, :, 1000:1006] = True
    assert statistics.mean_difference(list(zip(first, second, strict=True))).low > 0


def test_a_difference_over_groups_counts_each_alike():
    """Of two groups of 100 and 900 images the first errs alone on a tenth of one, and on none of the other."""
    first, group = np.zeros(1000, bool), np.repeat([0, 1], [100, 900])
    first[:10] = True
    mean = statistics.weighted_difference(first, np.zeros(1000, bool), group, {0: 0.5, 1: 0.5})
    more = statistics.weighted_difference(first, np.zeros(1000, bool), group, {0: 1, 1: -1})
    assert (mean.value, more.value) == (pytest.approx(5), pytest.approx(10))
    half = 1.959964 * 100 * (0.1 * 0.9 / 99) ** 0.5
    assert mean.high - mean.value == pytest.approx(half / 2) and more.value - more.low == pytest.approx(half)


def test_networks_that_answer_alike_have_no_detectable_difference():
    assert statistics.minimum_detectable_difference(statistics.difference_of_counts(0, 0, 100)) is None


def test_the_interval_is_that_of_a_bootstrap_that_draws_every_image():
    pairs = [draws(3000, 0.50, 0.48, seed=0), draws(3000, 0.40, 0.41, seed=1)]
    found = statistics.mean_difference(pairs)
    values = 100 * np.mean([first.astype(float) - second for first, second in pairs], axis=0)
    drawn = stats.bootstrap((values,), np.mean, n_resamples=9999, batch=500, method="percentile", rng=1)
    expected = drawn.confidence_interval
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.03)


@pytest.mark.parametrize(("shares", "expected"), [
    ((40, 1000, 50, 1000), (-10, -14.34, -5.66)),  # 1.96 times the root of 2.4 + 2.5
    ((10, 400, 5, 100), (5, -0.19, 10.19)),  # of 2.25 + 4.75
])  # fmt: skip
def test_the_difference_of_two_shares_by_hand(shares, expected):
    found = statistics.difference_of_shares(*shares)
    assert (found.value, found.low, found.high) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(("only_first", "only_second", "p"), [
    (5, 15, 0.04139),  # 2 * P(X <= 5), X ~ B(20, 1/2)
    (0, 5, 0.0625),  # 2 / 32
    (7, 7, 1.0),
    (0, 0, 1.0),
])  # fmt: skip
def test_mcnemars_exact_p_by_hand(only_first, only_second, p):
    assert statistics.mcnemar(only_first, only_second) == pytest.approx(p, abs=1e-5)


def test_a_comparison_counts_the_images_on_which_the_networks_differ():
    first = np.array([1, 1, 1, 0, 0, 0, 1, 0], bool)
    second = np.array([1, 0, 0, 0, 1, 0, 0, 0], bool)
    assert statistics.only_one_wrong(first, second) == (3, 1)
    assert statistics.mean_difference([(first, second)]).value == pytest.approx(100 * (4 - 2) / 8)
    assert statistics.mcnemar(3, 1) == pytest.approx(0.625)


def test_the_paired_interval_is_that_of_the_closed_form_and_narrower_than_unpaired():
    first, second = draws(10_000, 0.50, 0.485)
    found = statistics.mean_difference([(first, second)])
    values = 100.0 * (first.astype(float) - second)
    half = 1.96 * values.std(ddof=1) / np.sqrt(10_000)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05)
    assert found.low > 0
    separate = statistics.error_interval(50.0, 10_000)[0], statistics.error_interval(48.5, 10_000)[1]
    assert separate[0] < separate[1]  # the two intervals overlap, and yet the difference is sure


def test_the_interval_covers_the_truth_as_often_as_it_says():
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        first = rng.random(400) < 0.4
        second = np.where(rng.random(400) < 0.8, first, rng.random(400) < 0.3)
        found = statistics.mean_difference([(first, second)])
        truth = 100 * (0.4 - (0.8 * 0.4 + 0.2 * 0.3))
        covered += found.low <= truth <= found.high
    assert 182 <= covered <= 198  # 95 % of 200 within three standard deviations


def test_a_difference_of_counts_is_that_of_the_images():
    first, second = (wrong[0] for wrong in draws(3000, 0.50, 0.45))
    counts = int((first & ~second).sum()), int((second & ~first).sum())
    assert statistics.difference_of_counts(*counts, 3000) == statistics.mean_difference([(first, second)])
    assert statistics.difference_of_counts(0, 0, 10) == statistics.Interval(0.0, 0.0, 0.0)


def test_pairs_that_say_the_same_are_not_counted_twice():
    first, second = draws(2000, 0.50, 0.47)
    once = statistics.mean_difference([(first, second)])
    twice = statistics.mean_difference([(first, second), (first, second)])
    assert twice == once


def test_several_seeds_widen_the_interval_by_their_spread():
    rng = np.random.default_rng(1)
    hard = rng.random(2000)
    first = np.stack([hard < rate for rate in (0.50, 0.54, 0.46)])
    second = np.stack([hard < rate for rate in (0.50, 0.47, 0.51)])
    pooled = statistics.mean_difference([(first.mean(0)[None], second.mean(0)[None])])
    both = statistics.mean_difference([(first, second)])
    assert both.value == pytest.approx(pooled.value)
    assert both.high - both.low > 2 * (pooled.high - pooled.low)
    least = [statistics.minimum_detectable_difference(found) for found in (pooled, both)]
    assert least[1] > 2 * least[0], "a comparison that seeds make less sure finds large differences alone"
    assert statistics.seed_spread(first) == pytest.approx(np.std([50, 54, 46], ddof=1), abs=0.6)
    assert statistics.seed_spread(first[0]) is None


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_a_mean_over_resampled_seeds_scatters_as_a_mean_over_seeds_does(seeds):
    values = np.random.default_rng(0).normal(size=seeds)
    drawn = statistics.seeds_drawn(np.random.default_rng(1), seeds, 40_000)
    assert drawn.shape == (40_000, seeds) and np.allclose(drawn.sum(1), 1)
    assert (drawn @ values).var() == pytest.approx(values.var(ddof=1) / seeds, rel=0.05)
    assert (statistics.seeds_drawn(np.random.default_rng(1), 1, 3) == 1).all()


def test_the_interval_of_a_share_lies_between_0_and_100():
    bootstrap, share = statistics.basic_bootstrap, statistics.basic_bootstrap_of_share
    resampled = np.random.default_rng(0).binomial(100, 0.99, size=(1, 2000)).astype(float)
    assert bootstrap(99.0, resampled).high > 100 and share(99.0, resampled).high == 100
    assert bootstrap(1.0, 100 - resampled).low < 0 and share(1.0, 100 - resampled).low == 0


def test_networks_on_different_images_or_seeds_are_refused():
    with pytest.raises(ValueError, match="cannot be paired"):
        statistics.mean_difference([(np.zeros(5, bool), np.zeros(6, bool))])
    with pytest.raises(ValueError, match="different numbers of seeds"):
        statistics.mean_difference([(np.zeros((2, 5)), np.zeros((2, 5))), (np.zeros(5), np.zeros(5))])


def test_the_minimum_detectable_difference_is_found_with_its_power():
    n, discordant = 2000, 0.2
    least = statistics.minimum_detectable_difference(statistics.difference_of_counts(200, 200, n))
    assert least == pytest.approx(100 * (1.95996 + 0.84162) * np.sqrt(discordant / n), rel=0.03)
    share = (discordant + least / 100) / 2  # images that only the first gets wrong
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(500):
        only_first, only_second, _ = rng.multinomial(n, [share, discordant - share, 1 - discordant])
        found += stats.binomtest(only_first, only_first + only_second).pvalue < 0.05
    assert 0.72 < found / 500 < 0.86
