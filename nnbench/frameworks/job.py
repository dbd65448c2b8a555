"""What every framework is given, what it gives back, and when its epochs begin and end."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from nnbench.config import ConfigError
from nnbench.training import Listener


@dataclass(frozen=True, eq=False)
class Job:
    """A training as every framework gets it: plain SGD on cross-entropy, constant rate, no decay.

    Attributes:
        images: float32, shape (N, C, H, W), on the CPU.
        pixels: the same as they are stored, uint8, shape (N, C, H, W).
        labels: int64, shape (N,).
        model: with its first weights, (B, C, H, W) to logits (B, K). It holds the trained ones at the end: a
            framework with layers of its own copies them in and out.
        lr, batch_size, epochs: the last batch of an epoch is short where N is no multiple.
        threads: for a framework that does not compute with torch.
        seed: of the order of the samples, drawn anew in each epoch.
    """

    images: torch.Tensor
    pixels: torch.Tensor
    labels: torch.Tensor
    model: nn.Module
    lr: float
    batch_size: int
    epochs: int
    threads: int
    seed: int


@dataclass(frozen=True)
class Done:
    """What a framework says that it has done, from counters of its own where it has some."""

    steps: int
    samples: int


class Epochs:
    """Announces the epochs of a loop that is not ours: each lasts until the next begins, or all is over.

    What a framework does between two epochs is thus part of the first. What comes before the first one
    (checks, the trainer's set-up) and after the last is not timed.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._epoch, self._open = 0, False

    def begin(self) -> None:
        """The next epoch begins now."""
        self.end()
        self._epoch += 1
        self._open = True
        self._listener.epoch_started(self._epoch)

    def end(self) -> None:
        """The last epoch is over."""
        if self._open:
            self._open = False
            self._listener.epoch_trained(self._epoch)


def linear_layers(model: nn.Module, framework: str) -> list[nn.Linear]:
    """The linear layers of a perceptron of ReLU units, in order.

    Raises:
        ConfigError: *model* holds something else, which *framework* would have to build anew.
    """
    leaves = [layer for layer in model.modules() if not [*layer.children()]]
    linear = [layer for layer in leaves if isinstance(layer, nn.Linear)]
    units = [layer for layer in leaves if isinstance(layer, nn.ReLU)]
    if len(linear) + len(units) != len(leaves) or len(units) != len(linear) - 1:
        other = next((type(layer).__name__ for layer in leaves if layer not in linear + units), "no ReLU")
        raise ConfigError(
            f"model_args: {framework} trains linear layers with ReLU between them here, got {other}; leave "
            "out activation and dropout"
        )
    return linear
