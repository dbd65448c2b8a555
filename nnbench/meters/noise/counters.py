"""Counters of the system, all read at one moment.

A reading takes about 0.1 ms and a few microseconds more per thread. Child processes, data loading workers
among them, are not seen.

Sources: Linux, Documentation/scheduler/sched-stats.rst, Documentation/accounting/psi.rst,
Documentation/admin-guide/pm/cpufreq.rst; proc(5); getrusage(2); clock_gettime(2).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Each core's frequency is a file; on a machine of 128 cores they would take milliseconds.
CORES_MOST = 8

Times = Mapping[str, tuple[float, float]]  # thread -> seconds run, seconds waited


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The counters at one moment: *readings* by the names of `NoiseMeter`, and why others are not there."""

    wall_ns: int
    readings: Mapping[str, Any]
    unknown: Mapping[str, str]


def _usage() -> tuple[float, int]:
    import resource  # not on every system

    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_nivcsw


def _boot_clock() -> int:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        raise OSError("this system has no clock that goes on in sleep")
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class NoiseMeter:
    """Reads the counters; use it from the thread that trains.

    Args:
        root: folder that holds ``proc`` and ``sys``.
        clock, boot_clock: nanoseconds; the first stands still while the machine sleeps.
        usage: CPU seconds and involuntary switches of the process, ended threads included: the files of
            proc(5) have only one thread's.
        cores: whose frequency and throttling to read, at most 8 of them; None: those this process may use.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        boot_clock: Callable[[], int] = _boot_clock,
        usage: Callable[[], tuple[float, int]] = _usage,
        cores: Sequence[int] | None = None,
    ) -> None:
        self._root = str(root).rstrip("/")
        self._clock = clock
        if cores is None:
            cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
        self._cores = cores[:: -(-len(cores) // CORES_MOST)]
        self._readings: dict[str, Callable[[], Any]] = {
            "usage": usage,
            "threads": self._threads,
            "suspended_ns": lambda: boot_clock() - clock(),
            "jiffies": self._jiffies,
            "pressure_us": self._pressure_us,
            "load_1min": lambda: float(self._text("/proc/loadavg").split()[0]),
            "own_core": self._own_core,
            "all_khz": lambda: [self._khz(core) for core in self._cores],
            "throttles": self._throttles,
        }

    def snapshot(self) -> Snapshot:
        """The counters now, in the same order each time: every counter's interval is equally long."""
        readings: dict[str, Any] = {}
        unknown: dict[str, str] = {}
        now_ns = self._clock()
        for name, read in self._readings.items():
            try:
                readings[name] = read()
            except (OSError, ValueError, LookupError, ImportError) as error:
                unknown[name] = self._reason(error)
        return Snapshot(wall_ns=now_ns, readings=readings, unknown=unknown)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, OSError) and error.filename is not None:
            return f"{str(error.filename).removeprefix(self._root)}: {error.strerror}"
        return str(error) or type(error).__name__

    def _text(self, path: str) -> str:
        handle = os.open(self._root + path, os.O_RDONLY)  # half the time of Path.read_text
        try:
            return os.read(handle, 4096).decode("ascii", "replace")
        except OSError as error:  # pressure that is switched off fails here, and a read knows no name
            raise OSError(error.errno, error.strerror, path) from error
        finally:
            os.close(handle)

    def _threads(self) -> Times:
        found, slices = {}, 0
        for thread in os.listdir(f"{self._root}/proc/self/task"):
            try:
                run_ns, wait_ns, count = map(int, self._text(f"/proc/self/task/{thread}/schedstat").split())
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended after it was listed
            found[thread] = run_ns / 1e9, wait_ns / 1e9
            slices += count
        if not slices:  # whoever asks has had a core at least once
            raise OSError("/proc/self/task/*/schedstat: this kernel does not count")
        return found

    def _jiffies(self) -> tuple[int, int]:
        head, *counts = self._text("/proc/stat").split("\n", 1)[0].split()
        if head != "cpu" or len(counts) < 8:
            raise ValueError("/proc/stat: no count of steal")
        user_to_steal = [int(count) for count in counts[:8]]  # what guests used is in user already
        return user_to_steal[7], sum(user_to_steal)

    def _pressure_us(self) -> int:
        some = self._text("/proc/pressure/cpu").split("\n", 1)[0]
        if not some.startswith("some ") or "total=" not in some:
            raise ValueError("/proc/pressure/cpu: no 'some … total='")
        return int(some.split("total=")[1])

    def _own_core(self) -> tuple[int, str]:
        # Field 39 of proc(5), counted from behind the name, which may hold blanks and brackets.
        core = int(self._text("/proc/thread-self/stat").rsplit(")", 1)[1].split()[36])
        return self._khz(core), self._text(f"{_folder(core)}/cpufreq/scaling_governor").strip()

    def _khz(self, core: int) -> int:
        path = f"{_folder(core)}/cpufreq/scaling_cur_freq"
        khz = int(self._text(path))
        if khz <= 0:
            raise ValueError(f"{path}: {khz}")
        return khz

    def _throttles(self) -> int:
        parts = [(core, part) for core in self._cores for part in ("core", "package")]
        return sum(
            int(self._text(f"{_folder(c)}/thermal_throttle/{part}_throttle_count")) for c, part in parts
        )


def _folder(core: int) -> str:
    return f"/sys/devices/system/cpu/cpu{core}"
