"""What a training leaves behind."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class History:
    """What a training leaves behind.

    Attributes:
        curves: one value per completed epoch: train_loss, train_accuracy (both over the steps of the
            epoch, as they were when each batch was seen), validation_loss, validation_accuracy, and
            the cumulative counts steps and samples.
        model: the trained model.
        status: "OK", or "DIVERGED" when a training or validation loss was not finite.
        first_bad_step: 1, 2, …: the first whose loss, or whose weights in validation, were not finite;
            None unless diverged.
        steps, samples: counted, not planned; a diverged training counts up to its first bad step.
    """

    model: nn.Module
    curves: dict[str, list[float]] = field(default_factory=dict)
    status: str = "OK"
    first_bad_step: int | None = None
    steps: int = 0
    samples: int = 0

    def weights_sha256(self) -> str:
        """SHA-256 over name, type, shape and bytes of every parameter and buffer."""
        digest = hashlib.sha256()
        for name, tensor in self.model.state_dict().items():
            value = tensor.detach().cpu().contiguous()
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def append(self, **values: float) -> None:
        """Add the values of an epoch to their curves."""
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)
