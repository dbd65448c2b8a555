"""Energy of a region from the hardware's own counters, never from power that is polled.

    meter = EnergyMeter(device); meter.start(); … the region …; energy = meter.stop(elapsed_s)

GPU: NVML's count of millijoules since the driver was loaded, by the GPU's UUID, so that renumbering by
CUDA_VISIBLE_DEVICES cannot name another one. It is the whole board's. CPU: RAPL's packages, which are the
whole machine's: what else runs there is in it, and memory is not. Nothing is subtracted for idling. Several
processes of one machine read the same packages: take `host_j` once per machine, do not add it over ranks.

A counter moves in ticks, so a region shorter than 10 of them has no figure, but a reason.

Sources: NVML API, nvmlDeviceGetTotalEnergyConsumption (Volta and later); Linux,
Documentation/power/powercap/powercap.rst; Intel SDM volume 3, 'RAPL interfaces' (about 1 ms).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from nnbench.config import NnbenchError

# NVML does not say how often its counter moves. Seen: every 10 to 100 ms, by generation; so the longest.
NVML_TICK_S = 0.1
RAPL_TICK_S = 0.001
# The region's ends lie up to a tick beside the counter's: then at most 10 % of the figure.
UPDATES_LEAST = 10
# No package draws more for minutes. RAPL's counter starts anew after 65 to 262 kJ and does not say so: a
# region in which it may have done so twice has no figure.
PACKAGE_W_MOST = 500.0
_POWERCAP = "sys/class/powercap"


class EnergyUnknown(NnbenchError):
    """Why there is no figure, and what can be done; `EnergyMeter` turns it into a reason."""


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy of one region.

    Attributes:
        energy_j: of the device, in joules; None where it could not be measured.
        reason: why *energy_j* is None.
        sources: the counters that were added up, as 'nvml:0' (of the GPUs asked for) or 'rapl:package-0'.
        host_j: of the machine's CPU packages, beside a GPU's own; once per machine, not per rank.
        host_reason: why *host_j* is None.

    Raises:
        ValueError: a figure and a reason, neither of them, or a figure that is not above zero.
    """

    energy_j: float | None
    reason: str | None
    sources: tuple[str, ...] = ()
    host_j: float | None = None
    host_reason: str | None = "energy_j is the host's"

    def __post_init__(self) -> None:
        for joules, reason in ((self.energy_j, self.reason), (self.host_j, self.host_reason)):
            if (joules is None) != bool(reason):
                raise ValueError(f"energy: expected a figure or a reason, got {joules!r} and {reason!r}")
            if joules is not None and not 0 < joules < float("inf"):
                raise ValueError(f"energy: expected a figure above zero, got {joules!r}")

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "sources": list(self.sources)}


@dataclass(frozen=True, kw_only=True)
class _Counter:
    """One counter: *read* gives its state in units of *unit_j*; it starts anew after *range_units*."""

    name: str
    read: Callable[[], int]
    unit_j: float
    tick_s: float
    range_units: int | None = None

    def joules(self, before: int, after: int, elapsed_s: float) -> float:
        """Energy between two readings.

        Raises:
            EnergyUnknown: too short, too long, the counter stood still or was set back.
        """
        if not elapsed_s >= UPDATES_LEAST * self.tick_s:  # NaN too
            raise EnergyUnknown(
                f"window of {elapsed_s:.2g} s is shorter than {UPDATES_LEAST} updates of the counter "
                f"({self.name}, every {self.tick_s:g} s): train for longer"
            )
        if self.range_units is not None and elapsed_s * PACKAGE_W_MOST > self.range_units * self.unit_j:
            raise EnergyUnknown(
                f"window of {elapsed_s:.0f} s: {self.name} counts to {self.range_units * self.unit_j:.0f} J "
                f"and may have started anew more than once: measure fewer epochs"
            )
        if after == before:
            raise EnergyUnknown(f"{self.name} did not change within {elapsed_s:.2g} s")
        if after < before and self.range_units is None:
            raise EnergyUnknown(f"{self.name} went back: its driver was loaded anew")
        return (after - before + (self.range_units or 0) * (after < before)) * self.unit_j


class _Region:
    """Counters that are read at both ends and added up; one that fails takes the sum with it."""

    def __init__(self, find: Callable[[], Sequence[_Counter]]) -> None:
        self.counters: Sequence[_Counter] = ()
        self._absent: str | None = None
        self._before: list[int] = []
        self._after: list[int] = []
        try:
            self.counters = find()
        except EnergyUnknown as error:
            self._absent = str(error)
        self._failed = self._absent

    def start(self) -> None:
        self._failed = self._absent
        self._before = self._read()

    def stop(self) -> None:
        self._after = self._read()

    def _read(self) -> list[int]:
        try:
            return [counter.read() for counter in self.counters]
        except EnergyUnknown as error:
            self._failed = self._failed or str(error)
            return []

    def joules(self, elapsed_s: float) -> tuple[float | None, str | None]:
        """The sum, or None and why."""
        if self._failed is not None:
            return None, self._failed
        ends = zip(self.counters, self._before, self._after, strict=True)
        try:
            return sum(counter.joules(x, y, elapsed_s) for counter, x, y in ends), None
        except EnergyUnknown as error:
            return None, str(error)


