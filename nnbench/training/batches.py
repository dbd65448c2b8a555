"""The order of the samples, and their gathering into batches on the device."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from nnbench import devices
from nnbench.config import FULL_BATCH, Arm
from nnbench.data import Split
from nnbench.training.shares import Share

# Samples gathered at once: small batches share a gather, and what was gathered is still in cache when used.
_GATHER = 256
_SCORED_AT_ONCE = 1000


class Samples:
    """A split on the device, as uint8, in batches of floating-point numbers.

    Attributes:
        images: uint8, shape (N, C, H, W), on the device.
        labels: int64, shape (N,), on the device.
    """

    def __init__(self, split: Split, arm: Arm, device: torch.device, scale: torch.Tensor) -> None:
        self.images = split.images.to(device)
        self.labels = split.labels.to(device)
        self.dtype = devices.weight_type(arm.precision)
        self._channels_last = arm.memory_format == "channels_last"
        self._scale = scale.to(device=device, dtype=self.dtype)

    def __len__(self) -> int:
        return len(self.labels)

    def decode(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 pixels to numbers: /255, and standardized where the arm says so."""
        x = images * self._scale[0]  # one pass: a uint8 tensor times a number is of the number's type
        if len(self._scale) > 1:
            x.sub_(self._scale[1]).mul_(self._scale[2])
        return self.placed(x)

    def placed(self, x: torch.Tensor) -> torch.Tensor:
        """A batch (B, C, H, W) in the arm's memory format; a single image is left as it is."""
        if self._channels_last and x.dim() == 4:
            return x.contiguous(memory_format=torch.channels_last)
        return x

    def batches(self, share: Share) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(x, y) of each step of *share*; the last one holds what is left, and may hold nothing."""
        yield from self._sliced(share.order, share.batch)
        if not share.own[-1]:
            yield self.decode(self.images[:0]).to(self.labels.device), self.labels[:0]

    def _sliced(self, order: torch.Tensor, batch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        together = max(1, _GATHER // batch) * batch
        for chunk in order.split(together):
            x = self.decode(self.images.index_select(0, chunk))  # twice as fast as images[chunk]
            y = self.labels.index_select(0, chunk)
            yield from zip(x.split(batch), y.split(batch), strict=True)

    def scoring_batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(x, y) of all samples in the order of the files."""
        for images, labels in zip(
            self.images.split(_SCORED_AT_ONCE), self.labels.split(_SCORED_AT_ONCE), strict=True
        ):
            yield self.decode(images), labels


def pixel_scale(train: Split, normalize: bool) -> torch.Tensor:
    """Factors of `Samples.decode`: (1/255,) or (1/255, mean, 1/deviation) of the training pixels."""
    if not normalize:
        return torch.tensor([1 / 255])
    # From how often each of the 256 values occurs: the pixels as float64 would take eight times their bytes.
    counts = train.images.reshape(-1).bincount(minlength=256).to(torch.float64)
    values, count = torch.arange(256, dtype=torch.float64) / 255, counts.sum()
    mean = (counts * values).sum() / count
    deviation = ((counts * (values - mean) ** 2).sum() / (count - 1)).sqrt().clamp_min(1e-12)
    return torch.stack([torch.tensor(1 / 255, dtype=torch.float64), mean, 1 / deviation])


class Order:
    """The order of the samples in each epoch, on the CPU so that every device gets the same.

    ``reshuffle`` draws a new permutation each epoch, ``shuffle-once`` keeps the first, ``sequential``
    keeps the order of the files, ``replacement`` draws each sample independently.
    """

    def __init__(self, sampling: str, count: int, seed: int) -> None:
        self._sampling = sampling
        self._count = count
        self._generator = torch.Generator().manual_seed(seed)
        self._kept: torch.Tensor | None = None

    def next_epoch(self) -> torch.Tensor:
        """Indices of one epoch, int64, shape (N,)."""
        if self._sampling == "replacement":
            return torch.randint(self._count, (self._count,), generator=self._generator)
        if self._sampling == "reshuffle":
            return torch.randperm(self._count, generator=self._generator)
        if self._kept is None:
            shuffled = self._sampling == "shuffle-once"
            self._kept = (
                torch.randperm(self._count, generator=self._generator) if shuffled
                else torch.arange(self._count)
            )  # fmt: skip
        return self._kept


def batch_length(arm: Arm, count: int) -> int:
    """Samples per step of *arm* on *count* training samples."""
    return count if arm.batch_size == FULL_BATCH else min(int(arm.batch_size), count)
