"""Times of two arms that ran in the same blocks: their ratio, its interval, a test, and what was in reach.

The unit is the block, a fresh process, since times within one are not independent: a t test over all
iterations calls half of all equal pairs different. Blocks give one log ratio each.

* 10 blocks and more: the Hodges–Lehmann centre (Hodges and Lehmann 1963) with the interval that inverts the
  exact signed-rank test (Wilcoxon 1945).
* 6 to 9: Student's t on the log ratios; there a signed-rank test cannot pass Holm's correction.
* Fewer, or anything degenerate: no test, and the reason.
"""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.stats.intervals import Estimate, mean_interval

BLOCKS_LEAST = 6
BLOCKS_SIGNED_RANK = 10
# A difference below this is none that anybody should act on.
MARGIN = 0.02
# Log ratios that differ by less than any clock tells are one number, rounded differently.
_ALIKE = 1e-9
ALPHA = 0.05
POWER = 0.90
LESS, MORE, SAME, OPEN = "less", "more", "same", "open"
# Of the signed-rank test against the t test on normal data (Lehmann 1975); it is higher on skewed ones.
_EFFICIENCY = 3 / math.pi


@dataclass(frozen=True, kw_only=True)
class BlockRatio:
    """a / b over blocks.

    Attributes:
        ratio: centre with its 95 % interval; the ends are None where there is no test.
        inner: the 90 % interval of the same, for the verdict SAME.
        p: two-sided, of the boundary that was asked about; None where there is no test.
        method: "signed-rank" or "t"; empty where there is no test.
        spread: standard deviation of the log ratios; for signed-rank that of normal ones whose interval is as
            wide, so that it counts what bursts cost.
        reason: why there is no test.
    """

    ratio: Estimate
    inner: Estimate
    p: float | None
    method: str
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
    n, reason = len(logs), _no_test(logs)
    if reason:
        of = _exp(Estimate(centre=statistics.median(logs), low=None, high=None, n=n))
        return BlockRatio(ratio=of, inner=of, p=None, method="", spread=_spread(logs), reason=reason)
    shift = math.log(boundary)
    if n >= BLOCKS_SIGNED_RANK:
        outer, inner = hodges_lehmann(logs), hodges_lehmann(logs, 0.90)
        p, method, spread = _signed_rank_p([x - shift for x in logs]), "signed-rank", _spread_of(outer)
    else:
        outer, inner = mean_interval(logs), mean_interval(logs, 0.90)
        p, method, spread = _t_p(logs, shift), "t", _spread(logs)
    if outer.low is not None and outer.low == outer.high:
        reason = "most ratios are identical, so their interval means nothing"
        return BlockRatio(
            ratio=_exp(outer), inner=_exp(inner), p=None, method="", spread=spread, reason=reason
        )
    return BlockRatio(ratio=_exp(outer), inner=_exp(inner), p=p, method=method, spread=spread)


def _no_test(logs: Sequence[float]) -> str:
    """Why *logs* allow no test; empty where they do."""
    if len(logs) < BLOCKS_LEAST:
        return f"{len(logs)} block{'s' if len(logs) != 1 else ''}, and a verdict needs {BLOCKS_LEAST}"
    if max(logs) - min(logs) < _ALIKE:
        return f"all {len(logs)} ratios are identical, so their interval means nothing"
    return ""


def hodges_lehmann(samples: Sequence[float], level: float = 0.95) -> Estimate:
    """Median of the pairwise means, with the interval that inverts the exact signed-rank test.

    The interval's coverage is at least *level*; its ends are None where n is too small for it.
    """
    n = len(samples)
    walsh = sorted((samples[i] + samples[j]) / 2 for i in range(n) for j in range(i, n))
    out = _left_out(n, (1 - level) / 2)
    if out == 0:
        return Estimate(centre=statistics.median(walsh), low=None, high=None, n=n)
    return Estimate(centre=statistics.median(walsh), low=walsh[out - 1], high=walsh[-out], n=n)


@functools.cache
def _left_out(n: int, tail: float) -> int:
    """Largest k with P(W < k) <= *tail* for the signed-rank statistic W of n samples: its exact quantile."""
    ways = [1]  # ways[w]: subsets of the ranks so far whose sum is w
    for rank in range(1, n + 1):
        longer = ways + [0] * rank
        for total, count in enumerate(ways):
            longer[total + rank] += count
        ways = longer
    below = itertools.accumulate(ways)
    return next(k for k, count in enumerate(below) if count > tail * 2**n)


def _signed_rank_p(samples: Sequence[float]) -> float:
    from scipy import stats

    if not any(samples):
        return 1.0
    return float(stats.wilcoxon(samples, method="exact" if len(samples) <= 50 else "auto").pvalue)


def _t_p(samples: Sequence[float], centre: float) -> float:
    from scipy.special import stdtr

    n = len(samples)
    t = abs(statistics.fmean(samples) - centre) / (_spread(samples) / math.sqrt(n))
    return float(2 * stdtr(n - 1, -t))


def _spread(samples: Sequence[float]) -> float:
    return statistics.stdev(samples) if len(samples) > 1 else 0.0


def _spread_of(interval: Estimate) -> float:
    """The standard deviation of normal log ratios whose 95 % signed-rank interval has the width of this one.

    Not from the median absolute deviation: that does not see the bursts that cost power (simulated, a tenth
    of the blocks hit: what it said 10 blocks would find in 90 % they found in 66 %).
    """
    from scipy.special import stdtrit

    n = interval.n
    if interval.low is None or interval.high is None:
        return math.inf
    half = (interval.high - interval.low) / 2
    return half * math.sqrt(n * _EFFICIENCY) / float(stdtrit(n - 1, 1 - ALPHA / 2))


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
        spread: standard deviation of one block's log ratio.
        tests: comparisons that share the error of 5 %.
    """
    from scipy.special import stdtrit

    if n < BLOCKS_LEAST:
        return math.inf
    if n >= BLOCKS_SIGNED_RANK and 2 / 2**n > ALPHA / tests:
        return math.inf  # not even n ratios on one side would do
    error = spread / math.sqrt(n * (_EFFICIENCY if n >= BLOCKS_SIGNED_RANK else 1.0))
    least = max(math.log1p(margin), float(stdtrit(n - 1, 1 - ALPHA / tests / 2)) * error)
    return math.expm1(least + float(stdtrit(n - 1, POWER)) * error)


def blocks_needed(spread: float, effect: float, tests: int = 1, *, most: int = 1000) -> int | None:
    """Fewest blocks that resolve *effect* (a ratio - 1); None where *most* do not."""
    return next((n for n in range(BLOCKS_LEAST, most + 1) if resolution(spread, n, tests) <= effect), None)
