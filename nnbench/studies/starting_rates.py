"""The rate to start with: what a range test picks, beside the best rate of a grid, and what each is worth.

Shapes: R rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnbench.config import ProbeResult, arm_from
from nnbench.stats import best_of
from nnbench.studies.tuned_optimizers import GridTraining
from nnbench.training.rising_rate import range_test

GRID = tuple(2.0**k for k in range(-7, 3))  # 1/128 to 4
_SLOW = 64  # so many times below the best a rate is slow
_CLIFF = 0.5  # share of the best accuracy at which a rate is beyond the edge


def starting_rate(
    arm: Mapping[str, Any],
    seed: int,
    *,
    rates: Sequence[float] = GRID,
    low: float = 1e-4,
    high: float = 10.0,
    data_folder: Path | None = None,
) -> ProbeResult:
    """Train *arm* at all *rates* of a grid, and at those that a range test of 200 steps picks for it.

    All of them from the same first weights and in the same order. The best of the grid is chosen by the tune
    split; accuracies are of the validation set.

    Args:
        arm: fields of an `nnbench.Arm`.
        low, high: first and last rate of the range test.

    Returns:
        Of each rule (see `nnbench.training.rising_rate.RangeTest`) the rate, how many octaves, factors of
        two, it is above the grid's best, and the accuracy lost at it; slow_rate_loss, lost at a rate 64 times
        too small; cliff_octaves, to the rate that halves the accuracy; blow_up_octaves. Arrays: accuracies at
        the grid, and the test's losses.

    Raises:
        ConfigError: what no arm takes, bad rates, or a test that is over before it began.
    """
    of = arm_from(arm)
    test = range_test(of, seed, data_folder, low=low, high=high)
    picked = {"start": test.start, "steepest": test.steepest, "tenth": test.tenth, "least": test.least}
    training = GridTraining(of, [*rates, *picked.values()], seed, data_folder)
    for _ in training.steps():
        pass
    tune = training.grid.accuracies(training.tune).tolist()[: len(rates)]
    scored = training.grid.accuracies(training.validation).tolist()
    best = best_of(tune)
    accuracies = dict(zip(picked, scored[len(rates) :], strict=True))
    slow = [i for i, rate in enumerate(rates) if math.isclose(rate, rates[best] / _SLOW)]
    above = [(rate, share) for rate, share in zip(rates, tune, strict=True) if rate > rates[best]]
    cliff = [rate for rate, share in above if share < _CLIFF * tune[best]]
    metrics: dict[str, float | None] = {
        "chosen_rate": rates[best],
        "best_rate_octaves": math.log2(rates[best]),
        "validation_accuracy": scored[best],
        "chosen_at_edge": int(best in (0, len(rates) - 1)),
        "slow_rate_loss": scored[best] - scored[slow[0]] if slow else None,
        "cliff_octaves": math.log2(cliff[0] / rates[best]) if cliff else None,
        "blow_up_octaves": None if test.blow_up is None else math.log2(test.blow_up / rates[best]),
    }
    for rule, rate in picked.items():
        metrics[f"{rule}_rate"] = rate
        metrics[f"{rule}_octaves"] = math.log2(rate / rates[best])
        metrics[f"{rule}_loss"] = scored[best] - accuracies[rule]
    return ProbeResult(
        metrics=metrics,
        missing={
            name: reason
            for name, reason in {
                "slow_rate_loss": f"the grid has not a rate {_SLOW} times below the best",
                "cliff_octaves": "the grid ends before the cliff",
                "blow_up_octaves": f"the loss did not blow up until {high:g}",
            }.items()
            if metrics[name] is None
        },
        arrays={
            "grid": np.array(rates), "accuracy": np.array(scored[: len(rates)]),
            "rates": np.array(test.rates), "losses": np.array(test.losses),
            "smoothed": np.array(test.smoothed),
        },
    )  # fmt: skip
