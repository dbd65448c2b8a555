"""The self-test: campaigns, one after the other, and what they add up to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from nnbench.selftest.block import Request
from nnbench.selftest.campaign import Design, Judged, gate_alarms, judge, run_blocks
from nnbench.selftest.child import Ask, ask
from nnbench.stats import LESS, MORE, Estimate, clopper_pearson

# What the statistics promise; a self-test that excludes it at 95 % has failed.
FALSE_ALARMS_MOST = 0.05
FOUND_LEAST = 0.90

Progress = Callable[[int, int], object]


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """What came of all campaigns.

    Attributes:
        same: the A/A pairs; every verdict on one is a false alarm.
        more: the A/B pairs.
        iterations: of a round of side A, held over all blocks and campaigns.
        seconds: from the calibration to the last block.
        load: of the machine over a minute before and after, None where the system does not tell.
    """

    design: Design
    campaigns: int
    seed: int
    iterations: int
    seconds: float
    load: tuple[float | None, float | None]
    same: Sequence[Judged]
    more: Sequence[Judged]

    @property
    def false_alarms(self) -> Estimate:
        """Share of A/A pairs that are called different, each looked at alone."""
        return _share(row.alone in (LESS, MORE) for row in self.same)

    @property
    def false_alarms_in_table(self) -> Estimate:
        """The same with Holm's correction, as in a table."""
        return _share(row.in_table in (LESS, MORE) for row in self.same)

    @property
    def alarmed_tables(self) -> Estimate:
        """Share of A/A tables, one a campaign, in which any pair is called different."""
        starts = range(0, len(self.same), self.design.pairs)
        tables = [self.same[i : i + self.design.pairs] for i in starts]
        return _share(any(row.in_table in (LESS, MORE) for row in table) for table in tables)

    @property
    def found(self) -> Estimate:
        """Share of A/B pairs that are called slower, each looked at alone."""
        return _share(row.alone == MORE for row in self.more)

    @property
    def found_in_table(self) -> Estimate:
        """The same with Holm's correction."""
        return _share(row.in_table == MORE for row in self.more)

    @property
    def covered(self) -> Estimate:
        """Share of the A/B pairs whose 95 % interval holds the true ratio."""
        return _share(row.covered for row in self.more)

    @property
    def gate(self) -> tuple[float, float]:
        """Share of pairs of runs in which a gate of 5 % on the means raises an alarm: on A/A, and on A/B."""
        return _gate(self.same), _gate(self.more)

    @property
    def minutes_per_verdict(self) -> float:
        """Of the machine, for one comparison."""
        return self.seconds / 60 / (len(self.same) + len(self.more))

    @property
    def holds(self) -> bool:
        """Whether the counts allow what is promised: 5 % false alarms by pair and by table, 90 % found alone.

        Rows of a table that are not found are the price of its size, which `found_in_table` tells.
        """
        alarms = (self.false_alarms, self.alarmed_tables)
        few = all((of.low or 0.0) <= FALSE_ALARMS_MOST for of in alarms)
        return few and (self.found.high or 0.0) >= FOUND_LEAST

    def to_json(self) -> dict[str, Any]:
        """Counts, and each pair with its ratio, interval and verdicts, as plain JSON values."""
        alarms, hits = self.gate
        return {
            "holds": self.holds, "campaigns": self.campaigns, **self.design.__dict__, "seed": self.seed,
            "iterations": self.iterations, "seconds": self.seconds,
            "minutes_per_verdict": self.minutes_per_verdict, "load_before_after": list(self.load),
            "false_alarms": self.false_alarms.__dict__,
            "false_alarms_in_table": self.false_alarms_in_table.__dict__,
            "alarmed_tables": self.alarmed_tables.__dict__,
            "found": self.found.__dict__, "found_in_table": self.found_in_table.__dict__,
            "covered": self.covered.__dict__, "gate_false_alarms": alarms, "gate_found": hits,
            "pairs_same": [_row(row) for row in self.same], "pairs_more": [_row(row) for row in self.more],
        }  # fmt: skip


