"""Records to the values that count: one for each seed of what is learned, one for each block of a time."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnbench.metrics import metric
from nnbench.records import OK, Record, RecordError, differences
from nnbench.stats import median_with_misses

Runs = Mapping[str, Sequence[Record]]  # arm -> its records
TARGET = "target_s"
_USELESS_TIMES = ("INVALID", "CLOCK")


def runs_by_arm(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The *records* of one scenario, by arm.

    Raises:
        RecordError: an arm has two records of one seed and block, which would count one twice, or two arms
            have one name.
    """
    found: dict[str, dict[tuple[int, int], Record]] = {}
    for record in records:
        name = str(record.arm["name"])
        mine = found.setdefault(name, {})
        if (record.seed, record.block) in mine:
            raise RecordError(
                f"seed reuse: arm {name!r} has two records of seed {record.seed} in block {record.block}, "
                "expected one; take one away, or judge the runs apart"
            )
        if any(other.arm["id"] != record.arm["id"] for other in mine.values()):
            raise RecordError(f"two different arms are named {name!r}; judge their runs apart")
        mine[record.seed, record.block] = record
    return {name: list(mine.values()) for name, mine in found.items()}


def why_not_run(records: Sequence[Record]) -> str:
    """Why an arm has nothing to show; empty where it has."""
    if any(record.status in (OK, "DIVERGED") for record in records):
        return ""
    return next((f"{record.status}: {record.reason}" for record in records), "it was not run")


def learned_or_lost(record: Record, name: str) -> float | None:
    """A diverged network predicts nothing: its accuracy counts as 0, so that the seed is a loss."""
    if record.status == "DIVERGED" and name.endswith("_accuracy"):
        return 0.0
    return record.metrics.get(name)


def by_seed(records: Sequence[Record], name: str) -> dict[int, float | None]:
    """The mean of metric *name* over the blocks of each seed; None where one of them has no value.

    The seed is the unit: a training that is repeated in another block under the same seed is the same one.
    """
    found: dict[int, list[float | None]] = {}
    for record in records:
        found.setdefault(record.seed, []).append(learned_or_lost(record, name))
    return {seed: _mean(values) for seed, values in found.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.fmean(there) if len(there) == len(values) else None


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The times of several arms in the blocks that all of them have.

    Attributes:
        rows: one for each block: a value for each arm; a miss of a target is infinity.
        left_out: blocks that do not count, since in one of the arms all is INVALID or the clock failed.
        uneven: why a block has the value of one arm and not of another; empty where none has.
        unlike: why the times of a block may not be compared; empty where they may.
    """

    rows: tuple[tuple[float, ...], ...]
    left_out: int
    uneven: str
    unlike: str


def by_block(names: Sequence[str], runs: Runs, name: str) -> Blocks:
    """Metric *name* of the arms *names*, block by block: the median over a block's seeds."""
    arms = [_blocks_of(runs.get(arm, ())) for arm in names]
    numbers = sorted({number for arm in arms for number in arm})
    left_out = {number for number in numbers for arm in arms if arm.get(number) and not _usable(arm[number])}
    rows, uneven, unlike = [], [], []
    for number in numbers:
        if number in left_out:
            continue
        records = [_usable(arm.get(number, ())) for arm in arms]
        values = [_value(mine, name) for mine in records]
        there = [value for value in values if value is not None]
        if len(there) == len(arms):
            rows.append(tuple(there))
            unlike += _unlike(records, name)
        elif there:
            arm, mine = next((names[i], records[i]) for i, value in enumerate(values) if value is None)
            uneven.append(f"block {number} has no {metric(name).label} of {arm}: {_why(mine, name)}")
    return Blocks(
        rows=tuple(rows),
        left_out=len(left_out),
        uneven=_first(uneven),
        unlike="; ".join(dict.fromkeys(unlike)),
    )


def _blocks_of(records: Sequence[Record]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for record in records:
        found.setdefault(record.block, []).append(record)
    return found


def _usable(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if not any(flag in record.quality for flag in _USELESS_TIMES)]


def _value(records: Sequence[Record], name: str) -> float | None:
    values = [_timed_or_missed(record, name) for record in records]
    there = [None if math.isinf(value) else value for value in values if value is not None]
    return median_with_misses(there) if there else None


def _timed_or_missed(record: Record, name: str) -> float | None:
    """The value of a training that ended well; infinity where it never reached its target."""
    value = record.metrics.get(name) if record.status == OK else None
    if value is None and name == TARGET and record.status in (OK, "DIVERGED"):
        aimed = TARGET in record.metrics or record.arm.get("target_accuracy") is not None
        return math.inf if aimed else None
    return value


def _unlike(arms: Sequence[Sequence[Record]], name: str) -> list[str]:
    """Only measured records count: a failure may be recorded by another process than the one that failed."""
    measured = [[r for r in records if _timed_or_missed(r, name) is not None] for records in arms]
    return [
        text
        for one, other in itertools.combinations(measured, 2)
        for a in one
        for b in other
        for text in _differences(a, b, name)
    ]


def _differences(a: Record, b: Record, name: str) -> list[str]:
    found = differences(a, b)
    goals = [record.arm.get("target_accuracy") for record in (a, b)]
    if name == TARGET and goals[0] != goals[1]:
        found.append(f"target_accuracy: {goals[0]} against {goals[1]}")
    return found


def _why(records: Sequence[Record], name: str) -> str:
    if not records:
        return "it was not run"
    first = records[0]
    return (
        f"{first.status}: {first.reason}" if first.status != OK else first.missing.get(name, "not measured")
    )


def _first(reasons: Sequence[str]) -> str:
    more = f", and {len(reasons) - 1} more like it" if len(reasons) > 1 else ""
    return f"{reasons[0]}{more}" if reasons else ""
