"""Several processes that train one arm: torchrun's environment, process groups, batch norm across ranks."""

from nnbench.distributed.batch_norm import GlobalBatchNorm, with_global_batch_norm
from nnbench.distributed.failure import Failure, failure_of
from nnbench.distributed.group import ALONE, Group
from nnbench.distributed.world import Place, Stopped, World, joined, launcher, place_of

__all__ = [
    "ALONE", "Failure", "GlobalBatchNorm", "Group", "Place", "Stopped", "World", "failure_of",
    "joined", "launcher", "place_of", "with_global_batch_norm",
]  # fmt: skip
