"""The ranks that train one arm together."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from nnbench.distributed.batch_norm import with_global_batch_norm

T = TypeVar("T")
# torch 2.15 has renamed the option, and warns of the old name.
_SENDS_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")
    if name in inspect.signature(DistributedDataParallel).parameters
)


@dataclass(frozen=True)
class Group:
    """Ranks that train one arm together; each method is called by all of them or by none.

    Without a *handle* it is one process alone, for which nothing needs to be sent.

    Attributes:
        rank: of this process in the group, 0 to size - 1.
        size: number of ranks.
        handle: torch's process group.
        device: where this rank computes; None leaves the choice to the arm.
    """

    rank: int = 0
    size: int = 1
    handle: dist.ProcessGroup | None = None
    device: torch.device | None = None

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum of every rank's *tensor*."""
        if self.handle is not None:
            tensor = tensor.clone()
            dist.all_reduce(tensor, group=self.handle)
        return tensor

    def gather(self, value: T) -> list[T]:
        """Every rank's *value*, in the order of the ranks, on each of them."""
        if self.handle is None:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self.handle)
        return values

    def wait(self) -> None:
        """Return when every rank has come here."""
        if self.handle is not None:
            dist.barrier(group=self.handle)

    def normalized(self, model: nn.Module, batch_norm: str) -> nn.Module:
        """*model* with the batch norm that the arm asks for, 'local' or 'global'."""
        if self.handle is None or batch_norm == "local":
            return model
        return with_global_batch_norm(model, self.handle)

    def parallel(self, model: nn.Module) -> nn.Module:
        """*model* with its gradients averaged over the ranks in each backward pass (Li et al. 2020).

        Running statistics of a local batch norm are each rank's own while training, see `send_buffers`.
        """
        if self.handle is None:
            return model
        first = next(model.parameters())
        devices = [first.device] if first.device.type == "cuda" else None
        options: dict[str, Any] = {_SENDS_BUFFERS: False}
        return DistributedDataParallel(model, device_ids=devices, process_group=self.handle, **options)

    def send_buffers(self, model: nn.Module) -> None:
        """Give every rank the buffers (running statistics) of rank 0, so that all score one model."""
        if self.handle is not None:
            for buffer in model.buffers():
                dist.broadcast(buffer, src=dist.get_global_rank(self.handle, 0), group=self.handle)


ALONE = Group()
