"""Times to a target of which some were never reached: a rule that needs no number for infinity.

A miss is slower than any hit. A block in which a side misses has no ratio, but it has a sign, and the
signs of all blocks have an exact test: the sign test. A mean would need a number for each difference, and a
censored one has none. The centre is the ratio of the medians in which the misses take part (AlgoPerf). An
arm that misses in any block is not faster, however often it is ahead: its mean time is infinite (DAWNBench).
Where all that is not enough, the claim stays UNDECIDED.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.claims.claim import Claim
from nnbench.claims.verdict import REFUTED, SUPPORTED, UNDECIDED
from nnbench.claims.wording import blocks_text, p_text
from nnbench.metrics import number
from nnbench.stats import BLOCKS_LEAST, median_with_misses
from nnbench.stats.paired_blocks import ALPHA


@dataclass(frozen=True, kw_only=True)
class Signs:
    """Who is ahead, block by block.

    Attributes:
        wins, losses: blocks in which the first arm is beyond the boundary, and short of it.
        ties: blocks that have no sign: both miss.
        centre: how many times as good the first arm's median is; None where both medians are misses.
        p: two-sided, of the sign test; None below 6 blocks with a sign.
        medians: of both arms, infinite where half of the blocks miss.
        misses: of both arms.
    """

    wins: int
    losses: int
    ties: int
    centre: float | None
    p: float | None
    medians: tuple[float, float]
    misses: tuple[int, int]


def signs(rows: Sequence[Sequence[float]], *, higher: bool, boundary: float) -> Signs:
    """Count the signs of *rows*, pairs of which infinity is a miss, at a *boundary* of the gain."""
    gains = [_gain(row[0], row[1], higher) for row in rows]
    wins = sum(gain is not None and gain > boundary for gain in gains)
    losses = sum(gain is not None and gain < boundary for gain in gains)
    n = wins + losses
    sides = [[row[i] for row in rows] for i in (0, 1)]
    a, b = (median_with_misses([None if math.isinf(x) else x for x in side]) for side in sides)
    return Signs(
        wins=wins, losses=losses, ties=len(rows) - n, centre=_gain(a, b, higher), medians=(a, b),
        p=_sign_test(min(wins, losses), n) if n >= BLOCKS_LEAST else None,
        misses=(sum(map(math.isinf, sides[0])), sum(map(math.isinf, sides[1]))),
    )  # fmt: skip


def _gain(a: float, b: float, higher: bool) -> float | None:
    """How many times as good *a* is; None where both are misses."""
    if math.isinf(a) and math.isinf(b):
        return None
    return a / b if higher else b / a


def _sign_test(fewer: int, n: int) -> float:
    """Two-sided p of at most *fewer* of *n* signs of one kind, were both as likely."""
    ways = sum(math.comb(n, k) for k in range(fewer + 1))
    return min(1.0, float(2 * ways / 2**n))


def verdict_of_signs(claim: Claim, of: Signs, p: float | None, *, margin: float, boundary: float) -> str:
    """SUPPORTED or REFUTED where the test and the medians say so; an equivalence is never shown by signs.

    SUPPORTED takes that the first arm never misses.
    """
    if claim.kind == "equivalent" or p is None or p >= ALPHA or of.centre is None:
        return UNDECIDED
    if of.wins > of.losses and of.centre >= boundary * (1 + margin):
        return UNDECIDED if of.misses[0] else SUPPORTED
    return REFUTED if of.losses > of.wins and of.centre <= boundary * (1 - margin) else UNDECIDED


def signs_text(claim: Claim, of: Signs, p: float | None, tests: int) -> str:
    """'ahead in 7 of 8 blocks (…)'."""
    total = of.wins + of.losses + of.ties
    medians = " against ".join(
        "a miss" if math.isinf(m) else f"{number(m * claim.of.scale)} {claim.of.unit}" for m in of.medians
    )
    ties = f"; both miss in {of.ties}" if of.ties else ""
    text = (
        f"ahead in {of.wins} of {blocks_text(total)} (target missed in {of.misses[0]} against "
        f"{of.misses[1]}{ties}; medians {medians}; sign test"
    )
    never = "; an arm that misses is not faster" if of.misses[0] and of.wins > of.losses else ""
    if p is None:
        return f"{text} needs {BLOCKS_LEAST} blocks that only one of the two misses, or none)"
    return f"{text} {p_text(p, tests)}{never})"
