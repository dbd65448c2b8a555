"""Many small networks of one shape in one tensor, trained together: restarts for little more than one.

Shapes: R networks, P points, I inputs, O outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch


class BatchedNets(torch.nn.Module):
    """*nets* fully connected networks, each with first weights of its own.

    Args:
        widths: inputs, hidden layers, outputs.
        nets: how many, R.
        seed: of all first weights.
        activation: of the hidden layers.
        init: of weights; "he" for normal of variance 2 / fan in (He et al. 2015, eq. 10), "torch" for uniform
            up to 1 / sqrt(fan in), as nn.Linear has them. Biases are uniform up to 1 / sqrt(fan in).
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        nets: int,
        seed: int,
        activation: Callable[[torch.Tensor], torch.Tensor] = torch.relu,
        init: str = "he",
    ) -> None:
        super().__init__()
        self.activation = activation
        draw = torch.Generator().manual_seed(seed)
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        for fan_in, fan_out in pairwise(widths):
            shape = (nets, fan_in, fan_out)
            weight = torch.randn(shape, generator=draw) * math.sqrt(2 / fan_in)
            if init == "torch":
                weight = (2 * torch.rand(shape, generator=draw) - 1) / math.sqrt(fan_in)
            uniform = 2 * torch.rand(nets, 1, fan_out, generator=draw) - 1
            self.weights.append(torch.nn.Parameter(weight))
            self.biases.append(torch.nn.Parameter(uniform / math.sqrt(fan_in)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(P, I) to (R, P, O)."""
        hidden = x.expand(self.weights[0].shape[0], *x.shape)
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            hidden = hidden if i == last else self.activation(hidden)
        return hidden


def fit_nets(nets: BatchedNets, x: torch.Tensor, y: torch.Tensor, *, steps: int, lr: float) -> None:
    """Train all by Adam on the mean squared error, the full batch, the rate falling by a cosine to 0.

    The sum of the losses gives each network its own gradient: no weight is in two of them.
    """
    optimizer = torch.optim.Adam(nets.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        (nets(x) - y).square().mean((1, 2)).sum().backward()
        optimizer.step()
        schedule.step()
