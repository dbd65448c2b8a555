"""What a series of step times says of itself: outliers, drift, an even selection."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# A drift is told from the medians of so many stretches; a median shrugs off a burst within its stretch.
_STRETCHES = 12
_DRIFT = 0.03
_DRIFT_P = 0.01


@dataclass(frozen=True)
class Outliers:
    """How many samples lie far above the others; all of them are kept.

    Attributes:
        mild: above the third quartile by 1.5 to 3 interquartile ranges (Tukey 1977).
        severe: by more.
    """

    mild: int
    severe: int


def outliers(samples: Sequence[float]) -> Outliers:
    """Count the slow *samples* by Tukey's fences."""
    if len(samples) < 4:
        return Outliers(0, 0)
    first, _, third = statistics.quantiles(samples, n=4)
    reach = third - first
    severe = sum(x > third + 3 * reach for x in samples)
    return Outliers(sum(x > third + 1.5 * reach for x in samples) - severe, severe)


def drifts(samples: Sequence[float]) -> bool:
    """Whether step times change by 3 % or more: a trend from end to end, or a slow start; a burst is neither.

    Both are told from the medians of 12 equal stretches. The trend is their least-squares line, at p < 0.01
    (t test of the slope). A start is slow where the first two medians exceed every one of the last nine.
    """
    length = len(samples) // _STRETCHES
    if length < 4:
        return False
    medians = [statistics.median(samples[i * length : (i + 1) * length]) for i in range(_STRETCHES)]
    steady = statistics.median(medians)
    slow_start = min(medians[:2]) > max(max(medians[3:]), steady * (1 + _DRIFT))
    return slow_start or _trend(medians, steady * _DRIFT)


def _trend(medians: Sequence[float], least: float) -> bool:
    """Whether *medians* rise or fall by *least* from end to end, beyond their scatter."""
    n = len(medians)
    slope, start = statistics.linear_regression(range(n), medians)
    if abs(slope) * (n - 1) < least or least <= 0:
        return False
    residual = math.sqrt(sum((y - start - slope * x) ** 2 for x, y in enumerate(medians)) / (n - 2))
    if residual == 0:
        return True
    from scipy.special import stdtr

    t = abs(slope) * math.sqrt(n * (n**2 - 1) / 12) / residual
    return bool(2 * stdtr(n - 2, -t) < _DRIFT_P)


def evenly(count: int, most: int) -> list[int]:
    """At most *most* indices spread evenly over range(*count*), both ends among them; for one, the first."""
    if count <= most:
        return list(range(count))
    if most < 2:
        return [0][:most]
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
