"""What each arm of a scenario comes to, in one number."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from nnbench.metrics import metric
from nnbench.records import OK, Record, records_by_arm

ACCURACY = "validation_accuracy"


def values_of(records: Sequence[Record], arm: str, name: str) -> dict[tuple[int, int], float]:
    """(seed, block) -> metric *name* in its recorded unit, of the OK records of *arm*."""
    found = {
        (r.seed, r.block): r.metrics.get(name) for r in records if r.arm["name"] == arm and r.status == OK
    }
    return {key: float(value) for key, value in found.items() if value is not None}


def arms_of(records: Sequence[Record]) -> list[str]:
    """Names of the arms, in the order of first appearance."""
    return list(records_by_arm(records))


def means(records: Sequence[Record], name: str) -> dict[str, float]:
    """Arm -> mean of what is learned, median of everything else, in the recorded unit."""
    columns = {
        arm: list(values_of(mine, arm, name).values()) for arm, mine in records_by_arm(records).items()
    }
    centre = statistics.fmean if metric(name).nature == "learned" else statistics.median
    return {arm: centre(values) for arm, values in columns.items() if values}


def best_arm(records: Sequence[Record]) -> tuple[str, float] | None:
    """The arm with the highest mean validation accuracy, and that share; None where nothing learned."""
    found = means(records, ACCURACY)
    return max(found.items(), key=lambda item: item[1]) if found else None
