"""The lecture's own formulas of momentum, Adagrad and 'Adams', as they stand on its slides.

With g the gradient of a step and eta the rate, all by element. They are not quite what is published, and not
quite what torch does: that is why they are here, beside those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer


class _ByElement(Optimizer):
    """An optimizer that moves each weight by a `change` of its own gradient and its own past."""

    def __init__(self, params: Iterable[torch.nn.Parameter], lr: float, **settings: float) -> None:
        if not lr >= 0:
            raise ValueError(f"lr: expected 0 or more, got {lr}")
        if not 0 <= settings.get("momentum", 0.0) < 1:
            raise ValueError(f"momentum: expected 0 to below 1, got {settings['momentum']}")
        if not settings.get("eps", 0.0) >= 0:
            raise ValueError(f"eps: expected 0 or more, got {settings['eps']}")
        super().__init__(params, {"lr": lr, **settings})

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
                    weight.sub_(self.change(weight.grad, self.state[weight], group))
        return loss

    def change(self, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
        """What is taken off the weight, of its shape; *state* is changed in place."""
        raise NotImplementedError


def _kept(state: dict[str, Any], name: str, like: torch.Tensor) -> torch.Tensor:
    """The tensor *name* of *state*, zeros at first."""
    if name not in state:
        state[name] = torch.zeros_like(like)
    tensor: torch.Tensor = state[name]
    return tensor


class SlideMomentum(_ByElement):
    """The last step is remembered: step = eta g + b step, w -= step (Polyak 1964).

    torch multiplies by the rate after remembering: the same while the rate is constant, another where a
    schedule changes it (Goyal et al. 2017, "momentum correction").

    Raises:
        ValueError: a rate below 0, a momentum outside [0, 1).
    """

    def __init__(
        self, params: Iterable[torch.nn.Parameter], lr: float = 0.01, *, momentum: float = 0.9
    ) -> None:
        super().__init__(params, lr, momentum=momentum)

    def change(self, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
        step = _kept(state, "step_before", gradient)
        return step.mul_(float(group["momentum"])).add_(gradient, alpha=float(group["lr"]))


class SlideAdagrad(_ByElement):
    """w -= eta g / sqrt(sum of g^2 + eps): eps inside the root; torch adds it outside (Duchi et al. 2011).

    Raises:
        ValueError: a rate or an eps below 0.
    """

    def __init__(self, params: Iterable[torch.nn.Parameter], lr: float = 0.01, *, eps: float = 1e-8) -> None:
        super().__init__(params, lr, eps=eps)

    def change(self, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
        squares = _kept(state, "squares", gradient).addcmul_(gradient, gradient)
        return gradient * float(group["lr"]) / (squares + float(group["eps"])).sqrt()


class SlideAdams(_ByElement):
    """w -= eta (g + b g of the step before) / sqrt(sum of g^2): a short momentum over Adagrad's root.

    Adam has running means where this has a sum and one gradient before, and corrects their start (Kingma
    and Ba 2015, Algorithm 1). A weight that has seen no gradient stays where it is.

    Raises:
        ValueError: a rate below 0, a momentum outside [0, 1).
    """

    def __init__(
        self, params: Iterable[torch.nn.Parameter], lr: float = 0.01, *, momentum: float = 0.9
    ) -> None:
        super().__init__(params, lr, momentum=momentum)

    def change(self, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
        squares = _kept(state, "squares", gradient).addcmul_(gradient, gradient)
        before = _kept(state, "gradient_before", gradient)
        push = gradient.add(before, alpha=group["momentum"])
        before.copy_(gradient)
        return torch.where(squares > 0, float(group["lr"]) * push / squares.sqrt(), torch.zeros_like(push))
