"""One network at every rate of a grid, all in one tensor: the trainings of one by one, sooner.

Shapes: R rates, B samples of a batch, I inputs, O outputs, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnbench.config import Arm, ConfigError
from nnbench.optim import make_optimizer

_SCORED_AT_ONCE = 1000


class RateGrid(nn.Module):
    """R copies of a fully connected ReLU network, each trained by one optimizer at a rate of its own.

    The copies lie in one tensor for each layer, so that a step costs one product and not R; the optimizer
    is given views of them, a group for each rate, and steps as it would alone.

    Args:
        network: its `torch.nn.Linear` layers are taken in order, with a ReLU between them.
        arm: whose optimizer; its rate is not used.

    Raises:
        ConfigError: no rates, or one that is not above 0.
    """

    def __init__(self, network: nn.Module, arm: Arm, rates: Sequence[float]) -> None:
        super().__init__()
        if not rates or not all(rate > 0 for rate in rates):
            raise ConfigError(f"rates: expected numbers above 0, got {list(rates)}")
        self.rates = tuple(rates)
        layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
        self.weights = nn.ParameterList([_copies(layer.weight, len(rates)) for layer in layers])
        self.biases = nn.ParameterList([_copies(layer.bias, len(rates)) for layer in layers])
        stacks = [stack for pair in zip(self.weights, self.biases, strict=True) for stack in pair]
        self.optimizer = make_optimizer(
            arm, [{"params": [_view(s, i) for s in stacks], "lr": rate} for i, rate in enumerate(rates)]
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, I) to (R, B, K)."""
        copies, width, _ = self.weights[0].shape
        first = F.linear(
            x, self.weights[0].flatten(0, 1), self.biases[0].flatten()
        )  # one for all: x is shared
        hidden = first.view(len(x), copies, width).transpose(0, 1)
        for weight, bias in zip(list(self.weights)[1:], list(self.biases)[1:], strict=True):
            hidden = torch.baddbmm(bias[:, None], torch.relu(hidden), weight.transpose(1, 2))
        return hidden

    def step(self, x: Tensor, y: Tensor) -> None:
        """One step of all copies on the batch x (B, I), y (B,)."""
        for stack in self.parameters():
            assert stack.grad is not None
            stack.grad.zero_()  # in place: the optimizer's views look at it
        scores = self(x)
        wanted = y.expand(len(scores), -1)
        # mean over the batch, sum over the copies: each gets the gradient that it would get alone
        F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), reduction="sum").div(len(y)).backward()
        self.optimizer.step()

    @torch.no_grad()
    def accuracies(self, split: tuple[Tensor, Tensor]) -> Tensor:
        """Share of right answers of each copy, (R,); 0 of one whose scores are not finite."""
        right = torch.zeros(len(self.rates))
        for x, y in zip(*(part.split(_SCORED_AT_ONCE) for part in split), strict=True):
            scores = self(x)
            hit = (scores.argmax(-1) == y) & scores.isfinite().all(-1)
            right += hit.sum(1)
        return right / len(split[1])


def _copies(weight: Tensor, number: int) -> nn.Parameter:
    stack = nn.Parameter(weight.detach().expand(number, *weight.shape).clone())
    stack.grad = torch.zeros_like(stack)
    return stack


def _view(stack: Tensor, copy: int) -> nn.Parameter:
    """Copy number *copy* of *stack*, with its gradient, both in the stack's own memory."""
    assert stack.grad is not None
    view = nn.Parameter(stack.detach()[copy])
    view.grad = stack.grad[copy]
    return view
