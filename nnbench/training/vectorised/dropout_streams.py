"""Dropout of many members at once, each from a stream of its own: the numbers that it would draw alone.

`vmap` would draw them from one stream. Here every `nn.Dropout` of the model multiplies by a mask that is
given to it, and the masks are drawn as `torch.nn.functional.dropout` draws them on a CPU: an empty tensor of
the input's shape, filled by bernoulli(1 - p), divided by 1 - p.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class GivenDropout(nn.Module):
    """Multiplies by its buffer `mask` while training; the mask of each step is given from outside.

    Attributes:
        shape: of one sample of its input; empty until `passage` has seen one.
    """

    mask: torch.Tensor

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.shape: tuple[int, ...] = ()
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Input (B, …) times the mask of that shape."""
        return x * self.mask if self.training else x


def give_dropout(model: nn.Module) -> dict[str, GivenDropout]:
    """Put a `GivenDropout` in the place of each `nn.Dropout` of *model* that draws; name -> layer."""
    layers = {}
    for name, module in list(model.named_modules()):
        if type(module) is nn.Dropout and 0 < module.p < 1:
            layers[name] = GivenDropout(module.p)
            model.set_submodule(name, layers[name])
    return layers


def passage(model: nn.Module, layers: dict[str, GivenDropout], x: torch.Tensor) -> list[str]:
    """Names of *layers* in the order in which samples x (B, …) pass them, a name for each time."""
    passed: list[str] = []

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(layer, GivenDropout)
        layer.shape = tuple(inputs[0].shape[1:])
        passed.append(next(name for name, each in layers.items() if each is layer))

    handles = [layer.register_forward_pre_hook(note) for layer in layers.values()]
    with torch.no_grad():
        model.train()(x)
    for handle in handles:
        handle.remove()
    return passed


class DropoutStreams:
    """The streams of all members, and the masks of one step after the other.

    Args:
        layers: name in the model -> layer, in the order in which a sample passes them.
        seeds: of the members' streams.
        like: of the masks' type and device.
    """

    def __init__(self, layers: dict[str, GivenDropout], seeds: Sequence[int], like: torch.Tensor) -> None:
        self._layers, self._seeds, self._like = layers, tuple(seeds), like
        self._generators = [torch.Generator(like.device).manual_seed(seed) for seed in seeds]

    def rewound(self) -> DropoutStreams:
        """The same streams from their start."""
        return DropoutStreams(self._layers, self._seeds, self._like)

    def masks(self, batch: int) -> dict[str, torch.Tensor]:
        """Name of the buffer -> masks (M, B, …) of the next step of *batch* samples."""
        return {f"{name}.mask": self._drawn(layer, batch) for name, layer in self._layers.items()}

    def _drawn(self, layer: GivenDropout, batch: int) -> torch.Tensor:
        masks = self._like.new_empty(len(self._generators), batch, *layer.shape)
        for mask, generator in zip(masks.unbind(), self._generators, strict=True):
            mask.bernoulli_(1 - layer.share, generator=generator)
        return masks.div_(1 - layer.share)
