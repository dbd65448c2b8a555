"""What becomes of an image layer by layer: its channels, its size, the bytes that it takes, the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nnbench import models
from nnbench.config import ConfigError


def stage(channels: Sequence[int], number: int, *, image: int = 64, batch: int = 16) -> dict[str, int]:
    """Stage *number* (1, 2, …) of a stack of blocks, each a 3x3 convolution, ReLU and a pooling by 2.

    Traced through the model itself, on its shapes alone.

    Args:
        channels: of each block's output.
        image: side of the square input of 3 channels, in pixels.

    Returns:
        Of the stage's output channels, side [px], bytes of a float32 batch; of its convolution the
        parameters, and the bytes of its output before pooling, which are kept for the backward pass.

    Raises:
        ConfigError: no such stage.
    """
    if not 1 <= number <= len(channels):
        raise ConfigError(f"number: expected a stage of 1 to {len(channels)}, got {number}")
    with torch.device("meta"):
        layers = models.build("cnn", (3, image, image), 10, {"channels": list(channels)})
        seen: list[torch.Size] = []
        for name in (f"activation{number}_1", f"pool{number}"):
            layer = layers.get_submodule(f"features.{name}")
            layer.register_forward_hook(lambda layer, inputs, output: seen.append(output.shape))
        layers(torch.empty(batch, 3, image, image))
    before, after = seen
    convolution = layers.get_submodule(f"features.conv{number}_1")
    return {
        "stage_channels": after[1],
        "stage_side": after[2],
        "stage_bytes": 4 * after.numel(),
        "kept_bytes": 4 * before.numel(),
        "parameters": sum(weight.numel() for weight in convolution.parameters()),
    }
