"""Layers whose weights are written down, and not trained."""

from __future__ import annotations

import torch
from torch import nn


def linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    """A float64 layer with this *weight*, (outputs, inputs), and *bias*, (outputs,)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer
