"""Images whose pixels are permuted, always in the same way: no pixel keeps its neighbours, none is lost.

Who looks at each pixel by itself sees the same problem; who looks at neighbourhoods does not.
"""

from __future__ import annotations

from pathlib import Path

import torch

from nnbench.data import Dataset, Split, content_sha256, load

_SEED = 28


def permuted(dataset: Dataset) -> Dataset:
    """*dataset* with the pixels of every image in one other order."""
    _, height, width = dataset.input_shape
    order = torch.randperm(height * width, generator=torch.Generator().manual_seed(_SEED))

    def mixed(split: Split) -> Split:
        return Split(split.images.flatten(2)[..., order].reshape(split.images.shape), split.labels)

    train, validation = mixed(dataset.train), mixed(dataset.validation)
    return Dataset(
        name=f"{dataset.name}, permuted",
        train=train,
        validation=validation,
        classes=dataset.classes,
        source=f"{dataset.source}; pixels permuted, alike in every image",
        licence=dataset.licence,
        sha256=content_sha256(train, validation),
    )


def fashion_mini(folder: Path | None = None) -> Dataset:
    """The embedded garments, permuted."""
    return permuted(load("fashion-mini", folder))


def mnist(folder: Path | None = None) -> Dataset:
    """The digits of MNIST, permuted."""
    return permuted(load("mnist", folder))
