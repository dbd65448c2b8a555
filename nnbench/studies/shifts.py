"""Accuracy where the images have moved, or grown, since they were learned.

Shapes: N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from nnbench.config import ConfigError, ProbeResult, arm_from
from nnbench.data import Split
from nnbench.devices import choose_device
from nnbench.training import Training
from nnbench.training.batches import Samples, pixel_scale
from nnbench.training.loop import evaluate

# Where a shift goes: every arm sees the same ones, and the mean over them counts.
DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def shifted(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """*images*, (N, C, H, W), moved by whole pixels; what comes in at the border is black, 0."""
    height, width = images.shape[-2:]
    if abs(down) >= height or abs(right) >= width:
        raise ConfigError(f"shift: expected less than the {height}x{width} pixels, got {down}, {right}")
    moved = torch.zeros_like(images)
    moved[..., max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = images[
        ..., max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)
    ]
    return moved


def accuracy_under_shift(
    arm: Mapping[str, Any],
    seed: int,
    *,
    shifts: Sequence[int] = (0, 1, 2, 3, 4),
    scales: Sequence[float] = (),
    data_folder: Path | None = None,
) -> ProbeResult:
    """Train *arm* on images as they are, and score it on validation images that have moved, or grown.

    Args:
        arm: fields of an `Arm`.
        shifts: distances in pixels, each in all four directions.
        scales: factors of the size, about the centre.

    Returns:
        ``shifted_<pixels>_accuracy`` of each, the mean over the directions, and the same as arrays;
        ``scaled_<percent>_accuracy`` of each scale.
    """
    training = Training(arm_from(arm), seed, data_folder)
    history = training.run(validate=False)
    if history.status != "OK":
        raise ConfigError(f"lr: {training.arm.lr:g} diverges for {training.arm.name}; take a smaller one")
    _, scored = training.dataset.split(training.arm.train_on, training.arm.train_samples)
    found = [_score_shifted(training, scored, shift) for shift in shifts]
    grown = {
        f"scaled_{round(100 * factor)}_accuracy": _score(
            training, scaled(scored.images, factor), scored.labels
        )
        for factor in scales
    }
    metrics = {f"shifted_{shift}_accuracy": value for shift, value in zip(shifts, found, strict=True)}
    parameters = sum(weight.numel() for weight in training.model.parameters())
    return ProbeResult(
        metrics={**metrics, **grown, "parameters": parameters},
        arrays={"shift": np.array(shifts), "accuracy": np.array(found)},
    )


def scaled(images: torch.Tensor, factor: float) -> torch.Tensor:
    """*images*, (N, C, H, W), *factor* times as large about their centre; black comes in, or a rim is
    lost.
    """
    if not 0.25 <= factor <= 4:
        raise ConfigError(f"scale: expected 0.25 to 4, got {factor}")
    turn = torch.tensor([[1 / factor, 0.0, 0.0], [0.0, 1 / factor, 0.0]]).expand(len(images), 2, 3)
    grid = F.affine_grid(turn, list(images.shape), align_corners=False)
    return F.grid_sample(images.float(), grid, align_corners=False).round().to(torch.uint8)


def _score_shifted(training: Training, scored: Split, shift: int) -> float:
    found = [
        _score(training, shifted(scored.images, shift * down, shift * right), scored.labels)
        for down, right in (DIRECTIONS if shift else DIRECTIONS[:1])
    ]
    return sum(found) / len(found)


def _score(training: Training, images: torch.Tensor, labels: torch.Tensor) -> float:
    scale = pixel_scale(training.dataset.train, training.arm.normalize)
    samples = Samples(Split(images, labels), training.arm, choose_device(training.arm.device), scale)
    return evaluate(training.model, training.validation_loss_of, samples)[1]
