"""Any command: its wall time, one process per side and block."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import resource
import shlex
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nnbench
from nnbench.ab.child import run_child
from nnbench.ab.failures import failed, how_it_ended
from nnbench.ab.sides import Side
from nnbench.ab.store import SCENARIO, labelled
from nnbench.ab.trainings import Keep
from nnbench.config import ConfigError
from nnbench.records import Record

_NAME_WIDTH = 60


def words_of(command: Sequence[str], side: Side, other: Side) -> list[str]:
    """*command* with the side's values in the place of ``{key}`` and its interpreter in that of ``{python}``.

    Other braces stay as they are.

    Raises:
        ConfigError: a value that only the other side has, or that the command does not use.
    """
    flag = f"--{side.label.lower()}"
    values = {"python": side.python, **side.changes}
    used = {name for word in command for name in re.findall(r"\{(\w+)\}", word)}
    if missing := sorted((used & set(other.changes)) - set(side.changes)):
        raise ConfigError(
            f"{flag}: no value for {{{missing[0]}}}, which the command uses; add {flag} {missing[0]}=…"
        )
    if unused := sorted(set(side.changes) - used):
        raise ConfigError(f"{flag}: the command does not use {{{unused[0]}}}; both sides would do the same")
    if "python" not in used and side.python != sys.executable:
        raise ConfigError(f"{flag}-python: the command does not use {{python}}; both sides would do the same")
    return [re.sub(r"\{(\w+)\}", lambda at: values.get(at[1], at[0]), word) for word in command]


class Command:
    """Both sides of a command, block by block; the first run of each side warms up and is not counted.

    The command has the user's own environment: nothing of nnbench's is set in it.

    Args:
        folder: for what it prints; ours alone.
        keep: called with the label of a side and each of its records.

    Raises:
        ConfigError: see `words_of`.
    """

    def __init__(self, sides: tuple[Side, Side], command: Sequence[str], *, folder: Path, keep: Keep) -> None:
        a, b = sides
        self._sides = {side.label: side for side in sides}
        self._words = {"A": words_of(command, a, b), "B": words_of(command, b, a)}
        self._moved = any(side.revision for side in sides)
        self._folder, self._keep = folder, keep
        self.asked: set[str] = set()
        self.arms = {label: self._arm(command, label) for label in self._sides}
        self._machine = machine()

    def _arm(self, command: Sequence[str], label: str) -> dict[str, Any]:
        """What the record says of it: the command as it was given, without the user's own folder."""
        text = shlex.join(command).replace(str(Path.home()), "~")
        side = self._sides[label]
        identity = shlex.join([text, side.revision, *(f"{k}={v}" for k, v in side.changes.items())])
        return {
            "name": textwrap.shorten(text, _NAME_WIDTH, placeholder=" …") or text[:_NAME_WIDTH],
            "id": hashlib.sha256(identity.encode()).hexdigest()[:16],
            "kind": "command", "command": text, "changes": dict(side.changes),
        }  # fmt: skip

    def scenarios(self) -> dict[str, list[dict[str, Any]]]:
        """The two commands, as run.json has them."""
        return {SCENARIO: [labelled(label, arm) for label, arm in self.arms.items()]}

    def warm_up(self) -> None:
        """Run each side once, not counted: files are read and compiled then.

        Raises:
            SideFailed: the command failed.
        """
        for label in self._sides:
            self._run(label, None)

    def block(self, number: int, order: Sequence[str]) -> None:
        """Run both sides in *order*.

        Raises:
            SideFailed: the command failed; its last lines are shown.
        """
        for label in order:
            started_at = datetime.now(UTC).isoformat(timespec="seconds")
            wall_s, evidence = self._run(label, number)
            record = Record(
                scenario=SCENARIO, arm=self.arms[label], seed=number, block=number,
                metrics={"command_s": wall_s}, started_at=started_at, evidence=evidence,
                environment={**self._machine, "load_1min": os.getloadavg()[0]},
                quality=("UNKNOWN",),  # what a foreign process waits for a core is not known
            )  # fmt: skip
            self._keep(label, record)

    def _run(self, label: str, number: int | None) -> tuple[float, dict[str, float]]:
        side, before = self._sides[label], resource.getrusage(resource.RUSAGE_CHILDREN)
        log = self._folder / f"command-{label}.log"
        ended = run_child(self._words[label], log, folder=side.folder, environment=self._environment(side))
        if ended.code != 0:
            raise failed("COMMAND", label, number, how_it_ended(ended.code), log)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return ended.wall_s, {
            "cpu_share": cpu_s / ended.wall_s, "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
        }  # fmt: skip

    def _environment(self, side: Side) -> Mapping[str, str]:
        """The user's own; where a revision is compared, both sides have their own import path."""
        return {**os.environ, "PYTHONPATH": os.pathsep.join(side.paths)} if self._moved else os.environ


def machine() -> dict[str, Any]:
    """What a command's times depend on, without torch: a parent that has loaded it starts children later."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "nnbench": nnbench.__version__, "system": f"{platform.system()} {platform.machine()}",
        "cpu": found[1].strip() if found else platform.processor() or "unknown", "cores": cores,
        "launcher": "python",
    }  # fmt: skip
