"""How often is a contestant how near the fastest? Performance profiles and their area.

Dolan and Moré 2002 ("Benchmarking optimization software with performance profiles"); the area is AlgoPerf's
benchmark score (Dahl et al. 2023, "Benchmarking Neural Network Training Algorithms", section on scoring).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

R_MAX = 4.0

# contestant -> workload -> time to target; infinite, or not there, where it missed the target
Times = Mapping[str, Mapping[str, float]]


def time_ratios(times: Times, workloads: Sequence[str]) -> dict[str, list[float]]:
    """Contestant -> on each workload its time over the shortest of all; infinite for a miss.

    A workload on which all miss is one that nobody is near on: infinite for each.

    Raises:
        ValueError: no workloads, or a time that is not above 0.
    """
    if not workloads:
        raise ValueError("workloads: expected one or more, got none")
    found: dict[str, list[float]] = {name: [] for name in times}
    for workload in workloads:
        taken = {name: of.get(workload, math.inf) for name, of in times.items()}
        if not all(time > 0 for time in taken.values()):
            raise ValueError(f"times on {workload}: expected numbers above 0, got {taken}")
        best = min(taken.values(), default=math.inf)
        for name, time in taken.items():
            found[name].append(time / best if math.isfinite(time) else math.inf)
    return found


def profile_at(ratios: Sequence[float], tau: float) -> float:
    """Share of the workloads on which a contestant takes at most *tau* times as long as the fastest."""
    return sum(ratio <= tau for ratio in ratios) / len(ratios)


def profile_score(ratios: Sequence[float], r_max: float = R_MAX) -> float:
    """Area under the profile from 1 to *r_max*, over r_max - 1: from 0 to 1, the whole for who always wins.

    The profile is a step function, so that each workload adds what lies right of its ratio.

    Raises:
        ValueError: no ratios, or an r_max that is not above 1.
    """
    if not ratios:
        raise ValueError("ratios: expected one or more, got none")
    if not r_max > 1:
        raise ValueError(f"r_max: expected a number above 1, got {r_max}")
    return sum(max(0.0, r_max - max(ratio, 1.0)) for ratio in ratios) / (r_max - 1) / len(ratios)
