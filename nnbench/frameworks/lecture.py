"""The lecture's loop, as PyTorch's tutorials write it: images one by one, and a look at every loss.

Each sample is an image of Pillow's that torchvision's ``ToTensor`` turns into numbers, as torchvision's own
data sets give it; a DataLoader in this process stacks them; loss and right answers are read back after each
step.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms import ToTensor

from nnbench.frameworks.job import Done, Epochs, Job


class _Images(Dataset[tuple[torch.Tensor, int]]):
    """One image at a time, as `torchvision.datasets.MNIST` has it."""

    def __init__(self, job: Job) -> None:
        self._pixels, self._labels, self._transform = job.pixels, job.labels, ToTensor()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        pixels = self._pixels[index]
        # Pillow has grey images as (H, W), coloured ones as (H, W, C)
        image = Image.fromarray(
            pixels.squeeze(0).numpy() if len(pixels) == 1 else pixels.permute(1, 2, 0).numpy()
        )
        return self._transform(image), int(self._labels[index])


class _Shuffled(Sampler[int]):
    """A new order in each epoch; under one seed those of the bare loop."""

    def __init__(self, job: Job) -> None:
        self._count, self._generator = len(job.labels), torch.Generator().manual_seed(job.seed)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(self._count, generator=self._generator).tolist())


def train(job: Job, epochs: Epochs) -> Done:
    """Load, forward, backward, step; sum up losses and right answers as numbers."""
    loader = DataLoader(_Images(job), batch_size=job.batch_size, sampler=_Shuffled(job))
    optimizer = torch.optim.SGD(job.model.parameters(), lr=job.lr)
    steps = samples = 0
    for _ in range(job.epochs):
        epochs.begin()
        running_loss, right = 0.0, 0
        for x, y in loader:
            optimizer.zero_grad()
            outputs = job.model(x)
            loss = F.cross_entropy(outputs, y)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            right += int((outputs.argmax(1) == y).sum().item())
            steps, samples = steps + 1, samples + len(y)
    epochs.end()
    return Done(steps, samples)
