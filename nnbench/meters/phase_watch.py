"""A stopwatch that also hears where a step is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from nnbench import devices
from nnbench.meters.device_marks import DeviceMarks
from nnbench.meters.timing import Clock, Stopwatch
from nnbench.training.events import LOAD, PHASES

# Stretches beside the phases of steps: they come once in an epoch, or once in a window of steps.
FIRST_LOAD, WINDOW_READ, EPOCH_END, OBSERVING = "first load", "window read", "epoch end", "observing"
STRETCHES = (*PHASES, FIRST_LOAD, WINDOW_READ, EPOCH_END, OBSERVING)


@dataclass
class Stretch:
    """All stretches of one name: their total, in nanoseconds, and how many there were."""

    total_ns: int = 0
    count: int = 0


class PhaseWatch(Stopwatch):
    """A `Stopwatch` that also listens to the borders of a `PhasedTraining`.

    Every border is a reading of the clock, or an event on an asynchronous device's stream. A stretch reaches
    from the border before to its own, so that no time of a train loop is lost between them. Those are

    - the phases of the steps, `nnbench.training.events.PHASES`;
    - `FIRST_LOAD` of an epoch: drawing the order; of a DataLoader also its start and its first batch;
    - `WINDOW_READ`: losses read back, right answers counted;
    - `EPOCH_END`: the loader has no more;
    - `OBSERVING`: reading the events of a window, on an asynchronous device.

    Raises:
        ValueError: an asynchronous device without events, where borders cannot be told.
    """

    def __init__(
        self,
        device: torch.device,
        clock: Clock = time.perf_counter_ns,
        device_marks: DeviceMarks | None = None,
    ) -> None:
        super().__init__(device, clock, device_marks)
        if devices.is_asynchronous(device) and self._device_marks is None:
            raise ValueError(f"torch has no timed events on a device of type {device.type}")
        self._border = clock if self._device_marks is None else self._device_marks.mark
        self._borders: list[Any] = []
        self._names: list[str] = []  # of the stretches between them
        self._before_first_load = False
        self._found = {name: Stretch() for name in STRETCHES}
        self._least_ns = 0

    def epoch_started(self, epoch: int) -> None:
        self._read()
        super().epoch_started(epoch)
        self._borders, self._before_first_load = [self._border()], True

    def phase_ended(self, phase: str) -> None:
        self._names.append(phase)
        self._borders.append(self._border())

    def window_ended(self, losses: torch.Tensor, steps: int) -> None:
        super().window_ended(losses, steps)
        self.phase_ended(WINDOW_READ)
        if self._device_marks is not None:
            self._read()  # its events are used again
            self.phase_ended(OBSERVING)

    def epoch_trained(self, epoch: int) -> None:
        self.phase_ended(EPOCH_END)
        super().epoch_trained(epoch)

    def stretches(self) -> dict[str, Stretch]:
        """What was seen so far, for each of `STRETCHES`."""
        self._read()
        return self._found

    def clock_went_back(self) -> bool:
        self._read()
        return super().clock_went_back() or self._least_ns < 0

    def _read(self) -> None:
        """Turn the borders so far into durations; the last one stays, as the start of what follows."""
        if not self._names:
            return
        for name, ns in zip(self._names, self._durations_ns(), strict=True):
            if name == LOAD and self._before_first_load:
                name, self._before_first_load = FIRST_LOAD, False
            stretch = self._found[name]
            stretch.total_ns += ns
            stretch.count += 1
            self._least_ns = min(self._least_ns, ns)
        self._names, self._borders = [], self._borders[-1:]

    def _durations_ns(self) -> list[int]:
        if self._device_marks is not None:
            return self._device_marks.durations_ns(self._borders)
        return [end - start for start, end in pairwise(self._borders)]
