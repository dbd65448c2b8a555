"""Peak memory of a training's steps, in a pass of its own.

CPU: the peak of a process that has done other work before depends on that work. So a server process
imports torch and runs nothing; for each arm it forks a child, which runs a throw-away copy of the steps
(loads the data, faults in the libraries' code, fills their caches), gives the freed pages back, resets
the kernel's high-water mark (proc(5), clear_refs), runs the steps again and reads the mark.
`peak_bytes` is the growth over the resident size at the reset: model, gradients, optimizer state,
activations and batches, without data set and libraries.

CUDA: the allocator's own peak over the same steps.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch

from nnbench import devices
from nnbench.config import Arm, arm_from
from nnbench.training import Training

# Optimizer state appears in the first step; from the second on everything is there at once.
STEPS = 3
_M_MMAP_THRESHOLD = -3  # of malloc.h


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Peak bytes, or None with the reason why there is no figure."""

    peak_bytes: int | None
    reason: str | None = None


class MemoryServer:
    """The process that has imported torch and run nothing; use it as a context, or `close` it.

    It imports (seconds) while its maker imports too; nothing waits for it before the first `measure`.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = _start_server()

    def __enter__(self) -> MemoryServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def measure(self, arm: Arm, seed: int = 0, data_folder: Path | None = None) -> Peak:
        """Peak memory of a few training steps of *arm*."""
        if not sys.platform.startswith("linux"):
            return Peak(peak_bytes=None, reason=f"needs Linux's /proc, this is {sys.platform}")
        folder = None if data_folder is None else str(data_folder)
        request = {"arm": {"name": arm.name, **arm.config()}, "seed": seed, "data_folder": folder}
        del request["arm"]["kind"]  # type: ignore[attr-defined]
        try:
            answer = json.loads(self._ask(json.dumps(request)))
        except (OSError, ValueError) as error:
            self.close()
            return Peak(peak_bytes=None, reason=f"the memory server died: {error}")
        return Peak(**answer)

    def _ask(self, line: str) -> str:
        if self._process is None:
            self._process = _start_server()
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


def _start_server() -> subprocess.Popen[str]:
    """A server with this process's import path, so that it finds the user's own factories."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return subprocess.Popen(
        [sys.executable, "-c", "from nnbench.meters.memory import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,  # Ctrl-C is for the benchmark; the server ends when its pipe does
    )


def serve() -> None:
    """Answer requests, one JSON object a line, each in a child of its own, until the input ends."""
    import torch._dynamo  # noqa: F401 - every optimizer imports it when it is made: 3 s that no child should pay

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a model prints must not get between the answers
    for line in sys.stdin:
        answers.write(_in_child(line) + "\n")
        answers.flush()


def _in_child(line: str) -> str:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
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
    return json.dumps({"peak_bytes": None, "reason": f"the memory pass was killed (wait status {status})"})


def _answer(line: str, pipe: IO[str]) -> None:
    answer: dict[str, int | str | None]
    try:
        request = json.loads(line)
        folder = None if request["data_folder"] is None else Path(request["data_folder"])
        answer = {"peak_bytes": resident_growth(arm_from(request["arm"]), request["seed"], folder)}
    except Exception as error:  # the reason travels to the record; the benchmark itself will say more
        answer = {"peak_bytes": None, "reason": f"{type(error).__name__}: {error}"[:500]}
    pipe.write(json.dumps(answer))


def resident_growth(arm: Arm, seed: int, data_folder: Path | None) -> int:
    """Bytes by which the resident peak of a few steps exceeds the size before them.

    Raises:
        OSError: the kernel does not let this process reset its high-water mark.
    """
    _map_large_blocks()
    short = arm.replace(max_steps=STEPS, epochs=STEPS)
    Training(short, seed, data_folder).run(validate=False)
    _give_freed_pages_back()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_bytes("VmRSS")
    Training(short, seed, data_folder).run(validate=False)
    return max(0, _status_bytes("VmHWM") - before)


def _libc() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libc.so.6")
    except OSError:
        return None  # not glibc: its allocator keeps no freed pages that could be given back


def _give_freed_pages_back() -> None:
    """Pages that the first run has freed would be taken again by the second and hide its growth."""
    gc.collect()
    if (libc := _libc()) is not None:
        libc.malloc_trim(0)


def _map_large_blocks() -> None:
    """Every tensor of 64 KiB and more in a mapping of its own, gone from the resident size when freed.

    glibc would otherwise raise that limit while the first run frees its tensors, and what the second
    run has freed would count until the heap shrinks: twice the truth for a network of 1,100,000 weights.
    """
    if (libc := _libc()) is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, 64 * 1024)


def _status_bytes(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status has no {name}")
    return int(found[1]) * 1024


def cuda_peak(arm: Arm, seed: int, data_folder: Path | None) -> Peak:
    """The allocator's peak over a few steps, without what was allocated before the model."""
    device = devices.choose_device(arm.device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    Training(arm.replace(max_steps=STEPS, epochs=STEPS), seed, data_folder).run(validate=False)
    return Peak(peak_bytes=torch.cuda.max_memory_allocated(device) - before)
