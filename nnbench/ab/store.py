"""The records of a comparison as a run folder, which every reading command takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import nnbench
from nnbench.ab.sides import Side
from nnbench.claims import run_plan
from nnbench.config import ConfigError
from nnbench.records import Record, write_record, write_run

SCENARIO = "ab"
QUESTION = "Is B faster than A, and does it learn as well?"


class Planned(Protocol):
    """Work that knows its arms: scenario -> those of both sides; None before it does."""

    def scenarios(self) -> Mapping[str, Sequence[Mapping[str, Any]]] | None: ...


class Store:
    """A new run folder, or none: then nothing is written.

    Args:
        about: the content of run.json's key "ab", see `about`.

    Raises:
        ConfigError: the folder holds something already.
    """

    def __init__(self, folder: Path | None, about: Mapping[str, Any], *, command: str, profile: str) -> None:
        if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"-o: {folder} holds something already; name a new folder")
        self._folder, self._about, self._command, self._profile = folder, about, command, profile
        self._work: Planned | None = None
        self._planned, self._waiting = False, list[Record]()
        self._seeds = self._blocks = 1

    def of(self, work: Planned, *, seeds: int, blocks: int) -> None:
        """Keep the records of *work*; the plan is written as soon as it knows its arms."""
        self._work, self._seeds, self._blocks = work, seeds, blocks
        self._plan()

    def keep(self, label: str, record: Record) -> None:
        """Write a record of side *label*; one that comes before the plan waits for it."""
        named = replace(record, arm=labelled(label, record.arm), scenario=record.scenario or SCENARIO)
        self._waiting.append(named)
        self._plan()
        if self._planned and self._folder is not None:
            for waiting in self._waiting:
                write_record(self._folder, waiting)
            self._waiting.clear()

    def _plan(self) -> None:
        scenarios = None if self._work is None or self._planned else self._work.scenarios()
        if self._folder is None or scenarios is None:
            return
        plan = run_plan(
            [_scenario(name, arms) for name, arms in scenarios.items()], profile=self._profile,
            command=self._command, version=nnbench.__version__, seeds=self._seeds,
        )  # fmt: skip
        write_run(self._folder, {**plan, "blocks": self._blocks, "ab": dict(self._about)})
        self._planned = True


def labelled(label: str, arm: Mapping[str, Any]) -> dict[str, Any]:
    """*arm* under a name that says whose it is: the sides may have equal ones."""
    return {**arm, "name": f"{label} {arm['name']}"}


def about(sides: Sequence[Side], order_seed: int) -> dict[str, Any]:
    """What run.json says of a comparison beside its plan."""
    return {"order_seed": order_seed, "sides": {side.label: side.to_json() for side in sides}}


def _scenario(name: str, arms: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": name, "statement": "", "question": QUESTION, "axis": "nothing", "factor": "",
        "repeat": "blocks", "remember": "", "plots": [], "claims": [], "may_diverge": [],
        "arms": [dict(arm) for arm in arms],
    }  # fmt: skip
