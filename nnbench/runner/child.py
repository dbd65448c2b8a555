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
from io import FileIO
from pathlib import Path

from nnbench.processes import child_environment, die_at_once_with_parent, end
from nnbench.records import Entry, Journal

_LOOK_S = 0.2  # watching must not disturb
_TAIL_LINES = 30
_BETWEEN_S = 600.0


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


class _Log:
    """A file that takes what it can: what it cannot must not stop the process that prints."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: FileIO | None = path.open("ab", buffering=0)
        except OSError:
            self._file = None

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def write(self, line: bytes) -> None:
        try:
            if self._file is not None:
                self._file.write(line)
        except OSError:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


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
            preexec_fn=die_at_once_with_parent,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()

    def _read(self, log: Path) -> None:
        assert self._process.stdout is not None
        with _Log(log) as file, self._process.stdout as printed:
            for line in printed:
                self._tail.append(line.decode(errors="replace").rstrip())
                file.write(line)

    def watch(self, journal: Journal, look: Callable[[], None], arm_timeout_s: float) -> Ended:
        """Wait for its end, calling *look* now and then.

        Where one arm takes longer than *arm_timeout_s*, or a start or what lies between two arms longer than
        that and ten minutes, end it.
        """
        timed_out = False
        while self._process.poll() is None:
            look()
            if _overdue(journal.entries()[-1:], arm_timeout_s):
                timed_out = True
                end(self._process, signal.SIGKILL)
            time.sleep(_LOOK_S)
        self._reader.join(timeout=1)  # a grandchild may hold the pipe open
        end(self._process)
        return Ended(self._process.returncode, timed_out, oom_kills() > self._oom_kills, tuple(self._tail))

    def interrupt(self) -> None:
        """End it as Ctrl-C would, so that the arm in flight leaves its record; after 3 s by force."""
        end(self._process, signal.SIGINT)
        self._reader.join(timeout=1)


def _overdue(last: Sequence[Entry], arm_timeout_s: float) -> bool:
    """Whether what the *last* entry of a journal tells of takes too long: an arm, or anything else."""
    now = time.monotonic()
    limits = {"arm": arm_timeout_s}
    return any(now - each.clock_s > limits.get(each.event, max(arm_timeout_s, _BETWEEN_S)) for each in last)


def oom_kills() -> int:
    """How many processes the kernel's out-of-memory killer has ended: in this control group, else anywhere.

    0 where the kernel does not tell.
    """
    for path in (*_own_groups(), Path("/proc/vmstat")):
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        if (found := next((line for line in lines if line.startswith("oom_kill ")), None)) is not None:
            return int(found.split()[1])
    return 0


def _own_groups() -> list[Path]:
    """Where the memory controller may tell of this process's group, in both versions of control groups."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    top = Path("/sys/fs/cgroup")
    found = []
    for _, controllers, group in (line.split(":", 2) for line in lines):
        if not controllers:
            found.append(top / group.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            found.append(top / "memory" / group.lstrip("/") / "memory.oom_control")
    return found
