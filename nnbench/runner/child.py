"""One block as a process: pytest on the bench files, watched, and ended in good order."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnbench.processes import child_environment, die_with_parent, end
from nnbench.records import Journal

_LOOK_S = 0.2  # watching must not disturb
_TAIL_LINES = 30


@dataclass(frozen=True)
class Ended:
    """How the process of a block ended.

    Attributes:
        code: exit code; below zero the number of the signal that killed it.
        timed_out: whether it was ended because its arm took too long.
        oom: whether the kernel's out-of-memory killer was at work meanwhile.
        tail: the last lines it printed.
    """

    code: int
    timed_out: bool
    oom: bool
    tail: tuple[str, ...]


class BlockProcess:
    """pytest in a process and session of its own.

    Args:
        command: after the interpreter.
        log: file for all that it prints; a disk that is full takes nothing from `Ended.tail`.
    """

    def __init__(self, command: Sequence[str], log: Path, **environment: str) -> None:
        self._oom_kills = oom_kills()
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=child_environment(**environment),
            start_new_session=True,  # Ctrl-C is for the runner, which then ends the block in good order
            preexec_fn=die_with_parent,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()

    def _read(self, log: Path) -> None:
        assert self._process.stdout is not None
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            file = log.open("ab", buffering=0)
        except OSError:
            file = None
        for line in self._process.stdout:
            self._tail.append(line.decode(errors="replace").rstrip())
            try:
                if file is not None:
                    file.write(line)
            except OSError:
                file = None

    def watch(self, journal: Journal, look: Callable[[], None], arm_timeout_s: float) -> Ended:
        """Wait for its end, calling *look* now and then; end it where one arm takes longer than the limit."""
        timed_out = False
        while self._process.poll() is None:
            look()
            arm = journal.in_flight()
            if arm is not None and time.monotonic() - arm.clock_s > arm_timeout_s:
                timed_out = True
                end(self._process, signal.SIGKILL)
            time.sleep(_LOOK_S)
        self._reader.join(timeout=1)  # a grandchild may hold the pipe open
        end(self._process)
        return Ended(self._process.returncode, timed_out, oom_kills() > self._oom_kills, tuple(self._tail))

    def interrupt(self) -> None:
        """End it as Ctrl-C would, so that the arm in flight leaves its record; after 3 s by force."""
        end(self._process, signal.SIGINT)


def oom_kills() -> int:
    """How many processes of this control group the kernel's out-of-memory killer has ended; 0 if unknown."""
    try:
        lines = Path("/sys/fs/cgroup/memory.events").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
