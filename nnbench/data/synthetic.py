"""synthetic: class-coded noise images, for shapes and timing. Accuracy on them says nothing about real data.

Each class has a template, blurred noise; each image is its class's template, moved by up to two pixels
each way, under noise of its own. All arithmetic is on integers and all randomness is SHAKE-256 of a text,
so that the images are the same on every machine and with every library version.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nnbench.data.dataset import Dataset, Split, content_sha256

_BLURS = 3  # box blurs of 3x3, one after the other
_SHIFT = 2  # pixels


def synthetic(folder: Path | None = None) -> Dataset:
    """2,000 training and 500 validation images, 1x28x28, 10 classes in turn; *folder* is not needed."""
    return coded_noise()


def coded_noise(
    *,
    train: int = 2000,
    validation: int = 500,
    shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    seed: int = 0,
) -> Dataset:
    """A synthetic data set of any size, for a factory of your own.

    Args:
        train: number of images to learn from.
        validation: number of images to score.
        shape: (C, H, W) of one image.
        classes: K; sample n has the label n modulo K.
        seed: of templates and noise.

    Raises:
        DataError: no images, or fewer than two classes.
    """
    templates = _templates(classes, shape, seed)
    parts = [
        _images(templates, count, f"{name} {seed}")
        for name, count in (("train", train), ("validation", validation))
    ]
    return Dataset(
        name="synthetic",
        train=parts[0],
        validation=parts[1],
        classes=tuple(f"synthetic {label}" for label in range(classes)),
        source=f"synthetic: class-coded noise of nnbench, seed {seed}",
        licence="CC0-1.0",
        sha256=content_sha256(*parts),
    )


def _noise(text: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Integers 0 … 255 of *shape*, uniform and independent, by the text alone."""
    stream = hashlib.shake_256(f"nnbench synthetic {text}".encode()).digest(int(np.prod(shape)))
    return np.frombuffer(stream, np.uint8).reshape(shape).astype(np.int64)


def _templates(classes: int, shape: tuple[int, int, int], seed: int) -> NDArray[np.int64]:
    """Blurred noise stretched to 0 … 255, shape (K, C, H, W)."""
    pictures = _noise(f"templates {seed}", (classes, *shape))
    for _ in range(_BLURS):
        for axis in (2, 3):
            pictures = pictures + np.roll(pictures, 1, axis) + np.roll(pictures, -1, axis)
    pictures -= pictures.min((1, 2, 3), keepdims=True)
    stretched: NDArray[np.int64] = pictures * 255 // np.maximum(pictures.max((1, 2, 3), keepdims=True), 1)
    return stretched


def _images(templates: NDArray[np.int64], count: int, text: str) -> Split:
    labels = np.arange(count) % len(templates)
    shifts = _noise(f"shifts {text}", (count, 2)) % (2 * _SHIFT + 1) - _SHIFT
    noise = _noise(f"noise {text}", (count, *templates.shape[1:]))
    clean = np.empty_like(noise)
    for index, (down, right) in enumerate(shifts):
        clean[index] = np.roll(templates[labels[index]], (down, right), (1, 2))
    pixels = (clean + noise) // 2
    return Split(torch.from_numpy(pixels.astype(np.uint8)), torch.from_numpy(labels.astype(np.int64)))
