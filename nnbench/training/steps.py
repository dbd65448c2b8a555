"""One training step: forward pass and loss of a batch, gradients, a step of the optimizer.

B samples, C channels, H height, W width, K classes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import nn
from torch.optim import Optimizer

from nnbench import devices
from nnbench.config import BF16_MIXED

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Model = Callable[[torch.Tensor], torch.Tensor]
# A batch x (B, C, H, W), y (B,) to a scalar loss and outputs (B, K).
Forward = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def training_step(
    model: Model, loss_of: Loss, x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Forward pass and loss of one batch: x (B, C, H, W), y (B,) to a scalar loss and outputs (B, K)."""
    outputs = model(x)
    return loss_of(outputs, y), outputs


def forward_of(model: Model, loss_of: Loss, device: torch.device, precision: str) -> Forward:
    """`training_step` of *model* and *loss_of*, in the products of *precision*."""
    plain = functools.partial(training_step, model, loss_of)
    if precision != BF16_MIXED:
        return plain

    def mixed(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with devices.autocast(device, precision):
            return plain(x, y)

    return mixed


def optimize(loss: torch.Tensor, optimizer: Optimizer | None) -> None:
    """Gradients of *loss*, and one step of the optimizer; without one the backward pass makes the step."""
    if optimizer is None:
        loss.backward()
        return
    zero_grad(optimizer)
    loss.backward()
    optimizer.step()


def zero_grad(optimizer: Optimizer) -> None:
    """What `Optimizer.zero_grad` does, but for its entry in a profiler's record, which takes as long as many
    a small layer. An optimizer with a way of its own is asked.
    """
    if getattr(optimizer.zero_grad, "__func__", None) is not Optimizer.zero_grad:
        optimizer.zero_grad()
        return
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = None


def weighted(loss: torch.Tensor, outputs: torch.Tensor, weight: float) -> torch.Tensor:
    """A rank's loss times its *weight* in the step; that of no sample is 0 with gradients of 0."""
    return loss * weight if weight else outputs.sum() * 0


def validation_step(
    model: nn.Module, loss_of: Loss, x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed loss and number of right answers of one batch, as float64 scalars on the device."""
    outputs = model(x)
    loss = loss_of(outputs, y).double() * len(y)
    return loss, (outputs.argmax(1) == y).sum().double()
