"""What a device allows at best: a lower bound of the time of a training step, and how near a training came.

A step must do its floating-point operations, and it must move its weights, optimizer state and activations::

    step_s >= max(operations / matrix-product peak, bytes / bandwidth)

Whatever runs the step, eager or compiled, it cannot be faster than that: both rates are the best that the
device reached just now (`nnbench.meters.peaks`, `nnbench.meters.bandwidth`), and of the bytes only those are
counted that no order of work can save. Calls, waiting and copies come on top, and are what a share below 1
tells of.

Source: Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model".
"""

from __future__ import annotations

from dataclasses import dataclass

from nnbench.meters.flops import MFU_MOST
from nnbench.meters.memory import Peak


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The roofline of one arm.

    Attributes:
        flops: floating-point operations of a step.
        moved_bytes: that a step reads and writes at least, see `moved_bytes`.
        flops_per_s: the matrix-product peak, for the arm's number format and threads.
        bytes_per_s: the bandwidth for its working set.
    """

    flops: int
    moved_bytes: int
    flops_per_s: float
    bytes_per_s: float

    @property
    def step_s(self) -> float:
        """Seconds that a step takes at least."""
        return max(self.flops / self.flops_per_s, self.moved_bytes / self.bytes_per_s)

    def share(self, step_s: float) -> tuple[float | None, str | None]:
        """The limit over a measured *step_s*: 1 is as fast as the device allows; None with the reason."""
        if not step_s > 0:
            return None, f"no time of a step: {step_s} s"
        share = self.step_s / step_s
        if share > MFU_MOST:
            figures = f"a step of {step_s:.3g} s is faster than the limit of {self.step_s:.3g} s"
            return None, f"{figures}: one of them was measured under other conditions"
        return share, None


def working_set_bytes(of: Peak) -> int | None:
    """Bytes that a step goes through: weights, gradients, optimizer state, activations; None if unknown."""
    parts = (of.parameter_bytes, of.gradient_bytes, of.optimizer_bytes, of.activation_bytes)
    return None if any(part is None for part in parts) else sum(part or 0 for part in parts)


def moved_bytes(of: Peak) -> int | None:
    """Bytes that a training step reads and writes at least, whatever runs it; None if the parts are unknown.

    Weights are read for the forward pass, and read and written by the backward pass, which may apply the
    gradient as it makes it (`nnbench.training.in_backward`): three times their bytes. The optimizer's
    state is read and written; so is what autograd keeps between the passes, the batch among it.
    """
    if of.parameter_bytes is None or of.optimizer_bytes is None or of.activation_bytes is None:
        return None
    return 3 * of.parameter_bytes + 2 * (of.optimizer_bytes + of.activation_bytes)
