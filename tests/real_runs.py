"""Runs of `nnbench run` as a person starts them, in a folder of its own: started, watched, stopped, gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from nnbench.records import Entry, Journal, Record, read_own_record
from nnbench.results import read_results

# The memory pass costs each run a second import of torch; what is not about it does without.
NO_MEMORY = """
import nnbench.pytest_plugin.session as session
session.start_memory_server = lambda: None
session.Session.memory = lambda self: None
"""
# A busy machine spoils blocks, and others are run in their place: how many is then a matter of luck.
QUIET = """
import dataclasses
import nnbench.pytest_plugin.session as session
keep = session.Session.keep
session.Session.keep = lambda self, record: keep(self, dataclasses.replace(record, quality=()))
"""
OWN = """
import ctypes, os, resource, signal, sys, time
from pathlib import Path
import torch

def net(input_shape, classes, width=2):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, width), torch.nn.Tanh(),
                               torch.nn.Linear(width, classes))

def waits(input_shape, classes):
    while Path("wait").exists():
        time.sleep(0.05)
    return net(input_shape, classes)
"""
BENCH = """
from nnbench import Arm, Scenario
base = Arm(data="xor", model="own:net", batch_size="full", epochs=3)
arms = ({arms})
scenario = Scenario(name="tiny", statement="s", question="q", axis="epochs", repeat="{repeat}",
                    arms={{"smoke": arms, "quick": arms, "full": arms}})
def test_tiny(arm, train_benchmark):
    train_benchmark(arm)
"""
MARK = "NNBENCH_TEST_RUN"


class Bench:
    """A folder with one bench file, and the runs that are made of it."""

    def __init__(
        self, folder: Path, arms: str, *, repeat: str = "seeds", own: str = "", conftest: str = NO_MEMORY
    ) -> None:
        self.folder, self.run_folder = folder, folder / "run"
        self._seen = 0
        (folder / "bench").mkdir(parents=True, exist_ok=True)
        (folder / "own.py").write_text(OWN + own)
        self.file = folder / "bench" / "test_tiny.py"
        self.file.write_text(BENCH.format(arms=arms, repeat=repeat))
        (folder / "bench" / "conftest.py").write_text(conftest)

    def start(
        self, *arguments: str, before: tuple[str, ...] = (), code: str = "", **environment: str
    ) -> subprocess.Popen[str]:
        """Begin `nnbench` with *arguments*, or *code* that does as it would, in a process group of its own."""
        command = ["-c", code] if code else ["-m", "nnbench"]
        return subprocess.Popen(
            [*before, sys.executable, *command, *arguments], cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
            env={**os.environ, MARK: str(self.folder), **environment},
        )  # fmt: skip

    def begin(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Begin a new run, or go on with the one that is there."""
        self._seen = len(self.entries())
        if (self.run_folder / "request.json").exists():
            return self.start("run", "--resume", "run", **environment)
        return self.start("run", "bench", "-o", "run", *options, **environment)

    def complete(self, *options: str, code: int = 0, **environment: str) -> tuple[str, str]:
        """Run to the end, or go on to it; what was printed on standard output and error."""
        return end_of(self.begin(*options, **environment), code)

    def processes(self) -> list[psutil.Process]:
        """Every process that a run of this folder has started, however distantly."""
        found = []
        for process in psutil.process_iter():
            try:
                if (
                    process.environ().get(MARK) == str(self.folder)
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def nobody_is_left(self, seconds: float = 5.0) -> bool:
        return eventually(lambda: not self.processes(), seconds)

    def entries(self) -> list[Entry]:
        return Journal(self.run_folder).entries()

    def in_flight(self) -> str | None:
        """The arm that a process of the run is in."""
        entry = Journal(self.run_folder).in_flight()
        return None if entry is None else str(entry.more["arm"])

    def until_in(self, arm: str, process: subprocess.Popen[str]) -> None:
        """Wait until *process* has begun *arm*; 'one|two' is either."""

        def begun() -> bool:
            fresh = any(entry.event == "block" for entry in self.entries()[self._seen :])
            return (fresh and self.in_flight() in arm.split("|")) or process.poll() is not None

        assert eventually(begun, 60)
        assert process.poll() is None, end_of(process, None)

    def records(self) -> dict[tuple[str, int, int], Record]:
        found = [read_own_record(path) for path in (self.run_folder / "records").glob("*.json")]
        return {(record.arm["name"], record.seed, record.block): record for record in found}

    def statuses(self) -> dict[str, str]:
        """Name of the arm -> status and reason; of arms with several records the worst."""
        return {arm: f"{r.status}: {r.reason}" for (arm, _, _), r in sorted(self.records().items())}

    def learned(self) -> dict[tuple[str, int, int], Any]:
        """What must be the same, bit for bit, in each run of these arms."""
        return {
            key: (r.status, r.weights_sha256, r.metrics.get("validation_accuracy"), r.samples.get("step_loss"),
                  dict(r.curves, train_s=None))
            for key, r in self.records().items()
        }  # fmt: skip

    def run_twice(self) -> list[str]:
        """Ids of work that was begun again though a record of it was there."""
        kept: Counter[str] = Counter()
        twice = []
        for entry in self.entries():
            name = str(entry.more.get("id"))
            if entry.event == "arm" and kept[name]:
                twice.append(name)
            kept[name] += entry.event == "record"
        return twice

    def table(self) -> Any:
        return read_results(self.run_folder)

    def rejected(self) -> object:
        """Files of the run that are damaged."""
        return (self.run_folder / "run.json").exists() and self.table().rejected


def end_of(process: subprocess.Popen[str], code: int | None, seconds: float = 120.0) -> tuple[str, str]:
    """Output and errors of *process*, which must end with *code*."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    assert "Traceback" not in err, err
    assert code is None or process.returncode == code, f"{process.returncode}\n{out}\n{err}"
    return out, err


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether *condition* comes true within *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
