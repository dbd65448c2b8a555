"""What training does to the effective receptive field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from nnbench.analysis.effective_field import Array, figures_of, gradient_of_centre
from nnbench.analysis.receptive_field import theoretical_field
from nnbench.config import Arm, ProbeResult
from nnbench.training import Training

_LAYERS, _CHANNELS, _IMAGES = 5, 8, 32


def trained_field(steps: int, seed: int, data_folder: Path | None = None) -> ProbeResult:
    """The effective field of five 3x3 convolutions after *steps* of training on garments, 0 for none.

    The gradients of the centres of the last maps, each to a sum of 1, for 32 validation images.

    Returns:
        As `nnbench.analysis.effective_field.drawn`, and the accuracy.
    """
    arm = Arm(
        model="cnn", model_args={"channels": (_CHANNELS,) * _LAYERS, "pool": "none", "init": "he"},
        optimizer="momentum", lr=0.01, batch_size=32, epochs=100, max_steps=max(1, steps),
    )  # fmt: skip
    training = Training(arm, seed, data_folder)
    if steps:
        training.run(validate=False)
    _, accuracy = training.score()
    features = training.model.get_submodule("features")
    assert isinstance(features, nn.Sequential)
    field = _field(features[:-1], training)  # without the last ReLU, behind which most channels are silent
    found = figures_of(field, theoretical_field([3] * _LAYERS))
    metrics = {f"drawn_{name}": value for name, value in found.items() if name != "receptive_field"}
    return ProbeResult(
        metrics={"receptive_field": found["receptive_field"], "validation_accuracy": accuracy, **metrics},
        arrays={"field": field.astype(np.float32)},
    )


def _field(features: nn.Module, training: Training) -> Array:
    images = training.dataset.validation.images[:_IMAGES].float() / 255
    features.eval()
    total = np.zeros(images.shape[-2:])
    for image in images:
        for channel in range(_CHANNELS):
            total += gradient_of_centre(features, image[None].clone(), channel)
    field: Array = total / total.sum()
    return field
