"""Multinomial logistic regression: one linear layer under a softmax cross entropy.

B batch, C channels, H height, W width, D = C*H*W inputs, K classes.
"""

from __future__ import annotations

import math

import torch
from torch import nn


class LogisticRegression(nn.Module):
    """Logits W x + b; D*K + K parameters, 7,850 for images of 1x28x28 and ten classes."""

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(math.prod(input_shape), classes)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Images (B, C, H, W) to logits (B, K)."""
        x_BD = x_BCHW.flatten(1)
        logits_BK: torch.Tensor = self.linear(x_BD)
        return logits_BK


def logistic(input_shape: tuple[int, int, int], classes: int) -> LogisticRegression:
    """Logistic regression on the pixels; it takes no arguments."""
    return LogisticRegression(input_shape, classes)
