"""Lightning's Trainer in its ``barebones`` mode, which its documentation has for just this comparison.

Logger, checkpoints, progress bar, model summary and sanity check are off, optimization is automatic as by
default, and the batches come from an iterable over tensors in memory.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F

from nnbench.frameworks.batches import ShuffledBatches
from nnbench.frameworks.job import Done, Epochs, Job


class _Module(L.LightningModule):  # type: ignore[misc, unused-ignore]
    def __init__(self, job: Job, epochs: Epochs) -> None:
        super().__init__()
        self.model, self._lr, self._epochs = job.model, job.lr, epochs

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x, y = batch
        return F.cross_entropy(self.model(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.model.parameters(), lr=self._lr)

    def on_train_epoch_start(self) -> None:
        self._epochs.begin()

    def on_train_end(self) -> None:
        self._epochs.end()


def train(job: Job, epochs: Epochs) -> Done:
    """One `Trainer.fit`, on the CPU."""
    batches = ShuffledBatches(job)
    with _silent():
        trainer = L.Trainer(max_epochs=job.epochs, accelerator="cpu", devices=1, barebones=True)
        trainer.fit(_Module(job, epochs), batches)
    return Done(trainer.global_step, batches.samples)


@contextmanager
def _silent() -> Iterator[None]:
    """It tells of what is switched off, of devices and of tips, in the log and as warnings."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
