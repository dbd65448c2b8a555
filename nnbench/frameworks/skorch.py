"""skorch without callbacks, without a validation split, silent, over batches of tensors in memory.

``callbacks="disable"`` is what its documentation gives for speed; ``iterator_train`` takes the place of a
DataLoader, which would stack single samples. Its history of losses cannot be switched off: it is what skorch
is, and its time counts.
"""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from torch import nn
from torch.utils.data import TensorDataset

from nnbench.frameworks.batches import ShuffledBatches
from nnbench.frameworks.job import Done, Epochs, Job


class _Net(NeuralNet):  # type: ignore[misc, unused-ignore]
    """Announces its epochs; with callbacks disabled, the net's own hooks are still called."""

    epochs: Epochs

    def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
        super().on_epoch_begin(*args, **kwargs)
        self.epochs.begin()

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        self.epochs.end()
        super().on_train_end(*args, **kwargs)


def train(job: Job, epochs: Epochs) -> Done:
    """One `NeuralNet.fit`, on the CPU. A module that it is given is trained in place."""
    batches = ShuffledBatches(job)
    net = _Net(
        job.model, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, lr=job.lr,
        batch_size=job.batch_size, max_epochs=job.epochs, train_split=None, callbacks="disable", verbose=0,
        iterator_train=lambda dataset, batch_size: batches, device="cpu",
    )  # fmt: skip
    net.epochs = epochs
    net.fit(TensorDataset(job.images, job.labels), None)
    seen = [batch["train_batch_size"] for epoch in net.history for batch in epoch["batches"]]
    return Done(len(seen), sum(seen))
