"""Bench files: each side of a block runs their arms through pytest, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnbench.ab.child import run_child
from nnbench.ab.failures import failed, how_it_ended, last_lines
from nnbench.ab.sides import Side
from nnbench.ab.store import labelled
from nnbench.ab.trainings import Keep
from nnbench.config import ConfigError, closest
from nnbench.records import read_record, read_run

# What pytest's options can change of all arms; all else is written in the bench file.
CHANGES = ("device", "threads")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which arms of the bench files run, and how.

    Attributes:
        paths: bench files or folders, relative to the folder of each side.
        seeds: trainings of each arm in each block. A block's seeds follow those of the block before it, and
            learning is compared over all of them.
        memory: count memory and operations too, in the first block.
        options: further ones of pytest, such as ``-k``.
    """

    paths: Sequence[Path]
    profile: str = "quick"
    seeds: int = 1
    memory: bool = False
    options: Sequence[str] = ()


class BenchFiles:
    """Both sides of the selected arms, block by block.

    Args:
        folder: for runs and logs; ours alone.
        keep: called with the label of a side and each of its records.

    Raises:
        ConfigError: a change that pytest's options cannot make, or a path that a side does not have.
    """

    def __init__(self, sides: tuple[Side, Side], of: Selection, *, folder: Path, keep: Keep) -> None:
        self._sides = {side.label: side for side in sides}
        self._of, self._folder, self._keep = of, folder, keep
        self._plans: dict[str, Mapping[str, Any]] = {}
        a, b = sides
        self.asked = {"python", "torch", "cuda"} if a.python != b.python else set()
        for side in sides:
            _check(side, of.paths)

    def scenarios(self) -> dict[str, list[dict[str, Any]]] | None:
        """The arms of both sides, as run.json has them; None before both have told theirs."""
        if len(self._plans) < len(self._sides):
            return None
        found: dict[str, list[dict[str, Any]]] = {}
        for label, plan in sorted(self._plans.items()):
            for scenario in plan["scenarios"]:
                found.setdefault(str(scenario["name"]), []).extend(
                    labelled(label, arm) for arm in scenario["arms"]
                )
        return found

    def warm_up(self) -> None:
        """Nothing: each arm warms up by itself."""

    def block(self, number: int, order: Sequence[str]) -> None:
        """Run the arms of both sides in *order*.

        Raises:
            SideFailed: pytest was killed, or left no record.
            ConfigError: a mistake in a bench file, as pytest tells it.
        """
        for label in order:
            self._process(self._sides[label], number)

    def _process(self, side: Side, number: int) -> None:
        out = self._folder / f"block-{number:03d}-{side.label}"
        log = out.with_suffix(".log")
        ended = run_child(
            self._command(side, number, out), log, folder=side.folder, environment=side.environment()
        )
        if ended.code not in (0, 1):
            errors = [line for line in last_lines(log, 200) if line.startswith(("ERROR", "E  "))]
            if ended.code > 1 and errors:
                raise ConfigError(
                    "\n".join([f"side {side.label}: pytest cannot run the bench files", *errors])
                )
            raise failed("pytest", side.label, number, how_it_ended(ended.code), log)
        records = [read_record(path) for path in sorted((out / "records").glob("*.json"))]
        if not records:
            raise failed("pytest", side.label, number, "no arm left a record", log)
        self._plans.setdefault(side.label, read_run(out))
        for record in records:
            self._keep(side.label, replace(record, block=number))

    def _command(self, side: Side, number: int, out: Path) -> list[str]:
        changes = [f"--nnbench-{key}={value}" for key, value in side.changes.items()]
        memory = "on" if self._of.memory and not number else "off"
        return [
            side.python, "-P", "-m", "pytest", *(str(inside(side, path)) for path in self._of.paths),
            "-q", "-p", "no:cacheprovider", f"--nnbench-out={out}", f"--nnbench-profile={self._of.profile}",
            f"--nnbench-seeds={self._of.seeds}", f"--nnbench-first-seed={number * self._of.seeds}",
            f"--nnbench-memory={memory}", "--nnbench-vectorise=off",  # it is times that are compared
            *self._of.options, *changes,
        ]  # fmt: skip


def inside(side: Side, path: Path) -> Path:
    """*path* as the side's processes find it: one within the current folder is relative to theirs."""
    whole = Path(os.path.abspath(path))
    return whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole


def _check(side: Side, paths: Sequence[Path]) -> None:
    flag = f"--{side.label.lower()}"
    for key in side.changes:
        if key not in CHANGES:
            raise ConfigError(
                f"{flag}: with bench paths a side changes {' or '.join(CHANGES)}, got {key!r}; "
                f"{closest(key, CHANGES)}change the bench file and compare the two by {flag}-rev"
            )
    for path in paths:
        if side.project is not None and inside(side, path).is_absolute():
            raise ConfigError(f"{path} lies outside the current folder, so no revision of it can be run")
        if not (side.folder / inside(side, path)).exists():
            where = f" in revision {side.revision[:12]}" if side.revision else ""
            raise ConfigError(f"{path}: no such file or folder{where}")
