"""scikit-learn's MLPClassifier by `partial_fit`, which is one epoch; float32 in, no penalty, no momentum.

It computes with NumPy, so its threads are those of BLAS. `fit` would do the same over all epochs, with its
checks of the input once instead of once an epoch (a hundredth of the time), and tell nobody when one ends.
Samples are put into the bare loop's order beforehand, which is timed and takes what its own shuffling would.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from nnbench.config import ConfigError
from nnbench.frameworks.job import Done, Epochs, Job, linear_layers


def train(job: Job, epochs: Epochs) -> Done:
    """`MLPClassifier.partial_fit` for each epoch, from the first weights of *job*'s model, and back into it.

    Raises:
        ConfigError: two classes, for which it has a single output and another loss.
    """
    layers = linear_layers(job.model, "scikit-learn")
    if layers[-1].out_features == 2:
        raise ConfigError("data: scikit-learn trains one output for two classes; take a set of three or more")
    x, y = job.images.flatten(1).numpy(), job.labels.numpy()
    network = MLPClassifier(
        tuple(layer.out_features for layer in layers[:-1]), solver="sgd", alpha=0.0, momentum=0.0,
        nesterovs_momentum=False, batch_size=min(job.batch_size, len(y)), learning_rate_init=job.lr,
        shuffle=False,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(job.seed)
    with threadpool_limits(job.threads):
        _begin_with(network, layers, x, y)
        before = network.t_
        for _ in range(job.epochs):
            epochs.begin()
            order = torch.randperm(len(y), generator=generator).numpy()
            network.partial_fit(x[order], y[order])
        epochs.end()
    with torch.no_grad():
        for layer, weights, bias in zip(layers, network.coefs_, network.intercepts_, strict=True):
            layer.weight.copy_(torch.from_numpy(weights.T))
            layer.bias.copy_(torch.from_numpy(bias))
    steps = job.epochs * -(-len(y) // network.batch_size)
    return Done(steps, int(network.t_ - before))


def _begin_with(network: MLPClassifier, layers: list[torch.nn.Linear], x: np.ndarray, y: np.ndarray) -> None:
    """Give *network* the weights of *layers*: a step on a few samples makes its own, which then change."""
    few = slice(0, network.batch_size)
    network.partial_fit(x[few], y[few], classes=np.arange(layers[-1].out_features))
    for layer, weights, bias in zip(layers, network.coefs_, network.intercepts_, strict=True):
        weights[...] = layer.weight.detach().T.numpy()
        bias[...] = layer.bias.detach().numpy()
