"""Samples to centre, interval and paired effect: pure functions, each with its source."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


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


def evenly(count: int, most: int) -> list[int]:
    """At most *most* indices spread evenly over range(*count*), both ends among them; for one, the first."""
    if count <= most:
        return list(range(count))
    if most < 2:
        return [0][:most]
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def _checked(samples: Sequence[float]) -> Sequence[float]:
    if not samples:
        raise ValueError("no samples")
    if not all(math.isfinite(x) for x in samples):
        raise ValueError(f"samples must be finite, got {[x for x in samples if not math.isfinite(x)]}")
    return samples
