"""The lecture's own way to the samples: a Dataset of single images, and a DataLoader that stacks them.

It gives the same batches in the same order as slicing (`nnbench.training.batches`), image by image and
therefore more slowly; what that costs is a benchmark of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from nnbench import devices
from nnbench.config import Arm, ConfigError, plain
from nnbench.data import Split
from nnbench.training.batches import Samples
from nnbench.training.transforms import Transform, transform_of

Batch = tuple[torch.Tensor, torch.Tensor]


class ImageDataset(Dataset[Batch]):
    """One image at a time: pixels as numbers, (C, H, W), and the label, a scalar."""

    def __init__(self, split: Split, samples: Samples, transform: Transform | None = None) -> None:
        self._split, self._samples, self._transform = split, samples, transform

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: int) -> Batch:
        image = self._split.images[index]
        if self._transform is not None:
            image = self._transform(image)
        return self._samples.decode(image), self._split.labels[index]


class _GivenOrder(Sampler[int]):
    """The numbers that it was given last, so that one loader, with its workers, serves all epochs."""

    def __init__(self, count: int) -> None:
        self.order = torch.arange(count)

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order.tolist())


class LoadedSamples(Samples):
    """A split behind a Dataset and a DataLoader; the images stay on the CPU until their batch is used.

    Raises:
        ConfigError: `loader_args` that no DataLoader takes; beside its own it may hold a ``transform``.
        DeviceMissing: pinned memory is asked for, and there is no GPU to copy to.
    """

    def __init__(self, split: Split, arm: Arm, device: torch.device, scale: torch.Tensor, batch: int) -> None:
        super().__init__(split, arm, torch.device("cpu"), scale)
        self.labels = split.labels.to(device)
        self._device = device
        self._order = _GivenOrder(len(split))
        arguments = plain(arm.loader_args)
        if arguments.get("pin_memory") and not devices.is_asynchronous(device):
            raise devices.DeviceMissing(
                "loader_args: pin_memory is for the copy to a GPU, and this arm trains on the CPU"
            )
        name = arguments.pop("transform", None)
        # Not by itself: workers end when their loader is freed; in a ring it would wait for the collector.
        decoder = Samples(split, arm, torch.device("cpu"), scale)
        dataset = ImageDataset(split, decoder, None if name is None else transform_of(name))
        try:
            self.loader = DataLoader(
                dataset,
                batch_size=batch,
                sampler=self._order,
                generator=torch.Generator(),  # its draws must not move the numbers that dropout gets
                **arguments,
            )
        except (TypeError, ValueError) as error:
            raise ConfigError(f"loader_args: {plain(arm.loader_args)}: {error}") from error

    def _sliced(self, order: torch.Tensor, batch: int) -> Iterator[Batch]:
        self._order.order = order.cpu()
        yield from self._loaded()

    def scoring_batches(self) -> Iterator[Batch]:
        self._order.order = torch.arange(len(self))
        yield from self._loaded()

    def _loaded(self) -> Iterator[Batch]:
        for x, y in self.loader:
            yield self.placed(x.to(self._device, non_blocking=True)), y.to(self._device, non_blocking=True)


def samples_of(split: Split, arm: Arm, device: torch.device, scale: torch.Tensor, batch: int) -> Samples:
    """The samples of *split*, by the loader that the arm asks for."""
    if arm.loader == "dataloader":
        return LoadedSamples(split, arm, device, scale, batch)
    return Samples(split, arm, device, scale)
