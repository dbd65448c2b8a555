"""Children that measure: started so that none outlives us, and ended in good order. Needs no torch."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1  # of sys/prctl.h


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process signal *number* when its parent ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def die_at_once_with_parent() -> None:
    """The same for a process that runs a user's code, which may have made it deaf to all but SIGKILL."""
    die_with_parent(signal.SIGKILL)


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment and import path, so that a child finds the user's own factories.

    Threads of a child sleep while they wait unless the user says otherwise: spinning threads of two processes
    on the same cores slow each other up to ten times.
    """
    paths = os.pathsep.join(path or "." for path in sys.path)
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": paths, **more}


def start_memory_server() -> subprocess.Popen[str]:
    """The process behind `meters.memory.MemoryServer`: here, since it should import torch while we do."""
    return subprocess.Popen(
        [sys.executable, "-c", "from nnbench.meters.memory.server import serve; serve()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=child_environment(),
        start_new_session=True,  # Ctrl-C is for the benchmark; the server ends when its pipe does,
        preexec_fn=die_at_once_with_parent,  # and does not wait for the steps of a child that never end
    )  # fmt: skip


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM, *, grace_s: float = 3.0) -> None:
    """Ask *process*, first of its session, to end by signal *number*; after *grace_s* kill the session."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what the process has started, and itself where it is deaf
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
