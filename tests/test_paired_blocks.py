"""Times paired by block: the exact test and its interval, by brute force and against scipy."""

import itertools
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
from nnbench.stats.paired_blocks import hodges_lehmann


def noisy(n, ratio=1.0, sd=0.03, seed=0):
    """Times of two sides in n blocks; the machine differs from block to block."""
    rng = random.Random(seed)
    b = [rng.lognormvariate(0, 0.5) for _ in range(n)]
    return [ratio * x * rng.lognormvariate(0, sd) for x in b], b


def signed_rank_p(samples):
    """Two-sided p of the signed-rank test, by all 2^n signs."""
    n = len(samples)
    ranked = sorted(samples, key=abs)
    found = sum(rank for rank, x in enumerate(ranked, 1) if x > 0)
    sums = [sum(compress) for compress in (itertools.compress(range(1, n + 1), signs)
                                           for signs in itertools.product((0, 1), repeat=n))]  # fmt: skip
    least = min(found, n * (n + 1) // 2 - found)
    return min(1.0, 2 * sum(total <= least for total in sums) / len(sums))


@pytest.mark.parametrize("level", [0.90, 0.95])
@pytest.mark.parametrize("n", [6, 7, 10, 11])
def test_the_interval_is_all_shifts_that_the_exact_test_does_not_reject(n, level):
    rng = random.Random(n)
    samples = [rng.gauss(0.3, 1) for _ in range(n)]
    found = hodges_lehmann(samples, level)
    walsh = sorted((x + y) / 2 for i, x in enumerate(samples) for y in samples[i:])
    shifts = [walsh[0] - 1, *((x + y) / 2 for x, y in itertools.pairwise(walsh)), walsh[-1] + 1]
    kept = [shift for shift in shifts if signed_rank_p([x - shift for x in samples]) > 1 - level]
    assert kept == [shift for shift in shifts if found.low < shift < found.high]
    assert found.centre == pytest.approx(statistics.median(walsh))
    assert found.n == n


@pytest.mark.parametrize("n", [15, 30])
def test_the_interval_inverts_scipys_test(n):
    rng = random.Random(n)
    samples = [rng.gauss(0, 1) for _ in range(n)]
    found = hodges_lehmann(samples)
    for end, inward in ((found.low, 1e-9), (found.high, -1e-9)):
        for step, rejected in ((inward, False), (-inward, True)):
            p = scipy.stats.wilcoxon([x - end - step for x in samples], method="exact").pvalue
            assert bool(p <= 0.05) is rejected


@pytest.mark.parametrize(("n", "level"), [(1, 0.95), (5, 0.95), (4, 0.90)])
def test_too_few_samples_have_a_centre_and_no_interval(n, level):
    found = hodges_lehmann([float(x) for x in range(n)], level)
    assert (found.centre, found.low, found.high) == ((n - 1) / 2, None, None)


def test_the_interval_of_the_least_n_is_the_range():
    found = hodges_lehmann([1.0, 4.0, 2.0, 8.0, 5.0, 7.0])
    assert (found.low, found.high) == (1.0, 8.0)


@pytest.mark.parametrize("n", [10, 15, 40, 60])
def test_from_10_blocks_it_is_scipys_signed_rank_test(n):
    a, b = noisy(n, 1.02)
    logs = [math.log(x / y) for x, y in zip(a, b, strict=True)]
    found = block_ratio(a, b)
    method = "exact" if n <= 50 else "auto"
    assert found.p == pytest.approx(scipy.stats.wilcoxon(logs, method=method).pvalue)
    assert found.method == "signed-rank"
    expected, inner = hodges_lehmann(logs), hodges_lehmann(logs, 0.90)
    assert math.log(found.ratio.centre) == pytest.approx(expected.centre)
    assert (math.log(found.ratio.low), math.log(found.ratio.high)) == pytest.approx(
        (expected.low, expected.high)
    )
    assert (math.log(found.inner.low), math.log(found.inner.high)) == pytest.approx((inner.low, inner.high))


def test_small_p_values_are_those_of_all_signs():
    a, b = noisy(10, 1.03, seed=3)
    logs = [math.log(x / y) for x, y in zip(a, b, strict=True)]
    assert block_ratio(a, b).p == pytest.approx(signed_rank_p(logs))


@pytest.mark.parametrize("n", [6, 9])
def test_below_10_blocks_it_is_scipys_paired_t_test(n):
    a, b = noisy(n, 1.02)
    logs = [[math.log(x) for x in side] for side in (a, b)]
    expected, found = scipy.stats.ttest_rel(*logs), block_ratio(a, b)
    assert (found.method, found.p) == ("t", pytest.approx(expected.pvalue))
    for of, level in ((found.ratio, 0.95), (found.inner, 0.90)):
        ends = expected.confidence_interval(level)
        assert (math.log(of.low), math.log(of.high)) == pytest.approx((ends.low, ends.high))
    assert found.spread == pytest.approx(statistics.stdev(x - y for x, y in zip(*logs, strict=True)))


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
    assert (found.p, found.method, found.ratio.low, found.inner.high) == (None, "", None, None)
    assert found.ratio.centre == pytest.approx(statistics.median(x / y for x, y in zip(a, b, strict=True)))
    assert decide(found) == decide(found, 0.0001) == OPEN
    assert found.smallest_effect() is None


def test_ratios_most_of_which_are_exactly_1_are_no_difference():
    found = block_ratio([1.0] * 13 + [1.1, 1.2], [1.0] * 15)
    assert found.p > 0.05
    assert decide(found) == SAME
