"""Time on an asynchronous device: events between its work, read once it has come past them.

    host     issue A, mark, issue B, mark, issue C, mark ............ wait | read
    device   ......AAAAAAAAAAAAAAAAAAAA|BBBBBBBBBBBBBB|CCCCCCCCCCCCCCCCCCCC|
                   <------ ns ------->|<--- ns ----->|<------ ns -------->

A mark costs the host about a microsecond and the device nothing; only reading waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import torch


class DeviceEvent(Protocol):
    """A point on a device's stream, as torch.cuda.Event(enable_timing=True) is one."""

    def record(self) -> object:
        """Put the event behind all work that was issued so far."""

    def synchronize(self) -> object:
        """Return when the device has come past it."""

    def elapsed_time(self, end: Any, /) -> float:
        """Milliseconds to *end*, by the device's own clock; both must have been passed."""


class _CudaEvent:
    """A timed CUDA event on the stream that is current for *device*, whichever device is current."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._event = device, torch.cuda.Event(enable_timing=True)

    def record(self) -> None:
        self._event.record(torch.cuda.current_stream(self._device))

    def synchronize(self) -> None:
        self._event.synchronize()

    def elapsed_time(self, end: _CudaEvent, /) -> float:
        return float(self._event.elapsed_time(end._event))


class DeviceMarks:
    """Marks on an asynchronous device's stream, read as durations once the device has come past them.

    Args:
        make_event: a new event; they are used again once read. Tests give a fake.
    """

    def __init__(self, make_event: Callable[[], DeviceEvent]) -> None:
        self._make = make_event
        self._read: list[DeviceEvent] = []

    @classmethod
    def of(cls, device: torch.device) -> DeviceMarks | None:
        """Marks on *device*; None where torch has no timed events for it, or the device is not there."""
        if device.type != "cuda" or not torch.cuda.is_available():
            return None
        return cls(lambda: _CudaEvent(device))

    def mark(self) -> DeviceEvent:
        """Here, behind all work issued so far; does not wait."""
        event = self._read.pop() if self._read else self._make()
        event.record()
        return event

    def durations_ns(self, marks: Sequence[DeviceEvent]) -> list[int]:
        """From each of *marks* to the next; waits for the last, which alone stays valid."""
        marks[-1].synchronize()
        found = [round(start.elapsed_time(end) * 1e6) for start, end in pairwise(marks)]
        self._read.extend(marks[:-1])
        return found
