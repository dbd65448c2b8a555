"""Times of two arms that ran in the same blocks: their ratio, its interval, a test, and what was in reach.

The unit is the block, a fresh process, since times within one are not independent: a t test over all
iterations calls half of all equal pairs different. Blocks give one log ratio each.

From 6 blocks on, the centre is the mean of the log ratios without the fifth at either end, with Tukey and
McLaughlin's t (Tukey and McLaughlin 1963; Yuen 1974). On a shared machine a neighbour slows one side of a
pair by tens of percents in a sixth to two fifths of all blocks: what a few blocks say must not decide. Fewer
blocks, or anything degenerate: no test, and the reason.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.stats.intervals import Estimate

BLOCKS_LEAST = 6
# A difference below this is none that anybody should act on.
MARGIN = 0.02
# Log ratios that differ by less than any clock tells are one number, rounded differently.
_ALIKE = 1e-9
ALPHA = 0.05
# Of t for a power of 90 %: an error that few blocks tell is itself uncertain (simulated: 86 % for 6 normal
# log ratios, 90 % for 8 to 10, 91 % for 15; with 0.90 they were 82, 86 and 88 %).
_POWER = 0.925
LESS, MORE, SAME, OPEN = "less", "more", "same", "open"


@dataclass(frozen=True, kw_only=True)
class BlockRatio:
    """a / b over blocks.

    Attributes:
        ratio: centre with its 95 % interval; the ends are None where there is no test.
        inner: the 90 % interval of the same, for the verdict SAME.
        p: two-sided, of the boundary that was asked about; None where there is no test.
        spread: what the centre of n blocks varies by, times the root of n; the standard deviation of the log
            ratios where nothing is left out.
        reason: why there is no test.
    """

    ratio: Estimate
    inner: Estimate
    p: float | None
    spread: float
    reason: str = ""

    def smallest_effect(self, tests: int = 1) -> float | None:
        """The smallest ratio - 1 that these blocks would have found; None where there is no test."""
        return resolution(self.spread, self.ratio.n, tests) if self.p is not None else None


def block_ratio(a: Sequence[float], b: Sequence[float], boundary: float = 1.0) -> BlockRatio:
    """Compare times *a* and *b*, paired by position, one pair for each block.

    Args:
        boundary: the ratio a / b whose equality is tested; 1 asks whether they differ at all.

    Raises:
        ValueError: the lengths differ, there are none, or one is not a positive finite number.
    """
    if len(a) != len(b):
        raise ValueError(f"paired samples need equal lengths, got {len(a)} and {len(b)}")
    if not a or not all(math.isfinite(x) and x > 0 for x in (*a, *b)):
        raise ValueError("a ratio of times needs positive finite samples")
    logs = [math.log(x / y) for x, y in zip(a, b, strict=True)]
    centre, spread = trimmed_mean(logs)
    reason = _no_test(logs)
    if not reason and spread < _ALIKE:
        reason = "most ratios are identical, so their interval means nothing"
    if reason:
        of = _exp(Estimate(centre=statistics.median(logs), low=None, high=None, n=len(logs)))
        return BlockRatio(ratio=of, inner=of, p=None, spread=spread, reason=reason)
    error, freedom = _error(spread, len(logs)), _kept(len(logs)) - 1
    outer, inner = (_interval(centre, error, freedom, level, len(logs)) for level in (0.95, 0.90))
    p = 2 * _t_tail(abs(centre - math.log(boundary)) / error, freedom)
    return BlockRatio(ratio=_exp(outer), inner=_exp(inner), p=p, spread=spread)


def _no_test(logs: Sequence[float]) -> str:
    """Why *logs* allow no test; empty where they do."""
    if len(logs) < BLOCKS_LEAST:
        return f"{len(logs)} block{'s' if len(logs) != 1 else ''}, and a verdict needs {BLOCKS_LEAST}"
    if max(logs) - min(logs) < _ALIKE:
        return f"all {len(logs)} ratios are identical, so their interval means nothing"
    return ""


def trimmed_mean(samples: Sequence[float]) -> tuple[float, float]:
    """Mean of *samples* without the fifth at either end, and its spread.

    The spread is the Winsorized standard deviation over the share that is kept; over the root of n, it is
    the standard error.
    """
    n, ordered = len(samples), sorted(samples)
    out = n // 5
    kept = ordered[out : n - out]
    winsorized = [kept[0]] * out + kept + [kept[-1]] * out
    deviation = statistics.stdev(winsorized) if n > 1 else 0.0
    return statistics.fmean(kept), deviation * n / len(kept)


def _kept(n: int) -> int:
    return n - 2 * (n // 5)


def _error(spread: float, n: int) -> float:
    """Standard error of the trimmed mean of *n* samples.

    The last factor is ours, and makes it unbiased for few samples. Without it the t distribution is too
    narrow: its 5 % were 6.7 % for 6 normal ones and 6.5 % for 10; with it 4.7 % and 5.2 % (simulated).
    """
    kept = _kept(n)
    return spread / math.sqrt(n) * math.sqrt(kept / (kept - 1))


def _t_tail(t: float, freedom: int) -> float:
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def _t_quantile(share: float, freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def _interval(centre: float, error: float, freedom: int, level: float, n: int) -> Estimate:
    half = _t_quantile((1 + level) / 2, freedom) * error
    return Estimate(centre=centre, low=centre - half, high=centre + half, n=n)


def _exp(of: Estimate) -> Estimate:
    low, high = (None if end is None else math.exp(end) for end in (of.low, of.high))
    return Estimate(centre=math.exp(of.centre), low=low, high=high, n=of.n)


def decide(of: BlockRatio, p: float | None = None, *, margin: float = MARGIN, boundary: float = 1.0) -> str:
    """LESS or MORE where a differs from the boundary, SAME where it is shown not to, else OPEN.

    Args:
        p: adjusted for the number of comparisons; left out, the comparison's own.
        margin: smallest |ratio / boundary - 1| that counts; an interval of 90 % wholly within it is SAME.
    """
    p = of.p if p is None else p
    if of.p is None or p is None:
        return OPEN
    centre = of.ratio.centre / boundary
    if p < ALPHA and abs(centre - 1) >= margin:
        return LESS if centre < 1 else MORE
    low, high = of.inner.low, of.inner.high
    inside = (
        low is not None
        and high is not None
        and boundary * (1 - margin) < low <= high < boundary * (1 + margin)
    )
    return SAME if inside else OPEN


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values so that all true nulls together raise a false alarm in 5 % (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, least = [0.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = least
    return adjusted


def resolution(spread: float, n: int, tests: int = 1, *, margin: float = MARGIN) -> float:
    """The smallest ratio - 1 that n blocks find in 90 % of cases; it is above the *margin*.

    Both halves of a verdict have to come about in so many cases: p below its level, and a centre beyond the
    margin. An effect of just the margin is found in half of them, however many blocks there are.

    Args:
        spread: see `BlockRatio`.
        tests: comparisons that share the error of 5 %.
    """
    if n < BLOCKS_LEAST:
        return math.inf
    error, freedom = _error(spread, n), _kept(n) - 1
    least = max(math.log1p(margin), _t_quantile(1 - ALPHA / tests / 2, freedom) * error)
    return math.expm1(least + _t_quantile(_POWER, freedom) * error)


def blocks_needed(spread: float, effect: float, tests: int = 1, *, most: int = 1000) -> int | None:
    """Fewest blocks that resolve *effect* (a ratio - 1); None where *most* do not."""
    return next((n for n in range(BLOCKS_LEAST, most + 1) if resolution(spread, n, tests) <= effect), None)
