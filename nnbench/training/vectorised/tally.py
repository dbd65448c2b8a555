"""What is kept of the epochs of many members, and the histories that it makes in the end.

M members, S steps of an epoch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from nnbench.training.history import History


class MembersTally:
    """Losses and accuracies of *members* trainings, kept as tensors until all have ended.

    To read a number for each member in each epoch would cost more than a step of small models.
    """

    def __init__(self, members: int) -> None:
        self.steps, self.samples = 0, 0
        self._ends: dict[int, tuple[int, int]] = {}  # place -> step and sample at which it diverged
        self._sound_M = torch.ones(members, dtype=torch.bool)
        self._losses_MS: list[torch.Tensor] = []
        self._curves: dict[str, list[torch.Tensor]] = {}
        self._lengths: dict[str, torch.Tensor] = {}

    @property
    def all_diverged(self) -> bool:
        """Whether nothing is left to train."""
        return len(self._ends) == len(self._sound_M)

    def add_epoch(self, losses_MS: torch.Tensor, right_M: torch.Tensor, sizes_S: torch.Tensor) -> None:
        """Count an epoch of steps of *sizes_S* samples; a member whose loss was not finite ends there."""
        bad_MS = ~torch.isfinite(losses_MS)
        for place in (bad_MS.any(1) & self._sound_M).nonzero().flatten().tolist():
            upto = int(bad_MS[place].int().argmax()) + 1
            self._end(place, self.steps + upto, self.samples + int(sizes_S[:upto].sum()))
        samples = int(sizes_S.sum())
        self.steps += len(sizes_S)
        self.samples += samples
        self._losses_MS.append(losses_MS)
        counts = {"steps": self.steps, "samples": self.samples}
        self._append(
            train_loss=(losses_MS.double() * sizes_S).sum(1) / samples,
            train_accuracy=right_M.double() / samples,
            **{name: torch.full((len(right_M),), count) for name, count in counts.items()},
        )

    def add_validation(self, loss_M: torch.Tensor, accuracy_M: torch.Tensor) -> None:
        """Mean loss and accuracy of each member over the scored samples; not finite ends it."""
        for place in (~torch.isfinite(loss_M) & self._sound_M).nonzero().flatten().tolist():
            self._end(place, self.steps, self.samples)
        self._append(validation_loss=loss_M, validation_accuracy=accuracy_M)

    def _end(self, place: int, step: int, sample: int) -> None:
        self._ends[place] = (step, sample)
        self._sound_M[place] = False

    def _append(self, **values: torch.Tensor) -> None:
        """Add the *values* of an epoch, (M,) each; a curve ends where its member has ended."""
        for name, values_M in values.items():
            self._curves.setdefault(name, []).append(values_M)
            self._lengths[name] = self._lengths.get(name, 0) + self._sound_M.long()

    def histories(self, models: Sequence[nn.Module]) -> list[History]:
        """A history of each member, whose trained models are *models*."""
        curves = {name: torch.stack(values, 1).tolist() for name, values in self._curves.items()}
        lengths = {name: length_M.tolist() for name, length_M in self._lengths.items()}
        found = []
        for place, model in enumerate(models):
            bad, samples = self._ends.get(place, (None, self.samples))
            own = {name: values[place][: lengths[name][place]] for name, values in curves.items()}
            found.append(
                History(
                    model, {name: values for name, values in own.items() if values},
                    status="OK" if bad is None else "DIVERGED", first_bad_step=bad,
                    steps=self.steps if bad is None else bad, samples=samples,
                )
            )  # fmt: skip
        return found

    def step_losses(self, place: int) -> torch.Tensor:
        """Losses of the steps of a member, up to the first that is not finite, on the CPU."""
        end, _ = self._ends.get(place, (self.steps, 0))
        return torch.cat([losses_MS[place] for losses_MS in self._losses_MS])[:end]
