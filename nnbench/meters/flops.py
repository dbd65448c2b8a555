"""Floating-point operations of one training step per sample, counted, with closed forms beside them.

A multiply-add is two operations. Only matrix products and convolutions count, as everywhere in the field;
activations, norms, pooling, the loss and the optimizer are left out. What is counted is what the
mathematics of forward and backward pass asks for, whatever a library computes twice to save memory.

The counting is torch's FlopCounterMode over one step on the meta device, where tensors have shapes and no
numbers: milliseconds, whatever the size of the model. A model that cannot run there runs once where it
lies. torch's own formula for the backward pass of a grouped convolution is too large by up to the number
of groups (in torch 2.15), so ours takes its place.

Sources: torch/utils/flop_counter.py; Goodfellow, Bengio and Courville 2016, "Deep Learning", 6.5.6 (the
backward pass of a product is two products of its size).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from nnbench import devices

_aten = torch.ops.aten
# Batch norm needs two samples; everything counted is linear in their number.
_BATCH = 2
# A share of the peak cannot exceed 1; both sides are measured, each within a few percent.
MFU_MOST = 1.05
# A weight that meets nothing but these takes part in no matrix product: positions that are added to tokens,
# the norm of a weight-normalized layer, the factors of a layer norm.
_FREE = {
    _aten.add, _aten.sub, _aten.cat, _aten.stack, _aten.repeat, _aten.clone, _aten._to_copy, _aten.copy_,
    _aten.linalg_vector_norm, _aten._weight_norm_interface, _aten._weight_norm_interface_backward,
    _aten.native_layer_norm, _aten.native_layer_norm_backward,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Flops:
    """Floating-point operations of one sample in one training step; None where they are not all known.

    Attributes:
        forward, backward: of each pass; `per_sample` is both together.
        uncounted: modules whose weights met an operation that cannot be counted, as 'encoder (LSTM)'.
        reason: why there is no figure.
    """

    forward: int | None
    backward: int | None
    uncounted: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def per_sample(self) -> int | None:
        """Forward and backward pass together."""
        return None if self.forward is None or self.backward is None else self.forward + self.backward


def count(model: nn.Module, input_shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Flops:
    """The operations of one training step of *model*, which is left as it was: weights, gradients, mode.

    Args:
        input_shape: (C, H, W) of one sample; samples and labels are zeros.
        dtype: of the samples.

    Returns:
        figures of one sample, or the reason why there are none. Never raises for what a model does.
    """
    try:
        return _counted(model, input_shape, dtype, torch.device("meta"))
    except Exception:  # numbers where there are only shapes: anything may be raised
        home = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    try:
        return _counted(model, input_shape, dtype, home)
    except Exception as error:  # the model is the user's
        reason = f"the step that was to be counted failed: {type(error).__name__}: {error}"
        return Flops(forward=None, backward=None, reason=" ".join(reason.split())[:500])


def _counted(model: nn.Module, input_shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Flops:
    weights = {name: _stand_in(weight, device) for name, weight in model.named_parameters()}
    buffers = {name: buffer.detach().to(device, copy=True) for name, buffer in model.named_buffers()}
    x = torch.zeros((_BATCH, *input_shape), dtype=dtype, device=device)
    y = torch.zeros(_BATCH, dtype=torch.int64, device=device)
    loss_of = getattr(model, "loss", F.cross_entropy)
    modes = {module: module.training for module in model.modules()}
    seen = _Seen()
    # The outer mode sees what is left after the counter has taken composite operations apart.
    with devices.seeded(0, device), torch.enable_grad(), seen, _counter() as counter:
        try:
            model.train()
            loss = loss_of(functional_call(model, {**weights, **buffers}, (x,)), y)
            forward = counter.get_total_flops()
            loss.backward()
        finally:
            for module, training in modes.items():
                module.training = training
    missed = tuple(_uncounted(model, weights, seen))
    if missed:
        return Flops(forward=None, backward=None, uncounted=missed, reason=f"uncounted: {', '.join(missed)}")
    both = counter.get_total_flops()
    return Flops(forward=forward // _BATCH, backward=(both - forward) // _BATCH)


def _stand_in(weight: nn.Parameter, device: torch.device) -> torch.Tensor:
    """A leaf of the same shape that takes the gradient instead of the weight; at home with its numbers."""
    leaf = torch.empty_like(weight, device=device) if device.type == "meta" else weight.detach()
    return leaf.requires_grad_(weight.requires_grad)


def _counter() -> FlopCounterMode:
    return FlopCounterMode(
        display=False, custom_mapping={_aten.convolution_backward: _convolution_backward_flops}
    )


def _convolution_backward_flops(
    grad_out: Sequence[int],
    x: Sequence[int],
    weight: Sequence[int],
    *arguments: Any,
    out_val: Any = None,
    **_: Any,
) -> int:
    """The forward pass over again for each of the gradients of input and weight that is asked for.

    Args:
        grad_out, x, weight: their shapes (B, C, …).
        arguments: the operator's others, from the bias sizes to the mask of gradients.
    """
    transposed, mask = bool(arguments[4]), arguments[7]
    positions = math.prod((x if transposed else grad_out)[2:])
    return 2 * x[0] * positions * math.prod(weight) * sum(map(bool, mask[:2]))


class _Seen(TorchDispatchMode):
    """Notes for each storage the operations that it went into, views aside."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: defaultdict[int, set[Any]] = defaultdict(set)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if not func.is_view:
            for leaf in tree_leaves((args, kwargs)):
                if isinstance(leaf, torch.Tensor) and leaf.layout is torch.strided:
                    self.operations[_storage(leaf)].add(func.overloadpacket)
        return func(*args, **(kwargs or {}))


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _uncounted(model: nn.Module, weights: Mapping[str, torch.Tensor], seen: _Seen) -> list[str]:
    """The modules with a weight of two dimensions or more that went into something unknown.

    One that took no part in the step costs nothing; one of which only views were taken went into numpy or
    elsewhere, where no counter sees it.
    """
    counted = set(_counter().flop_registry)
    modules = dict(model.named_modules())
    found: dict[str, None] = {}
    for name, weight in weights.items():
        operations = seen.operations.get(_storage(weight), set())
        plain = _FREE | {_aten.mul} if weight.numel() == max(weight.shape, default=1) else _FREE
        if weight.ndim < 2 or operations & counted or (operations and operations <= plain):
            continue
        if not operations and weight.grad is None:
            continue
        path = name.rpartition(".")[0]
        found[f"{path or 'the model'} ({type(modules[path]).__name__})"] = None
    return list(found)


