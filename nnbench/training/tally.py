"""What is kept of the steps of an epoch until it is read back from the device: losses, right answers."""

from __future__ import annotations

import torch

from nnbench.distributed import Group
from nnbench.training.history import History
from nnbench.training.shares import Share

# Steps, and samples, after which losses and outputs are read back.
WINDOW = 256
_WINDOW_SAMPLES = 65536


class Window:
    """Losses and outputs of some steps, on the device until they are read back once for all of them.

    They are copied into buffers made once. Kept as they are, these small tensors would lie between the
    gradients that every step frees and takes again; in some processes, by the luck of the heap, glibc then
    gave those pages back to the kernel each time: 176 page faults a step, at two thirds of the speed. A loss
    on the CPU is a number at hand, and reading it takes a third of what copying does.
    """

    def __init__(self, batch: int) -> None:
        self.most_steps = max(1, min(WINDOW, _WINDOW_SAMPLES // batch))
        self.steps, self.samples, self.stopped = 0, 0, False
        self.batch = batch
        self._numbers: list[float] = []  # losses, on the CPU
        self._losses: torch.Tensor | None = None
        self._outputs: torch.Tensor | None = None
        self._loss_slots: tuple[torch.Tensor, ...] = ()
        self._output_slots: tuple[torch.Tensor, ...] = ()

    def emptied(self) -> Window:
        """This window, to be filled anew."""
        self.steps, self.samples, self.stopped = 0, 0, False
        self._numbers.clear()
        return self

    def keep(self, loss: torch.Tensor, outputs: torch.Tensor) -> None:
        """Copy what a step left: its loss, a scalar, and its outputs, (B, K)."""
        if self._losses is None:
            self._make_buffers(loss, outputs)
        if loss.is_cpu:
            self._numbers.append(loss.item())
        else:
            self._loss_slots[self.steps].copy_(loss.detach())
        slot, count = self._output_slots[self.steps], len(outputs)
        (slot if count == self.batch else slot[:count]).copy_(outputs.detach())
        self.steps += 1
        self.samples += count

    def _make_buffers(self, loss: torch.Tensor, outputs: torch.Tensor) -> None:
        self._losses = loss.new_empty(self.most_steps)
        self._outputs = outputs.new_empty(self.most_steps * self.batch, *outputs.shape[1:])
        self._loss_slots, self._output_slots = self._losses.unbind(), self._outputs.split(self.batch)

    def read(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses, (steps,), on the CPU, and outputs, (samples, K), where they are."""
        assert self._losses is not None
        assert self._outputs is not None
        here = self._losses.new_tensor(self._numbers) if self._numbers else self._losses[: self.steps].cpu()
        return here, self._outputs[: self.samples]


class Tally:
    """Training loss and accuracy of an epoch over all ranks, each batch weighing what it holds."""

    def __init__(self, group: Group) -> None:
        self.own_samples = 0
        self._group = group
        self._steps, self._loss, self._right, self._samples = 0, 0.0, 0, 0

    def add(self, window: Window, labels: torch.Tensor, share: Share, history: History) -> torch.Tensor:
        """Count *window*, note a divergence, and return its losses on the CPU up to the first bad one.

        Args:
            labels: of the window's own samples, int64, shape (samples,).
        """
        here = slice(self._steps, self._steps + window.steps)
        losses, outputs = window.read()
        right = (outputs.argmax(1) == labels).sum()
        losses, right = self._over_ranks(losses, right, share.own[here], share.sizes[here])
        sizes = share.sizes[here]
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            upto = int(bad[0]) + 1
            history.status, history.first_bad_step = "DIVERGED", history.steps + upto
            losses, sizes = losses[:upto], sizes[:upto]
        history.steps += len(sizes)
        history.samples += int(sizes.sum())
        self.own_samples += window.samples
        self._steps += window.steps
        self._loss += float((losses.double() * sizes).sum())
        self._samples += int(sizes.sum())
        self._right += int(right)
        return losses

    def _over_ranks(
        self, losses: torch.Tensor, right: torch.Tensor, own: torch.Tensor, sizes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean loss of each step over the samples of all ranks, and how many of them were right."""
        if self._group.size == 1:
            return losses, right
        parts = torch.where(own > 0, losses.double() * own / sizes, 0)
        total = self._group.sum(torch.cat([parts, right.double().cpu().view(1)]))
        return total[:-1].to(losses.dtype), total[-1]

    def write(self, history: History) -> None:
        """Add the epoch to the curves."""
        history.append(
            train_loss=self._loss / self._samples,
            train_accuracy=self._right / self._samples,
            steps=history.steps,
            samples=history.samples,
        )
