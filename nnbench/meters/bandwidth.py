"""How fast this device reads and writes numbers, for a working set of a given size, in bytes per second.

A set that fits into a cache moves several times as fast as one that does not, so the size matters as much
as the device. Each pass changes the sign of every number of one tensor: all bytes are read, and written::

    warm up | wait | passes | wait | passes | wait | …
                   |<- timed ->|   |<- timed ->|

The median of the timed ones counts. Of the mixes of the STREAM benchmark (McCalpin 1995), reading and writing
one place is the fastest here: what a training moves per second can be held against it as a limit.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from nnbench import devices

Clock = Callable[[], int]

# A pass over less is mostly the call itself.
SMALLEST_BYTES = 2**20
LARGEST_BYTES = 2**28  # beyond any cache: larger ones move no slower
REPEATS = 9
_TIMED_S = 1e-3  # least of one repeat: a clock's tick and a call are nothing beside it
_FIRST_GUESS_BYTES_PER_S = 20e9


@dataclass(frozen=True, kw_only=True)
class Bandwidth:
    """The rate of reading and writing a working set, or None with the reason.

    Attributes:
        bytes_per_s: read and written, together.
        set_bytes: of the working set that was timed.
    """

    bytes_per_s: float | None
    set_bytes: int
    reason: str | None = None


def bandwidth(
    device: torch.device, set_bytes: int, threads: int = 1, *, clock: Clock = time.perf_counter_ns
) -> Bandwidth:
    """Measure the bandwidth of a working set of *set_bytes* in some 20 ms.

    Args:
        set_bytes: rounded down to a power of two between 1 and 256 MiB: a smaller set is not slower, so what
            is found stays a limit.
        threads: intra-op threads on a CPU.
        clock: nanoseconds; tests give a fake one.
    """
    size = rounded(set_bytes)
    try:
        with devices.settings(threads), torch.no_grad():
            numbers = torch.ones(size // 4, device=device)
            passes = max(1, round(_TIMED_S * _FIRST_GUESS_BYTES_PER_S / (2 * size)))
            times = [_passes(numbers, passes, device, clock) for _ in range(REPEATS + 1)][1:]
    except RuntimeError as error:  # no memory for it
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        return Bandwidth(bytes_per_s=None, set_bytes=size, reason=reason)
    if min(times) <= 0:
        return Bandwidth(bytes_per_s=None, set_bytes=size, reason="the clock stood still or went back")
    return Bandwidth(bytes_per_s=2 * size * passes / (statistics.median(times) / 1e9), set_bytes=size)


def rounded(set_bytes: int) -> int:
    """The power of two at or below *set_bytes*, between 1 and 256 MiB."""
    within = min(max(set_bytes, SMALLEST_BYTES), LARGEST_BYTES)
    return 1 << (within.bit_length() - 1)


def _passes(numbers: torch.Tensor, passes: int, device: torch.device, clock: Clock) -> int:
    """Nanoseconds of so many passes."""
    devices.wait(device)
    start = clock()
    for _ in range(passes):
        numbers.neg_()
    devices.wait(device)
    return clock() - start
