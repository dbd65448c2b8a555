"""Rosenblatt's perceptron: threshold units, and his learning rule as a loss for plain SGD.

B batch, C channels, H height, W width, D = C*H*W inputs, K classes (one threshold unit each).

Source: F. Rosenblatt 1958, "The perceptron: a probabilistic model for information storage and
organization in the brain", Psychological Review 65(6), 386-408. A unit fires if its net input is equal to
or greater than its threshold, here the negative bias.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn


class _Step(torch.autograd.Function):
    """1 where z >= 0, else 0; backward it lets the gradient through unchanged."""

    generate_vmap_rule = True  # many perceptrons may train as one model

    @staticmethod
    def forward(z: torch.Tensor) -> torch.Tensor:
        return (z >= 0).to(z.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: torch.Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0]


class Perceptron(nn.Module):
    """K threshold units over the pixels; the predicted class is the one of the largest net input.

    All weights start at zero: nothing is known before the first sample, and no random number is needed.
    From zero, every weight stays a multiple of the learning rate, so that the rate scales the net
    inputs and changes no decision (up to rounding).

    The learning rule moves weights only for units that fired wrongly, with target t in {0, 1}::

        w += lr * (t - step(z)) * x,    b += lr * (t - step(z)),    z = w x + b

    Plain SGD does exactly this on half the squared error of the outputs, E = sum over k (t - step(z))^2 / 2,
    if the derivative of the step, zero almost everywhere, is replaced by one: then dE/dz = step(z) - t
    and -lr * dE/dw = lr * (t - step(z)) * x. A batch moves the weights by the mean over its samples, so
    that batch size 1 is Rosenblatt's rule, sample by sample.
    """

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(math.prod(input_shape), classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Images (B, C, H, W) to net inputs (B, K)."""
        x_BD = x_BCHW.flatten(1)
        z_BK: torch.Tensor = self.linear(x_BD)
        return z_BK

    def loss(self, z_BK: torch.Tensor, y_B: torch.Tensor) -> torch.Tensor:
        """Half the number of units that fired wrongly, mean over the batch; its gradient is the rule's.

        Args:
            z_BK: net inputs, shape (B, K).
            y_B: labels 0 … K-1, int64, shape (B,).
        """
        # F.one_hot would wait for the device at every step, to look for labels out of range.
        target_BK = (y_B[:, None] == torch.arange(z_BK.shape[1], device=y_B.device)).to(z_BK.dtype)
        fired_BK: torch.Tensor = _Step.apply(z_BK)
        return (fired_BK - target_BK).square().sum(1).mean() / 2


def perceptron(input_shape: tuple[int, int, int], classes: int) -> Perceptron:
    """Rosenblatt's perceptron; it takes no arguments. Use the optimizer ``sgd``, which is his rule."""
    return Perceptron(input_shape, classes)
