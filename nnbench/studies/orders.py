"""What the order of the samples changes: trainings from the same first weights, under several orders."""

from __future__ import annotations

import statistics

import numpy as np
import torch

from nnbench.config import Arm, ProbeResult
from nnbench.training import Training
from nnbench.training.events import Listener

_ORDERS = 5
_KEPT = 400


class _Losses(Listener):
    """Remembers the loss of every step."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def window_ended(self, losses: torch.Tensor, steps: int) -> None:
        self.losses += losses.tolist()


def order_spread(batch_size: int | str, *, epochs: int = 4, lr: float = 0.05) -> ProbeResult:
    """An MLP 64-32-10 on the digits in float64, from one set of first weights, under five orders of the
    samples.

    Returns:
        accuracy_spread, the standard deviation of the validation accuracy over the orders; rising_share, the
        share of steps whose loss is above that of the step before; steps.
    """
    accuracies: list[float] = []
    rising: list[float | None] = []
    curves, steps = [], 0
    for order in range(_ORDERS):
        arm = Arm(
            data="digits", model_args={"hidden": (32,)}, batch_size=batch_size, epochs=epochs, lr=lr,
            init_seed=0, precision="float64",
        )  # fmt: skip
        seen = _Losses()
        history = Training(arm, order).run(seen)
        losses = np.array(seen.losses)
        accuracies.append(history.curves["validation_accuracy"][-1])
        rising.append(float((np.diff(losses) > 0).mean()) if len(losses) > 1 else None)
        curves.append(losses[:: max(1, len(losses) // _KEPT)][:_KEPT])
        steps = history.steps
    return ProbeResult(
        metrics={
            "accuracy_spread": statistics.stdev(accuracies),
            "mean_accuracy": statistics.fmean(accuracies),
            "rising_share": None
            if None in rising
            else statistics.fmean(share for share in rising if share is not None),
            "steps": steps,
        },
        missing={"rising_share": "a training of one step has none before it"} if None in rising else {},
        arrays={"loss": np.array(curves, dtype=np.float32)},
    )
