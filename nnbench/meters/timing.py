"""Time of a training, from its events.

What is timed, and what is not::

    setup      | train loop of epoch 1 | validation | train loop of epoch 2 | validation | record
    not timed  |<------ epoch_s ------>|<- valid. ->|<------ epoch_s ------>|<- valid. ->| not timed
               |<-- train_s: the train loops alone, summed; so is time-to-accuracy ------>|

A step is timed from the end of the one before to its own end. On an asynchronous device a step has been
issued when the loop says that it ended, and is not done; there an event is recorded on the device's stream
after each step, and all of them are read at the end of the window of steps, which waits for the device
anyway: one wait a window, and a duration for each step. Where a device has no such events, each step of a
window gets an equal share of it. Reading the losses back and counting the right answers, once per window,
belongs to the epoch and to no step.

One clock cannot tell that it went back by less than a duration took: such a duration is too short and
above zero. `nnbench.meters.noise` compares two clocks over the whole training.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from nnbench import devices
from nnbench.meters.device_marks import DeviceEvent, DeviceMarks
from nnbench.training import Listener, StopTraining

Clock = Callable[[], int]
WARMUP_SHARE = 0.1
WARMUP_MOST_S = 1.0
# On a CPU: in a fresh process the first step takes 2 to 45 steps' time and the second twice its own; what is
# still slow in the next training after three steps is as slow there after sixty (tests/slow/warm_up.py).
WARMUP_MOST_STEPS = 10
WARMUP_ENOUGH_STEPS = 3
WARMUP_ENOUGH_S = 0.05
# Ranks must stop after the same step, and their clocks would not agree on a second. DDP builds its buckets
# anew after the first backward pass; a handful of steps is enough, and more where clocks rise.
WARMUP_STEPS_OF_RANKS = 5
WARMUP_STEPS_OF_GPU_RANKS = 20


@dataclass(frozen=True, kw_only=True)
class StepQuantiles:
    """Seconds that half, 90 % and 99 % of the steps took at most; None where too few steps can say."""

    p50_s: float | None
    p90_s: float | None
    p99_s: float | None


def step_quantiles(step_ns: Sequence[int]) -> StepQuantiles:
    """Quantiles of *step_ns*, interpolated linearly between order statistics (type 7, Hyndman & Fan 1996).

    A quantile with no step beyond it would be the slowest step in disguise: p90 takes 10 steps, p99 100.
    """
    if not step_ns:
        return StepQuantiles(p50_s=None, p90_s=None, p99_s=None)
    steps = len(step_ns)
    cuts = statistics.quantiles(step_ns, n=100, method="inclusive") if steps > 1 else []
    return StepQuantiles(
        p50_s=statistics.median(step_ns) / 1e9,
        p90_s=cuts[89] / 1e9 if steps >= 10 else None,
        p99_s=cuts[98] / 1e9 if steps >= 100 else None,
    )


class Stopwatch(Listener):
    """Times the train and validation loops of one training.

    Args:
        clock: returns nanoseconds.
        device_marks: on an asynchronous device, how its steps are told apart; by default its own events.

    Attributes:
        step_ns: one duration per step, in nanoseconds.
        epoch_ns, validation_ns: one duration per completed epoch.
        losses: training loss of every step, as windows of CPU tensors.
    """

    def __init__(
        self,
        device: torch.device,
        clock: Clock = time.perf_counter_ns,
        device_marks: DeviceMarks | None = None,
    ) -> None:
        self.step_ns: list[int] = []
        self.epoch_ns: list[int] = []
        self.validation_ns: list[int] = []
        self.losses: list[torch.Tensor] = []
        self._device, self._clock = device, clock
        self._mark = self._epoch_mark = 0
        self._between_ns = 0
        self._device_marks: DeviceMarks | None = None
        self._step_marks: list[DeviceEvent] = []
        if devices.is_asynchronous(device):
            self._device_marks = device_marks or DeviceMarks.of(device)
            issued = super().step_ended if self._device_marks is None else self._step_issued
            self.step_ended = issued  # type: ignore[method-assign]

    def epoch_started(self, epoch: int) -> None:
        devices.wait(self._device)
        now = self._clock()
        if self.epoch_ns:
            self._between_ns = min(self._between_ns, now - self._mark)
        self._mark = self._epoch_mark = now
        self._begin_window()

    def step_ended(self) -> None:
        now = self._clock()
        self.step_ns.append(now - self._mark)
        self._mark = now

    def _step_issued(self) -> None:
        assert self._device_marks is not None
        self._step_marks.append(self._device_marks.mark())

    def _begin_window(self) -> None:
        if self._device_marks is not None:
            start = self._step_marks[-1] if self._step_marks else self._device_marks.mark()
            start.record()
            self._step_marks = [start]

    def window_ended(self, losses: torch.Tensor, steps: int) -> None:
        self.losses.append(losses)
        if self._device_marks is not None:
            self.step_ns.extend(self._device_marks.durations_ns(self._step_marks))
        now = self._clock()
        if devices.is_asynchronous(self._device) and self._device_marks is None:
            self.step_ns.extend([(now - self._mark) // steps] * steps)
        self._mark = now
        self._begin_window()

    def epoch_trained(self, epoch: int) -> None:
        devices.wait(self._device)
        self._mark = self._clock()
        self.epoch_ns.append(self._mark - self._epoch_mark)

    def validated(self, epoch: int) -> None:
        now = self._clock()
        self.validation_ns.append(now - self._mark)
        self._mark = now

    def slowest(self, others: Sequence[tuple[list[int], list[int]]]) -> None:
        """Take each epoch's and each validation's duration of the rank that was slowest in it.

        Args:
            others: epoch_ns and validation_ns of every rank.
        """
        self.epoch_ns = [max(times) for times in zip(*(epochs for epochs, _ in others), strict=True)]
        self.validation_ns = [max(times) for times in zip(*(scored for _, scored in others), strict=True)]

    def clock_went_back(self) -> bool:
        """Whether any duration is below zero, of steps, loops or in between; then none can be believed."""
        return min([*self.step_ns, *self.epoch_ns, *self.validation_ns, self._between_ns]) < 0


class WarmUp(Listener):
    """Ends a throw-away training after a tenth of the arm's steps, ten steps or a second, whichever is first.

    Three steps are enough where they took 50 ms. With several ranks the number of steps alone decides. An
    asynchronous device takes its tenth or its second: its clocks rise with the time that it works.
    """

    def __init__(
        self,
        planned_steps: int,
        clock: Clock = time.perf_counter_ns,
        *,
        ranks: int = 1,
        device: torch.device | None = None,
    ) -> None:
        self.steps = 0
        self._limit = max(1, int(planned_steps * WARMUP_SHARE))
        self._clock = clock
        self._start = clock()
        self._alone = ranks == 1
        on_cpu = device is None or not devices.is_asynchronous(device)
        self._short = self._alone and on_cpu
        if self._short:
            self._limit = min(self._limit, WARMUP_MOST_STEPS)
        elif not self._alone:
            self._limit = min(self._limit, WARMUP_STEPS_OF_RANKS if on_cpu else WARMUP_STEPS_OF_GPU_RANKS)

    def step_ended(self) -> None:
        self.steps += 1
        if self.steps >= self._limit or (self._alone and self._long_enough()):
            raise StopTraining

    def _long_enough(self) -> bool:
        elapsed_s = (self._clock() - self._start) / 1e9
        enough = self._short and self.steps >= WARMUP_ENOUGH_STEPS and elapsed_s >= WARMUP_ENOUGH_S
        return enough or elapsed_s >= WARMUP_MOST_S
