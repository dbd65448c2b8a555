"""The fastest matrix product that this device does at one precision and number of threads, in FLOP/s.

What a training reaches is put against it (`nnbench.meters.flops.mfu`). It is measured, not looked up:
published tables mix dense and sparse figures, name clocks that a machine does not hold, and know nothing
of threads. Square products C = A B in one call each, of growing size::

    size 1: warm up | wait | product | wait | product | wait | …   size 2: …
                    |<- timed ->|    |<- timed ->|

The size with the highest median rate wins. Its median is the peak: what the device does again and again;
its fastest single product stands beside it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from nnbench import devices
from nnbench.meters.environment import environment

Clock = Callable[[], int]
Work = Callable[[], object]

CPU_SIZES = (256, 512, 1024, 2048, 4096)
# A product of 2048 ends before a GPU of today is busy.
DEVICE_SIZES = (2048, 4096, 8192, 16384)
BUDGET_S = 1.0
REPEATS_LEAST = 3  # fewer have no median worth the name
REPEATS_MOST = 50


@dataclass(frozen=True, kw_only=True)
class MatmulPeak:
    """The rate of square matrix products on one device, or None with the reason.

    Attributes:
        flops_per_s: median over the repeats at the best size; a product of size n is 2 n^3 operations.
        fastest_flops_per_s: of the fastest single product at that size.
        size: n, of the best size.
        repeats: how many products of that size were timed.
        dtype: as in arms, 'float32'.
        threads: intra-op threads on a CPU.
        device_name: of the CPU or GPU.
    """

    flops_per_s: float | None
    fastest_flops_per_s: float | None = None
    size: int | None = None
    repeats: int = 0
    dtype: str
    threads: int
    device_name: str
    reason: str | None = None


def matmul_peak(
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    threads: int = 1,
    *,
    sizes: Sequence[int] | None = None,
    budget_s: float = BUDGET_S,
    clock: Clock = time.perf_counter_ns,
) -> MatmulPeak:
    """Measure the peak in about *budget_s* seconds, with the settings of a training (no TF32).

    Args:
        threads: intra-op threads on a CPU.
        sizes: n of the products, ascending; by default 256 to 4096 on a CPU, 2048 to 16384 elsewhere.
        budget_s: a size that would not fit into what is left of it is not tried; the first always is.
        clock: nanoseconds; tests give a fake one.
    """
    sizes = sizes or (DEVICE_SIZES if devices.is_asynchronous(device) else CPU_SIZES)
    reason = None
    try:
        with devices.settings(threads), torch.no_grad():
            times = timed_sizes(
                sizes,
                lambda size: _product(size, dtype, device),
                lambda: devices.wait(device),
                clock,
                budget_s,
            )
    except RuntimeError as error:  # no memory for a size, or a type that the device cannot multiply
        times, reason = {}, " ".join(f"{type(error).__name__}: {error}".split())[:500]
    where = environment(device, threads)["device_name"]
    return peak_of(times, dtype=dtype, threads=threads, device_name=where, reason=reason)


def _product(size: int, dtype: torch.dtype, device: torch.device) -> Work:
    # Numbers as in a training: of constant ones a GPU draws less power, and keeps a higher clock.
    numbers = torch.Generator(device).manual_seed(0)
    left, right = (torch.randn((size, size), generator=numbers, dtype=dtype, device=device) for _ in range(2))
    out = torch.empty((size, size), dtype=dtype, device=device)
    return lambda: torch.mm(left, right, out=out)


def timed_sizes(
    sizes: Sequence[int], work_of: Callable[[int], Work], wait: Work, clock: Clock, budget_s: float
) -> dict[int, list[int]]:
    """Durations of single products in nanoseconds, by size.

    Each size may take an equal share of the budget that is left; one whose first products, by the
    cube of the size, would take more than all of it ends the search.

    Args:
        work_of: size -> what does one product.
        wait: returns when all work is done.
    """
    start, budget_ns = clock(), round(budget_s * 1e9)
    times: dict[int, list[int]] = {}
    for index, size in enumerate(sizes):
        left_ns = budget_ns - (clock() - start)
        if times:
            smaller = sizes[index - 1]
            expected_ns = statistics.median(times[smaller]) * (size / smaller) ** 3
            if expected_ns * (REPEATS_LEAST + 1) > left_ns:  # one more to warm up
                break
        times[size] = _repeated(work_of(size), wait, clock, left_ns // (len(sizes) - index))
    return times


def _repeated(work: Work, wait: Work, clock: Clock, limit_ns: int) -> list[int]:
    """Durations of *work*: three at least, then until *limit_ns* is spent, fifty at most."""
    work()
    wait()
    start = clock()
    times: list[int] = []
    while len(times) < REPEATS_MOST and (len(times) < REPEATS_LEAST or clock() - start < limit_ns):
        before = clock()
        work()
        wait()
        times.append(clock() - before)
    return times


def peak_of(
    times: dict[int, list[int]],
    *,
    dtype: torch.dtype,
    threads: int,
    device_name: str,
    reason: str | None = None,
) -> MatmulPeak:
    """The best of *times* (nanoseconds by size); a clock that stood still or went back gives none."""
    name = str(dtype).removeprefix("torch.")
    if times and min(min(each) for each in times.values()) <= 0:
        times, reason = {}, "the clock stood still or went back"
    if not times:
        reason = reason or "no product was timed"
        return MatmulPeak(
            flops_per_s=None, reason=reason, dtype=name, threads=threads, device_name=device_name
        )
    rates = {size: [2 * size**3 / (ns / 1e9) for ns in each] for size, each in times.items()}
    best = max(rates, key=lambda size: statistics.median(rates[size]))
    return MatmulPeak(
        flops_per_s=statistics.median(rates[best]), fastest_flops_per_s=max(rates[best]), size=best,
        repeats=len(rates[best]), dtype=name, threads=threads, device_name=device_name,
    )  # fmt: skip
