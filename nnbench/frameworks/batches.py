"""Batches of tensors in memory, in a new order each epoch: what torch's frameworks are fed with."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from nnbench.frameworks.job import Job


class ShuffledBatches:
    """Gathers each batch at once, as the bare loop does, so that no framework pays for single samples.

    Under one seed the orders are those of the bare loop, epoch by epoch.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self.begin_anew()

    def begin_anew(self) -> None:
        """Go back to the order of the first epoch."""
        self._generator = torch.Generator().manual_seed(self._job.seed)
        self.samples = 0  # given out so far, over all epochs

    def __len__(self) -> int:
        return -(-len(self._job.labels) // self._job.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        images, labels = self._job.images, self._job.labels
        for chosen in torch.randperm(len(labels), generator=self._generator).split(self._job.batch_size):
            self.samples += len(chosen)
            yield images.index_select(0, chosen), labels.index_select(0, chosen)
