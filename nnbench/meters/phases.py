"""Where a training step spends its time, and what it costs to look.

A pass of its own, once per arm: short runs of the same steps, in turn with the borders told
(`PhasedTraining`) and without (`Training`). The phases come from the ones, the cost of looking from the ratio
to the others. The phases are never scaled by it: who reads them sees both.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nnbench import devices
from nnbench.config import CUDA_GRAPH, Arm
from nnbench.distributed import ALONE, Group
from nnbench.meters.device_marks import DeviceMarks
from nnbench.meters.phase_watch import EPOCH_END, FIRST_LOAD, STRETCHES, WINDOW_READ, PhaseWatch, Stretch
from nnbench.meters.timing import Clock, Stopwatch
from nnbench.records import OK
from nnbench.training import Training
from nnbench.training.events import FORWARD, LOAD, OTHER, PHASES
from nnbench.training.phased import PhasedTraining

# The pass may take so much of the arm, and never more than so long; both sides together.
BUDGET_SHARE = 0.1
BUDGET_MOST_S = 0.5
# With fewer the cost of looking would rest on one disturbance.
PAIRS = 4
_PILOT_STEPS = 3
# DESIGN: the phases sum to the wall time of the train loop within 2 %.
UNEXPLAINED_MOST = 0.02


@dataclass(frozen=True, kw_only=True)
class Phases:
    """Where a step spends its time.

    Attributes:
        seconds: of each of `PHASES` per step, means over the steps and over the ranks; they sum to *step_s*.
            0 where the training has no such part: no copy of sliced tensors, no communication of one rank.
            None, with the *reason*, where they could not be told.
        step_s: wall time of the train loop per step, losses kept and read back included.
        validation_s: wall time of one validation.
        observing_share: how much longer the median step takes when its borders are told, 0.012 is 1.2 %; the
            median over the pairs of short runs, of this rank.
        observing_range: the least and the most of the 4 pairs, which hold the true median with probability
            1 - 2/2^4 = 87.5 % (sign test). Where it reaches below zero, the cost drowns in noise.
        steps: told steps that the figures rest on.
    """

    seconds: Mapping[str, float | None] = field(default_factory=lambda: dict.fromkeys(PHASES))
    step_s: float | None = None
    validation_s: float | None = None
    observing_share: float | None = None
    observing_range: tuple[float, float] | None = None
    steps: int = 0
    reason: str | None = None


def measure_phases(
    arm: Arm,
    seed: int = 0,
    data_folder: Path | None = None,
    group: Group = ALONE,
    clock: Clock = time.perf_counter_ns,
    *,
    share: float = BUDGET_SHARE,
) -> Phases:
    """Where a step of *arm* spends its time; every rank of *group* calls it and gets the same figures.

    Args:
        share: of one training's steps that the pass may take, both sides together; `BUDGET_MOST_S` at most.
            Once for n blocks it may be n times as much. Beside them come a pilot, 4 pairs of one step where
            the share has no room for them, and one validation.

    Raises:
        ConfigError, DataError: see `nnbench.training.Training`.
    """
    if arm.execution == CUDA_GRAPH:
        return Phases(reason="execution 'cuda-graph' replays a step as a whole: it has no borders to be told")
    # Short runs must not use up the budget of the arm: a schedule would run out.
    longer = arm.replace(max_steps=None, epochs=arm.epochs + _PILOT_STEPS + PAIRS)
    told = PhasedTraining(longer, seed, data_folder, group)
    plain = Training(longer, seed, data_folder, group)
    if devices.is_asynchronous(told.device) and DeviceMarks.of(told.device) is None:
        return Phases(reason=f"torch has no timed events on a device of type {told.device.type}")
    planned = min(arm.epochs * told.steps_per_epoch, arm.max_steps or math.inf)
    try:
        steps = _steps_of_a_run(told, plain, share * planned, clock)
        pairs = [_pair(told, plain, steps, clock, told_first=bool(pair % 2)) for pair in range(PAIRS)]
    except _Diverged as error:
        return Phases(reason=str(error))
    validation_s = _validation_s(plain, clock)
    went_back = validation_s < 0 or any(watch.clock_went_back() for pair in pairs for watch in pair)
    if any(group.gather(went_back)):
        return Phases(reason="the clock went back")
    seen = _all_of([watch for watch, _ in pairs])
    epoch_steps = min(told.steps_per_epoch, planned)
    seconds = None if seen is None else _seconds(seen, epoch_steps, told.window_steps)
    return _over_ranks(group, _looked(pairs, steps, validation_s), seconds)


class _Diverged(Exception):
    """A short run has no finite loss: what a step takes then is no figure."""


def _run(training: Training, watch: Stopwatch, steps: int) -> None:
    training.planned_steps = steps
    if training.run(watch, validate=False).status != OK:
        raise _Diverged("the training diverges in its first steps")


def _steps_of_a_run(told: PhasedTraining, plain: Training, most: float, clock: Clock) -> int:
    """Steps of each short run, equal on all ranks, *most* in all; the pilot warms both trainings up."""
    _run(told, PhaseWatch(told.device, clock), _PILOT_STEPS)
    pilot = Stopwatch(plain.device, clock)
    _run(plain, pilot, _PILOT_STEPS)
    step_s = max(1e-9, statistics.median(pilot.step_ns) / 1e9)
    return plain.group.gather(max(1, int(min(most, BUDGET_MOST_S / step_s) / (2 * PAIRS))))[0]


def _pair(
    told: PhasedTraining, plain: Training, steps: int, clock: Clock, *, told_first: bool
) -> tuple[PhaseWatch, Stopwatch]:
    """One short run of each, neighbours in time."""
    with_borders, without = PhaseWatch(told.device, clock), Stopwatch(plain.device, clock)
    if told_first:
        _run(told, with_borders, steps)
    _run(plain, without, steps)
    if not told_first:
        _run(told, with_borders, steps)
    return with_borders, without


def _observing_shares(pairs: Sequence[tuple[PhaseWatch, Stopwatch]]) -> list[float]:
    """For each pair from the median steps of its sides: a burst moves a sum, and hardly a median."""
    medians = [[statistics.median(watch.step_ns) for watch in pair] for pair in pairs]
    return [told / plain - 1 for told, plain in medians if plain]


def _looked(pairs: Sequence[tuple[PhaseWatch, Stopwatch]], steps: int, validation_s: float) -> Phases:
    """What is known beside the phases themselves."""
    shares = _observing_shares(pairs)
    return Phases(
        steps=steps * len(pairs),
        validation_s=validation_s,
        observing_share=statistics.median(shares) if shares else None,
        observing_range=(min(shares), max(shares)) if shares else None,
    )


def _validation_s(training: Training, clock: Clock) -> float:
    with devices.settings(training.arm.threads):
        training.group.wait()
        devices.wait(training.device)
        start = clock()
        training.score()
        devices.wait(training.device)
        return (clock() - start) / 1e9


def _all_of(watches: Sequence[PhaseWatch]) -> dict[str, Stretch] | None:
    """The stretches of all *watches* together; None where they do not sum to the train loops' wall time."""
    found = {name: Stretch() for name in STRETCHES}
    for watch in watches:
        for name, stretch in watch.stretches().items():
            found[name].total_ns += stretch.total_ns
            found[name].count += stretch.count
    wall_ns = sum(ns for watch in watches for ns in watch.epoch_ns)
    unexplained_ns = abs(sum(stretch.total_ns for stretch in found.values()) - wall_ns)
    return None if unexplained_ns > UNEXPLAINED_MOST * wall_ns else found


