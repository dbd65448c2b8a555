"""A measured process of one side: waited for, timed from outside, and gone when this one goes."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nnbench.config import ConfigError
from nnbench.processes import die_at_once_with_parent, end
from nnbench.records import StorageError


@dataclass(frozen=True)
class Ended:
    """Exit code (below zero: the signal that killed it) and wall seconds of a process."""

    code: int
    wall_s: float


def run_child(command: Sequence[str], log: Path, *, folder: Path, environment: Mapping[str, str]) -> Ended:
    """Run *command* in *folder* to its end; all that it prints goes to *log*.

    It has a session of its own: Ctrl-C is for this process, which on its way out ends the child and all that
    the child has started, within 5 s; and the kernel ends it if this process is killed itself.

    Raises:
        ConfigError: there is no such program.
        StorageError: *log* cannot be written.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.open("wb")
    except OSError as error:
        raise StorageError(f"cannot write {log}: {error.strerror}; choose another folder") from error
    with file:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=die_at_once_with_parent,
            )  # fmt: skip
        except OSError as error:
            raise ConfigError(f"{command[0]}: cannot be started: {error.strerror}") from error
        try:
            code = process.wait()
            return Ended(code, time.perf_counter() - start)
        finally:
            with undisturbed():
                end(process)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait outside: what is done in here must not be left half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
