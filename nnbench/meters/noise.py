"""How much something else disturbed a timed region: counters of the system, read before and after it.

All are counters, so that two readings tell what happened in between: nothing samples, nothing runs inside
the region. A reading takes about 0.1 ms and a few microseconds more per thread. What cannot be read is None
and stands with its reason under `unknown`. Child processes, data loading workers among them, are not seen.

Sources: Linux, Documentation/scheduler/sched-stats.rst, Documentation/accounting/psi.rst,
Documentation/admin-guide/pm/cpufreq.rst; proc(5); getrusage(2); clock_gettime(2).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

# Of the wall time; DESIGN, 'Noise'. A spinner on the same core takes 50 %, a quiet machine below 2 %.
NOISY_ABOVE = 0.10
INVALID_ABOVE = 0.30
# More CPU time than this share of the wall in threads that ended: their waiting went with them.
UNSEEN_MOST = 0.10
# A claim about time takes 2 % for a difference.
FREQ_SPREAD_MOST = 0.05
# While a machine is awake, the two clocks differ by microseconds.
SUSPENDED_MOST_S = 1.0
# Each core's frequency is a file; on a machine of 128 cores they would take milliseconds.
CORES_MOST = 8
# The kernel brings a running thread's counters up to date at its tick; the slowest usual one has 100 Hz.
_TICK_S = 0.01

# Reading -> the fields of Noise that come from it.
_FEEDS = {
    "usage": ("cpu_share", "involuntary_switches"),
    "threads": ("wait_share", "wait_s"),
    "suspended_ns": ("suspended_s",),
    "jiffies": ("steal_share",),
    "pressure_us": ("pressure_share",),
    "load_1min": ("load_1min",),
    "own_core": ("freq_spread", "governor"),
    "all_khz": ("freq_min_mhz", "freq_max_mhz"),
    "throttles": ("throttled",),
}
_Times = Mapping[str, tuple[float, float]]  # thread -> seconds run, seconds waited


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Evidence of disturbance of one region in one process.

    A name under `unknown` that has a number all the same is a lower bound.

    Attributes:
        wall_s: length of the region on the monotonic clock.
        cpu_share: CPU time of all threads / wall, so up to the number of threads.
        wait_share: run-queue wait / wall of the thread that waited longest. Within 0 and 1 for any number
            of threads. A parallel loop ends with the thread that waited longest, so this is the least by
            which the region was delayed; a sum over threads would count waits that pass at the same time
            as often as there are threads.
        wait_s: that sum, in seconds; nothing is decided by it.
        steal_share: what the hypervisor gave to other guests / time of all cores.
        involuntary_switches: how often a core was taken away from a thread, ended threads included.
        pressure_share: share of the wall in which anything on the machine, this process too, waited
            for a core.
        load_1min: load average at the end.
        freq_min_mhz, freq_max_mhz: over at most 8 usable cores and both ends. Idle cores are slow on purpose.
        freq_spread: larger / smaller - 1 of the frequency of the core under the calling thread, start
            against end: a core that works is not compared with idle ones.
        governor: of that core, at the end.
        throttled: thermal throttling events of those cores and their packages.
        suspended_s: for how long the machine slept.
        unknown: field -> why it is not known.
    """

    wall_s: float
    cpu_share: float | None = None
    wait_share: float | None = None
    wait_s: float | None = None
    steal_share: float | None = None
    involuntary_switches: int | None = None
    pressure_share: float | None = None
    load_1min: float | None = None
    freq_min_mhz: float | None = None
    freq_max_mhz: float | None = None
    freq_spread: float | None = None
    governor: str | None = None
    throttled: int | None = None
    suspended_s: float | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) is None and not self.unknown.get(item.name):
                raise ValueError(f"{item.name} is None without a reason in 'unknown'")

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``Noise(**values)`` gives the same again."""
        return asdict(self)


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

    def _threads(self) -> _Times:
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


def between(before: Snapshot, after: Snapshot) -> Noise:
    """What happened between two snapshots of one process.

    Raises:
        ValueError: *after* was not taken after *before*.
    """
    wall_s = (after.wall_ns - before.wall_ns) / 1e9
    if wall_s <= 0:
        raise ValueError(f"the second snapshot was taken {-wall_s} s before the first")
    missing = {**before.unknown, **after.unknown}
    found: dict[str, Any] = {"wall_s": wall_s, "load_1min": after.readings.get("load_1min")}
    unknown = {name: why for reading, why in missing.items() for name in _FEEDS[reading]}
    for name, share in _DIFFERENCES.items():
        if name not in missing:
            found.update(share(before.readings[name], after.readings[name], wall_s))
    if not missing.keys() & {"usage", "threads"} and (unseen := _unseen(before, after, found)):
        unknown["wait_share"] = unknown["wait_s"] = unseen
    if "jiffies" not in missing and found["steal_share"] is None:
        unknown["steal_share"] = f"/proc/stat: its counts did not move within {wall_s:.2g} s"
    return Noise(**found, unknown=unknown)


def _waited(before: _Times, after: _Times, wall_s: float) -> dict[str, float]:
    waits = [wait_s for _, wait_s in _grown(before, after)]
    return {"wait_share": min(1.0, max(waits) / wall_s), "wait_s": sum(waits)}


def _grown(before: _Times, after: _Times) -> list[tuple[float, float]]:
    """Seconds run and waited in between, for each thread that is there at the end."""
    grown = []
    for thread, (run_s, wait_s) in after.items():
        run_0, wait_0 = before.get(thread, (0.0, 0.0))  # 0: it began in between
        if run_s < run_0 or wait_s < wait_0:
            run_0 = wait_0 = 0.0  # another thread under the number of one that ended
        grown.append((run_s - run_0, wait_s - wait_0))
    return grown


def _unseen(before: Snapshot, after: Snapshot, found: Mapping[str, Any]) -> str | None:
    """Why the wait is a lower bound: much was computed in threads that are no longer there to be asked."""
    grown = _grown(before.readings["threads"], after.readings["threads"])
    cpu_s = after.readings["usage"][0] - before.readings["usage"][0]
    share = (cpu_s - sum(run_s for run_s, _ in grown) - _TICK_S * len(grown)) / found["wall_s"]
    if share <= UNSEEN_MOST:
        return None
    return f"threads that ended computed for {share:.0%} of the time; what they waited is not known"


def _stolen(before: tuple[int, int], after: tuple[int, int], _: float) -> dict[str, float | None]:
    steal, total = (y - x for x, y in zip(before, after, strict=True))
    return {"steal_share": max(0, steal) / total if total > 0 else None}


def _clocked(before: tuple[int, str], after: tuple[int, str], _: float) -> dict[str, Any]:
    slow, fast = sorted((before[0], after[0]))
    return {"freq_spread": fast / slow - 1, "governor": after[1]}


def _used(before: tuple[float, int], after: tuple[float, int], wall_s: float) -> dict[str, float]:
    return {"cpu_share": (after[0] - before[0]) / wall_s, "involuntary_switches": after[1] - before[1]}


def _range(before: Sequence[int], after: Sequence[int], _: float) -> dict[str, float]:
    every = [*before, *after]
    return {"freq_min_mhz": min(every) / 1e3, "freq_max_mhz": max(every) / 1e3}


_DIFFERENCES: dict[str, Callable[[Any, Any, float], Mapping[str, Any]]] = {
    "usage": _used,
    "threads": _waited,
    "suspended_ns": lambda before, after, _: {"suspended_s": max(0, after - before) / 1e9},
    "jiffies": _stolen,
    "pressure_us": lambda x, y, wall_s: {"pressure_share": min(1.0, (y - x) / 1e6 / wall_s)},
    "own_core": _clocked,
    "all_khz": _range,
    "throttles": lambda before, after, _: {"throttled": max(0, after - before)},
}


def flags(noise: Noise) -> tuple[str, ...]:
    """Quality flags of `nnbench.records` that *noise* calls for.

    NOISY and INVALID: time lost to others, whether they waited in this system's queue or in the
    hypervisor's. UNKNOWN: what was lost is not known, or not all of it.
    """
    lost = max(noise.wait_share or 0.0, noise.steal_share or 0.0)  # None has its own flag
    slowed = (noise.freq_spread or 0.0) > FREQ_SPREAD_MOST or bool(noise.throttled)
    found = []
    if lost > INVALID_ABOVE:
        found.append("INVALID")
    elif lost > NOISY_ABOVE or slowed:
        found.append("NOISY")
    if (noise.suspended_s or 0.0) > SUSPENDED_MOST_S:
        found.append("CLOCK")
    if "wait_share" in noise.unknown:
        found.append("UNKNOWN")
    return tuple(found)


def worst(noises: Sequence[Noise]) -> Noise:
    """The most disturbed value of each field, over the ranks or parts of one measurement.

    What one of them does not know stays under `unknown`: the number is then the worst that is known.

    Raises:
        ValueError: there is nothing to compare.
    """
    if not noises:
        raise ValueError("no noise to compare")
    least = ("cpu_share", "freq_min_mhz")
    unknown: dict[str, str] = {}
    found: dict[str, Any] = {}
    for noise in noises:
        unknown.update(noise.unknown)
    for item in fields(Noise):
        known = [value for noise in noises if (value := getattr(noise, item.name)) is not None]
        if item.name == "governor":
            found["governor"] = ", ".join(sorted(set(known))) or None
        elif item.name != "unknown" and known:
            found[item.name] = min(known) if item.name in least else max(known)
    return Noise(**found, unknown=unknown)
