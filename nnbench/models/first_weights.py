"""First weights by name.

``torch`` leaves torch's own: uniform, of variance 1/(3 fan-in), in which the signals of ReLU units fade
with depth. ``he`` is He, Zhang, Ren and Sun 2015, "Delving deep into rectifiers", eq. 10: normal, of variance
2/fan-in, biases zero, which keeps the signal's second moment from layer to layer of ReLU units. ``xavier`` is
Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", eq. 16:
uniform, of variance 2/(fan-in + fan-out), biases zero, for units that are linear about 0, as tanh is.
"""

from __future__ import annotations

from torch import nn

from nnbench.models.arguments import choice

FIRST_WEIGHTS = ("torch", "he", "xavier")


def initialize(model: nn.Module, init: str) -> None:
    """Draw the first weights of every dense and convolutional layer of *model* anew, unless ``torch``.

    Raises:
        ConfigError: an unknown name.
    """
    if choice("init", init, FIRST_WEIGHTS) == "torch":
        return
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            if init == "he":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
