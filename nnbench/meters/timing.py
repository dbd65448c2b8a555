"""Time of a training, from its events.

What is timed, and what is not::

    setup      | train loop of epoch 1 | validation | train loop of epoch 2 | validation | record
    not timed  |<------ epoch_s ------>|<- valid. ->|<------ epoch_s ------>|<- valid. ->| not timed
               |<-- train_s: the train loops alone, summed; so is time-to-accuracy ------>|

A step is timed from the end of the one before to its own end. On an asynchronous device a step ends
when it has been issued, not when it is done; there the window of steps is timed, whose end waits for
the device anyway, and each of its steps gets an equal share. Reading the losses back and counting the
right answers, once per window, belongs to the epoch and to no step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from nnbench import devices
from nnbench.training import Listener, StopTraining

Clock = Callable[[], int]
WARMUP_SHARE = 0.1
WARMUP_MOST_S = 1.0
# Ranks must stop after the same step, and their clocks would not agree on a second. DDP builds its buckets
# anew after the first backward pass; a handful of steps is enough.
WARMUP_STEPS_OF_RANKS = 20


class Stopwatch(Listener):
    """Times the train and validation loops of one training.

    Attributes:
        step_ns: one duration per step, in nanoseconds.
        epoch_ns, validation_ns: one duration per completed epoch.
        losses: training loss of every step, as windows of CPU tensors.
    """

    def __init__(self, device: torch.device, clock: Clock = time.perf_counter_ns) -> None:
        self.step_ns: list[int] = []
        self.epoch_ns: list[int] = []
        self.validation_ns: list[int] = []
        self.losses: list[torch.Tensor] = []
        self._device, self._clock = device, clock
        self._mark = self._epoch_mark = 0
        if devices.is_asynchronous(device):
            self.step_ended = super().step_ended  # type: ignore[method-assign]

    def epoch_started(self, epoch: int) -> None:
        devices.wait(self._device)
        self._mark = self._epoch_mark = self._clock()

    def step_ended(self) -> None:
        now = self._clock()
        self.step_ns.append(now - self._mark)
        self._mark = now

    def window_ended(self, losses: torch.Tensor, steps: int) -> None:
        self.losses.append(losses)
        now = self._clock()
        if devices.is_asynchronous(self._device):
            self.step_ns.extend([(now - self._mark) // steps] * steps)
        self._mark = now

    def epoch_trained(self, epoch: int) -> None:
        devices.wait(self._device)
        self._mark = self._clock()
        self.epoch_ns.append(self._mark - self._epoch_mark)

    def validated(self, epoch: int) -> None:
        self.validation_ns.append(self._clock() - self._mark)

    def slowest(self, others: Sequence[tuple[list[int], list[int]]]) -> None:
        """Take each epoch's and each validation's duration of the rank that was slowest in it.

        Args:
            others: epoch_ns and validation_ns of every rank.
        """
        self.epoch_ns = [max(times) for times in zip(*(epochs for epochs, _ in others), strict=True)]
        self.validation_ns = [max(times) for times in zip(*(scored for _, scored in others), strict=True)]

    def clock_went_back(self) -> bool:
        """Whether any duration is below zero; then none of them can be believed."""
        return min([*self.step_ns, *self.epoch_ns, *self.validation_ns], default=0) < 0


class WarmUp(Listener):
    """Ends a throw-away training after a tenth of the arm's steps or one second, whichever is first.

    With several ranks the number of steps alone decides.
    """

    def __init__(self, planned_steps: int, clock: Clock = time.perf_counter_ns, *, ranks: int = 1) -> None:
        self.steps = 0
        self._limit = max(1, int(planned_steps * WARMUP_SHARE))
        self._clock = clock
        self._end = clock() + int(WARMUP_MOST_S * 1e9)
        self._timed = ranks == 1
        if ranks > 1:
            self._limit = min(self._limit, WARMUP_STEPS_OF_RANKS)

    def step_ended(self) -> None:
        self.steps += 1
        if self.steps >= self._limit or (self._timed and self._clock() >= self._end):
            raise StopTraining
