"""Who is first at the target? A probe that races optimizers over workloads, counted in steps and in seconds.

AlgoPerf's external tuning (Dahl et al. 2023): on each workload a contestant's time is that of its soonest
trial, here the soonest rate of one grid; a target that is missed takes forever.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from nnbench.config import Arm, ConfigError, ProbeResult, arm_from
from nnbench.stats import profile_score, time_ratios
from nnbench.studies.tuned_optimizers import RATES, GridTraining

_LOOK_EVERY = 10  # steps
_TIMED_STEPS = 40


def race(
    optimizer: str,
    seed: int,
    *,
    contestants: Sequence[str],
    workloads: Mapping[str, Mapping[str, Any]],
    rates: Sequence[float] = RATES,
) -> ProbeResult:
    """How *optimizer* fares among *contestants* under *seed*.

    What the others need is found once in a process, and kept. Each looks at the tune split every ten steps;
    looking is not counted. Seconds are steps times the median time of one, alone.

    Args:
        workloads: name -> fields of an `nnbench.Arm`, of which ``target_accuracy`` is the target.

    Returns:
        ``race_score`` and ``race_score_s``, from 0 to 1, by steps and by seconds; steps and seconds on each
        workload, None where the target is missed.

    Raises:
        ConfigError: an optimizer that is no contestant, a workload without a target, or a bad arm.
    """
    if optimizer not in contestants:
        raise ConfigError(f"optimizer: {optimizer!r} is none of the contestants: {', '.join(contestants)}")
    problems = {name: json.dumps(dict(of), sort_keys=True) for name, of in workloads.items()}
    found = {
        each: {name: _finish(each, problem, tuple(rates), seed) for name, problem in problems.items()}
        for each in contestants
    }
    metrics: dict[str, Any] = {}
    for metric, unit in (("race_score", 0), ("race_score_s", 1)):
        times = {each: {name: of[name][unit] for name in problems} for each, of in found.items()}
        metrics[metric] = profile_score(time_ratios(times, list(problems))[optimizer])
    missing = {}
    for name, own in found[optimizer].items():
        for prefix, taken in zip(("race_steps_", "race_s_"), own, strict=True):
            key = prefix + name.replace(" ", "_")
            metrics[key] = taken if math.isfinite(taken) else None
            if metrics[key] is None:
                missing[key] = "no rate reached the target"
    return ProbeResult(metrics=metrics, missing=missing)


@functools.lru_cache(maxsize=512)
def _finish(optimizer: str, problem: str, rates: tuple[float, ...], seed: int) -> tuple[float, float]:
    """Steps and seconds to the target of *problem*, an arm as JSON; both infinite for a miss."""
    arm = arm_from({**json.loads(problem), "optimizer": optimizer})
    if arm.target_accuracy is None:
        raise ConfigError("workloads: each needs a target_accuracy, and one has none")
    training = GridTraining(arm, rates, seed)
    for step in training.steps():
        if step % _LOOK_EVERY == 0 and (training.grid.accuracies(training.tune).max() >= arm.target_accuracy):
            return step, step * _step_s(arm, seed)
    return math.inf, math.inf


def _step_s(arm: Arm, seed: int) -> float:
    """Median seconds of one step of *arm*, alone, after as many that are not timed."""
    training = GridTraining(arm, (1e-3,), seed)
    ends = []
    for step in training.steps():
        ends.append(time.perf_counter())
        if step == 2 * _TIMED_STEPS:
            break
    taken = [later - earlier for earlier, later in itertools.pairwise(ends)]
    return statistics.median(taken[len(taken) // 2 :])
