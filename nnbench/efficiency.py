"""Strong and weak scaling, from the records of one launch.

Speed-up is the throughput of n ranks over that of one, efficiency is the speed-up over n. Strong scaling
holds the global batch (Amdahl 1967, "Validity of the single processor approach"), weak scaling the batch
of each rank (Gustafson 1988, "Reevaluating Amdahl's law").
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnbench.metrics import number
from nnbench.records import OK, Record, differences
from nnbench.stats import Estimate, paired_ratio

STRONG, WEAK = "strong", "weak"
# In these an arm of many ranks may differ from its arm of one, and the throughput still compares.
_FREE = ("name", "id", "ranks", "batch_size", "batch_norm", "lr", "epochs", "max_steps")


@dataclass(frozen=True)
class Efficiency:
    """An arm of several ranks against its arm of one.

    Attributes:
        kind: "strong" (the same global batch) or "weak" (the same batch for each rank).
        one: name of the arm of one rank.
        speed_up: throughput over that of one rank, over blocks, or, where there is but one, over seeds, whose
            interval then holds for that one process alone; None where not comparable.
        reason: why there is no number.
    """

    arm: str
    one: str
    ranks: int
    kind: str
    speed_up: Estimate | None
    reason: str = ""

    @property
    def efficiency(self) -> Estimate | None:
        """The speed-up's share of the ideal one, 1 = N ranks are N times as fast."""
        of = self.speed_up
        if of is None:
            return None
        low, high = (None if end is None else end / self.ranks for end in (of.low, of.high))
        return Estimate(centre=of.centre / self.ranks, low=low, high=high, n=of.n)


def efficiencies(records: Sequence[Record]) -> list[Efficiency]:
    """One for each kind in which an arm of several ranks scales an arm of one up, in the arms' order.

    Where several arms of one rank would do, the first is taken. Pairs are records of one seed and block,
    and their medians where there are several blocks; INVALID ones do not count. Records that may not be
    compared, such as those of a bare process against those of a launch, give NOT_COMPARABLE with the reason.
    """
    arms = {str(record.arm["name"]): record.arm for record in records}
    runs: dict[str, dict[tuple[int, int], Record]] = {name: {} for name in arms}
    for record in records:
        if _throughput(record):
            runs[str(record.arm["name"])][record.seed, record.block] = record
    ones: dict[str, list[str]] = {}  # of one rank, by all that a partner must share
    for name, arm in arms.items():
        if arm.get("ranks") == 1:
            ones.setdefault(_held(arm), []).append(name)
    found = []
    for name, arm in arms.items():
        partners: dict[str, str] = {}
        for other in ones.get(_held(arm), ()) if arm.get("ranks", 1) != 1 else ():
            partners.setdefault(_kind(arm, arms[other]), other)
        for kind in (STRONG, WEAK):
            if kind in partners:
                many, single = runs[name], runs[partners[kind]]
                pairs = [(many[run], single[run]) for run in sorted(many.keys() & single.keys())]
                found.append(_efficiency(name, partners[kind], int(arm["ranks"]), kind, pairs))
    return found


def _kind(arm: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """How *arm* of several ranks scales *one* up; empty where it is another training."""
    ranks = arm["ranks"]
    if arm["batch_size"] == one["batch_size"]:
        return STRONG
    whole = isinstance(arm["batch_size"], str) or isinstance(one["batch_size"], str)
    return WEAK if not whole and arm["batch_size"] == ranks * one["batch_size"] else ""


def _held(arm: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in arm.items() if key not in _FREE}, sort_keys=True)


def _throughput(record: Record) -> float | None:
    valid = record.status == OK and not {"INVALID", "CLOCK"} & set(record.quality)
    return record.metrics.get("samples_per_s") if valid else None


def _efficiency(
    name: str, other: str, ranks: int, kind: str, pairs: Sequence[tuple[Record, Record]]
) -> Efficiency:
    if not pairs:
        return Efficiency(name, other, ranks, kind, None, "NOT RUN: no seed has two valid throughputs")
    unlike = dict.fromkeys(text for a, b in pairs for text in differences(a, b))
    if unlike:
        return Efficiency(name, other, ranks, kind, None, f"NOT_COMPARABLE: {'; '.join(unlike)}")
    many, one = zip(*_units(pairs), strict=True)
    return Efficiency(name, other, ranks, kind, paired_ratio(many, one))


def _units(pairs: Sequence[tuple[Record, Record]]) -> list[tuple[float, float]]:
    """Two throughputs for each block, the medians of its seeds; for each seed where it is the only one."""
    blocks = {a.block for a, _ in pairs}
    found: dict[int, list[tuple[float, float]]] = {}
    for a, b in pairs:
        unit = a.block if len(blocks) > 1 else a.seed
        found.setdefault(unit, []).append((_throughput(a) or 0.0, _throughput(b) or 0.0))
    return [
        (statistics.median(many for many, _ in mine), statistics.median(one for _, one in mine))
        for mine in found.values()
    ]


def efficiency_rows(found: Sequence[Efficiency]) -> list[dict[str, str]]:
    """One printable row for each; keys are column heads.

    Where one has no number there is a last column, ``status``, that says why.
    """
    rows = [
        {
            "arm": of.arm,
            "ranks": str(of.ranks),
            "against": of.one,
            "scaling": of.kind,
            "speed-up": _text(of.speed_up) if of.speed_up else "–",
            "efficiency": _percent(of.efficiency) if of.efficiency else "–",
            "pairs": str(of.speed_up.n) if of.speed_up else "–",
        }
        for of in found
    ]
    if any(of.reason for of in found):
        rows = [{**row, "status": of.reason or OK} for row, of in zip(rows, found, strict=True)]
    return rows


def _text(of: Estimate) -> str:
    """'1.62 (1.55 to 1.69)', the 95 % interval in brackets where there is one."""
    text = number(of.centre)
    if of.low is None or of.high is None:
        return text
    return f"{text} ({number(of.low)} to {number(of.high)})"


def _percent(of: Estimate) -> str:
    """'81 % (78 to 85)', alike."""
    text = f"{100 * of.centre:.0f}\u00a0%"
    if of.low is None or of.high is None:
        return text
    return f"{text} ({100 * of.low:.0f} to {100 * of.high:.0f})"
