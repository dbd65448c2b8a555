"""Batch norm over parts of a batch: what workers that keep their statistics to themselves compute.

One process then shows what local batch norm does on many workers; with statistics shared by groups of workers
(distributed batch norm), a part is what a group sees together. Hoffer, Hubara, Soudry 2017 ("Train longer,
generalize better", arXiv 1705.08741), Algorithm 1 (ghost batch normalization); Ying et al. 2018 (arXiv
1811.06992) for groups of workers.
"""

from __future__ import annotations

import torch
from torch import nn


class GhostBatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` whose statistics in training are those of each *part* of the batch.

    Running statistics move by the mean over parts; evaluation is that of plain batch norm. The samples that
    are left when a batch is no multiple of *part* make a part of their own, which counts by its share.
    """

    def __init__(self, channels: int, part: int) -> None:
        super().__init__(channels)
        self.part = part

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002, as torch has it
        """Features (B, C, H, W) to the same shape."""
        if not self.training or len(input) <= self.part:
            return super().forward(input)
        whole = len(input) // self.part * self.part
        pieces = [input[:whole].unflatten(0, (-1, self.part)), input[None, whole:]]
        found = [self._normalized(piece) for piece in pieces if piece.numel()]
        self._track([(len(y) / len(input), mean, variance) for y, mean, variance in found])
        y = torch.cat([y for y, _, _ in found])
        return y * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)

    def _normalized(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Parts (P, part, C, H, W) normalized, as (P * part, C, H, W); mean and variance, averaged."""
        axes = (1, 3, 4)
        mean = x.mean(axes, keepdim=True)
        variance = (x - mean).square().mean(axes, keepdim=True)
        count = x.shape[1] * x.shape[3] * x.shape[4]
        y = ((x - mean) * (variance + self.eps).rsqrt()).flatten(0, 1)
        unbiased = variance.detach() * (count / max(1, count - 1))
        return y, mean.detach().mean(0).flatten(), unbiased.mean(0).flatten()

    @torch.no_grad()
    def _track(self, found: list[tuple[float, torch.Tensor, torch.Tensor]]) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        means = torch.stack([weight * mean for weight, mean, _ in found])
        variances = torch.stack([weight * variance for weight, _, variance in found])
        self.running_mean.lerp_(means.sum(0), share)
        self.running_var.lerp_(variances.sum(0), share)
