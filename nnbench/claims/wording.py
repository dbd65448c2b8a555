"""Differences and ratios in words, in the units of print."""

from __future__ import annotations

import math
from collections.abc import Callable

from nnbench.claims.claim import Claim
from nnbench.metrics import Metric, number
from nnbench.stats import Estimate


def unit_of(of: Metric) -> str:
    """What a difference of metric *of* is counted in."""
    return "points" if of.unit == "%" else of.unit


def difference_text(effect: Estimate, sign: int, of: Metric, level: float) -> str:
    """'higher by 5.2 points (95 % interval 4.1 to 6.3, n = 3)'; the word follows what was found.

    Args:
        sign: -1 where *effect* counts how much lower the first arm is.
    """
    found = sign * effect.centre * of.scale
    text = f"{'higher' if found >= 0 else 'lower'} by {number(abs(found))} {unit_of(of)}".rstrip()
    if effect.low is None or effect.high is None or effect.low == effect.high:
        return text
    facing = 1 if effect.centre >= 0 else -1
    ends = sorted(facing * end * of.scale for end in (effect.low, effect.high))
    return f"{text} ({percent(level)} interval {number(ends[0])} to {number(ends[1])}, n = {effect.n})"


def as_told(claim: Claim, gain: Estimate) -> tuple[Estimate, str]:
    """How a *gain* is told, the ratio by which the first arm is ahead, and the words after the number.

    Of durations that should be low it is told as it is, '1.32 times as fast'; of everything else as the
    ratio of the numbers, first arm over second.
    """
    of = claim.of
    if of.unit in ("s", "ms"):
        return gain, "times as long" if claim.higher else "times as fast"
    return gain if claim.higher else _inverse(gain), f"times the {of.label}"


def _inverse(gain: Estimate) -> Estimate:
    low, high = (None if end is None else 1 / end for end in (gain.high, gain.low))
    return Estimate(centre=1 / gain.centre, low=low, high=high, n=gain.n)


def ratio_number(value: float) -> str:
    """Three significant digits with their zeros; four near 1, where a margin of 2 % must be seen."""
    size = math.floor(math.log10(value)) if value > 0 else 0
    decimals = 3 if 0.9 < value < 1.1 else max(0, 2 - size)
    return f"{value:,.{decimals}f}"


def bounds_text(claim: Claim, of: Metric | None = None) -> str:
    """'0.9 to 1.1', 'at most 3': what *claim* allows; in the unit of *of*, where that is given."""
    scale, unit = (of.scale, of.unit) if of is not None else (1.0, "")
    low, high = (None if end is None else number(end * scale) for end in (claim.low, claim.high))
    if low is None or high is None:
        return f"{f'at most {high}' if low is None else f'at least {low}'} {unit}".rstrip()
    return f"{low} to {high} {unit}".rstrip()


def interval_text(of: Estimate, shown: Callable[[float], str] = number) -> str:
    """'1.28 to 1.36'; empty where there is none."""
    return "" if of.low is None or of.high is None else f"{shown(of.low)} to {shown(of.high)}"


def p_text(p: float, tests: int = 1) -> str:
    """'p = 0.002 after Holm over 3'."""
    shown = "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
    return f"{shown} after Holm over {tests}" if tests > 1 else shown


def percent(share: float) -> str:
    """'4.1 %', of a share."""
    return f"{100 * share:.4g}\u00a0%"


def blocks_text(n: int) -> str:
    """'6 blocks'."""
    return f"{n} block{'s' if n != 1 else ''}"


def left_out_text(n: int) -> str:
    """'1 block left out as INVALID'; empty for none."""
    return f"{blocks_text(n)} left out as INVALID, or the clock failed" if n else ""
