"""One row of a comparison, the words of its verdict, and what the rows together say to a shell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nnbench.stats import LEARNS_WORSE, Estimate

FASTER, SLOWER = "FASTER", "SLOWER"
BETTER, WORSE = "BETTER", "WORSE"
SAME, INCONCLUSIVE, NOT_COMPARABLE = "SAME", "INCONCLUSIVE", "NOT_COMPARABLE"
RATIO, DIFFERENCE = "ratio", "difference"
_REGRESSIONS = (SLOWER, WORSE, LEARNS_WORSE)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What the records say of one metric of one arm, the head (B) against the base (A).

    Attributes:
        verdict: FASTER, SLOWER, SAME, INCONCLUSIVE or NOT_COMPARABLE; BETTER and WORSE for what is no time;
            of convergence LEARNS WORSE, LEARNS ALIKE or INCONCLUSIVE; empty where there is none.
        a, b: centre of each side, in the metric's recorded unit.
        effect: by *scale*, with its interval. "ratio": how many times as fast the head is (of other metrics
            head / base); "difference": head - base in the recorded unit.
        p: two-sided (of convergence one-sided), adjusted for the rows that share the error of 5 %.
        n: pairs of blocks or of seeds behind it.
        reach: the smallest ratio - 1 that so many blocks would have found; None where there is no test.
        exploratory: in the table for information: it gets no verdict and no say in the exit code.
        samples: the ratio of each block, or the difference of each seed.
    """

    arm: str
    metric: str
    scenario: str | None = None
    verdict: str = ""
    reason: str = ""
    a: float | None = None
    b: float | None = None
    effect: Estimate | None = None
    scale: str = RATIO
    p: float | None = None
    n: int = 0
    reach: float | None = None
    exploratory: bool = False
    samples: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values; the effect as its centre and ends."""
        effect = None if self.effect is None else dict(self.effect.__dict__)
        return {**self.__dict__, "effect": effect, "samples": list(self.samples)}


def exit_code(comparisons: Iterable[Comparison]) -> int:
    """What a shell is told: 1 regression, 4 not comparable, 3 inconclusive, 0 fine.

    Nothing to compare is not comparable; rows of which none was declared decide nothing.
    """
    rows = list(comparisons)
    found = [row.verdict for row in rows if not row.exploratory]
    if any(verdict in _REGRESSIONS for verdict in found):
        return 1
    if not rows or NOT_COMPARABLE in found:
        return 4
    return 3 if not found or INCONCLUSIVE in found else 0
