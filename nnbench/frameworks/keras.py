"""Keras 3 on its torch backend, by `Model.fit` on a torch DataLoader of whole batches.

``jit_compile`` is left at ``"auto"``, which its documentation resolves to eager execution on this backend
(no other framework compiles here either); ``steps_per_execution`` must be 1 there. Without metrics, bars and
validation. (On tensors of its own shuffling it is as fast; so all orders are the bare loop's.)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from nnbench.config import ConfigError
from nnbench.frameworks.batches import ShuffledBatches
from nnbench.frameworks.job import Done, Epochs, Job, linear_layers

os.environ["KERAS_BACKEND"] = "torch"  # read once, when keras is imported
import keras


class _Batches(IterableDataset[Any]):
    """Whole batches, which a DataLoader without a batch size hands on as they are."""

    def __init__(self, batches: ShuffledBatches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return iter(self._batches)


class _Observer(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    def __init__(self, epochs: Epochs, batches: ShuffledBatches) -> None:
        super().__init__()
        self._epochs, self._batches = epochs, batches

    def on_train_begin(self, logs: Any = None) -> None:
        self._batches.begin_anew()  # it has looked at a first batch, to learn shapes

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epochs.begin()

    def on_train_end(self, logs: Any = None) -> None:
        self._epochs.end()


def train(job: Job, epochs: Epochs) -> Done:
    """One `Model.fit`, on the CPU, from the first weights of *job*'s model, into which the last ones go.

    Raises:
        ConfigError: something else has imported Keras before, with another backend.
    """
    if keras.backend.backend() != "torch":
        raise ConfigError(
            f"framework: keras runs on {keras.backend.backend()!r} in this process, which imported it before "
            "nnbench; set KERAS_BACKEND=torch"
        )
    layers = linear_layers(job.model, "keras")
    batches = ShuffledBatches(replace(job, images=job.images.flatten(1)))
    with keras.device("cpu"):
        model = _twin(layers)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.SGD(job.lr), loss=loss)
        loader = DataLoader(_Batches(batches), batch_size=None)
        observer = _Observer(epochs, batches)
        model.fit(loader, epochs=job.epochs, shuffle=False, verbose=0, callbacks=[observer])
    with torch.no_grad():
        for layer, dense in zip(layers, model.layers, strict=True):
            layer.weight.copy_(dense.kernel.value.T)
            layer.bias.copy_(dense.bias.value)
    return Done(int(model.optimizer.iterations), batches.samples)


def _twin(layers: list[torch.nn.Linear]) -> Any:
    """The same perceptron of Keras's layers, with the same weights."""
    dense = [keras.layers.Dense(layer.out_features, activation="relu") for layer in layers[:-1]]
    dense.append(keras.layers.Dense(layers[-1].out_features))
    model = keras.Sequential([keras.Input((layers[0].in_features,)), *dense])
    weights = [part.detach().numpy() for layer in layers for part in (layer.weight.T, layer.bias)]
    model.set_weights(weights)
    return model
