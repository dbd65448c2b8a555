"""Centre and interval of one sample, or of a paired one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

BOOTSTRAP_LEAST = 20


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A centre with its confidence interval; the ends are None where n is too small for one."""

    centre: float
    low: float | None
    high: float | None
    n: int


def mean_interval(samples: Sequence[float], level: float = 0.95) -> Estimate:
    """Mean with Student's t interval (Student 1908); ends are None below two samples.

    Raises:
        ValueError: no samples, or a sample that is not finite.
    """
    n = len(_checked(samples))
    centre = statistics.fmean(samples)
    if n < 2:
        return Estimate(centre=centre, low=None, high=None, n=n)
    # Not scipy.stats: that takes ten times as long to import, and looks torch up.
    from scipy.special import stdtrit

    half = float(stdtrit(n - 1, (1 + level) / 2)) * statistics.stdev(samples) / math.sqrt(n)
    return Estimate(centre=centre, low=centre - half, high=centre + half, n=n)


def paired_difference(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Estimate:
    """Mean of a[i] - b[i] with its t interval; the samples are paired by position (here: by seed).

    Raises:
        ValueError: the lengths differ, or there are no samples.
    """
    if len(a) != len(b):
        raise ValueError(f"paired samples need equal lengths, got {len(a)} and {len(b)}")
    return mean_interval([x - y for x, y in zip(a, b, strict=True)], level)


def paired_ratio(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Estimate:
    """Geometric mean of a[i] / b[i] with the t interval of its logarithms.

    Raises:
        ValueError: the lengths differ, there are no samples, or one is not positive.
    """
    if min([*a, *b], default=1) <= 0:
        raise ValueError("a ratio needs positive samples")
    logs = paired_difference([math.log(x) for x in a], [math.log(x) for x in b], level)
    low, high = (None if end is None else math.exp(end) for end in (logs.low, logs.high))
    return Estimate(centre=math.exp(logs.centre), low=low, high=high, n=logs.n)


def binomial_error(share: float, n: int) -> float:
    """Standard error of a *share* counted over *n* independent cases: sqrt(p (1 - p) / n)."""
    return math.sqrt(share * (1 - share) / n)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Estimate:
    """Share of *successes* in *n* trials with its exact interval (Clopper and Pearson 1934).

    Raises:
        ValueError: no trials, or more successes than trials.
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"a share needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Estimate(centre=successes / n, low=low, high=high, n=n)


def superiority(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Estimate:
    """P(a > b) over pairs, ties counting half (Bouthillier et al. 2021), with the exact interval of a share.

    Raises:
        ValueError: the lengths differ, or there are no samples.
    """
    if len(a) != len(b):
        raise ValueError(f"paired samples need equal lengths, got {len(a)} and {len(b)}")
    wins = sum((x > y) + (x == y) / 2 for x, y in zip(a, b, strict=True))
    ends = [clopper_pearson(whole, len(a), level) for whole in (math.floor(wins), math.ceil(wins))]
    return Estimate(centre=wins / len(a), low=ends[0].low, high=ends[1].high, n=len(a))


def interquartile_mean(samples: Sequence[float], level: float = 0.95) -> Estimate:
    """Mean of the middle half, with its bootstrapped interval (Agarwal et al. 2021, "rliable").

    The ends are None below 20 samples, where a bootstrap covers too little.

    Raises:
        ValueError: no samples, or a sample that is not finite.
    """
    import numpy as np
    from scipy import stats

    values = np.sort(np.asarray(_checked(samples), dtype=float))
    n, centre = len(values), float(stats.trim_mean(values, 0.25))
    if n < BOOTSTRAP_LEAST or values[0] == values[-1]:
        return Estimate(centre=centre, low=None, high=None, n=n)
    found = stats.bootstrap(
        (values,), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis), confidence_level=level,
        n_resamples=2000, method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return Estimate(centre=centre, low=float(found.low), high=float(found.high), n=n)


def median_interval(samples: Sequence[float], level: float = 0.95) -> Estimate:
    """Median with the interval that inverts the sign test: two order statistics, whatever the distribution.

    Its coverage is at least *level*; the ends are None below six samples, where none has it.

    Raises:
        ValueError: no samples, or a sample that is not finite.
    """
    ranked, n = sorted(_checked(samples)), len(samples)
    centre = statistics.median(ranked)
    tail, out = 0.0, 0  # P(at most `out` samples lie below the median)
    while (tail := tail + math.comb(n, out) / 2**n) <= (1 - level) / 2:
        out += 1
    if out == 0:
        return Estimate(centre=centre, low=None, high=None, n=n)
    return Estimate(centre=centre, low=ranked[out - 1], high=ranked[-out], n=n)


def median_with_misses(times: Sequence[float | None]) -> float:
    """Median time to a target; a miss is None, counts as infinity, and takes part in the median (AlgoPerf).

    Raises:
        ValueError: no samples.
    """
    if not times:
        raise ValueError("no samples")
    ranked = sorted(math.inf if time is None else time for time in times)
    middle = ranked[(len(ranked) - 1) // 2 : len(ranked) // 2 + 1]
    return sum(middle) / len(middle)


def mean_with_misses(times: Sequence[float | None], level: float = 0.95) -> Estimate:
    """Mean time to a target with its t interval; a single miss, None, makes it infinite, without interval.

    Of the hits alone it would reward a recipe that gives up often.

    Raises:
        ValueError: no samples.
    """
    hits = [time for time in times if time is not None]
    if hits and len(hits) == len(times):
        return mean_interval(hits, level)
    if not times:
        raise ValueError("no samples")
    return Estimate(centre=math.inf, low=None, high=None, n=len(times))


def _checked(samples: Sequence[float]) -> Sequence[float]:
    if not samples:
        raise ValueError("no samples")
    if not all(math.isfinite(x) for x in samples):
        raise ValueError(f"samples must be finite, got {[x for x in samples if not math.isfinite(x)]}")
    return samples
