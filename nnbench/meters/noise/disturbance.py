"""What two readings of the counters say of the region between them, and what to think of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from nnbench.meters.noise.counters import Snapshot, Times

# Of the wall time; DESIGN, 'Noise'. A spinner on the same core takes 50 %, a quiet machine below 2 %.
NOISY_ABOVE = 0.10
INVALID_ABOVE = 0.30
# More CPU time than this share of the wall in threads that ended: their waiting went with them.
UNSEEN_MOST = 0.10
# A claim about time takes 2 % for a difference.
FREQ_SPREAD_MOST = 0.05
# While a machine is awake, the two clocks differ by microseconds.
SUSPENDED_MOST_S = 1.0
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


def _waited(before: Times, after: Times, wall_s: float) -> dict[str, float]:
    waits = [wait_s for _, wait_s in _grown(before, after)]
    return {"wait_share": min(1.0, max(waits) / wall_s), "wait_s": sum(waits)}


def _grown(before: Times, after: Times) -> list[tuple[float, float]]:
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
