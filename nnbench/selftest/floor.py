"""The noise floor: how far equal work scatters here, and the smallest effect that minutes of blocks resolve.

A pilot of A/A pairs in fresh processes gives the spread of a block's log ratio. What it buys depends on what
a block costs, which for a training is mostly the start of a process with torch: that start is timed too.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from nnbench.selftest.block import Request
from nnbench.selftest.campaign import Design, run_blocks
from nnbench.selftest.child import Ask, ask
from nnbench.stats import BLOCKS_LEAST, block_ratio, resolution

MINUTES = (1, 5, 30)
# An effect that people act on; a machine that does not resolve it is told so in words.
WANTED = 0.05
# 8 blocks x 2 x 2 pairs x 2 sides of 0.3 s: 20 s.
PILOT = Design(blocks=8, pairs=2, extra=0.0)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What a pilot of equal work says of this machine.

    Attributes:
        spread: of a block's ratio, as the test has it: without the fifth at either end.
        plain_spread: standard deviation of all, bursts of other work included.
        blocks, pairs: of the pilot.
        block_s: what a block of a comparison costs: a fresh process with torch and one pair of sides.
    """

    spread: float
    plain_spread: float
    blocks: int
    pairs: int
    block_s: float

    def blocks_in(self, minutes: float) -> int:
        """Blocks of one comparison that *minutes* buy."""
        return int(minutes * 60 / self.block_s)

    def smallest_effect(self, minutes: float) -> float:
        """The smallest ratio - 1 that so many minutes find in 9 of 10 cases; infinite where there is none."""
        return resolution(self.spread, self.blocks_in(minutes))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; None for an effect that is out of reach."""
        effects = {minutes: self.smallest_effect(minutes) for minutes in MINUTES}
        return {
            **self.__dict__,
            "smallest_effect_in_minutes": {
                str(minutes): effect if effect < float("inf") else None for minutes, effect in effects.items()
            },
            "cannot_resolve_5_percent_in_minutes": [m for m, effect in effects.items() if effect > WANTED],
        }


def measure_noise(
    progress: Callable[[int, int], object] = lambda done, total: None,
    *,
    design: Design = PILOT,
    seed: int = 0,
    ask: Ask = ask,
    start_s: Callable[[], float] | None = None,
) -> Noise:
    """Run the pilot: some 20 s.

    Args:
        progress: called with the steps that are done, and their total.
        start_s: times the start of a process with torch; tests put a number here.

    Raises:
        BlockFailed: a block's process failed.
    """
    total = design.blocks + 1
    start = (start_s or torch_start_s)()
    progress(1, total)
    iterations: int = ask(Request(calibrate_s=design.round_s))
    times, pairs_s = [], []
    for done, block in enumerate(run_blocks(design, iterations, Random(seed), ask), 2):
        times += [(b.median_s, a.median_s) for a, b in block]
        pairs_s += [(a.mean_s + b.mean_s) * design.rounds for a, b in block]
        progress(done, total)
    pooled = block_ratio([b for b, _ in times], [a for _, a in times])
    return Noise(
        spread=pooled.spread, plain_spread=statistics.stdev(math.log(b / a) for b, a in times),
        blocks=design.blocks, pairs=2 * design.pairs, block_s=start + statistics.median(pairs_s),
    )  # fmt: skip


def torch_start_s() -> float:
    """Seconds that a fresh process takes to start and import torch, from a second time: files are cached."""
    for _ in range(2):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True, stdin=subprocess.DEVNULL)
        taken = time.perf_counter() - start
    return taken


def noise_lines(of: Noise) -> dict[str, str]:
    """Name -> finding, for a terminal: the floor, then what each stretch of time resolves."""
    floor = (
        f"{of.spread:.1%} ({of.plain_spread:.1%} with bursts) between two sides of equal work, 0.3 s each; "
        f"{of.blocks} blocks of {of.pairs} pairs"
    )
    return {"noise floor": floor, **{f"in {minutes} min": _reach(of, minutes) for minutes in MINUTES}}


def _reach(of: Noise, minutes: int) -> str:
    n, effect = of.blocks_in(minutes), of.smallest_effect(minutes)
    bought = f"{n} blocks of {of.block_s:.1f} s each, with the start of torch"
    cannot = f"this machine cannot resolve {WANTED:.0%} in {minutes} minute{'s' if minutes > 1 else ''}"
    if n < BLOCKS_LEAST:
        return f"{cannot}: {bought}, and a verdict needs {BLOCKS_LEAST}"
    return f"{f'{cannot}; ' if effect > WANTED else ''}resolves {effect:.1%} ({bought})"
