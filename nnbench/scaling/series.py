"""A series of arms of different numbers of ranks, measured by the ranks of one launch.

Seed by seed every arm runs once, in an order that all ranks draw from the seed: what is compared was
measured in turns, on the same machine, by the same processes. Ranks that an arm does not need sleep.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.benchmarking import Measurement
from nnbench.config import Arm, arm_from
from nnbench.distributed import Failure, Group, Place, Stopped, World, failure_of, joined
from nnbench.records import Record, record_from_json, strict_dumps

TIMEOUT_S = 300.0
_LONGEST_ARM_S = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Task:
    """An arm to be measured under *seeds*, in one block."""

    arm: Arm
    scenario: str | None = None
    seeds: tuple[int, ...] = (0,)
    block: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `task_from_json` makes it again."""
        values = {"name": self.arm.name, **self.arm.config()}
        del values["kind"]
        return {"arm": values, "scenario": self.scenario, "seeds": list(self.seeds), "block": self.block}


def task_from_json(values: dict[str, Any]) -> Task:
    """The task of which `Task.to_json` gave the *values*."""
    return Task(arm_from(values["arm"]), values["scenario"], tuple(values["seeds"]), values["block"])


def turns(tasks: Sequence[Task]) -> list[tuple[Task, int]]:
    """Each arm with each of its seeds, in the order in which they are measured.

    The order is drawn anew for each seed, from text: the same for all ranks, whatever their hash seed.
    """
    order: list[tuple[Task, int]] = []
    for seed in sorted({seed for task in tasks for seed in task.seeds}):
        due = [task for task in tasks if seed in task.seeds]
        order += [(task, seed) for task in random.Random(f"nnbench scaling {seed}").sample(due, len(due))]
    return order


@dataclass(frozen=True)
class Series:
    """What a launch has measured.

    Attributes:
        records: on every rank, one for each arm and seed, in the order of `turns`.
        failed: whether a rank failed, so that the ranks cannot go on together.
        writes: whether this rank is the one that writes: rank 0, or the lowest that is left.
    """

    records: list[Record]
    failed: bool
    writes: bool


def measure_series(
    tasks: Sequence[Task],
    place: Place,
    *,
    data_folder: Path | None = None,
    timeout_s: float = TIMEOUT_S,
    keep: Callable[[Record], None] = lambda record: None,
) -> Series:
    """Measure all *tasks*; every rank of the launch calls it with the same ones.

    Args:
        timeout_s: a rank that is silent for so long in the middle of a training counts as failed.
        keep: called with each record as soon as this rank knows it.

    Raises:
        ConfigError: GPUs are asked for, and there are fewer than ranks.
    """
    sizes = sorted({task.arm.ranks for task in tasks})
    devices = {task.arm.device for task in tasks} or {"auto"}
    device = devices.pop() if len(devices) == 1 else "auto"
    with joined(place, sizes, device=device, timeout_s=timeout_s) as world:
        work = _Work(world, data_folder)
        for task, seed in turns(tasks):
            try:
                work.measure(task, seed)
            except KeyboardInterrupt:
                keep(work.refusal(task, seed, "INTERRUPTED", "interrupted"))
                raise
            keep(work.records[-1])
    return Series(work.records, work.failure is not None, work.writer == place.rank)


class _Work:
    """The measuring of one rank."""

    def __init__(self, world: World, data_folder: Path | None) -> None:
        self.records: list[Record] = []
        self.failure: Failure | None = None
        self.writer = 0
        self._world, self._data_folder = world, data_folder
        self._measurements: dict[Task, Measurement] = {}

    def measure(self, task: Task, seed: int) -> None:
        """Add the record of *task* under *seed*."""
        if task.arm.ranks > self._world.place.size:
            needs = f"needs {task.arm.ranks} ranks, this launch has {self._world.place.size}"
            self.records.append(self.refusal(task, seed, "SKIPPED", needs))
        elif self.failure is not None:
            why = f"not run, since {self.failure.reason}"
            self.records.append(self.refusal(task, seed, "SKIPPED", why))
        else:
            self.records.append(self._measured(task, seed))

    def refusal(self, task: Task, seed: int, status: str, reason: str) -> Record:
        """The record of an arm that was not measured."""
        return self._of(task).refusal(seed, status, reason)

    def _of(self, task: Task) -> Measurement:
        if task not in self._measurements:
            group = self._world.groups.get(task.arm.ranks) or Group()
            self._measurements[task] = Measurement(
                task.arm, scenario=task.scenario, block=task.block, data_folder=self._data_folder, group=group
            )
        return self._measurements[task]

    def _measured(self, task: Task, seed: int) -> Record:
        group = self._world.groups[task.arm.ranks]
        key = f"{len(self.records)}"
        try:
            try:
                if group is None:
                    return self._other_ranks_record(key)
                record = self._of(task).train(seed)
                if group.rank == 0:
                    self._world.tell(f"{key}/record", strict_dumps(record.to_json()))
                return record
            except Exception as error:
                return self._failed(task, seed, key, group, error)
        except Stopped as error:  # between the two, or while the first was being handled
            return self._failed(task, seed, key, group, error)

    def _other_ranks_record(self, key: str) -> Record:
        text = self._world.sleep_until(f"{key}/record", _LONGEST_ARM_S)
        if text is None:
            raise Stopped("no record came")
        return record_from_json(json.loads(text))

    def _failed(self, task: Task, seed: int, key: str, group: Group | None, error: Exception) -> Record:
        members = group or Group(size=task.arm.ranks)
        failure = failure_of(self._world, members, key, error)
        if failure.common:
            self._world.calm = False
            record = self._of(task).failure(seed, error)
            if members.rank == 0:
                self._world.tell(f"{key}/record", strict_dumps(record.to_json()))
            return record
        self.failure, self.writer = failure, failure.writer
        return self.refusal(task, seed, failure.status, failure.reason)
