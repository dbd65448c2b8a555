"""LARS: for each layer a rate of its own, by how large its weights are beside its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer


class LARS(Optimizer):
    """Momentum SGD in which each layer's step is a fixed share of its weights' norm.

    You, Gitman, Ginsburg 2017 ("Large Batch Training of Convolutional Networks", arXiv 1708.03888),
    Algorithm 1: local = trust ||w|| / (||g|| + decay ||w||), v = momentum v + lr local (g + decay w), w -= v.
    Biases and the weights of a normalization, of one dimension, take plain momentum SGD without decay, as is
    usual; so does a layer one of whose norms is 0.

    Args:
        lr: the global rate, which a schedule may change: it enters the velocity, as in the paper.
        momentum: of the velocity.
        weight_decay: decay of the paper.
        trust_coefficient: trust of the paper, where it is called eta.

    Raises:
        ValueError: a rate, momentum, decay or trust out of range.
    """

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float = 0.1,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 0.001,
    ) -> None:
        if not lr >= 0:
            raise ValueError(f"lr: expected 0 or more, got {lr}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum: expected 0 to below 1, got {momentum}")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay: expected 0 or more, got {weight_decay}")
        if not trust_coefficient > 0:
            raise ValueError(f"trust_coefficient: expected a number above 0, got {trust_coefficient}")
        defaults = {
            "lr": lr, "momentum": momentum, "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
        }  # fmt: skip
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step with the gradients that are there."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)
        return loss

    def _move(self, weight: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        gradient = weight.grad
        assert gradient is not None
        if weight.ndim > 1:
            decayed = gradient.add(weight, alpha=group["weight_decay"])
            gradient = decayed.mul_(trust_ratio(weight, gradient, group))
        velocity = state["momentum_buffer"]
        velocity.mul_(group["momentum"]).add_(gradient, alpha=group["lr"])
        weight.sub_(velocity)


def trust_ratio(weight: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> torch.Tensor:
    """The paper's local rate, a scalar: 1 where one of the norms is 0."""
    size, slope = weight.norm(), gradient.norm()
    ratio = group["trust_coefficient"] * size / (slope + group["weight_decay"] * size)
    return torch.where((size > 0) & (slope > 0), ratio, torch.ones_like(ratio))
