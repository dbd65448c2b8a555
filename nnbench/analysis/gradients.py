"""How far gradients reach, layer by layer, at the first weights; and what depth is without activation.

Shapes: B images, L hidden layers.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nnbench import models
from nnbench.config import ConfigError, ProbeResult
from nnbench.data import load

# First weights that keep the signal's size: Glorot's where a unit is linear about 0, He's elsewhere.
_INIT = {"identity": "xavier", "sigmoid": "xavier", "tanh": "xavier"}
_IMAGES = 256


def _network(activation: str, depth: int, width: int, seed: int) -> nn.Sequential:
    if not 1 <= depth <= 100:
        raise ConfigError(f"depth: expected 1 to 100 hidden layers, got {depth}")
    arguments = {
        "width": width,
        "depth": depth,
        "activation": activation,
        "init": _INIT.get(activation, "he"),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = models.build("mlp", (1, 28, 28), 10, arguments)
    layers = model.get_submodule("layers")
    assert isinstance(layers, nn.Sequential)
    return layers


def gradient_reach(activation: str, depth: int, seed: int, width: int = 128) -> ProbeResult:
    """Norms of the gradient of each hidden layer's weights at the first weights, and first over last.

    On 256 garments, by cross-entropy. A sigmoid's derivative is 1/4 at most, so that each layer divides the
    gradient (Hochreiter 1991; Glorot and Bengio 2010, section 4).

    Args:
        width: of each hidden layer; of the first one the inputs are 784 pixels.

    Raises:
        ConfigError: an unknown activation, or a depth out of range.
    """
    layers = _network(activation, depth, width, seed).double()
    train = load("fashion-mini").train
    x = train.images[:_IMAGES].flatten(1) / 255
    F.cross_entropy(layers(x.double()), train.labels[:_IMAGES]).backward()
    weights = [layer.weight for layer in layers if isinstance(layer, nn.Linear)][:-1]
    norms = [float(weight.grad.norm()) for weight in weights if weight.grad is not None]
    return ProbeResult(
        metrics={"gradient_ratio": norms[0] / norms[-1], "layers": depth},
        arrays={"norms": np.array(norms)},
    )


def collapse(depth: int, activation: str = "identity", width: int = 64) -> dict[str, float]:
    """How far *depth* hidden layers are from one linear map, found by what they make of a basis.

    Returns:
        linear_error: greatest difference between the network and that map on random inputs, as a share of
        the greatest output.
    """
    layers = _network(activation, depth, width, seed=0).double()
    with torch.no_grad():
        origin = layers(torch.zeros(1, 784, dtype=torch.float64))
        matrix = layers(torch.eye(784, dtype=torch.float64)) - origin
        x = torch.randn(64, 784, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        found = layers(x)
        error = (found - (x @ matrix + origin)).abs().max() / found.abs().max()
    return {"linear_error": float(error), "layers": depth}
