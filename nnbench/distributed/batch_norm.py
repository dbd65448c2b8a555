"""Batch norm over the batch of all ranks, for CPUs too: torch's SyncBatchNorm needs a GPU.

Local batch norm normalizes each rank's share by its own statistics, as plain torch modules do; the global
one gives every rank the statistics of the whole batch, so that R ranks compute what one would.

Source: Ioffe and Szegedy 2015, "Batch Normalization", arXiv 1502.03167; across ranks: Ying et al. 2018,
"Image Classification at Supercomputer Scale", arXiv 1811.06992, section 3.4 (distributed batch norm).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm


class _SumOverRanks(Function):
    """y = sum of every rank's x. The gradient of x is the sum of every rank's gradient of its y."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, group: dist.ProcessGroup | None) -> torch.Tensor:
        ctx.group = group
        total = x.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        total = gradients[0].clone()
        dist.all_reduce(total, group=ctx.group)
        return total, None


class GlobalBatchNorm(nn.Module):
    """A batch norm whose mean and variance are those of all ranks' inputs, (B, C, ...) on each.

    Parameters, running statistics and their names are those of the module that it replaces; evaluation is
    the same too. In training a forward pass sums twice over the ranks (first the mean, then the squares
    around it, so that nothing cancels), the backward pass as often. A rank may hold no sample.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    running_mean: torch.Tensor | None
    running_var: torch.Tensor | None
    num_batches_tracked: torch.Tensor | None

    def __init__(self, local: _BatchNorm, group: dist.ProcessGroup | None = None) -> None:
        super().__init__()
        self.eps, self.momentum, self.group = local.eps, local.momentum, group
        self.weight, self.bias = local.weight, local.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(local, name))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) to the same shape."""
        if not self.training and self.running_mean is not None:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        axes = [0, *range(2, x.ndim)]
        per_channel = [1, -1, *[1] * (x.ndim - 2)]
        count = torch.tensor([x.numel() // x.shape[1]], dtype=x.dtype, device=x.device)
        sums = _SumOverRanks.apply(torch.cat([x.sum(axes), count]), self.group)
        total = sums[-1].detach()
        mean = sums[:-1] / total
        centred = x - mean.view(per_channel)
        variance = _SumOverRanks.apply(centred.square().sum(axes), self.group) / total
        self._track(mean.detach(), variance.detach(), total)
        y: torch.Tensor = centred * (variance + self.eps).rsqrt().view(per_channel)
        if self.weight is None or self.bias is None:
            return y
        return y * self.weight.view(per_channel) + self.bias.view(per_channel)

    @torch.no_grad()
    def _track(self, mean: torch.Tensor, variance: torch.Tensor, total: torch.Tensor) -> None:
        """Running statistics as torch keeps them: the variance unbiased, momentum None a plain average."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * total / (total - 1), share)


def with_global_batch_norm(model: nn.Module, group: dist.ProcessGroup | None = None) -> nn.Module:
    """*model* with each batch norm replaced by a `GlobalBatchNorm` over *group*, its weights kept."""
    if isinstance(model, _BatchNorm):
        return GlobalBatchNorm(model, group)
    for name, child in model.named_children():
        setattr(model, name, with_global_batch_norm(child, group))
    return model
