"""What a memory pass found: a peak, its parts, and a reason for each figure that is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# What may be missing at the measured side: pages that were resident before and are used again.
_TOLERANCE_SHARE = 0.02
_TOLERANCE_BYTES = 2**20
_ON_A_CPU = "a figure of CUDA's allocator; this training ran on a CPU"


@dataclass(frozen=True, kw_only=True)
class Split:
    """Bytes that tensors of a training occupy, exact.

    Attributes:
        parameter_bytes: of weights and biases; a shared one counts once, buffers do not count.
        gradient_bytes: of the gradients that a step leaves behind.
        optimizer_bytes: of the optimizer's state, torch's step counters included.
        activation_bytes: of what autograd keeps for the backward pass, and of the batch.
    """

    parameter_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    activation_bytes: int

    @property
    def total_bytes(self) -> int:
        """All four."""
        return self.parameter_bytes + self.gradient_bytes + self.optimizer_bytes + self.activation_bytes


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Figures of one memory pass, in bytes; None where there is none, with the reason in `reasons`.

    Attributes:
        peak_bytes: the peak of the steps, without data set and libraries.
        parameter_bytes, gradient_bytes, optimizer_bytes, activation_bytes: see `Split`.
        rest_bytes: the peak without these; a little below zero where measured and counted bytes meet.
        reserved_bytes: CUDA: what the allocator held at most, data set included.
        device_used_bytes: CUDA: what the process has of the device, its context and libraries included.
        reason: why there is no *peak_bytes*, and no other figure without a reason of its own.
        missing: name of a figure -> why it is None.
    """

    peak_bytes: int | None
    parameter_bytes: int | None = None
    gradient_bytes: int | None = None
    optimizer_bytes: int | None = None
    activation_bytes: int | None = None
    rest_bytes: int | None = None
    reserved_bytes: int | None = None
    device_used_bytes: int | None = None
    reason: str | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    def figures(self) -> dict[str, int | None]:
        """Every figure by its name, as a record's metrics have them."""
        return {name: value for name, value in asdict(self).items() if name.endswith("_bytes")}

    def reasons(self) -> dict[str, str]:
        """Name -> reason of every figure that is None."""
        why = self.reason or "the memory pass did not measure it"
        return {name: self.missing.get(name, why) for name, value in self.figures().items() if value is None}


def composed(peak_bytes: int, split: Split | str, **device: int | str) -> Peak:
    """A measured peak with its parts, and the rest that is neither.

    Args:
        split: the parts, or why they could not be counted.
        device: `reserved_bytes` and `device_used_bytes`, each a figure or a reason; none on a CPU.
    """
    own = {"reserved_bytes": _ON_A_CPU, "device_used_bytes": _ON_A_CPU, **device}
    found: dict[str, int | str] = dict(own)
    if isinstance(split, str):
        parts = ("parameter_bytes", "gradient_bytes", "optimizer_bytes", "activation_bytes", "rest_bytes")
        found.update(dict.fromkeys(parts, split))
    else:
        found.update(asdict(split), rest_bytes=_rest(peak_bytes, split.total_bytes))
    figures: dict[str, Any] = {name: value for name, value in found.items() if isinstance(value, int)}
    missing = {name: value for name, value in found.items() if isinstance(value, str)}
    return Peak(peak_bytes=peak_bytes, missing=missing, **figures)


def _rest(peak_bytes: int, counted_bytes: int) -> int | str:
    rest = peak_bytes - counted_bytes
    if rest >= -(_TOLERANCE_BYTES + _TOLERANCE_SHARE * counted_bytes):
        return rest
    return (
        f"the parts counted are {counted_bytes} bytes, more than the peak of {peak_bytes} that was measured"
    )
