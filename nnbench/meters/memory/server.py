"""A process that imports, runs nothing, and forks a child for each memory pass and each count of FLOPs."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import torch

from nnbench import devices, models
from nnbench.config import DATA_SETS, MODELS, Arm, NnbenchError, arm_from, load_object
from nnbench.data import load
from nnbench.deferred_compiler import defer_compiler
from nnbench.meters.flops import Flops, count
from nnbench.meters.memory.peak import Peak
from nnbench.meters.memory.resident import map_large_blocks, resident_peak
from nnbench.processes import die_at_once_with_parent, start_memory_server


class MemoryServer:
    """The process that has imported torch and run nothing; use it as a context, or `close` it.

    It imports (seconds) while its maker imports too; `wait` for it before anything is timed.

    Args:
        process: one that was started before torch was imported here, by `processes.start_memory_server`.
    """

    def __init__(self, process: subprocess.Popen[str] | None = None) -> None:
        self._process: subprocess.Popen[str] | None = process or start_memory_server()

    def __enter__(self) -> MemoryServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self) -> None:
        """Until it has imported, and so takes no core from what is timed."""
        self._answer("nothing", {})

    def measure(self, arm: Arm, seed: int = 0, data_folder: Path | None = None) -> Peak:
        """Peak memory of a few training steps of *arm*, and its parts."""
        if not sys.platform.startswith("linux"):
            return Peak(peak_bytes=None, reason=f"needs Linux's /proc, this is {sys.platform}")
        return Peak(**{"peak_bytes": None, **self._answer("peak", _request(arm, seed, data_folder))})

    def flops(self, arm: Arm, data_folder: Path | None = None) -> Flops:
        """Floating-point operations of a sample of *arm*: what counting imports stays out of this process."""
        answer = self._answer("flops", _request(arm, 0, data_folder))
        answer["uncounted"] = tuple(answer.get("uncounted", ()))
        return Flops(**{"forward": None, "backward": None, **answer})

    def _answer(self, what: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(self._ask(json.dumps({"what": what, **request})))
        except (OSError, ValueError) as error:
            self.close()
            return {"reason": f"the memory server died: {error}"}
        return answer

    def _ask(self, line: str) -> str:
        if self._process is None:
            self._process = start_memory_server()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def close(self) -> None:
        """End the server; the next `measure` starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except BrokenPipeError:
                pass  # the server is gone, and what was still to be said with it
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _request(arm: Arm, seed: int, data_folder: Path | None) -> dict[str, Any]:
    folder = None if data_folder is None else str(data_folder)
    config = {key: value for key, value in arm.config().items() if key != "kind"}
    return {"arm": {"name": arm.name, **config}, "seed": seed, "data_folder": folder}


def serve() -> None:
    """Answer requests, one JSON object a line, each in a child of its own, until the input ends."""
    _prepare()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a model prints must not get between the answers
    for line in sys.stdin:
        _share_data(line)
        answers.write(_in_child(line) + "\n")
        answers.flush()
    gc.unfreeze()  # else libraries report at the end what they take for leaks


def _prepare() -> None:
    """Once for all children what each would do anew, but no arithmetic."""
    defer_compiler()
    count(torch.nn.Linear(1, 2), (1,))  # on the meta device, which computes nothing; it imports for 2 s
    for path in (*MODELS.values(), *DATA_SETS.values()):
        load_object(path)
    map_large_blocks()
    # A pool of threads does not survive a fork: whoever then waits for it waits for ever.
    torch.set_num_threads(1)
    gc.freeze()  # else a child's garbage collection touches, and so copies, every object of the imports


def _share_data(line: str) -> None:
    """Read one of nnbench's own data sets here, so that children find it in memory.

    Its pages are resident in a child before the steps, as those that it would read itself. What a user's
    factory would leave behind here is not known: it runs in the child.
    """
    try:
        request = json.loads(line)
        name, folder = request["arm"]["data"], request["data_folder"]
        if name in DATA_SETS:
            load(name, None if folder is None else Path(folder))  # called as `Training` does: cached so
    except (NnbenchError, OSError, ValueError, LookupError, TypeError):
        return  # the child meets it again, and tells


def _in_child(line: str) -> str:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        die_at_once_with_parent()  # what it runs may never end
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            _answer(line, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if answer:
        return answer
    return json.dumps({"reason": f"the memory pass was killed (wait status {status})"})


def _flops(arm: Arm, folder: Path | None) -> Flops:
    dataset = load(arm.data, folder)
    model = models.build(arm.model, dataset.input_shape, dataset.classes, arm.model_args)
    dtype = devices.weight_type(arm.precision)
    return count(model.to(dtype), dataset.input_shape, dtype)


def _answer(line: str, pipe: IO[str]) -> None:
    answer: dict[str, Any]
    try:
        request = json.loads(line)
        if request["what"] == "nothing":
            pipe.write("{}")
            return
        folder = None if request["data_folder"] is None else Path(request["data_folder"])
        arm = arm_from(request["arm"])
        if request["what"] == "flops":
            answer = asdict(_flops(arm, folder))
        else:
            answer = asdict(resident_peak(arm, request["seed"], folder))
    except Exception as error:  # the reason travels to the record; the benchmark itself will say more
        answer = {"reason": f"{type(error).__name__}: {error}"[:500]}
    pipe.write(json.dumps(answer))
