"""How sharply the loss bends where a training stands: along full-batch descent, and where batches end.

Networks are MLPs 64-64-10 with tanh on the digits.
"""

from __future__ import annotations

import math
import statistics

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from nnbench.analysis.sharpness import sharpness
from nnbench.config import FULL_BATCH, Arm, ConfigError, ProbeResult
from nnbench.training import Listener, StopTraining, Training
from nnbench.training.steps import Loss

_DIGITS = Arm(data="digits", model_args={"hidden": (64,), "activation": "tanh"})


class _SquaredError(nn.Module):
    """A network with half the squared distance from the label's unit vector as its loss."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, K)."""
        scores: Tensor = self.layers(x)
        return scores

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Mean over the batch."""
        away = outputs - F.one_hot(labels, outputs.shape[1])
        return away.square().sum(1).mean() / 2


def squared_error_mlp(input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """784-64-10 or alike, for an arm's ``model``."""
    return _SquaredError(math.prod(input_shape), 64, classes)


class _Looks(Listener):
    """Looks at loss and sharpness on all training samples, every so many steps."""

    def __init__(self, training: Training, loss_of: Loss, every: int, until: float = -math.inf) -> None:
        self._training, self._loss_of, self._every, self._until = training, loss_of, every, until
        self.x, self.y = training.train.decode(training.train.images), training.train.labels
        self.steps: list[int] = []
        self.losses: list[float] = []
        self._done = 0

    def step_ended(self) -> None:
        self._done += 1
        if self._done % self._every:
            return
        self.steps.append(self._done)
        self.losses.append(float(self._loss_of(self._training.model(self.x), self.y).detach()))
        self.look()
        if self.losses[-1] <= self._until:
            raise StopTraining

    def look(self) -> None:
        """At more than the loss."""


class _Steepness(_Looks):
    def __init__(self, training: Training, loss_of: Loss, every: int) -> None:
        super().__init__(training, loss_of, every)
        self.sharpness: list[float] = []
        self._vector: Tensor | None = None

    def look(self) -> None:
        value, self._vector = sharpness(
            self._training.model, self._loss_of, self.x, self.y, start=self._vector
        )  # fmt: skip
        self.sharpness.append(value)


def edge_of_stability(rate: float, seed: int, *, steps: int = 2000, every: int = 40) -> ProbeResult:
    """Full-batch descent with squared error: the sharpness rises to 2 / *rate* and hovers there.

    Cohen et al. 2021 ("Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability", arXiv
    2103.00065).

    Returns:
        sharpness_times_rate, the median of the second half of the looks; start_times_rate, that of the first
        weights; train_loss at the end; arrays ``step``, ``sharpness``.

    Raises:
        ConfigError: a rate that is none, or too few steps for two looks.
    """
    if rate <= 0 or steps < 2 * every:
        raise ConfigError(f"rate, steps: expected above 0 and {2 * every} or more, got {rate} and {steps}")
    model = "nnbench.studies.steepness:squared_error_mlp"
    arm = _DIGITS.replace(model=model, model_args={}, batch_size=FULL_BATCH, lr=rate, epochs=steps)
    training = Training(arm, seed)
    looks = _Steepness(training, training.loss_of, every)
    looks.look()  # before the first step
    training.run(looks, validate=False)
    late = looks.sharpness[len(looks.sharpness) // 2 :]
    return ProbeResult(
        metrics={
            "sharpness_times_rate": rate * statistics.median(late),
            "start_times_rate": rate * looks.sharpness[0],
            "train_loss": looks.losses[-1],
        },
        arrays={"step": [0, *looks.steps], "sharpness": np.array(looks.sharpness)},
    )


def steepness_at_loss(
    batch_size: int, seed: int, *, target: float = 0.02, rate: float = 0.1, most_steps: int = 40000
) -> ProbeResult:
    """Train with batches of *batch_size* until the loss on all training samples is *target*, and look.

    Returns:
        sharpness_reached and validation_accuracy there; steps.

    Raises:
        ConfigError: the loss is not there in *most_steps* steps.
    """
    arm = _DIGITS.replace(batch_size=batch_size, lr=rate, epochs=most_steps, max_steps=most_steps)
    training = Training(arm, seed)
    looks = _Looks(training, training.loss_of, 20, until=target)
    training.run(looks, validate=False)
    if looks.losses[-1] > target:
        raise ConfigError(
            f"target: a training loss of {target} is not reached in {most_steps} steps with batches of "
            f"{batch_size}; the last is {looks.losses[-1]:.3g}"
        )
    value, _ = sharpness(training.model, training.loss_of, looks.x, looks.y)
    _, accuracy = training.score()
    return ProbeResult(
        metrics={"sharpness_reached": value, "validation_accuracy": accuracy, "steps": looks.steps[-1]},
        arrays={"step": looks.steps[:: max(1, len(looks.steps) // 300)],
                "loss": looks.losses[:: max(1, len(looks.steps) // 300)]},
    )  # fmt: skip
