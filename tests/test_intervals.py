"""Centres and intervals against scipy, and by coverage: a 95 % interval holds the truth 95 times in a hundred."""

import math
import random
import statistics

import pytest
import scipy.stats

from nnbench.stats import (
    binomial_error,
    clopper_pearson,
    interquartile_mean,
    mean_interval,
    median_interval,
    median_with_misses,
    paired_difference,
    paired_ratio,
    superiority,
)

SAMPLES = ([1.0, 2.0], [0.81, 0.83, 0.80, 0.86], [-3.0, 1e-3, 5.5, 2.0, 2.0, 7.25, -1.0])


def scipy_interval(samples, level, null=0.0):
    return scipy.stats.ttest_1samp(samples, null).confidence_interval(level)


@pytest.mark.parametrize("level", [0.5, 0.95, 1 - 0.05 / 3])
@pytest.mark.parametrize("samples", SAMPLES)
def test_mean_interval_is_scipys(samples, level):
    found, expected = mean_interval(samples, level), scipy_interval(samples, level)
    assert found.centre == pytest.approx(statistics.fmean(samples), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.n == len(samples)


def test_the_level_is_95_percent_unless_told():
    assert mean_interval([1, 2, 4]) == mean_interval([1, 2, 4], 0.95)
    assert mean_interval([1, 2, 4]) != mean_interval([1, 2, 4], 0.9)


@pytest.mark.parametrize(("n", "level"), [(3, 0.95), (10, 0.95), (6, 0.8)])
def test_a_mean_interval_covers_the_truth_as_often_as_it_says(n, level):
    rng = random.Random(n)
    intervals = (mean_interval([rng.gauss(7, 2) for _ in range(n)], level) for _ in range(2000))
    covered = sum(found.low <= 7 <= found.high for found in intervals) / 2000
    assert level - 0.02 <= covered <= level + 0.02


def test_a_paired_ratio_covers_the_truth_as_often_as_it_says():
    rng, covered = random.Random(1), 0
    for _ in range(2000):
        load = [rng.lognormvariate(0, 1) for _ in range(8)]  # of the machine, common to a pair
        a = [1.3 * x * rng.lognormvariate(0, 0.05) for x in load]
        b = [x * rng.lognormvariate(0, 0.05) for x in load]
        found = paired_ratio(a, b)
        covered += found.low <= 1.3 <= found.high
    assert 0.93 <= covered / 2000 <= 0.97


def test_pairs_share_their_noise():
    a, b = [10.1, 20.2, 30.1], [10.0, 20.0, 30.0]
    expected = scipy_interval([x - y for x, y in zip(a, b, strict=True)], 0.95)
    found = paired_difference(a, b)
    assert found.centre == pytest.approx(0.4 / 3)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert paired_difference(b, a).centre == -found.centre


def test_a_paired_ratio_is_the_geometric_mean_and_turns_over():
    a, b = [2.0, 9.0, 4.0], [1.0, 3.0, 2.5]
    logs = [math.log(x / y) for x, y in zip(a, b, strict=True)]
    expected = scipy_interval(logs, 0.9)
    found, inverse = paired_ratio(a, b, 0.9), paired_ratio(b, a, 0.9)
    assert found.centre == pytest.approx(scipy.stats.gmean([2, 3, 1.6]))
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((expected.low, expected.high))
    assert (inverse.low, inverse.high) == pytest.approx((1 / found.high, 1 / found.low))


@pytest.mark.parametrize(
    "estimate", [mean_interval([3.0]), paired_difference([5], [2]), paired_ratio([6], [2])]
)
def test_one_sample_has_a_centre_and_no_interval(estimate):
    assert estimate.centre == pytest.approx(3)
    assert (estimate.low, estimate.high, estimate.n) == (None, None, 1)


@pytest.mark.parametrize(
    ("function", "samples", "message"),
    [
        (mean_interval, ([],), "no samples"),
        (mean_interval, ([1.0, math.nan],), "must be finite"),
        (mean_interval, ([1.0, -math.inf],), "must be finite"),
        (paired_difference, ([1, 2], [1]), "equal lengths, got 2 and 1"),
        (paired_difference, ([], []), "no samples"),
        (paired_ratio, ([1, 2], [1]), "equal lengths"),
        (paired_ratio, ([], []), "no samples"),
        (paired_ratio, ([1, 0], [1, 1]), "positive"),
        (paired_ratio, ([1, 1], [1, -2]), "positive"),
        (paired_ratio, ([1, math.nan], [1, 1]), "must be finite"),
        (clopper_pearson, (0, 0), "got 0 of 0"),
        (clopper_pearson, (4, 3), "got 4 of 3"),
        (clopper_pearson, (-1, 3), "got -1 of 3"),
        (superiority, ([1, 2], [1]), "equal lengths, got 2 and 1"),
        (superiority, ([], []), "got 0 of 0"),
        (interquartile_mean, ([],), "no samples"),
        (median_interval, ([],), "no samples"),
        (median_interval, ([1.0, math.nan],), "must be finite"),
        (interquartile_mean, ([1.0, math.inf],), "must be finite"),
        (median_with_misses, ([],), "no samples"),
    ],
)
def test_what_has_no_answer_is_refused(function, samples, message):
    with pytest.raises(ValueError, match=message):
        function(*samples)


def test_binomial_error_is_the_standard_error_of_a_share():
    assert binomial_error(0.9, 2000) == pytest.approx(scipy.stats.binom(2000, 0.9).std() / 2000)
    assert binomial_error(1.0, 10) == 0


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 20), (3, 20), (20, 20), (171, 200)])
def test_the_interval_of_a_share_is_scipys(successes, n, level):
    expected = scipy.stats.binomtest(successes, n).proportion_ci(level, "exact")
    found = clopper_pearson(successes, n, level)
    assert (found.centre, found.n) == (successes / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_superiority_counts_wins_and_half_of_ties():
    found = superiority([3, 2, 5, 1], [1, 2, 4, 2])
    assert (found.centre, found.n) == (2.5 / 4, 4)
    # between two and three wins: an end of each
    assert (found.low, found.high) == (clopper_pearson(2, 4).low, clopper_pearson(3, 4).high)
    assert superiority([2, 3], [1, 1]) == clopper_pearson(2, 2)
    a, b = [5, 1, 4, 4, 2], [3, 3, 4, 1, 0]
    assert superiority(a, b).centre == pytest.approx(1 - superiority(b, a).centre)


@pytest.mark.parametrize("n", [1, 3, 4, 20, 41])
def test_the_interquartile_mean_is_scipys_trimmed_one(n):
    samples = random.Random(n).choices(range(100), k=n)
    found = interquartile_mean(samples)
    assert found.centre == pytest.approx(scipy.stats.trim_mean(samples, 0.25))
    assert found.n == n
    assert (found.low is None, found.high is None) == (n < 20, n < 20)


def test_the_interquartile_mean_ignores_the_outer_quarters_and_repeats_itself():
    rng = random.Random(5)
    samples = [rng.gauss(3, 1) for _ in range(40)]
    found = interquartile_mean(samples)
    assert found.low < found.centre < found.high
    assert interquartile_mean(samples) == found
    wild = sorted(samples)
    wild[-1] = 1e6
    assert interquartile_mean(wild).centre == pytest.approx(found.centre)
    assert interquartile_mean(samples, 0.5).high < found.high


def test_equal_samples_have_no_bootstrapped_interval():
    found = interquartile_mean([2.0] * 30)
    assert (found.centre, found.low, found.high) == (2.0, None, None)


@pytest.mark.parametrize("n", [20, 40])
def test_the_bootstrapped_interval_covers_nearly_as_often_as_it_says(n):
    rng = random.Random(n)
    found = [interquartile_mean([rng.gauss(1, 1) for _ in range(n)]) for _ in range(150)]
    assert 0.88 <= statistics.fmean(of.low <= 1 <= of.high for of in found) <= 0.99


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([3.0], 3.0),
        ([3.0, 1.0, 2.0], 2.0),
        ([1.0, 2.0], 1.5),
        ([1.0, 2.0, None], 2.0),
        ([1.0, None, None], math.inf),
        ([1.0, None], math.inf),  # the mean of the middle two
        ([None], math.inf),
    ],
)
def test_a_miss_takes_part_in_the_median(times, expected):
    assert median_with_misses(times) == expected


@pytest.mark.parametrize("n", [1, 5, 6, 9, 15, 40])
def test_the_interval_of_a_median_inverts_the_sign_test(n):
    found = median_interval([float(x) for x in range(n)])
    below = int(scipy.stats.binom(n, 0.5).ppf(0.025))  # fewest that are not rejected
    rejected = scipy.stats.binomtest(below, n).pvalue <= 0.05
    out = below + rejected
    expected = (float(out - 1), float(n - out)) if out else (None, None)
    assert (found.centre, found.low, found.high) == ((n - 1) / 2, *expected)
    assert (out == 0) == (n < 6)
