"""Blocks without processes: a stand-in for pytest that leaves what it would leave, and dies where it is told."""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fake_runs import training_record
from nnbench.claims import Scenario, run_plan
from nnbench.config import Arm
from nnbench.records import Journal, read_own_record, read_run, write_record, write_run
from nnbench.runner.child import Ended
from nnbench.work import Work, planned

ARMS = tuple(Arm(name=name, model="logistic", data="xor") for name in ("a", "b", "c"))
FINE = Ended(0, False, False, ("3 passed",))


def scenario(name: str = "tiny", repeat: str = "seeds", arms: Any = ARMS) -> Scenario:
    return Scenario(name=name, statement="s", question="q", axis="epochs", repeat=repeat,
                    arms=dict.fromkeys(("smoke", "quick", "full"), arms))  # fmt: skip


@dataclass
class Pytest:
    """What the processes of a run will do.

    Attributes:
        seeds, repeat: of its one scenario.
        deaths: for each process: the arms that it still does, and how it then ends; `inside` the next arm or
            before it, and whether that arm has left a record by then.
        broken: arms for which the test never calls the fixture.
        quality: block -> flags of its records.
    """

    seeds: int = 1
    repeat: str = "seeds"
    deaths: deque[Death] = field(default_factory=deque)
    broken: tuple[str, ...] = ()
    quality: dict[int, tuple[str, ...]] = field(default_factory=dict)
    arms: tuple[Arm, ...] = ARMS
    commands: list[list[str]] = field(default_factory=list)
    ran: list[tuple[str, int, int]] = field(default_factory=list)

    def start(self, command: list[str], log: Path, **environment: str) -> Block:
        """In the place of `BlockProcess`."""
        self.commands.append(list(command))
        return Block(self, dict(word[2:].split("=", 1) for word in command if word.startswith("--nnbench-")))


@dataclass
class Death:
    """After *after* arms, *where* in the next one: 'before' it, 'inside', 'written' (not noted) or 'noted'."""

    after: int
    where: str = "inside"
    ended: Ended = field(default_factory=lambda: Ended(-9, False, False, ()))
    error: BaseException | None = None


class Block:
    """One process of a `Pytest`."""

    def __init__(self, of: Pytest, options: dict[str, str]) -> None:
        self._of, self._folder = of, Path(options["nnbench-out"])
        self._block, self._blocks = int(options["nnbench-block"]), int(options["nnbench-blocks"])
        self.interrupted = False

    def watch(self, journal: Journal, look: Any, arm_timeout_s: float) -> Ended:
        of, mine = self._of, Journal(self._folder)  # a process has its own
        if not (self._folder / "run.json").exists():
            plan = scenario(repeat=of.repeat).plan(of.arms, "quick")
            write_run(self._folder, run_plan([plan], profile="quick", command="x", version="0", seeds=of.seeds,
                                             blocks=self._blocks))  # fmt: skip
        mine.note("ready", self._block)
        death = of.deaths.popleft() if of.deaths else None
        for number, work in enumerate(self._due()):
            if death is not None and number == death.after:
                return self._die(mine, work, death)
            look()
            if work.arm["name"] not in of.broken:
                mine.begins(work.scenario, work.arm, work.seed, work.block)
                self._leave(work)
                mine.note("record", work.block, id=work.id)
        look()
        return FINE if death is None else death.ended

    def interrupt(self) -> None:
        self.interrupted = True

    def _due(self) -> list[Work]:
        found = [read_own_record(path) for path in (self._folder / "records").glob("*.json")]
        done = {record.id for record in found if record.status != "INTERRUPTED"}
        return [work for work in planned(read_run(self._folder), self._block) if work.id not in done]

    def _leave(self, work: Work) -> None:
        arm = next(arm for arm in self._of.arms if arm.name == work.arm["name"])
        record = training_record(arm, work.seed, scenario=work.scenario, accuracy=0.5, step_ms=1)
        self._of.ran.append((arm.name, work.seed, work.block))
        quality = self._of.quality.get(work.block, ())
        write_record(self._folder, replace(record, block=work.block, quality=quality))

    def _die(self, mine: Journal, work: Work, death: Death) -> Ended:
        if death.where != "before":
            mine.begins(work.scenario, work.arm, work.seed, work.block)
        if death.where in ("written", "noted"):
            self._leave(work)
        if death.where == "noted":
            mine.note("record", work.block, id=work.id)
        if death.error is not None:
            raise death.error
        return death.ended


def aged(folder: Path, seconds: float) -> None:
    """Make the journal in *folder* one of *seconds* ago."""
    path = folder / "journal.jsonl"
    then = time.monotonic() - seconds
    path.write_text(re.sub(r'"clock_s": [-+.\de]+', f'"clock_s": {then}', path.read_text()))
