"""What a curve of accuracies over learning rates says: where its top is, and how wide."""

from __future__ import annotations

import math
from collections.abc import Sequence


def best_of(values: Sequence[float]) -> int:
    """Index of the highest of *values*; of equal ones the first."""
    return max(range(len(values)), key=values.__getitem__)


def peak(rates: Sequence[float], accuracies: Sequence[float]) -> float:
    """Decimal logarithm of the best rate: top of the parabola through the best of *rates* and its neighbours.

    At the end of the grid, and where the neighbours lie unevenly, the rate itself.
    """
    best = best_of(accuracies)
    at = math.log10(rates[best])
    if best in (0, len(rates) - 1):
        return at
    below, top, above = accuracies[best - 1 : best + 2]
    step = math.log10(rates[best + 1]) - at
    bend = below - 2 * top + above
    if bend == 0 or not math.isclose(at - math.log10(rates[best - 1]), step, rel_tol=1e-6):
        return at
    return at + step * (below - above) / (2 * bend)


def plateau(rates: Sequence[float], accuracies: Sequence[float], below: float) -> tuple[float, float]:
    """Lowest and highest rate about the best one that stay within *below* of its accuracy.

    Between two rates the accuracy is taken for a straight line over the logarithm of the rate; at an end of
    the grid the plateau ends too.
    """
    best = best_of(accuracies)
    bar = accuracies[best] - below

    def end(direction: int) -> float:
        at = best
        while 0 <= at + direction < len(rates):
            inside, outside = accuracies[at], accuracies[at + direction]
            if outside < bar:
                share = (inside - bar) / (inside - outside)
                return rates[at] * math.pow(rates[at + direction] / rates[at], share)
            at += direction
        return rates[at]

    return end(-1), end(1)
