"""Start torchrun from a process that it did not start, and bring its records back."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from nnbench import devices
from nnbench.benchmarking import Measurement
from nnbench.processes import child_environment, die_with_parent
from nnbench.records import Record, record_from_json, strict_dumps, strict_loads, write_atomic
from nnbench.scaling.series import TIMEOUT_S, Task, turns

# torchrun gives ranks that ignore SIGTERM 30 s before it kills them.
_END_S = 35.0
_LOOK_S = 0.1
_FIRST_FAILURE = re.compile(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", re.DOTALL)


def capacity(device: str) -> int:
    """How many ranks this machine holds: one for each GPU, or for each core."""
    if devices.choose_device(device).type == "cpu":
        return devices.usable_cores()
    return torch.accelerator.device_count()


def launch(
    tasks: Sequence[Task],
    ranks: int,
    *,
    data_folder: Path | None = None,
    timeout_s: float = TIMEOUT_S,
    keep: Callable[[Record], object] = lambda record: None,
    begins: Callable[[], object] = lambda: None,
) -> list[Record]:
    """Measure *tasks* by one launch of *ranks* processes under torchrun, on a port that is free.

    Args:
        begins: called once the ranks have started and imported what they need.
        timeout_s: a rank that is silent for so long in the middle of a training counts as failed.
        keep: called with each record, in the order of `turns`, soon after it is made. When this process is
            interrupted (KeyboardInterrupt), the arm in flight is kept as INTERRUPTED, and there is no more.

    Returns:
        A record for each arm and seed. Where no rank is left to say what happened, the arm in flight is
        RANK_FAILED by what torchrun says, and those after it are SKIPPED.
    """
    with tempfile.TemporaryDirectory(prefix="nnbench-scaling-") as folder:
        request, answer, log = (Path(folder) / name for name in ("tasks.json", "records.jsonl", "log.txt"))
        write_atomic(request, strict_dumps([task.to_json() for task in tasks]))
        command = _command(request, answer, ranks, data_folder, timeout_s)
        records: list[Record] = []
        waiting = iter([begins])

        def look(*, last: bool = False) -> None:
            if answer.exists():
                for tell in waiting:
                    tell()
            for line in _lines(answer)[len(records) :]:
                record = record_from_json(strict_loads(line))
                if record.status == "RANK_FAILED" and not last:
                    return  # what torchrun has seen of it is added at the end
                records.append(_with_signal(record, log) if last else record)
                keep(records[-1])

        try:
            code = _run(command, log, look)
        except KeyboardInterrupt:
            look()
            for task, seed in turns(tasks)[len(records) :][:1]:
                keep(_of(task).refusal(seed, "INTERRUPTED", "interrupted"))
            raise
        look(last=True)
        reason = _who(log, ranks) or f"torchrun ended with {code}{_why(log)}"
    for record in _lost(turns(tasks)[len(records) :], reason):
        records.append(record)
        keep(record)
    return records


def _of(task: Task) -> Measurement:
    return Measurement(task.arm, scenario=task.scenario, block=task.block)


def _command(
    request: Path, answer: Path, ranks: int, data_folder: Path | None, timeout_s: float
) -> list[str]:
    options = [] if data_folder is None else [f"--data-dir={data_folder.absolute()}"]
    return [
        sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}",
        "-m", "nnbench.scaling", f"--tasks={request}", f"--json={answer}", f"--timeout={timeout_s}", *options,
    ]  # fmt: skip


def _lines(answer: Path) -> list[str]:
    """The records so far, a line each; one that is being written is left out."""
    if not answer.exists():
        return []
    return [line for line in answer.read_text(encoding="utf-8").splitlines(keepends=True) if line[-1] == "\n"]


def _run(command: Sequence[str], log: Path, look: Callable[[], object]) -> int:
    """Run torchrun to its end, calling *look* now and then; it does not outlive this process."""
    environment = child_environment()
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        environment.pop(name, None)
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which then ends torchrun in good order
            preexec_fn=die_with_parent,
        )  # fmt: skip
        try:
            while process.poll() is None:
                look()
                time.sleep(_LOOK_S)
            return process.returncode
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _lost(rest: Sequence[tuple[Task, int]], reason: str) -> list[Record]:
    return [
        _of(task).refusal(
            seed, *(("SKIPPED", f"not run, since {reason}") if place else ("RANK_FAILED", reason))
        )
        for place, (task, seed) in enumerate(rest)
    ]


def _who(log: Path, ranks: int) -> str:
    """The rank that torchrun saw fail first, and how it ended."""
    found = _FIRST_FAILURE.search(_text(log))
    return f"rank {found[1]} of {ranks} ended unexpectedly ({_end_of(int(found[2]))})" if found else ""


def _end_of(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _why(log: Path) -> str:
    """The first error in what torchrun and its ranks printed."""
    found = re.search(r"^(?:\[rank\d+\]: )?([\w.]*(?:Error|Exception)\b.*)$", _text(log), re.MULTILINE)
    return f": {found[1][:300]}" if found else ""


def _with_signal(record: Record, log: Path) -> Record:
    """How a rank ended that said nothing, which only torchrun has seen."""
    found = _FIRST_FAILURE.search(_text(log))
    if found is None or record.status != "RANK_FAILED" or not str(record.reason).endswith("unexpectedly"):
        return record
    return dataclasses.replace(record, reason=f"{record.reason} ({_end_of(int(found[2]))})")


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
