"""Activation functions by name, for every family that takes ``activation=``."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from nnbench.models.arguments import choice

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
}


def activation_class(name: str) -> type[nn.Module]:
    """The layer class of the activation called *name*; called without arguments it gives a layer.

    Raises:
        ConfigError: an unknown name.
    """
    return ACTIVATIONS[choice("activation", name, tuple(ACTIVATIONS))]
