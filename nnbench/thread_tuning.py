"""How many intra-op threads an arm trains fastest with, found by a short calibration.

A slice of training, some tens of milliseconds, runs with one thread and with each other number in turn, in
one direction and back, round after round. More than one thread is taken only where the rounds prove it
faster, by the same test as the verdicts of time: short steps are slower with threads that wait for each
other, and on a shared machine two threads may be one core's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnbench import devices
from nnbench.config import Arm
from nnbench.stats import MORE, block_ratio, decide, holm
from nnbench.training import Training

ROUNDS = 10
SLICE_S = 0.05
_MOST_STEPS = 200

Clock = Callable[[], int]
TimeOf = Callable[[int], float]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A number of threads against one: how many times as fast, with its 95 % interval over the rounds."""

    threads: int
    ratio: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class ThreadChoice:
    """The number of *threads* to train with, and what it was chosen from."""

    threads: int
    tried: tuple[Tried, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As run.json holds it."""
        return asdict(self)


def choose_threads(
    arm: Arm,
    data_folder: Path | None = None,
    *,
    cores: int | None = None,
    clock: Clock = time.perf_counter_ns,
) -> ThreadChoice:
    """The fastest number of threads for *arm* on this machine, in about a second for two cores.

    An arm of several ranks, or on another device than a CPU, keeps its own.

    Args:
        cores: that threads may use; by default those of this process.
        clock: nanoseconds; tests give a fake one.

    Raises:
        ConfigError, DataError: see `nnbench.training.Training`.
    """
    if arm.ranks > 1 or devices.choose_device(arm.device).type != "cpu":
        return ThreadChoice(threads=arm.threads)
    numbers = candidates(devices.usable_cores() if cores is None else cores)
    return chosen(numbers, _Slices(arm, data_folder, clock).seconds) if numbers else ThreadChoice(threads=1)


def candidates(cores: int) -> tuple[int, ...]:
    """Powers of two above one, and all *cores*."""
    powers = [2**power for power in range(1, cores.bit_length()) if 2**power < cores]
    return (*powers, cores) if cores > 1 else ()


def chosen(numbers: Sequence[int], seconds_of: TimeOf, rounds: int = ROUNDS) -> ThreadChoice:
    """The number of threads whose slices are proven fastest; one where none is proven faster.

    Args:
        numbers: of threads, each above one.
        seconds_of: trains a slice with so many threads.
    """
    order = [1, *numbers]
    times: dict[int, list[float]] = {number: [] for number in order}
    for round_ in range(rounds):
        for number in order if round_ % 2 else reversed(order):
            times[number].append(seconds_of(number))
    ratios = [block_ratio(times[1], times[number]) for number in numbers]
    tests = holm([1.0 if of.p is None else of.p for of in ratios])
    faster = [
        (of.ratio.centre, number)
        for number, of, p in zip(numbers, ratios, tests, strict=True)
        if decide(of, p) == MORE
    ]
    tried = tuple(
        Tried(threads=number, ratio=of.ratio.centre, low=of.ratio.low, high=of.ratio.high)
        for number, of in zip(numbers, ratios, strict=True)
    )
    return ThreadChoice(threads=max(faster)[1] if faster else 1, tried=tried)


class _Slices:
    """Slices of an arm's training, each from fresh weights, equally long whatever the threads."""

    def __init__(self, arm: Arm, data_folder: Path | None, clock: Clock) -> None:
        self._arm, self._data_folder, self._clock = arm, data_folder, clock
        self._steps = 2
        first_s = self.seconds(1)  # the first of a process imports and warms up
        first_s = self.seconds(1)
        self._steps = max(2, min(_MOST_STEPS, round(2 * SLICE_S / max(first_s, 1e-6))))

    def seconds(self, threads: int) -> float:
        training = self._training(threads)
        start = self._clock()
        training.run(validate=False)
        return (self._clock() - start) / 1e9

    def _training(self, threads: int) -> Training:
        arm = self._arm.replace(threads=threads, max_steps=self._steps, epochs=self._steps)
        return Training(arm, 0, self._data_folder)
