"""LeNet-5.

B batch, C channels, H height, W width, K classes, F features after the last pooling.

Source: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11), section II.B. Layer names are the paper's.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from nnbench.config import ConfigError
from nnbench.models.activations import activation_class
from nnbench.models.arguments import choice

_POOLS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}
# The paper puts digits of 28x28 into 32x32 fields; a padding of 2 does the same.
_FIELD = 32


class LeNet5(nn.Module):
    """Two convolutions of 5x5 with pooling, then 120 and 84 units; 61,706 parameters for 1x28x28, K = 10."""

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, activation: type[nn.Module], pool: str
    ) -> None:
        super().__init__()
        channels, height, width = input_shape
        padding = 2 if min(height, width) < _FIELD else 0
        high, wide = (((size + 2 * padding - 4) // 2 - 4) // 2 for size in (height, width))
        if min(high, wide) < 1:
            raise ConfigError(
                f"input {height}x{width}: two convolutions of 5x5 with pooling need 12x12 or more"
            )
        pooling = _POOLS[pool]
        self.features = nn.Sequential(
            OrderedDict[str, nn.Module](
                C1=nn.Conv2d(channels, 6, 5, padding=padding),
                A1=activation(),
                S2=pooling(2),
                C3=nn.Conv2d(6, 16, 5),
                A3=activation(),
                S4=pooling(2),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict[str, nn.Module](
                C5=nn.Linear(16 * high * wide, 120),
                A5=activation(),
                F6=nn.Linear(120, 84),
                A6=activation(),
                output=nn.Linear(84, classes),
            )
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Images (B, C, H, W) to logits (B, K)."""
        x_BF = self.features(x_BCHW).flatten(1)
        logits_BK: torch.Tensor = self.classifier(x_BF)
        return logits_BK


def lenet5(
    input_shape: tuple[int, int, int], classes: int, *, activation: str = "tanh", pool: str = "average"
) -> LeNet5:
    """LeNet-5 in the shapes of 1998, with today's layers and torch's first weights.

    Simplified: every map of C3 sees all six maps of S2 (the paper's table connects 60 of the 96 pairs); the
    pooling has no trained factor and bias; tanh is not scaled to 1.7159 tanh(2/3 x); the output is linear
    under a softmax, where the paper has distances to drawn characters.

    Args:
        input_shape: (C, H, W) of one image.
        classes: their number K.
        activation: a name of `nnbench.models.activations`.
        pool: ``average`` as in the paper, or ``max``.

    Raises:
        ConfigError: an unknown name, or images of less than 12x12.
    """
    pool = choice("pool", pool, tuple(_POOLS))
    return LeNet5(input_shape, classes, activation_class(activation), pool)
