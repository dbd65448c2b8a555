"""Which samples of an epoch a rank trains on, and how much its loss weighs in each step."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Share:
    """One rank's part of an epoch. Ranks take a batch's samples in turn: disjoint, and complete together.

    Attributes:
        order: numbers of its samples, step after step, int64, shape (n,), on the device.
        batch: its samples in a full step, at most.
        sizes: samples of each step over all ranks, int64, shape (steps,).
        own: of these, this rank's; a last short step may leave it none.
        ranks: how many ranks share.
    """

    order: torch.Tensor
    batch: int
    sizes: torch.Tensor
    own: torch.Tensor
    ranks: int

    @property
    def samples(self) -> int:
        """Number of this rank's samples."""
        return len(self.order)

    def weights(self) -> Iterable[float | None]:
        """For each step the factor of this rank's loss; None is 1.

        Each rank's loss is the mean over its own samples, and gradients are averaged over the ranks: where
        the shares of a step are unequal, the factor makes of it the mean over all samples of the step.
        """
        if self.ranks == 1:
            return itertools.repeat(None)
        factors = (self.own * self.ranks / self.sizes).tolist()
        return [None if factor == 1 else factor for factor in factors]


def share_of(order: torch.Tensor, batch: int, rank: int = 0, ranks: int = 1) -> Share:
    """What *rank* of *ranks* trains on.

    Args:
        order: numbers of all samples of the epoch, int64, shape (N,).
        batch: samples per step over all ranks; the last step holds what is left.
    """
    count = len(order)
    sizes = torch.full((-(-count // batch),), batch)
    sizes[-1] = count - batch * (len(sizes) - 1)
    if ranks == 1:
        return Share(order, batch, sizes, sizes, ranks)
    place_in_step = torch.arange(count, device=order.device) % batch
    own = (sizes - rank + ranks - 1) // ranks
    return Share(order[place_in_step % ranks == rank], -(-batch // ranks), sizes, own, ranks)
