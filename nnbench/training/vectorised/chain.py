"""Models that are a plain chain of dense layers, for which stacked weights need no `vmap`.

`vmap` costs 0.2 ms a step beside the arithmetic, and the gradients that it leaves are laid out otherwise than
the weights, so that autograd copies them: a step of 8 members of 784-64-64-10 at batch 1 takes 1.3 ms
with it and 0.6 ms as a chain.

M members, B samples, F features before a layer, U units.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import fx, nn
from torch.autograd.function import once_differentiable

from nnbench.training.vectorised.dropout_streams import GivenDropout

Chain = list[tuple[str, nn.Module]]
# They take each number on its own, whatever the shape.
_BY_ELEMENT = (
    nn.Identity, nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.ELU, GivenDropout,
)  # fmt: skip


class _Layers(fx.Tracer):
    """Follows a sample through whatever holds layers, and looks into no layer."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not list(m.children())


def chain_of(model: nn.Module) -> Chain | None:
    """Name and layer in the order in which a sample passes them, once flattened; None where it is no chain.

    A chain is the same while training and in evaluation; no layer of it is hooked.
    """
    chains = [_traced(model.train(mode)) for mode in (False, True)]
    return chains[0] if chains[0] == chains[1] else None


def _traced(model: nn.Module) -> Chain | None:
    try:
        _, *nodes, _ = _Layers().trace(model).nodes
    except Exception:  # the way of a sample depends on values, or on what a trace does not follow
        return None
    chain: Chain = []
    for place, node in enumerate(nodes):
        flattens = node.target in ("flatten", torch.flatten) and node.args[1:] == (1,)
        layer = model.get_submodule(str(node.target)) if node.op == "call_module" else None
        flattens = flattens or (type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1))
        if flattens != (place == 0) or node.kwargs or len(node.all_input_nodes) != 1:
            return None
        if not flattens and (layer is None or not _plain(layer)):
            return None
        if layer is not None and not flattens:
            chain.append((str(node.target), layer))
    in_a_row = all(after.all_input_nodes[0] is before for before, after in pairwise(nodes))
    return chain if chain and in_a_row else None


def _plain(layer: nn.Module) -> bool:
    hooks = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)
    return type(layer) in (nn.Linear, *_BY_ELEMENT) and not any(hooks)


def through_chain(chain: Chain, state: dict[str, torch.Tensor], x_MBCHW: torch.Tensor) -> torch.Tensor:
    """Each member's samples through its own weights: logits (M, B, K).

    Args:
        state: stacked parameters and masks by name, see `chain_of`.
    """
    h_MBF = x_MBCHW.flatten(2)
    for name, layer in chain:
        if isinstance(layer, nn.Linear):
            h_MBF = _Linear.apply(h_MBF, state[f"{name}.weight"], state.get(f"{name}.bias"))
        elif not isinstance(layer, GivenDropout):
            h_MBF = layer(h_MBF)
        elif layer.training:
            h_MBF = h_MBF * state[f"{name}.mask"]
    return h_MBF


class _Linear(torch.autograd.Function):
    """x W^T + b of each member; its gradients lie in memory as the weights do."""

    @staticmethod
    def forward(
        ctx: Any, x_MBF: torch.Tensor, weight_MUF: torch.Tensor, bias_MU: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.save_for_backward(x_MBF, weight_MUF)
        if bias_MU is None:
            return torch.bmm(x_MBF, weight_MUF.mT)
        return torch.baddbmm(bias_MU.unsqueeze(1), x_MBF, weight_MUF.mT)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (g_MBU,), (x_MBF, weight_MUF) = gradients, ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            torch.bmm(g_MBU, weight_MUF) if of_x else None,
            torch.bmm(g_MBU.mT, x_MBF) if of_weight else None,
            g_MBU.sum(1) if of_bias else None,
        )
