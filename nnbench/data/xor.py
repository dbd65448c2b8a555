"""xor: the four points that no single layer can separate, as images of 1x2 pixels, 0 or 255.

Source of the argument: Minsky and Papert 1969, "Perceptrons".
"""

from __future__ import annotations

from pathlib import Path

import torch

from nnbench.data.dataset import Dataset, Split, content_sha256


def xor(folder: Path | None = None) -> Dataset:
    """Four samples; *folder* is not needed. Validation is the training set: there are no other points.

    Accuracy on it therefore says whether a model can represent the function, not whether it generalizes.
    """
    points = torch.tensor([[0, 0], [0, 255], [255, 0], [255, 255]], dtype=torch.uint8)
    labels = torch.tensor([0, 1, 1, 0])
    split = Split(points.reshape(4, 1, 1, 2), labels)
    return Dataset(
        name="xor",
        train=split,
        validation=split,
        classes=("equal", "different"),
        source="the truth table of exclusive or; validation equals train",
        licence="CC0-1.0",
        sha256=content_sha256(split, split),
    )
