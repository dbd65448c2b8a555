"""What the statistics promise, held against noise whose truth is known: coverage, false alarms, power.

As asv's ``_check_ci``. Seeds are fixed: each test has one outcome. Noise is that of a block's log ratio, 3 %
unless said; bounds of counts allow two standard errors (64 of 1,000 at 5 %).
"""

import json
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import scipy.stats

from nnbench.stats import (
    LEARNS_ALIKE,
    LEARNS_WORSE,
    LESS,
    MORE,
    OPEN,
    block_ratio,
    clopper_pearson,
    convergence,
    decide,
    drifts,
    holm,
    resolution,
)
from nnbench.stats.paired_blocks import trimmed_mean

SD = 0.03
MOST = 64


def normal(rng, shape):
    """Log ratios of sides that are normal."""
    return rng.normal(0, SD, shape)


def skewed(rng, shape):
    """Each side is log-normal and has an exponential tail to the slow side."""
    a, b = (np.exp(rng.normal(0, 0.012, shape)) + rng.exponential(0.0175, shape) for _ in "ab")
    return np.log(a / b)


def contaminated(rng, shape):
    """One block in twenty is hit by a burst of 15 % on average, on either side."""
    bursts = rng.exponential(0.15, shape) * rng.choice([-1, 1], shape)
    return normal(rng, shape) + np.where(rng.random(shape) < 0.05, bursts, 0)


def crowded(rng, shape):
    """A neighbour slows a side by a tenth to a half in one block of five, as the recorded campaigns have it."""
    slowed = rng.uniform(0.1, 0.5, shape) * rng.choice([-1, 1], shape)
    return rng.normal(0, SD / 2, shape) + np.where(rng.random(shape) < 0.2, slowed, 0)


def drifting(rng, shape):
    """The machine drifts, AR(1) 0.9 of 3 %: blocks run row after row, the sides of a pair in random order."""
    trials, rows, blocks = shape
    steps = rng.normal(0, SD * math.sqrt(1 - 0.9**2), (trials, 1000 + 2 * rows * blocks))
    machine = scipy.signal.lfilter([1], [1, -0.9], steps)[:, 1000:].reshape(trials, blocks, rows, 2)
    apart = (machine[..., 0] - machine[..., 1]) * rng.choice([-1, 1], (trials, blocks, rows))
    return apart.transpose(0, 2, 1) + rng.normal(0, 0.01 * math.sqrt(2), shape)


NOISES = (normal, skewed, contaminated, drifting, crowded)


def simulated(noise, *, trials, blocks, effect=0.0, rows=1):
    """Log ratios, trials x rows x blocks, whose true centre is log(1 + effect)."""
    seed = [NOISES.index(noise), trials, blocks, rows]
    return noise(np.random.default_rng(seed), (trials, rows, blocks)) + math.log1p(effect)


def compared(logs):
    return block_ratio(np.exp(logs).tolist(), [1.0] * len(logs))


def verdicts(noise, **how):
    return [decide(compared(row[0])) for row in simulated(noise, **how)]


@pytest.mark.parametrize("blocks", [6, 15])
@pytest.mark.parametrize("noise", NOISES)
def test_the_interval_covers_the_truth_as_often_as_it_says(noise, blocks):
    found = [compared(row[0]).ratio for row in simulated(noise, trials=1500, blocks=blocks, effect=0.05)]
    covered = statistics.fmean(of.low <= 1.05 <= of.high for of in found)
    assert 0.93 <= covered <= 0.98


@pytest.mark.parametrize("blocks", [6, 10, 15])
@pytest.mark.parametrize("noise", NOISES)
def test_equal_sides_raise_few_false_alarms_even_before_the_margin(noise, blocks):
    found = [compared(row[0]) for row in simulated(noise, trials=1000, blocks=blocks)]
    assert sum(of.p < 0.05 for of in found) <= MOST
    assert sum(decide(of) in (LESS, MORE) for of in found) <= MOST


@pytest.mark.parametrize("noise", NOISES)
def test_a_table_of_equal_sides_raises_a_false_alarm_no_more_often_than_a_pair(noise):
    assert alarmed_tables(simulated(noise, trials=1000, blocks=15, rows=20)) <= MOST


def alarmed_tables(tables):
    """How many *tables* have any verdict; those whose centres all lie within the margin have none, whatever p."""
    centres = scipy.stats.trim_mean(tables, 0.2, axis=-1)
    suspects = tables[(np.abs(np.expm1(centres)) >= 0.0199).any(axis=1)]
    return sum(alarmed(table) for table in suspects)


def alarmed(table):
    rows = [compared(row) for row in table]
    adjusted = holm([row.p for row in rows])
    return any(decide(row, p) in (LESS, MORE) for row, p in zip(rows, adjusted, strict=True))


def test_a_table_without_holm_would_not_do():
    tables = simulated(normal, trials=60, blocks=15, rows=20)
    raw = [any(compared(row).p < 0.05 for row in table) for table in tables]
    assert statistics.fmean(raw) > 0.4


@pytest.mark.parametrize(
    ("noise", "blocks", "effect", "least"),
    [
        *((noise, 6, 0.10, 0.95) for noise in (normal, skewed, drifting)),
        (contaminated, 6, 0.10, 0.90),
        *((noise, 15, 0.05, 0.90) for noise in NOISES),
        (contaminated, 15, 0.10, 0.99),
    ],
)
def test_what_is_there_is_found(noise, blocks, effect, least):
    for sign, right in ((1, MORE), (-1, LESS)):
        size = (1 + effect) ** sign - 1
        found = verdicts(noise, trials=500, blocks=blocks, effect=size)
        assert statistics.fmean(verdict == right for verdict in found) >= least
        assert sum(verdict in {LESS, MORE} - {right} for verdict in found) == 0


