"""The sums of a loader: how many steps, how large the last batch, which order; and what is in a set."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from nnbench.config import ConfigError, ProbeResult
from nnbench.data import Split, load


def loader_sums(
    samples: int, batch_size: int, *, shuffle: bool = False, drop_last: bool = False
) -> ProbeResult:
    """Two epochs of `torch.utils.data.DataLoader` over so many samples.

    Returns:
        loader_steps, batches of an epoch; last_batch, samples of its last one; met_share, the share of the
        samples that an epoch meets; met_twice, samples that it meets more than once; orders_differ, whether
        the second epoch has another order.

    Raises:
        ConfigError: no samples, or a batch of none.
    """
    if samples < 1 or batch_size < 1:
        raise ConfigError(f"samples, batch_size: expected 1, 2, …, got {samples} and {batch_size}")
    numbers: Any = range(samples)  # a data set is what has a length and items
    loader: DataLoader[int] = DataLoader(
        numbers, batch_size, shuffle=shuffle, drop_last=drop_last, collate_fn=list,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    first, second = (list(loader) for _ in range(2))
    met = [sample for batch in first for sample in batch]
    return ProbeResult(
        metrics={
            "loader_steps": len(first), "last_batch": len(first[-1]) if first else 0,
            "met_share": len(set(met)) / samples, "met_twice": len(met) - len(set(met)),
            "orders_differ": int(first != second),
        }
    )  # fmt: skip


def label_at(data: str, place: int, data_folder: Path | None = None) -> dict[str, int]:
    """The label of training image number *place*, from 0.

    Raises:
        ConfigError: the set has no such image.
        DataError: the set is not here.
    """
    labels = load(data, data_folder).train.labels
    if not 0 <= place < len(labels):
        raise ConfigError(f"place: expected 0 to {len(labels) - 1}, got {place}")
    return {"label": int(labels[place])}


def contents(data: str, data_folder: Path | None = None) -> dict[str, float]:
    """How many images a set has, and how many of them twice, pixel by pixel.

    Returns:
        train_images, validation_images, images; distinct_images; leaked_images, those of the validation set
        that are also in the training set, and leaked_share.

    Raises:
        DataError: the set is not here.
    """
    dataset = load(data, data_folder)
    train, validation = _digests(dataset.train), _digests(dataset.validation)
    known = set(train)
    leaked = sum(digest in known for digest in validation)
    return {
        "train_images": len(train), "validation_images": len(validation),
        "images": len(train) + len(validation), "distinct_images": len(known | set(validation)),
        "leaked_images": leaked, "leaked_share": leaked / len(validation), "classes": len(dataset.classes),
    }  # fmt: skip


def _digests(split: Split) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in split.images.numpy()]
