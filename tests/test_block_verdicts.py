"""What is told of a comparison: verdicts, Holm's correction, and the effects that were in reach."""

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
    BlockRatio,
    Estimate,
    block_ratio,
    blocks_needed,
    decide,
    holm,
    resolution,
)


def ratio(centre, low, high, p):
    inner = Estimate(centre=centre, low=low, high=high, n=15)
    return BlockRatio(ratio=inner, inner=inner, p=p, spread=0.01)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (ratio(1.03, 1.01, 1.05, 0.001), MORE),
        (ratio(0.97, 0.95, 0.99, 0.001), LESS),
        (ratio(1.03, 1.01, 1.05, 0.05), OPEN),  # p is not below its level
        (ratio(1.019, 1.01, 1.03, 0.001), OPEN),  # below the margin
        (ratio(1.01, 1.005, 1.015, 0.001), SAME),  # a difference that nobody should act on
        (ratio(1.0, 0.985, 1.015, 0.9), SAME),
        (ratio(1.0, 0.97, 1.015, 0.9), OPEN),
        (ratio(1.0, 0.985, 1.021, 0.9), OPEN),
        (ratio(1.0, None, None, 0.9), OPEN),
        (ratio(1.5, 1.4, 1.6, None), OPEN),
    ],
)
def test_a_verdict_needs_its_p_and_the_margin(found, verdict):
    assert decide(found) == verdict


def test_an_adjusted_p_takes_the_place_of_its_own():
    found = ratio(1.03, 1.01, 1.05, 0.01)
    assert (decide(found), decide(found, 0.2)) == (MORE, OPEN)
    assert decide(found, margin=0.05) == OPEN


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.5], [1.0, 1.0]),
        ([0.0001, 0.9, 0.02, 0.02], [0.0004, 0.9, 0.06, 0.06]),
    ],
)
def test_holm_by_hand(raw, adjusted):
    assert holm(raw) == pytest.approx(adjusted)


def test_holm_lies_between_raw_and_bonferroni_and_keeps_the_order():
    rng = random.Random(2)
    for _ in range(200):
        raw = [rng.random() ** 3 for _ in range(rng.randint(1, 12))]
        found = holm(raw)
        assert all(p <= q <= min(1, p * len(raw)) + 1e-12 for p, q in zip(raw, found, strict=True))
        order = sorted(range(len(raw)), key=raw.__getitem__)
        assert [found[i] for i in order] == sorted(found)


# what was in reach


@pytest.mark.parametrize("n", [0, 5])
def test_too_few_blocks_resolve_nothing(n):
    assert resolution(0.01, n) == math.inf


def test_the_resolution_is_the_margin_for_no_noise_and_beyond_it_else():
    assert resolution(0, 15) == pytest.approx(0.02)
    assert resolution(0.01, 15) > 0.02
    assert resolution(0.01, 15, margin=0.05) > 0.05
    spreads = [resolution(sd, 15) for sd in (0.01, 0.02, 0.05, 0.1)]
    assert spreads == sorted(spreads)
    counts = [resolution(0.1, n) for n in (10, 15, 30, 100)]
    assert counts == sorted(counts, reverse=True)
    assert resolution(0.05, 15, tests=20) > resolution(0.05, 15)


def test_the_power_is_that_of_the_noncentral_t():
    n, kept, spread = 8, 6, 0.05
    shift = math.log1p(resolution(spread, n)) / (spread / math.sqrt(n) * math.sqrt(kept / (kept - 1)))
    critical = scipy.stats.t.ppf(0.975, kept - 1)
    assert scipy.stats.nct.sf(critical, kept - 1, shift) == pytest.approx(0.90, abs=0.03)


def test_blocks_needed_is_the_first_that_resolves():
    needed = blocks_needed(0.03, 0.05)
    assert 6 < needed <= 15
    assert resolution(0.03, needed) <= 0.05 < resolution(0.03, needed - 1)
    assert blocks_needed(0.001, 0.05) == 6
    assert blocks_needed(0.5, 0.03, most=50) is None
    assert blocks_needed(0.001, 0.02) is None  # an effect of the margin itself is a coin's toss


def test_bursts_in_a_fifth_of_the_blocks_leave_the_spread_what_it_is():
    logs = [0.01 * (i - 7) for i in range(15)]
    quiet = block_ratio([math.exp(x) for x in logs], [1.0] * 15)
    burst = block_ratio([math.exp(x) for x in [*logs[:-3], 0.4, 2.0, 1.0]], [1.0] * 15)
    assert (burst.spread, burst.p) == (quiet.spread, quiet.p)
    assert quiet.spread == pytest.approx(statistics.stdev(logs), rel=0.25)
    assert quiet.smallest_effect() == resolution(quiet.spread, 15)
    assert quiet.smallest_effect(20) == resolution(quiet.spread, 15, 20) > quiet.smallest_effect()