def _seconds(seen: Mapping[str, Stretch], epoch_steps: float, window_steps: int) -> dict[str, float]:
    """Seconds of each phase per step of the arm.

    A short run begins and ends an epoch and a window of its own. What comes once in an epoch or a window
    weighs as often as in the arm's epochs of *epoch_steps*, with windows of *window_steps* at most.
    """
    mean = {name: s.total_ns / s.count / 1e9 if s.count else 0.0 for name, s in seen.items()}
    steps, loads = seen[FORWARD].count, seen[LOAD].count
    seconds = {phase: seen[phase].total_ns / steps / 1e9 for phase in PHASES}
    first = 1 / epoch_steps if loads else 1
    # the first load of an epoch may be that of its first step, too
    seconds[LOAD] = mean[FIRST_LOAD] * first + mean[LOAD] * (1 if loads == steps else 1 - first)
    windows = math.ceil(epoch_steps / window_steps)
    seconds[OTHER] += (mean[WINDOW_READ] * windows + mean[EPOCH_END]) / epoch_steps
    return seconds


def _over_ranks(group: Group, found: Phases, own: dict[str, float] | None) -> Phases:
    """*found* with the means of the ranks' phases; a validation takes as long as with the slowest rank."""
    each = group.gather((own, found.validation_s))
    found = replace(found, validation_s=max(seconds or 0 for _, seconds in each))
    parts = [seconds for seconds, _ in each if seconds is not None]
    if len(parts) < group.size:
        return replace(found, reason=f"the phases do not sum to the wall time within {UNEXPLAINED_MOST:.0%}")
    seconds = {phase: statistics.fmean(part[phase] for part in parts) for phase in PHASES}
    return replace(found, seconds=seconds, step_s=sum(seconds.values()))
