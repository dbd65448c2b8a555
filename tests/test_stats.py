"""Statistics against scipy, and by coverage: a 95 % interval holds the truth 95 times in a hundred."""

import itertools
import math
import random
import statistics

import pytest
import scipy.stats

from nnbench.stats import binomial_error, evenly, mean_interval, paired_difference, paired_ratio

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
    ],
)
def test_what_has_no_answer_is_refused(function, samples, message):
    with pytest.raises(ValueError, match=message):
        function(*samples)


def test_binomial_error_is_the_standard_error_of_a_share():
    assert binomial_error(0.9, 2000) == pytest.approx(scipy.stats.binom(2000, 0.9).std() / 2000)
    assert binomial_error(1.0, 10) == 0


@pytest.mark.parametrize(
    ("count", "most"), [(0, 5), (1, 5), (5, 5), (6, 5), (7, 2), (513, 512), (100_000, 512)]
)
def test_evenly_spreads_and_keeps_both_ends(count, most):
    picked = evenly(count, most)
    assert len(picked) == min(count, most)
    assert picked == sorted(set(picked))
    if count:
        assert (picked[0], picked[-1]) == (0, count - 1)
    gaps = [b - a for a, b in itertools.pairwise(picked)]
    assert max(gaps, default=0) - min(gaps, default=0) <= 1
