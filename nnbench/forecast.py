"""How long an arm will take here, from a short trial of it.

What a training costs is the same again and again: its steps, its validation, its set-up. A trial of some
tens of milliseconds takes the time of each, and the plan says how often each comes::

    build | first step | steps … | score a part |     arm_s = builds + epochs * (first step + steps + scoring)

The first step of an epoch stands alone, since a loader may start its workers in it. A training that
diverges or is stopped ends sooner than foretold. For another framework, whose loop cannot be stopped, two
short trainings of different length give the time of a step, and what that leaves comes once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch

from nnbench import devices
from nnbench.benchmarking import run_probe
from nnbench.config import OWN_LOOP, Arm, Probe
from nnbench.frameworks import FrameworkTraining
from nnbench.training import Listener, StopTraining, Training
from nnbench.training.steps import validation_step

Clock = Callable[[], int]
Result = TypeVar("Result")

TRIAL_S = 0.05
# Beside the training: the memory pass of the first block, and the record with its way to the disk.
MEMORY_PASS_S = 0.15
RECORD_S = 0.01
_SCORED_BATCHES = 4
_SHORT, _LONG = 10, 30  # steps of another framework's two trainings


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Seconds that an arm will take.

    Attributes:
        seed_s: for each seed, from the building of its model to its record.
        once_s: beside that, in each process: imports of another framework.
        first_s: beside that, in the first block: the memory pass.
    """

    seed_s: float
    once_s: float = 0.0
    first_s: float = 0.0


def expected(
    arm: Arm | Probe, data_folder: Path | None = None, *, clock: Clock = time.perf_counter_ns
) -> Expected:
    """Try *arm* for some tens of milliseconds, and foretell it. A probe runs once, whole.

    An arm of several ranks is tried as one rank's share of it.

    Raises:
        ConfigError, DataError: see `nnbench.training.Training`; or what a probe raises.
    """
    if isinstance(arm, Probe):
        seconds, _ = _timed(lambda: run_probe(arm, data_folder=data_folder), clock)
        return Expected(seed_s=seconds)
    if arm.framework != OWN_LOOP:
        return _of_framework(arm, data_folder, clock)
    return _of_training(_alone(arm), data_folder, clock)


def _alone(arm: Arm) -> Arm:
    if arm.ranks == 1:
        return arm
    batch = arm.batch_size if isinstance(arm.batch_size, str) else arm.batch_size // arm.ranks
    return arm.replace(ranks=1, batch_size=batch, batch_norm="local", name=arm.name)


class _Trial(Listener):
    """Ends a training once its steps took *most_s*; the first of an epoch is not like the others."""

    def __init__(self, clock: Clock, device: torch.device, most_s: float = TRIAL_S) -> None:
        self._clock, self._device, self._most_ns = clock, device, most_s * 1e9
        self._start_ns = self.first_ns = 0
        self.marks_ns: list[int] = []

    def epoch_started(self, epoch: int) -> None:
        self._start_ns = self._clock()

    def step_ended(self) -> None:
        devices.wait(self._device)
        self.marks_ns.append(self._clock())
        if self.marks_ns[-1] - self.marks_ns[0] >= self._most_ns:
            raise StopTraining

    def epoch_trained(self, epoch: int) -> None:
        raise StopTraining

    @property
    def first_s(self) -> float:
        return (self.marks_ns[0] - self._start_ns) / 1e9

    @property
    def step_s(self) -> float:
        """Of the steps after the first two, which warm up; of what there is where an epoch has no more."""
        marks = self.marks_ns[min(1, len(self.marks_ns) - 1) :]
        if len(marks) < 2:
            return self.first_s
        return (marks[-1] - marks[0]) / (len(marks) - 1) / 1e9


def _of_training(arm: Arm, data_folder: Path | None, clock: Clock) -> Expected:
    Training(arm, 0, data_folder)  # reads the data, which later ones find in memory
    build_s, training = _timed(lambda: Training(arm, 0, data_folder), clock)
    cold = _Trial(clock, training.device, 0.0)  # what a process does once is no part of an epoch
    cold_s, _ = _timed(lambda: training.run(cold, validate=False), clock)
    trial, again = _Trial(clock, training.device), Training(arm, 1, data_folder)
    ready_s, _ = _timed(again.make_ready, clock)
    again.run(trial, validate=False)
    epochs = min(arm.epochs, -(-training.planned_steps // training.steps_per_epoch))
    start_s = max(0.0, trial.first_s - trial.step_s)
    trained_s = training.planned_steps * trial.step_s + epochs * start_s
    scored_s = epochs * _scoring_s(training, clock)
    return Expected(
        seed_s=build_s + ready_s + trained_s + scored_s + RECORD_S, once_s=build_s + cold_s,
        first_s=MEMORY_PASS_S,
    )  # fmt: skip


def _scoring_s(training: Training, clock: Clock) -> float:
    """Seconds of one validation loop, from its first batches; a loader may start its workers in the first."""
    model, marks, sizes = training.model.eval(), [clock()], [0]
    with torch.no_grad(), devices.settings(training.arm.threads):
        for x, y in islice(training.scored.scoring_batches(), _SCORED_BATCHES):
            validation_step(model, training.validation_loss_of, x, y)
            devices.wait(training.device)
            marks.append(clock())
            sizes.append(len(y))
    samples = len(training.scored)
    if sum(sizes) >= samples or len(sizes) < 3:
        return (marks[-1] - marks[0]) / 1e9 * samples / max(1, sum(sizes))
    sample_s = (marks[-1] - marks[1]) / 1e9 / sum(sizes[2:])
    return (marks[1] - marks[0]) / 1e9 + (samples - sizes[1]) * sample_s


def _of_framework(arm: Arm, data_folder: Path | None, clock: Clock) -> Expected:
    def trained(steps: int) -> float:
        training = FrameworkTraining(arm, 0, data_folder)
        return _timed(lambda: training.warm_up(steps), clock)[0]

    first_s, short_s, long_s = trained(_SHORT), trained(_SHORT), trained(_LONG)
    step_s = max(0.0, (long_s - short_s) / (_LONG - _SHORT))
    build_s, own = _timed(lambda: FrameworkTraining(arm, 0, data_folder), clock)
    once_s = max(0.0, first_s - short_s) + build_s + short_s
    fixed_s = max(0.0, short_s - _SHORT * step_s)
    return Expected(seed_s=build_s + fixed_s + own.planned_steps * step_s + RECORD_S, once_s=once_s)


def _timed(work: Callable[[], Result], clock: Clock) -> tuple[float, Result]:
    start = clock()
    result = work()
    return (clock() - start) / 1e9, result
