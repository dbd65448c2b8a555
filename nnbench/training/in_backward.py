"""Weights of linear layers change while gradients flow back: no gradient of them is ever stored.

After backward, a step of SGD writes each gradient, reads it again, and reads and writes each weight. Here the
product that would be the gradient is added to the weights as it is made: ``W <- (1 - rate * decay) W - rate
g^T x`` in one matrix product. Small batches, where the weights' bytes and not the arithmetic take the time,
gain most. As the optimizer in the backward pass of LOMO (Lv et al. 2023, arXiv 2306.09782), but per product.

Other parameters (convolutions, norms) get their gradients and their step as ever.

B samples, I inputs, O outputs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Optimizer

from nnbench.config import Arm, ConfigError


def update_in_backward(model: nn.Module, optimizer: Optimizer, arm: Arm) -> None:
    """Put layers that change their own weights in the place of all `nn.Linear` within *model*.

    They keep parameters and names. The rates are those of *optimizer* at each step, so schedules work.

    Raises:
        ConfigError: the optimizer is more than SGD with weight decay, a weight belongs to two layers, or
            there is no linear layer.
    """
    groups = _groups(optimizer, arm)
    linear = {name: module for name, module in model.named_modules() if name and type(module) is nn.Linear}
    owners = [id(weight) for module in model.modules() for weight in module.parameters(recurse=False)]
    if not linear:
        raise _refused(arm, f"the model {arm.model} has no linear layer inside")
    for name, module in linear.items():
        if owners.count(id(module.weight)) > 1:
            raise _refused(arm, f"the weights of {name} belong to another layer too")
        model.set_submodule(name, _Linear(module, groups[id(module.weight)]))
    ours = {id(weight) for module in linear.values() for weight in module.parameters()}
    for group in optimizer.param_groups:  # to look through weights without gradients takes time too
        group["params"] = [weight for weight in group["params"] if id(weight) not in ours]


def _groups(optimizer: Optimizer, arm: Arm) -> dict[int, dict[str, Any]]:
    """Identity of a parameter -> the settings that the optimizer has for it."""
    if type(optimizer) is not SGD:
        raise _refused(arm, f"{arm.optimizer} needs whole gradients; take sgd")
    for group in optimizer.param_groups:
        asked = [key for key in ("momentum", "nesterov", "maximize", "differentiable") if group[key]]
        if asked:
            raise _refused(arm, f"{asked[0]} needs whole gradients; take plain sgd")
    return {id(weight): group for group in optimizer.param_groups for weight in group["params"]}


def _refused(arm: Arm, why: str) -> ConfigError:
    return ConfigError(f"{arm.name}: execution 'in-backward' is not possible: {why}")


class _Linear(nn.Linear):
    """As the layer whose parameters it takes over; a backward pass through it is a step of SGD.

    Attributes:
        settings: lr and weight_decay, as the optimizer has them at each step.
    """

    def __init__(self, layer: nn.Linear, settings: dict[str, Any]) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.settings = settings

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, I) to (…, O)."""
        if not torch.is_grad_enabled():
            return F.linear(x, self.weight, self.bias)
        y: torch.Tensor = _LinearStep.apply(x, self.weight, self.bias, self.settings)
        return y


class _LinearStep(torch.autograd.Function):
    """``x W^T + b``, whose backward pass gives the gradient of x and changes W and b."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, settings: dict[str, Any]
    ) -> torch.Tensor:
        ctx.save_for_backward(x)
        # not saved the usual way, which forbids to change them
        ctx.weight, ctx.bias, ctx.settings, ctx.version = weight, bias, settings, weight._version
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        (g,), (x,), weight = gradients, ctx.saved_tensors, ctx.weight
        if weight._version != ctx.version:
            raise ConfigError(
                "execution 'in-backward': a linear layer is used twice in one step, and its weights have "
                "changed before its second gradient; take execution 'eager'"
            )
        g_x = g.matmul(weight) if ctx.needs_input_grad[0] else None
        if g.dim() != 2:
            g, x = g.reshape(-1, g.shape[-1]), x.reshape(-1, x.shape[-1])
        rate, decay = ctx.settings["lr"], ctx.settings["weight_decay"]
        weight.addmm_(g.t(), x, beta=1 - rate * decay, alpha=-rate)  # autograd is off in here
        if ctx.bias is not None:
            if decay:
                ctx.bias.mul_(1 - rate * decay)
            ctx.bias.sub_(g.sum(0), alpha=rate)
        return g_x, None, None, None