class EnergyMeter:
    """Reads a device's energy counter at both ends of a region; nothing it does fails a training.

    Args:
        device: a GPU is looked up by its UUID; for the CPU it is all packages of the machine.
        root: folder that holds ``sys``.
        nvml: the module pynvml, or one that answers like it.
        uuids: the GPUs to add up instead of *device*, as 'GPU-…'.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        root: Path = Path("/"),
        nvml: Any = None,
        uuids: Sequence[str] | None = None,
    ) -> None:
        host = _Region(partial(_packages, root))
        if device.type == "cpu":
            self._device, self._host = host, None
        else:
            self._device, self._host = _Region(partial(_gpus, device, nvml, uuids)), host
        self._started = False

    def start(self) -> None:
        """Read the counters, the device's last: right before the region, the device being idle."""
        self._started = True
        if self._host is not None:
            self._host.start()
        self._device.start()

    def stop(self, elapsed_s: float) -> Energy:
        """Read the counters, right after the region, when the device is idle again.

        Args:
            elapsed_s: length of the region by the clock that timed it.

        Raises:
            RuntimeError: the meter was not started.
        """
        if not self._started:
            raise RuntimeError("EnergyMeter: stop before start")
        self._device.stop()
        if self._host is not None:
            self._host.stop()
        energy_j, reason = self._device.joules(elapsed_s)
        sources = () if energy_j is None else tuple(counter.name for counter in self._device.counters)
        if self._host is None:
            return Energy(energy_j=energy_j, reason=reason, sources=sources)
        host_j, host_reason = self._host.joules(elapsed_s)
        return Energy(
            energy_j=energy_j, reason=reason, sources=sources, host_j=host_j, host_reason=host_reason
        )


def _packages(root: Path) -> list[_Counter]:
    """RAPL's packages: neither their parts (intel-rapl:0:0), nor the platform, which contains them."""
    zones = [path for path in (root / _POWERCAP).glob("intel-rapl:*") if re.search(r":\d+$", path.name)]
    top = sorted(zone for zone in zones if zone.name.count(":") == 1)
    named = [(zone, _line(root, zone / "name")) for zone in top]
    found = [_package(root, zone, name) for zone, name in named if name.startswith("package")]
    if not found:
        raise EnergyUnknown(
            f"no CPU package under /{_POWERCAP}: a virtual machine and most ARM processors have none; "
            "elsewhere try 'sudo modprobe intel_rapl_msr'"
        )
    return found


def _package(root: Path, zone: Path, name: str) -> _Counter:
    read, most = partial(_number, root, zone / "energy_uj"), _number(root, zone / "max_energy_range_uj")
    return _Counter(name=f"rapl:{name}", read=read, unit_j=1e-6, tick_s=RAPL_TICK_S, range_units=most)


def _line(root: Path, path: Path) -> str:
    shown = f"/{path.relative_to(root)}"
    try:
        return path.read_text(encoding="ascii").strip()
    except PermissionError as error:
        raise EnergyUnknown(
            f"{shown} may be read by the administrator only: 'sudo chmod a+r {shown}' lasts until the next "
            "start (it is closed because energy can betray keys, CVE-2020-8694)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise EnergyUnknown(f"{shown}: {getattr(error, 'strerror', None) or error}") from error


def _number(root: Path, path: Path) -> int:
    text = _line(root, path)
    if not text.isdecimal():
        raise EnergyUnknown(f"/{path.relative_to(root)}: expected a whole number, got {text[:40]!r}")
    return int(text)


def _gpus(device: torch.device, nvml: Any, uuids: Sequence[str] | None) -> list[_Counter]:
    """The counter of each GPU in *uuids*, else of *device*. NVML stays open: it counts who has asked."""
    if device.type != "cuda":
        raise EnergyUnknown(f"no energy counter is known for a device of type {device.type!r}")
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError as error:
            raise EnergyUnknown("nvidia-ml-py is not installed: pip install nvidia-ml-py") from error
    _ask(nvml, "nvmlInit")
    names = dict.fromkeys([_uuid(device)] if uuids is None else uuids)  # one named twice counts once
    if not names:
        raise EnergyUnknown("no GPU was named")
    return [_gpu(nvml, f"nvml:{place}", uuid) for place, uuid in enumerate(names)]


def _gpu(nvml: Any, name: str, uuid: str) -> _Counter:
    handle = _ask(nvml, "nvmlDeviceGetHandleByUUID", uuid, of=name)
    read = partial(_ask, nvml, "nvmlDeviceGetTotalEnergyConsumption", handle, of=name)
    return _Counter(name=name, read=read, unit_j=1e-3, tick_s=NVML_TICK_S)


def _uuid(device: torch.device) -> str:
    try:
        return f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    except Exception as error:  # a build without CUDA, no driver, an old torch: each fails in its own way
        raise EnergyUnknown(f"the UUID of {device} is not known: {error}") from error


def _ask(nvml: Any, function: str, *arguments: Any, of: str = "nvml") -> Any:
    try:
        return getattr(nvml, function)(*arguments)
    except Exception as error:  # energy is evidence beside a training, and must not end it
        why = str(error) or type(error).__name__
        if type(error).__name__ == "NVMLError_NotSupported":
            why += (
                ": this GPU has no energy counter; NVIDIA's have one since Volta, slices and virtual ones not"
            )
        raise EnergyUnknown(f"{of}: {function}: {why}") from error