def linear_flops(inputs: int, outputs: int, *, first: bool = False) -> tuple[int, int]:
    """(forward, backward) operations of one sample in a dense layer.

    Args:
        inputs, outputs: numbers of units.
        first: the layer whose input needs no gradient: its backward pass is one product, not two.
    """
    forward = 2 * inputs * outputs
    return forward, forward if first else 2 * forward


def conv2d_flops(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    image: tuple[int, int],
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    first: bool = False,
) -> tuple[int, int]:
    """(forward, backward) operations of one sample in a convolution with a square kernel.

    Products with the zeros of the padding count: libraries compute them.

    Args:
        inputs, outputs: channels.
        kernel, stride, padding, dilation: in pixels, the same in both directions.
        image: (height, width) that goes in.
        first: the layer whose input needs no gradient.

    Raises:
        ValueError: channels that the groups do not divide, or a kernel larger than the padded image.
    """
    if inputs % groups or outputs % groups:
        raise ValueError(f"{groups} groups do not divide {inputs} and {outputs} channels")
    sides = [(side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for side in image]
    if min(sides) < 1:
        raise ValueError(f"a kernel of {kernel} pixels, dilated by {dilation}, leaves nothing of {image}")
    forward = 2 * math.prod(sides) * kernel * kernel * (inputs // groups) * outputs
    return forward, forward if first else 2 * forward


def mfu(flops_per_s: float, peak_flops_per_s: float) -> tuple[float | None, str | None]:
    """Share of the matrix-product peak that a training reached, or None and the reason.

    Source: Chowdhery et al. 2022, "PaLM", appendix B (model FLOPs utilization).

    Args:
        flops_per_s: operations of the model per second.
        peak_flops_per_s: of a matrix product on the same device, dtype and threads, see `meters.peaks`.
    """
    if not (math.isfinite(flops_per_s) and flops_per_s >= 0):
        return None, f"no rate: {flops_per_s} FLOP/s"
    if not (math.isfinite(peak_flops_per_s) and peak_flops_per_s > 0):
        return None, f"no peak to compare with: {peak_flops_per_s} FLOP/s"
    share = flops_per_s / peak_flops_per_s
    if share > MFU_MOST:
        figures = f"{flops_per_s:.3g} FLOP/s is {share:.2f} of the peak of {peak_flops_per_s:.3g}"
        return None, f"{figures}: one of them was measured under other conditions"
    return share, None
