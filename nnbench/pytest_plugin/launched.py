"""Arms of several ranks in pytest: one launch measures them all, then each test tells of its own.

Started plainly, pytest has torchrun measure them; started under torchrun, every rank runs the same tests,
and the first of them measures for all. What the launch took is replayed to pytest-benchmark's clock.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from nnbench.config import Arm
from nnbench.pytest_plugin.rounds import describe, fail_if_lost, interrupted

if TYPE_CHECKING:
    from nnbench.claims import Scenario
    from nnbench.pytest_plugin.session import Session
    from nnbench.records import Record

NOT_UNDER_TORCHRUN = "one process measures this: run it without torchrun"


def rank_under_torchrun() -> int | None:
    """This process's rank; None where torchrun has not started it. Needs no torch."""
    if "WORLD_SIZE" not in os.environ:
        return None
    return int(os.environ.get("RANK", "0"))


def needs_launch(scenario: Scenario) -> bool:
    """Whether *scenario* compares numbers of ranks: all its arms are then measured by one launch."""
    return any(isinstance(arm, Arm) and arm.ranks > 1 for arms in scenario.arms.values() for arm in arms)


class Replay:
    """A clock for pytest-benchmark that shows the durations which a launch has measured."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        """Seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self._now += seconds


class Launched:
    """The arms of this run that one launch measures, and their records once it has."""

    def __init__(self, session: Session) -> None:
        self.replay = Replay()
        self._session = session
        self._arms: list[tuple[Scenario, Arm]] = []
        self._records: list[Record] | None = None

    def plan(self, scenario: Scenario, arm: Arm) -> None:
        """Have the launch measure *arm* of *scenario* too."""
        self._arms.append((scenario, arm))

    def tell(self, benchmark: Any, scenario: Scenario, arm: Arm) -> list[Record]:
        """The records of *arm*, replayed to *benchmark*; the first call measures all that is planned."""
        if self._records is None:
            self._records = []
            try:
                self._measure(self._records)
            except KeyboardInterrupt as error:
                interrupted(benchmark, error)
        wanted = (scenario.name, arm.name)
        records = [r for r in self._records if (r.scenario, r.arm["name"]) == wanted]
        records.sort(key=lambda record: record.seed)
        durations = [_duration(record) for record in records if record.metrics.get("train_s") is not None]
        waiting = iter(durations)
        try:
            benchmark.pedantic(lambda: self.replay.advance(next(waiting)), rounds=max(1, len(durations)))
        except StopIteration:
            pass  # there is nothing to replay, and pytest-benchmark knows of an error
        describe(benchmark, records)
        fail_if_lost(records, expected=arm.name in scenario.may_diverge)
        return records

    def _measure(self, records: list[Record]) -> None:
        """Measure all that is planned, into *records*; each is kept as soon as it is made."""
        from nnbench.distributed import place_of
        from nnbench.scaling import Task, capacity, launch, measure_series, turns

        session = self._session
        tasks = [
            Task(arm, of.name, seeds, session.block)
            for of, arm in self._arms
            if (seeds := session.due(of, arm))
        ]
        place = place_of()
        waiting = iter(turns(tasks))

        def next_begins() -> None:
            for task, seed in islice(waiting, 1):
                session.begins(str(task.scenario), task.arm, seed)

        def keep(record: Record) -> None:
            records.append(session.keep(record))
            next_begins()

        if place is None:
            ranks = min(max(task.arm.ranks for task in tasks), capacity(tasks[0].arm.device))
            session.note("launch")
            launch(tasks, ranks, data_folder=session.data_folder, keep=keep, begins=next_begins)
            session.note("landed")
        else:
            next_begins()
            series = measure_series(tasks, place, data_folder=session.data_folder, keep=keep)
            session.writes = series.writes


def _duration(record: Record) -> float:
    return float(record.metrics["train_s"] or 0) + float(record.metrics.get("validation_s") or 0)


def silence(config: pytest.Config) -> None:
    """Rank 0 alone writes and prints: pytest-benchmark would write its files on every rank."""
    config.option.verbose = -1  # no header, until the reporter is gone
    for name, nothing in (("json", None), ("save", None), ("autosave", False)):
        if hasattr(config.option, f"benchmark_{name}"):
            setattr(config.option, f"benchmark_{name}", nothing)
