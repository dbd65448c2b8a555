"""What a data set is: two splits of uint8 images with labels, class names, source and checksum.

Shape legend: N samples, C channels, H height in pixels, W width in pixels, K classes. torch is not imported:
who only wants to know which sets are here shall not wait for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nnbench.config import ConfigError, NnbenchError

if TYPE_CHECKING:
    import torch


_DRAWN = 17  # the seed under which the samples of a part are drawn, always


class DataError(NnbenchError):
    """Data that are missing or damaged: the message names file, found, expected and what mends it."""

    exit_code: ClassVar[int] = 5


class DataMissing(DataError):
    """Data that are not on this machine; nothing is wrong with them, and the message says how to get them."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images with their labels.

    Attributes:
        images: uint8, shape (N, C, H, W), 0 is black, 255 is white.
        labels: int64, shape (N,), index into the data set's classes.

    Raises:
        DataError: another type or shape, no sample at all, or unequal numbers of both.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __post_init__(self) -> None:
        if _type(self.images) != "uint8" or self.images.ndim != 4 or 0 in self.images.shape:
            raise DataError(f"images: expected uint8 (N, C, H, W), found {_describe(self.images)}")
        if _type(self.labels) != "int64" or self.labels.ndim != 1:
            raise DataError(f"labels: expected int64 (N,), found {_describe(self.labels)}")
        if len(self.images) != len(self.labels):
            raise DataError(f"expected a label per image, found {len(self.labels)} for {len(self.images)}")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Two splits of one kind of image.

    Attributes:
        name: as in tables and records.
        train: what is learned from, in a fixed order; `split` holds back its last sixth for choices.
        validation: what is scored; no choice of rate or stopping ever sees it.
        classes: names of the K classes, in the order of the labels.
        source: where the images come from, in words.
        licence: of the images, as SPDX identifier where there is one.
        sha256: of the content (`content_sha256`), 64 hexadecimal digits.
        notes: sentences about the set that whoever reads a result should know.

    Raises:
        DataError: fewer than two classes, labels outside of them, splits of unequal image shape, or a
            checksum that is none.
    """

    name: str
    train: Split
    validation: Split
    classes: tuple[str, ...]
    source: str
    licence: str
    sha256: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise DataError(f"{self.name}: expected 2 or more different classes, found {self.classes}")
        for where, split in (("train", self.train), ("validation", self.validation)):
            low, high = int(split.labels.min()), int(split.labels.max())
            if low < 0 or high >= len(self.classes):
                raise DataError(
                    f"{self.name}: {where} labels: expected 0 to {len(self.classes) - 1} "
                    f"for {len(self.classes)} classes, found {low} to {high}"
                )
        if self.train.images.shape[1:] != self.validation.images.shape[1:]:
            raise DataError(
                f"{self.name}: expected one image shape, found {tuple(self.train.images.shape[1:])} "
                f"in train and {tuple(self.validation.images.shape[1:])} in validation"
            )
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise DataError(f"{self.name}: sha256: expected 64 hexadecimal digits, found {self.sha256!r}")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def split(self, train_on: str, samples: int | None = None) -> tuple[Split, Split]:
        """What is trained on and what is scored.

        Args:
            train_on: ``train`` gives (train, validation); ``tune`` gives (train without its last sixth,
                that sixth), for choices that must not see validation.
            samples: train on so many of them, drawn once and for all: whoever asks for 1,000 gets the same
                ones, in the order of the set, and they are among the 2,000 of another. None for all.

        Raises:
            ConfigError: another word, a training set of one sample to split, or more samples than there are.
        """
        train, scored = self._whole(train_on)
        if samples is None or samples == len(train):
            return train, scored
        if not 1 <= samples <= len(train):
            raise ConfigError(f"train_samples: {self.name} has {len(train)} to train on, got {samples}")
        import torch

        chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(_DRAWN))[:samples].sort()
        return Split(train.images[chosen.values], train.labels[chosen.values]), scored

    def _whole(self, train_on: str) -> tuple[Split, Split]:
        if train_on == "train":
            return self.train, self.validation
        if train_on != "tune":
            raise ConfigError(f"train_on: expected 'train' or 'tune', got {train_on!r}")
        count = len(self.train)
        if count < 2:
            raise ConfigError(f"train_on: 'tune' needs 2 or more training samples, {self.name} has {count}")
        cut = count - max(1, count // 6)
        return (
            Split(self.train.images[:cut], self.train.labels[:cut]),
            Split(self.train.images[cut:], self.train.labels[cut:]),
        )


def content_sha256(train: Split, validation: Split) -> str:
    """SHA-256 of what a model sees, however it was packed: the same on every machine.

    Fed in this order, for train and then for validation: the text ``name N C H W`` and a newline in
    ASCII, the N*C*H*W bytes of the images, the N labels as little-endian int64.
    """
    digest = hashlib.sha256()
    for name, split in (("train", train), ("validation", validation)):
        digest.update(f"{name} {' '.join(str(size) for size in split.images.shape)}\n".encode("ascii"))
        digest.update(split.images.cpu().contiguous().numpy().data)
        digest.update(split.labels.cpu().numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def copies(train: Split, validation: Split) -> list[int]:
    """Positions of the images of *validation* that equal one of *train* pixel by pixel, ascending.

    Whatever their labels: a model that has learned the training set by heart has seen them.
    """
    seen = set(_digests(train.images))
    return [i for i, key in enumerate(_digests(validation.images)) if key in seen]


def _digests(images: torch.Tensor) -> Iterator[bytes]:
    """SHA-256 of each image: a set of them needs a hundredth of the memory of the images."""
    return (hashlib.sha256(image.data).digest() for image in images.cpu().contiguous().numpy())


def _describe(tensor: torch.Tensor) -> str:
    return f"{_type(tensor)} {tuple(tensor.shape)}"


def _type(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
