"""Times paired by block: the trimmed mean, its t and its interval, against scipy."""

import math
import random
import statistics

import pytest
import scipy.stats

from nnbench.stats import (
    LESS,
    MORE,
    OPEN,
    SAME,
    block_ratio,
    decide,
)
from nnbench.stats.paired_blocks import trimmed_mean


def noisy(n, ratio=1.0, sd=0.03, seed=0):
    """Times of two sides in n blocks; the machine differs from block to block."""
    rng = random.Random(seed)
    b = [rng.lognormvariate(0, 0.5) for _ in range(n)]
    return [ratio * x * rng.lognormvariate(0, sd) for x in b], b


def logs_of(a, b):
    return [math.log(x / y) for x, y in zip(a, b, strict=True)]


def widened(n):
    """What the standard error is multiplied with, by the number of samples that are kept."""
    kept = n - 2 * (n // 5)
    return math.sqrt(kept / (kept - 1))


@pytest.mark.parametrize("n", [6, 9, 10, 14, 15, 40])
def test_it_is_scipys_interval_of_the_trimmed_mean_but_for_the_widening(n):
    a, b = noisy(n, 1.02)
    logs, found = logs_of(a, b), block_ratio(a, b)
    assert math.log(found.ratio.centre) == pytest.approx(scipy.stats.trim_mean(logs, 0.2))
    for of, level in ((found.ratio, 0.95), (found.inner, 0.90)):
        share = (n // 5 + 1e-9) / n  # scipy divides by what was asked to be kept, not by what was
        low, high = scipy.stats.mstats.trimmed_mean_ci(logs, limits=(share, share), alpha=1 - level)
        half = (math.log(of.high) - math.log(of.low)) / 2
        assert half == pytest.approx((high - low) / 2 * widened(n))
        assert math.log(of.low * of.high) / 2 == pytest.approx((low + high) / 2)


@pytest.mark.parametrize("n", [6, 9, 10, 15])
def test_the_test_rejects_what_the_interval_leaves_out(n):
    a, b = noisy(n, 1.02, seed=n)
    ends = block_ratio(a, b).ratio
    for end in (ends.low, ends.high):
        assert block_ratio(a, b, end).p == pytest.approx(0.05)
    inner = block_ratio(a, b).inner
    assert block_ratio(a, b, inner.low).p == pytest.approx(0.10)


@pytest.mark.parametrize(("n", "out"), [(1, 0), (4, 0), (5, 1), (6, 1), (9, 1), (10, 2), (15, 3), (100, 20)])
def test_a_fifth_is_left_out_at_either_end_and_no_value_of_it_matters(n, out):
    samples = [float(x) for x in range(n)]
    wild = [-1e9] * out + samples[out : n - out] + [1e9] * out
    assert trimmed_mean(wild) == trimmed_mean(samples)
    assert trimmed_mean(samples)[0] == pytest.approx((n - 1) / 2)


def test_the_spread_is_the_standard_deviation_where_nothing_is_left_out():
    samples = [1.0, 4.0, 2.0, 8.0]
    assert trimmed_mean(samples) == (statistics.fmean(samples), pytest.approx(statistics.stdev(samples)))


@pytest.mark.parametrize("n", [6, 15])
def test_a_boundary_moves_the_question_and_not_the_ratio(n):
    a, b = noisy(n, 1.5)
    one, at = block_ratio(a, b), block_ratio(a, b, 1.5)
    assert one.ratio == at.ratio
    assert one.p < 0.05 < at.p
    assert at.p == pytest.approx(block_ratio([x / 1.5 for x in a], b).p)
    assert decide(one) == MORE
    assert decide(at, boundary=1.5) in (SAME, OPEN)
    assert decide(block_ratio(a, b, 2.0), boundary=2.0) == LESS


@pytest.mark.parametrize("n", [6, 15])
def test_sides_turn_over(n):
    a, b = noisy(n, 1.1)
    found, inverse = block_ratio(a, b), block_ratio(b, a)
    assert inverse.p == pytest.approx(found.p)
    assert (inverse.ratio.low, inverse.ratio.high) == pytest.approx(
        (1 / found.ratio.high, 1 / found.ratio.low)
    )
    assert (decide(found), decide(inverse)) == (MORE, LESS)


def test_a_load_common_to_both_sides_of_a_block_does_not_matter():
    a, b = noisy(12, 1.1)
    loads = [1 + i for i in range(12)]
    loaded = block_ratio([x * y for x, y in zip(a, loads, strict=True)],
                         [x * y for x, y in zip(b, loads, strict=True)])  # fmt: skip
    assert loaded.ratio.centre == pytest.approx(block_ratio(a, b).ratio.centre)


# what has no answer


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.0, 2.0], [1.0], "equal lengths, got 2 and 1"),
        ([], [], "positive finite"),
        ([1.0, 0.0], [1.0, 1.0], "positive finite"),
        ([1.0, 1.0], [1.0, -1.0], "positive finite"),
        ([1.0, math.nan], [1.0, 1.0], "positive finite"),
        ([1.0, 1.0], [math.inf, 1.0], "positive finite"),
    ],
)
def test_no_times_are_no_ratio(a, b, message):
    with pytest.raises(ValueError, match=message):
        block_ratio(a, b)


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ([2.0], [1.0], "1 block, and a verdict needs 6"),
        (noisy(5, 2.0)[0], noisy(5, 2.0)[1], "5 blocks, and a verdict needs 6"),
        ([2.0] * 6, [1.0] * 6, "all 6 ratios are identical"),
        ([1.0] * 15, [1.0] * 15, "all 15 ratios are identical"),
        # equal but for the rounding of floating point
        ([1.05 * x for x in noisy(15)[1]], noisy(15)[1], "all 15 ratios are identical"),
        ([1.05 * x for x in noisy(6)[1]], noisy(6)[1], "all 6 ratios are identical"),
    ],
)
def test_degenerate_blocks_have_a_ratio_a_reason_and_no_verdict(a, b, reason):
    found = block_ratio(a, b)
    assert reason in found.reason
    assert (found.p, found.ratio.low, found.inner.high) == (None, None, None)
    assert found.ratio.centre == pytest.approx(statistics.median(x / y for x, y in zip(a, b, strict=True)))
    assert decide(found) == decide(found, 0.0001) == OPEN
    assert found.smallest_effect() is None


def test_ratios_most_of_which_are_exactly_1_have_no_interval():
    """What is left of them has no spread: a clock too coarse for its times, and nothing is claimed."""
    found = block_ratio([1.0] * 13 + [1.1, 1.2], [1.0] * 15)
    assert (found.p, found.ratio.centre) == (None, 1.0)
    assert "most ratios are identical" in found.reason
    assert decide(found) == OPEN
