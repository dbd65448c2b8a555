"""Multilayer perceptron: linear layers with activations between them.

B batch, C channels, H height, W width, D = C*H*W inputs, K classes; hidden layer n has hidden[n] units.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from nnbench.config import ConfigError
from nnbench.models.activations import activation_class
from nnbench.models.arguments import count, counts, share
from nnbench.models.first_weights import initialize

_WIDTH, _DEPTH = 512, 2


class MLP(nn.Module):
    """Flattened pixels through hidden layers to logits; 669,706 parameters for 784-512-512-10."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        classes: int,
        hidden: tuple[int, ...],
        activation: type[nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = math.prod(input_shape)
        for index, units in enumerate(hidden, 1):
            layers[f"linear{index}"] = nn.Linear(inputs, units)
            layers[f"activation{index}"] = activation()
            if dropout:
                layers[f"dropout{index}"] = nn.Dropout(dropout)
            inputs = units
        layers["output"] = nn.Linear(inputs, classes)
        self.layers = nn.Sequential(layers)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Images (B, C, H, W) to logits (B, K)."""
        x_BD = x_BCHW.flatten(1)
        logits_BK: torch.Tensor = self.layers(x_BD)
        return logits_BK


def mlp(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    hidden: Sequence[int] | None = None,
    width: int | None = None,
    depth: int | None = None,
    activation: str = "relu",
    dropout: float = 0.0,
    init: str = "torch",
) -> MLP:
    """A multilayer perceptron of any width and depth.

    Args:
        input_shape: (C, H, W) of one image.
        classes: their number K.
        hidden: units of each hidden layer, (512, 512) by default; () is logistic regression.
        width: instead of *hidden*: units of each hidden layer, 512 by default.
        depth: instead of *hidden*: number of hidden layers, 2 by default.
        activation: after each hidden layer, a name of `nnbench.models.activations`.
        dropout: share of the hidden units that is silenced while training.
        init: of the first weights, ``torch``, ``he`` or ``xavier``, see `nnbench.models.first_weights`.

    Raises:
        ConfigError: *hidden* beside *width* or *depth*, or a value out of range.
    """
    if hidden is not None and (width is not None or depth is not None):
        raise ConfigError("hidden: cannot be given beside width or depth; (512, 512) is width 512, depth 2")
    if hidden is None:
        units = count("width", _WIDTH if width is None else width)
        hidden = (units,) * count("depth", _DEPTH if depth is None else depth)
    sizes = counts("hidden", hidden)
    model = MLP(input_shape, classes, sizes, activation_class(activation), share("dropout", dropout))
    initialize(model, init)
    return model
