"""Where trainings go: their paths over the loss of a real network, and how soon they are nearly there.

Shapes: S places of a path, P parameters, G values along an axis of a grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from nnbench.config import FULL_BATCH, Arm, ConfigError, ProbeResult, arm_from
from nnbench.training import Listener, Training

BATCHES: tuple[int | str, ...] = (FULL_BATCH, 64, 1)
_DRAWN = 120  # places of a path that are kept for a picture
_GRID = 33


class _Places(Listener):
    """The weights after each step: their way's length, and some of the places."""

    def __init__(self, training: Training) -> None:
        self._model, self._steps, self._done = training.model, training.planned_steps, 0
        self._last = self._here()
        self.places, self.length = [self._last], 0.0

    def _here(self) -> Tensor:
        return parameters_to_vector(self._model.parameters()).detach().clone()

    def step_ended(self) -> None:
        here = self._here()
        self.length += float((here - self._last).norm())
        self._last = here
        self._done += 1
        if self._done * _DRAWN // self._steps > (self._done - 1) * _DRAWN // self._steps:
            self.places.append(here)


def paths(seed: int, *, epochs: int = 6, rate: float = 0.2) -> ProbeResult:
    """Three trainings of an MLP 64-16-10 on the digits from the same first weights: with all samples at once
    for each step, with 64, and with one.

    Each takes as many epochs; full batch as many steps as batches of 64 take, so that it comes anywhere. The
    picture's plane is that of the first two principal components of all three paths (Li et al. 2018,
    "Visualizing the Loss Landscape of Neural Nets", section 7); the loss is that of all training samples.

    Returns:
        Of each batch size ``detour_<batch>``, the length of the path by the distance between its ends; and
        plane_share, the share of the paths' variance in the plane. Arrays: paths (S, 2), grid and losses.
    """
    found: dict[str, np.ndarray[Any, Any]] = {}
    metrics: dict[str, float] = {}
    walks = {}
    for batch in BATCHES:
        arm = Arm(
            data="digits",
            model_args={"hidden": (16,)},
            batch_size=batch,
            lr=rate,
            epochs=epochs,
            init_seed=seed,
        )
        if batch == FULL_BATCH:
            arm = arm.replace(epochs=epochs * math.ceil(1400 / 64))
        if batch == 1:
            arm = arm.replace(lr=rate / 10)
        training = Training(arm, seed)
        walk = _Places(training)
        training.run(walk, validate=False)
        walks[str(batch)] = torch.stack(walk.places)
        metrics[f"detour_{batch}"] = walk.length / float((walk.places[-1] - walk.places[0]).norm())
    every = torch.cat(list(walks.values())).double()
    centre = every.mean(0)
    _, spread, axes = torch.linalg.svd(every - centre, full_matrices=False)
    metrics["plane_share"] = float((spread[:2] ** 2).sum() / (spread**2).sum())
    for name, places in walks.items():
        found[f"path_{name}"] = ((places.double() - centre) @ axes[:2].T).numpy().astype(np.float32)
    found |= _surface(training, centre, axes[:2], np.concatenate(list(found.values())))
    return ProbeResult(metrics=metrics, arrays=found)


def _surface(
    training: Training, centre: Tensor, axes: Tensor, paths_: np.ndarray[Any, Any]
) -> dict[str, np.ndarray[Any, Any]]:
    """The loss over the part of the plane that the paths are in."""
    low, high = paths_.min(0), paths_.max(0)
    room = 0.15 * (high - low)
    x, y = (np.linspace(low[i] - room[i], high[i] + room[i], _GRID) for i in range(2))
    images, labels = training.train.decode(training.train.images), training.train.labels
    losses = np.empty((_GRID, _GRID), dtype=np.float32)
    with torch.no_grad():
        for row, down in enumerate(y):
            for column, right in enumerate(x):
                here = centre + right * axes[0] + down * axes[1]
                vector_to_parameters(here.float(), training.model.parameters())
                losses[row, column] = F.cross_entropy(training.model(images), labels)
    return {"x": x, "y": y, "surface": losses}


def progress(arm: Mapping[str, Any], seed: int, *, data_folder: Path | None = None) -> ProbeResult:
    """Train *arm*, and ask how much of what it learned came in the first tenth of its epochs.

    Returns:
        first_tenth_share, of the accuracy above chance; last_half_share; train_loss of the last epoch;
        validation_accuracy. Array ``accuracy``, by epoch.

    Raises:
        ConfigError: fewer than ten epochs, or not a multiple of ten.
    """
    of = arm_from(arm)
    if of.epochs < 10 or of.epochs % 10:
        raise ConfigError(f"epochs: expected 10, 20, …, got {of.epochs}")
    training = Training(of, seed, data_folder)
    curves = training.run().curves
    accuracy, chance = np.array(curves["validation_accuracy"]), 1 / len(training.dataset.classes)
    if len(accuracy) < of.epochs:
        raise ConfigError(f"{of.name}: it ended after {len(accuracy)} of {of.epochs} epochs")
    gained = accuracy - chance
    return ProbeResult(
        metrics={
            "first_tenth_share": float(gained[of.epochs // 10 - 1] / gained[-1]),
            "last_half_share": float(1 - gained[of.epochs // 2 - 1] / gained[-1]),
            "train_loss": curves["train_loss"][-1], "validation_accuracy": float(accuracy[-1]),
        },
        arrays={"accuracy": accuracy},
    )  # fmt: skip
