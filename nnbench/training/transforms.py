"""What a Dataset does to each image on its own, before it is stacked into a batch.

A transform is a function from an image, uint8, (C, H, W), to one of the same shape and type. It draws no
random numbers: an image gives the same result in every epoch, in any worker, in training and validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from nnbench.config import known_or_path, load_object

Transform = Callable[[torch.Tensor], torch.Tensor]
TRANSFORMS: Mapping[str, str] = {"equalize": "nnbench.training.transforms:equalize"}


def transform_of(name: str) -> Transform:
    """The transform called *name*, or your own ``package.module:function``.

    Raises:
        ConfigError: an unknown name, or nothing is there.
    """
    known_or_path("loader_args.transform", name, TRANSFORMS)
    found: Transform = load_object(TRANSFORMS.get(name, name))
    return found


def equalize(image: torch.Tensor) -> torch.Tensor:
    """Histogram equalization (Gonzalez and Woods, 3.3): each pixel becomes its rank among them, 0 to 255."""
    ranks = image.flatten().bincount(minlength=256).cumsum(0)
    return (ranks * 255 // ranks[-1]).to(torch.uint8)[image.long()]
