"""What a seed costs when many train as one model, or each alone: the probe of `bench/test_many_seeds.py`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nnbench.config import ConfigError, arm_from
from nnbench.training import History, Training
from nnbench.training.vectorised import VectorisedTraining


def seed_cost(arm: Mapping[str, Any], seeds: int = 1, together: bool = False) -> dict[str, float]:
    """Train *arm* under seeds 0, 1, …, and give the wall time of each, validation included.

    Building models and reading data is not timed.

    Args:
        arm: fields of an `nnbench.Arm`.
        seeds: how many.
        together: whether they train as one model, or one after the other.

    Returns:
        ``seed_s``, seconds for each seed, and ``steps``, of each.

    Raises:
        ConfigError: no seeds, or what no arm takes; NotVectorisable where the arm cannot train so.
    """
    if not isinstance(seeds, int) or seeds < 1:
        raise ConfigError(f"seeds: expected 1, 2, …, got {seeds!r}")
    of = arm_from(arm)
    todo = [VectorisedTraining(of, range(seeds))] if together else [Training(of, s) for s in range(seeds)]
    start = time.perf_counter_ns()
    for training in todo:
        history = training.run()
    seed_s = (time.perf_counter_ns() - start) / 1e9 / seeds
    steps = (history if isinstance(history, History) else history[0]).steps
    return {"seed_s": seed_s, "steps": steps}
