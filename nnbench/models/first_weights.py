"""First weights by name.

``torch`` leaves torch's own: uniform, of variance 1/(3 fan-in), in which the signals of ReLU units fade
with depth. ``he`` is He, Zhang, Ren and Sun 2015, "Delving deep into rectifiers", eq. 10: normal, of variance
2/fan-in, biases zero, which keeps the signal's second moment from layer to layer.
"""

from __future__ import annotations

from torch import nn

from nnbench.models.arguments import choice

FIRST_WEIGHTS = ("torch", "he")


def initialize(model: nn.Module, init: str) -> None:
    """Draw the first weights of every dense and convolutional layer of *model* anew, unless ``torch``.

    Raises:
        ConfigError: an unknown name.
    """
    if choice("init", init, FIRST_WEIGHTS) == "he":
        model.apply(_he)


def _he(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Linear, nn.Conv2d)):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