def run_self_test(
    campaigns: int = 1,
    progress: Progress = lambda done, total: None,
    *,
    design: Design | None = None,
    seed: int | None = None,
    ask: Ask = ask,
) -> SelfTest:
    """Compare work whose ratio is known, over *campaigns* of 15 blocks in fresh processes.

    Args:
        progress: called with the blocks that are done, and their total; never while a block runs.
        seed: of all orders; drawn where it is left out.
        ask: how a request is answered; tests put a machine of known noise here.

    Raises:
        BlockFailed: a block's process failed.
    """
    design = design or Design()
    seed = Random().getrandbits(32) if seed is None else seed
    random, same, more, done = Random(seed), list[Judged](), list[Judged](), 0
    before, start = _load(), time.perf_counter()
    # Once, and held: sides that were calibrated apart would differ by what their calibrations did.
    iterations: int = ask(Request(calibrate_s=design.round_s))
    true = round(iterations * (1 + design.extra)) / iterations
    for _ in range(campaigns):
        blocks = []
        for block in run_blocks(design, iterations, random, ask):
            blocks.append(block)
            done += 1
            progress(done, campaigns * design.blocks)
        same += judge([block[: design.pairs] for block in blocks], [1.0] * design.pairs)
        more += judge([block[design.pairs :] for block in blocks], [true] * design.pairs)
    return SelfTest(
        design=design, campaigns=campaigns, seed=seed, iterations=iterations,
        seconds=time.perf_counter() - start, load=(before, _load()), same=same, more=more,
    )  # fmt: skip


def lines(of: SelfTest) -> list[str]:
    """The outcome in words, for a terminal."""
    design, extra, (alarms, hits) = of.design, f"{of.design.extra:+.0%}", of.gate
    loads = " to ".join("unknown" if load is None else f"{load:.1f}" for load in of.load)
    rows = {
        "false alarms on A/A": f"{_count(of.false_alarms)}; by Holm {_count(of.false_alarms_in_table)}, in "
        f"{_count(of.alarmed_tables)} tables",
        f"{extra} found on A/B": f"{_count(of.found)}; by Holm in tables of {design.pairs} "
        f"{_count(of.found_in_table)}",
        f"95 % interval holds {extra}": _count(of.covered),
        "took": f"{of.minutes_per_verdict:.2f} minutes per verdict, {of.seconds / 60:.1f} in all",
        "mean:5% of two runs": f"{alarms:.1%} false alarms, {hits:.1%} found, on the same processes",
    }
    return [
        f"{of.campaigns} campaign{'s' if of.campaigns > 1 else ''} of {design.blocks} blocks, sides of "
        f"{design.rounds} rounds of {1e3 * design.round_s:.0f} ms; B does {extra} work; load {loads}",
        *(f"{name:24s} {text}" for name, text in rows.items()),
        f"the statistics {'hold' if of.holds else 'DO NOT HOLD'} on this machine: what was counted "
        f"{'allows' if of.holds else 'excludes'} at most {FALSE_ALARMS_MOST:.0%} false alarms and at least "
        f"{FOUND_LEAST:.0%} found",
    ]


def _count(share: Estimate) -> str:
    return (
        f"{round(share.centre * share.n)} of {share.n} ({100 * (share.low or 0):.0f}–"
        f"{100 * (share.high or 0):.0f} %)"
    )


def _share(of: Iterable[bool]) -> Estimate:
    hits = list(of)
    return clopper_pearson(sum(hits), len(hits))


def _gate(rows: Sequence[Judged]) -> float:
    counts = [gate_alarms(row.pair) for row in rows]
    return sum(alarms for alarms, _ in counts) / sum(pairs for _, pairs in counts)


def _row(row: Judged) -> dict[str, Any]:
    found = row.found
    return {
        "true": row.pair.true, **found.ratio.__dict__, "p": found.p, "p_holm": row.p_holm,
        "spread": found.spread, "alone": row.alone, "in_table": row.in_table,
        "block_ratios": [b.median_s / a.median_s for a, b in row.pair.sides],
    }  # fmt: skip


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
