"""A campaign: blocks, each a fresh process that runs every pair once; then the pipeline of any comparison.

Half of the pairs are A/A, two sides of equal work; half are A/B, where B does 5 % more of it. Whatever is
told of an A/A pair is a false alarm. Each half is a table of its own, as a user's would be: Holm adjusts over
its pairs.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from nnbench.selftest.block import Request
from nnbench.selftest.child import Ask
from nnbench.stats import BlockRatio, block_ratio, decide, holm


@dataclass(frozen=True, kw_only=True)
class Design:
    """How much a campaign does; left as it is, 6 minutes.

    Attributes:
        pairs: of each half.
        rounds, round_s: of a side, and what one takes.
        extra: work that side B of an A/B pair does beyond A's; a multiple of 0.05.
    """

    blocks: int = 15
    pairs: int = 20
    rounds: int = 30
    round_s: float = 0.010
    extra: float = 0.05


@dataclass(frozen=True)
class Side:
    """One side of one pair in one block: median and mean of its rounds, in seconds."""

    median_s: float
    mean_s: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One comparison over all blocks of a campaign.

    Attributes:
        true: ratio of the work of B to that of A.
        sides: A and B in each block.
    """

    true: float
    sides: Sequence[tuple[Side, Side]]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A pair and what is told of it: alone, and as one row of its table.

    Attributes:
        p_holm: adjusted over the pairs of its half.
        alone, in_table: B against A as `stats.decide` has it.
    """

    pair: Pair
    found: BlockRatio
    p_holm: float | None
    alone: str
    in_table: str

    @property
    def covered(self) -> bool:
        """Whether the 95 % interval holds the true ratio."""
        of = self.found.ratio
        return of.low is not None and of.high is not None and of.low <= self.pair.true <= of.high


def run_blocks(
    design: Design, iterations: int, random: Random, ask: Ask
) -> Iterator[list[tuple[Side, Side]]]:
    """Block after block the sides of its pairs: first those of the A/A half, then those of the A/B half."""
    more = round(iterations * (1 + design.extra))
    pairs = [(iterations, iterations)] * design.pairs + [(iterations, more)] * design.pairs
    for _ in range(design.blocks):
        times = ask(Request(pairs=pairs, rounds=design.rounds, seed=random.getrandbits(32)))
        yield [(_side(a), _side(b)) for a, b in times]


def _side(rounds_ns: Sequence[int]) -> Side:
    return Side(statistics.median(rounds_ns) / 1e9, statistics.fmean(rounds_ns) / 1e9)


def judge(blocks: Sequence[Sequence[tuple[Side, Side]]], trues: Sequence[float]) -> list[Judged]:
    """One table: a row for each of *trues*, the true ratio of the pair at that place of every block."""
    pairs = [Pair(true=true, sides=[block[place] for block in blocks]) for place, true in enumerate(trues)]
    found = [block_ratio(*_medians(pair)) for pair in pairs]
    # A comparison without a test takes no part in the correction, and gets no verdict.
    tested = [of.p for of in found if of.p is not None]
    adjusted = iter(holm(tested))
    rows = []
    for pair, of in zip(pairs, found, strict=True):
        p = None if of.p is None else next(adjusted)
        rows.append(Judged(pair=pair, found=of, p_holm=p, alone=decide(of), in_table=decide(of, p)))
    return rows


def _medians(pair: Pair) -> tuple[list[float], list[float]]:
    """B's and A's: the ratio is B / A."""
    return [b.median_s for _, b in pair.sides], [a.median_s for a, _ in pair.sides]


def gate_alarms(pair: Pair, threshold: float = 0.05) -> tuple[int, int]:
    """How often pytest-benchmark's ``--benchmark-compare-fail=mean:5%`` fails B against A, and of how many.

    The gate holds the mean of the rounds of one run against that of an earlier one. A run is a process, so
    B comes from one block and A from another: all ordered pairs of blocks.
    """
    means = [
        (a.mean_s, b.mean_s)
        for i, (a, _) in enumerate(pair.sides)
        for j, (_, b) in enumerate(pair.sides)
        if i != j
    ]
    return sum(b / a - 1 > threshold for a, b in means), len(means)
