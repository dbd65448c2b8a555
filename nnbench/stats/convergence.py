"""Does the faster one still learn? MLPerf's reference-convergence test, for any two sides.

MLPerf rejects a submission that converges better than its reference by a one-sided t test at 0.05 (policy
on reference convergence points); here the base is the reference, and a head that converges worse is told.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.stats.intervals import Estimate, paired_difference

SEEDS_LEAST = 6
ALPHA = 0.05
LEARNS_WORSE, LEARNS_ALIKE, UNSETTLED = "LEARNS WORSE", "LEARNS ALIKE", "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """What the seeds say of a head against its base.

    Attributes:
        gain: head - base in accuracy, with its 90 % interval (the one-sided test at 5 %).
        p: one-sided, of a head that is as good; None where there is no test.
    """

    verdict: str
    reason: str
    gain: Estimate | None = None
    p: float | None = None


def convergence(base: Sequence[float], head: Sequence[float], *, margin: float) -> Convergence:
    """Accuracies of *head* against those of *base*, paired by seed; a diverged seed is an accuracy of 0.

    LEARNS WORSE where head is lower at p < 0.05, one-sided; LEARNS ALIKE where it is shown to lose less than
    *margin*; INCONCLUSIVE else, and below 6 seeds a side.

    Raises:
        ValueError: an accuracy is not finite.
    """
    if not all(math.isfinite(x) for x in (*base, *head)):
        raise ValueError("accuracies must be finite; that of a diverged seed is 0")
    n = min(len(base), len(head))
    if len(base) == len(head) > 0 and list(base) == list(head):
        return Convergence(verdict=LEARNS_ALIKE, reason=f"the accuracies of {n} seeds are equal")
    if n < SEEDS_LEAST or len(base) != len(head):
        reason = f"{n} seeds a side have both an accuracy, and the test needs {SEEDS_LEAST}"
        return Convergence(verdict=UNSETTLED, reason=reason)
    gain, p = paired_difference(head, base, 1 - 2 * ALPHA), _p_of_less(head, base)
    text = f"accuracy {100 * gain.centre:+.2f} points, one-sided p = {p:.2g}, {n} seeds"
    if p < ALPHA:
        return Convergence(verdict=LEARNS_WORSE, reason=text, gain=gain, p=p)
    if gain.low is not None and gain.low > -margin:
        return Convergence(verdict=LEARNS_ALIKE, reason=text, gain=gain, p=p)
    text += f"; a loss of {100 * margin:.1f} points is not excluded"
    return Convergence(verdict=UNSETTLED, reason=text, gain=gain, p=p)


def _p_of_less(head: Sequence[float], base: Sequence[float]) -> float:
    """One-sided p of the paired t test: small where head is lower than base."""
    from scipy.special import stdtr

    found = [x - y for x, y in zip(head, base, strict=True)]
    centre, spread = statistics.fmean(found), statistics.stdev(found)
    if spread == 0:
        return 0.0 if centre < 0 else 1.0
    return float(stdtr(len(found) - 1, centre / (spread / math.sqrt(len(found)))))
