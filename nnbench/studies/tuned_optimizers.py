"""An optimizer at every rate of a grid: how good is the best, how wide are the good ones, how soon there?"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nnbench.config import Arm, ConfigError, ProbeResult, arm_from
from nnbench.data import Split, load
from nnbench.optim import Schedule
from nnbench.stats import best_of, peak, plateau
from nnbench.studies.rate_grid import RateGrid
from nnbench.training.batches import Order, batch_length
from nnbench.training.loop import fresh_model, order_seed

RATES = tuple(10 ** (k / 2) for k in range(-7, 3))  # 3e-4 to 10, two in each decade
_GOOD = 0.02  # so far below the best accuracy a rate still counts as good
# What torch's classes take when no rate is given.
OWN_RATES: Mapping[str, float] = {
    "sgd": 1e-3, "momentum": 1e-3, "nesterov": 1e-3, "adagrad": 1e-2, "rmsprop": 1e-2, "adam": 1e-3,
}  # fmt: skip


class GridTraining:
    """*arm* at all *rates*, from the same first weights, in the same order: as `fit` would each, to rounding.

    A sixth of the training set is held back, as with ``train_on="tune"``.

    Attributes:
        tune: images (N, I) and labels of that sixth, by which rates are chosen.
        validation: those of the validation set, which no choice sees.

    Raises:
        ConfigError: a model other than ``mlp`` and ``logistic``, or bad rates.
    """

    def __init__(self, arm: Arm, rates: Sequence[float], seed: int, data_folder: Path | None = None) -> None:
        if arm.model not in ("mlp", "logistic"):
            raise ConfigError(
                f"model: {arm.model!r} does not train at many rates as one; take mlp or logistic"
            )
        dataset = load(arm.data, data_folder)
        train, tune = dataset.split("tune", arm.train_samples)
        self.arm, self._seed = arm, seed
        self._train, self.tune, self.validation = map(_numbers, (train, tune, dataset.validation))
        self.grid = RateGrid(fresh_model(arm, seed, dataset, torch.device("cpu")), arm, rates)

    def steps(self) -> Iterator[int]:
        """Train; after each step, its number from 1."""
        x, y = self._train
        order = Order(self.arm.sampling, len(y), order_seed(self._seed))
        batch, done = batch_length(self.arm, len(y)), 0
        planned = min(self.arm.max_steps or sys.maxsize, self.arm.epochs * math.ceil(len(y) / batch))
        schedule = Schedule(self.arm, self.grid.optimizer, planned)
        for _ in range(self.arm.epochs):
            for chosen in order.next_epoch().split(batch):
                if done == planned:
                    return
                self.grid.step(x[chosen], y[chosen])
                schedule.after_step()
                done += 1
                yield done
            schedule.after_epoch()


def _numbers(split: Split) -> tuple[Tensor, Tensor]:
    return split.images.flatten(1) * torch.tensor(1 / 255), split.labels


def tuned(
    arm: Mapping[str, Any], seed: int, *, rates: Sequence[float] = RATES, data_folder: Path | None = None
) -> ProbeResult:
    """Train *arm* at all *rates*, choose one by the tune split, and score it on the validation set.

    Args:
        arm: fields of an `nnbench.Arm`.

    Returns:
        Accuracy at the chosen rate; decimal logarithm of the effective rate, rate / (1 - momentum); width of
        the good rates; the accuracy that torch's own rate, where it is among them, falls short by; arrays of
        the accuracies at all of them.

    Raises:
        ConfigError: what no arm takes, or bad rates.
    """
    of = arm_from(arm)
    training = GridTraining(of, rates, seed, data_folder)
    steps = sum(1 for _ in training.steps())
    tune, scored = (training.grid.accuracies(part) for part in (training.tune, training.validation))
    looked = tune.tolist()
    best, ends = best_of(looked), plateau(rates, looked, _GOOD)
    momentum = training.grid.optimizer.defaults.get("momentum", 0.0)
    own = [i for i, rate in enumerate(rates) if math.isclose(rate, OWN_RATES.get(of.optimizer, 0.0))]
    return ProbeResult(
        metrics={
            "validation_accuracy": float(scored[best]),
            "effective_rate_log10": peak(rates, looked) - math.log10(1 - momentum),
            "good_rates_decades": math.log10(ends[1] / ends[0]),
            "untuned_loss": float(scored[best] - scored[own[0]]) if own else None,
            "chosen_rate": rates[best],
            "chosen_at_edge": int(best in (0, len(rates) - 1)),
            "steps": steps,
        },
        missing={} if own else {"untuned_loss": f"the grid has not torch's own rate of {of.optimizer}"},
        arrays={"rates": list(rates), "tune_accuracy": tune.numpy(), "validation_accuracy": scored.numpy()},
    )
