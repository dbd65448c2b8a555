"""What a series of step times says of itself: outliers, drift, an even selection."""

import itertools
import random
import statistics

import numpy as np
import pytest

from nnbench.stats import Outliers, drifts, evenly, outliers
from nnbench.stats.series import _trend


def test_slow_samples_beyond_tukeys_fences_are_counted():
    steady = [float(x) for x in range(100, 120)]
    first, _, third = statistics.quantiles([*steady, 135.0, 200.0], n=4)
    mild, severe = third + 1.5 * (third - first), third + 3 * (third - first)
    assert 119 < mild < 135 < severe < 200
    assert outliers([*steady, 135.0, 200.0]) == Outliers(mild=1, severe=1)
    assert outliers(steady) == Outliers(0, 0)


def test_fast_samples_are_no_outliers():
    assert outliers([0.001, 10, 11, 12, 13, 14, 15, 16]) == Outliers(0, 0)


@pytest.mark.parametrize("samples", [[], [1.0], [1, 1, 99]])
def test_too_few_samples_have_no_outliers(samples):
    assert outliers(samples) == Outliers(0, 0)


def test_beside_equal_samples_any_slower_one_is_severe():
    assert outliers([5.0] * 10 + [5.1]) == Outliers(0, 1)


FLAT = [10.0] * 240


def series(factor):
    """240 step times with 1 % noise, times *factor* of their place."""
    rng = random.Random(4)
    return [10 * rng.lognormvariate(0, 0.01) * factor(i / 240) for i in range(240)]


@pytest.mark.parametrize(
    ("samples", "drift"),
    [
        ([], False),
        (FLAT[:47], False),  # less than four samples a stretch
        (FLAT, False),
        ([0.0] * 240, False),
        (list(np.linspace(10, 10.5, 240)), True),
        (list(np.linspace(10.5, 10, 240)), True),
        (list(np.linspace(10, 10.1, 240)), False),  # below 3 %
        (series(lambda x: 1), False),
        (series(lambda x: 1 + 0.06 * x), True),
        (series(lambda x: 1 - 0.06 * x), True),
        (series(lambda x: 1.3 if x < 0.2 else 1), True),
        (series(lambda x: 2 if 0.5 < x < 0.55 else 1), False),  # a burst
        (series(lambda x: 2 if x < 0.05 else 1), False),  # within the first stretch
    ],
)
def test_a_trend_and_a_slow_start_are_drifts_and_a_burst_is_none(samples, drift):
    assert drifts(samples) is drift


def test_the_trend_is_scipys():
    import scipy.stats

    rng, told = random.Random(8), set()
    for rise in (0.02, 0.05, 0.1, 0.3, 0.6):
        medians = [10 + rise * i / 11 + rng.gauss(0, 0.08) for i in range(12)]
        line = scipy.stats.linregress(range(12), medians)
        expected = abs(line.slope) * 11 >= 0.01 and line.pvalue < 0.01
        assert _trend(medians, 0.01) is bool(expected)
        told.add(bool(expected))
    assert told == {True, False}


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
