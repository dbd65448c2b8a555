"""Where the time of a run went, from its journal and its records."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nnbench.config import Probe
from nnbench.records import Entry, Record
from nnbench.work import Work


def remaining_s(work: Sequence[Work], entries: Sequence[Entry]) -> float | None:
    """Seconds that the *work* without a record will take, as each arm has taken; None before the first."""
    began: dict[str, Entry] = {}
    took: dict[tuple[str, str], list[float]] = {}
    done = set()
    for entry in entries:
        name = str(entry.more.get("id"))
        if entry.event == "arm":
            began[name] = entry
        elif entry.event == "record":
            done.add(name)
            if (arm := began.get(name)) is not None:
                key = (str(arm.more["scenario"]), str(arm.more["arm"]))
                took.setdefault(key, []).append(entry.clock_s - arm.clock_s)
    if not took:
        return None
    by_arm = {key: statistics.median(times) for key, times in took.items()}
    mean = statistics.fmean(by_arm.values())
    left = [each for each in work if each.id not in done]
    starts = start_seconds(entries)
    start_s = statistics.median(starts) * max(0, len({each.block for each in left}) - 1) if starts else 0.0
    return start_s + sum(by_arm.get((each.scenario, str(each.arm["name"])), mean) for each in left)


def start_seconds(entries: Sequence[Entry]) -> list[float]:
    """Seconds from each process's start to its being ready."""
    found, start = [], None
    for entry in entries:
        if entry.event == "block":
            start = entry.clock_s
        elif entry.event == "ready" and start is not None:
            found.append(entry.clock_s - start)
            start = None
    return found


def _beside_arms(entries: Sequence[Entry]) -> tuple[float, float]:
    """Seconds of the processes of blocks, and of torchrun's, in which no arm was in flight."""
    blocks = launches = 0.0
    launching = False
    for before, entry in pairwise(entries):
        launching = (launching or before.event == "launch") and before.event != "landed"
        idle = before.event in ("block", "ready", "launch", "landed", "record") and entry.event != "record"
        if idle and entry.event != "block":  # a pause before a resume is nobody's
            gap = entry.clock_s - before.clock_s
            blocks, launches = (blocks, launches + gap) if launching else (blocks + gap, launches)
    return blocks, launches


@dataclass(frozen=True, kw_only=True)
class Account:
    """Seconds of a run, by what they went to.

    Attributes:
        wall_s: from each process's start to its end, without pauses before a resume.
        training_s: train and validation loops of all records.
        probes_s: the arms that are no training, with their records.
        starts_s: starts, imports, collection and ends of the blocks' processes.
        launches_s: the same of torchrun's.
    """

    blocks: int
    wall_s: float
    training_s: float
    probes_s: float
    starts_s: float
    launches_s: float

    @property
    def rest_s(self) -> float:
        """What is neither training, probe nor start: warm-up, memory pass, data, models, records."""
        return self.wall_s - self.training_s - self.probes_s - self.starts_s - self.launches_s

    def lines(self) -> list[str]:
        """The account as a person reads it."""
        launches = f"; torchrun's {self.launches_s:.0f} s" if self.launches_s else ""
        return [
            f"{self.blocks} block{'s' if self.blocks != 1 else ''} in {self.wall_s:.0f} s:",
            self._trained(),
            f"  process starts, imports and ends {self.starts_s:.0f} s, "
            f"{self.starts_s / max(1, self.blocks):.1f} s a block{launches}",
        ]

    def _trained(self) -> str:
        probes = f"probes, with their records {self.probes_s:.0f} s"
        if not self.training_s:
            return f"  {probes}"
        share = 1 + self.rest_s / self.training_s
        rest = f"with warm-up, memory pass and records {share:.2f} times that"
        told = f"  training and validation {self.training_s:.0f} s; {rest}"
        return f"{told}; {probes}" if self.probes_s else told


def _spent_s(record: Record) -> float:
    """Seconds of its train and validation loops; of seeds that trained as one model, its share of them."""
    own = sum(float(record.metrics.get(name) or 0) for name in ("train_s", "validation_s"))
    together_s, seeds = (record.evidence.get(name, 0) for name in ("together_s", "vectorised"))
    return own + float(together_s) / max(1, int(seeds))


def _probing_s(entries: Sequence[Entry], records: Sequence[Record]) -> float:
    probes = {record.id for record in records if record.arm.get("kind") == Probe.kind}
    ended = (pair for pair in pairwise(entries) if [entry.event for entry in pair] == ["arm", "record"])
    return sum(entry.clock_s - before.clock_s for before, entry in ended if entry.more.get("id") in probes)


def account(entries: Sequence[Entry], records: Sequence[Record]) -> Account:
    """The account of a run, from all *entries* of its journal."""
    wall_s = sum(
        entry.clock_s - before.clock_s for before, entry in pairwise(entries) if entry.event != "block"
    )
    spent = [_spent_s(record) for record in records]
    starts_s, launches_s = _beside_arms(entries)
    blocks = len({entry.block for entry in entries if entry.event == "block"})
    return Account(
        blocks=blocks, wall_s=wall_s, training_s=sum(spent), probes_s=_probing_s(entries, records),
        starts_s=starts_s, launches_s=launches_s,
    )  # fmt: skip
