"""The blocks of a comparison: their order, and when they end; never because of what they say."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nnbench.ab.sides import LABELS
from nnbench.comparing import compare_paired, half_width
from nnbench.config import ConfigError
from nnbench.records import Record

BLOCKS = 15
WIDTH = 1.5
_BLOCKS_LEAST = 10  # before a narrow interval ends a comparison: one of a few blocks may be narrow by luck
EXTRA_BLOCKS = 2  # at most, to make up for those whose times cannot be believed


class Work(Protocol):
    """What the blocks run: `nnbench.ab.trainings`, `bench_files` or `commands`."""

    asked: set[str]

    def warm_up(self) -> None: ...

    def block(self, number: int, order: Sequence[str]) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a comparison ends.

    Attributes:
        blocks: most blocks, but for two that make up for disturbed ones.
        width: percent; from 10 blocks on, an interval of no more than so much to either side is enough.
        max_minutes: no block begins that would end later.

    Raises:
        ConfigError: a limit that is not above 0.
    """

    blocks: int = BLOCKS
    width: float = WIDTH
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        if self.blocks < 1:
            raise ConfigError(f"--blocks: expected 1, 2, …, got {self.blocks}")
        for flag, value in (("--width", self.width), ("--max-minutes", self.max_minutes)):
            if value is not None and not value > 0:
                raise ConfigError(f"{flag}: expected a number above 0, got {value:g}")


@dataclass(frozen=True)
class Progress:
    """Blocks that are done, their most, and seconds that the rest will take; None before the first."""

    done: int
    total: int
    left_s: float | None


@dataclass
class Outcome:
    """The records of both sides so far.

    Attributes:
        stopped: why there are no more blocks.
        orders: of the sides in each block, such as "BA".
    """

    a: list[Record] = field(default_factory=list)
    b: list[Record] = field(default_factory=list)
    blocks: int = 0
    stopped: str = ""
    orders: list[str] = field(default_factory=list)

    def keep(self, label: str, record: Record) -> None:
        """Add a record of side *label*."""
        (self.a if label == LABELS[0] else self.b).append(record)


def run_series(
    work: Work,
    limits: Limits,
    outcome: Outcome,
    *,
    order_seed: int,
    name: str = "",
    tell: Callable[[Progress], object] = lambda progress: None,
) -> None:
    """Run the blocks of *work*, whose records go to *outcome*.

    Args:
        order_seed: of the order of the sides in each block.
        name: the declared metric, whose interval may be narrow enough; left out, each arm's own.
    """
    orders = random.Random(order_seed)
    work.warm_up()
    start, longest = time.monotonic(), 0.0
    while not (stopped := _stops(limits, outcome, time.monotonic() - start, longest, name, work.asked)):
        began = time.monotonic()
        order = orders.sample(LABELS, len(LABELS))
        outcome.orders.append("".join(order))
        work.block(outcome.blocks, order)
        outcome.blocks += 1
        longest = max(longest, time.monotonic() - began)
        total = max(limits.blocks, outcome.blocks)
        mean_s = (time.monotonic() - start) / outcome.blocks
        tell(Progress(outcome.blocks, total, mean_s * (total - outcome.blocks)))
    outcome.stopped = stopped


def _stops(
    limits: Limits, outcome: Outcome, elapsed_s: float, longest_s: float, name: str, asked: Collection[str]
) -> str:
    """Why no further block runs; empty where one does. Neither p nor a verdict is ever asked."""
    done = outcome.blocks
    if not done:
        return ""
    rows = [
        row for row in compare_paired(outcome.a, outcome.b, name=name, asked=asked) if not row.exploratory
    ]
    lost = max((done - row.n for row in rows), default=0)
    if done >= limits.blocks + min(EXTRA_BLOCKS, lost):
        more = done - limits.blocks
        return f"{done} block{'s' if done != 1 else ''}" + (
            f", {more} in the place of disturbed ones" if more > 0 else ""
        )
    widths = [half_width(row) for row in rows]
    if done >= _BLOCKS_LEAST and widths and all(w is not None and w <= limits.width / 100 for w in widths):
        return f"the interval is within {limits.width:g} % of its centre after {done} blocks"
    if limits.max_minutes is not None and elapsed_s + longest_s > 60 * limits.max_minutes:
        return f"another block would not end within {limits.max_minutes:g} minutes"
    return ""