@pytest.mark.parametrize("blocks", [6, 15, 30])
def test_the_smallest_effect_is_found_in_nine_of_ten(blocks):
    spread = statistics.fmean(compared(row[0]).spread for row in simulated(normal, trials=700, blocks=blocks))
    effect = resolution(spread, blocks)
    found = verdicts(normal, trials=700, blocks=blocks, effect=effect)
    assert 0.85 <= statistics.fmean(verdict == MORE for verdict in found) <= 0.96


@pytest.mark.parametrize("noise", NOISES)
def test_the_smallest_effect_that_blocks_tell_of_themselves_is_found_in_most_cases(noise):
    """Nine of ten, but for luck in which sides a neighbour slows: four in 20 blocks are left out, and no more."""
    told = statistics.median(
        compared(row[0]).smallest_effect() for row in simulated(noise, trials=300, blocks=20)
    )
    found = verdicts(noise, trials=500, blocks=20, effect=told)
    assert statistics.fmean(verdict == MORE for verdict in found) >= 0.80


def test_few_blocks_leave_it_open():
    assert set(verdicts(normal, trials=50, blocks=5, effect=0.5)) == {OPEN}


# bursts and drift


def test_a_burst_of_1_s_in_20_s_moves_the_centre_by_2_percent_at_most():
    # 33 pairs of sides of 0.3 s; for a second everything takes twice as long.
    rng = np.random.default_rng(20)
    for _ in range(200):
        times = np.exp(rng.normal(0, SD / math.sqrt(2), 66))
        start, order = rng.integers(0, 63), rng.permuted(np.tile([0, 1], (33, 1)), axis=1)
        hit = times.copy()
        hit[start : start + 4] *= 2
        centres = []
        for sides in (times, hit):
            a, b = np.take_along_axis(sides.reshape(33, 2), order, axis=1).T
            centres.append(trimmed_mean(np.log(a / b).tolist())[0])
        assert abs(math.expm1(centres[1] - centres[0])) <= 0.02


def flat(rng):
    """300 step times: log-normal, three in a hundred with a spike."""
    return np.exp(rng.normal(0, SD, 300)) + np.where(rng.random(300) < 0.03, rng.exponential(0.10, 300), 0)


def ramp(rng):
    return flat(rng) * np.linspace(1, 1.05, 300)


def slow_start(rng):
    return flat(rng) * np.where(np.arange(300) < 60, 1.3, 1)


def burst(rng):
    start = rng.integers(0, 285)
    return flat(rng) * np.where((np.arange(300) >= start) & (np.arange(300) < start + 15), 2, 1)


@pytest.mark.parametrize(
    ("series", "least", "most"), [(flat, 0, 10), (burst, 0, 10), (ramp, 190, 200), (slow_start, 200, 200)]
)
def test_a_drift_is_told_and_flat_series_have_none(series, least, most):
    rng = np.random.default_rng(7)
    assert least <= sum(drifts(series(rng).tolist()) for _ in range(200)) <= most


# accuracies and rates


def accuracies(rng, trials, loss):
    base, head = rng.normal(0.85, 0.007, (2, trials, 10))
    return [
        convergence(b.tolist(), h.tolist(), margin=0.01).verdict
        for b, h in zip(base, head - loss, strict=True)
    ]


def test_equal_learners_are_seldom_called_worse_and_worse_ones_are_found():
    rng = np.random.default_rng(3)
    equal = accuracies(rng, 1000, 0)
    assert equal.count(LEARNS_WORSE) <= MOST
    assert equal.count(LEARNS_ALIKE) >= 600
    worse = accuracies(rng, 1000, 0.02)
    assert worse.count(LEARNS_WORSE) >= 900
    assert worse.count(LEARNS_ALIKE) == 0


@pytest.mark.parametrize("n", [1, 5, 20, 60])
def test_the_interval_of_a_share_covers_every_truth(n):
    intervals = [clopper_pearson(successes, n) for successes in range(n + 1)]
    for true in np.linspace(0.001, 0.999, 97):
        weights = scipy.stats.binom(n, true).pmf(range(n + 1))
        covers = [of.low <= true <= of.high for of in intervals]
        assert weights @ covers >= 0.95


# a recorded run


@pytest.fixture(scope="module")
def recorded():
    """Five campaigns of the self-test: for A/A and for A/B (+5 %) the pairs, 20 a campaign, of 15 blocks each."""
    run = json.loads((Path(__file__).parent / "golden" / "self-test.json").read_text())
    return {name: [[compared(np.log(row)) for row in run[name][i : i + 20]] for i in range(0, 100, 20)]
            for name in ("same", "more")}  # fmt: skip


def test_what_a_noisy_machine_recorded_is_told_right(recorded):
    same, more = ([row for table in recorded[name] for row in table] for name in ("same", "more"))
    assert sum(decide(row) in (LESS, MORE) for row in same) <= 5
    assert sum(decide(row) == MORE for row in more) >= 84
    assert not any(decide(row) == LESS for row in more)
    for rows, truth in ((same, 1.0), (more, 1.05)):
        assert sum(row.ratio.low <= truth <= row.ratio.high for row in rows) >= 93


def test_tables_of_a_noisy_machine_are_told_right(recorded):
    for name, verdict, least, most in (("same", LESS, 0, 0), ("same", MORE, 0, 1), ("more", MORE, 70, 100)):
        tables = [(table, holm([row.p for row in table])) for table in recorded[name]]
        told = sum(
            decide(row, p) == verdict for table, ps in tables for row, p in zip(table, ps, strict=True)
        )
        assert least <= told <= most
