"""What one arm needs whatever its seed: memory and arithmetic, and the device's limit; measured once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nnbench import devices
from nnbench.config import COMPILED, OWN_LOOP, Arm
from nnbench.meters.bandwidth import Bandwidth, bandwidth, rounded
from nnbench.meters.flops import Flops, mfu
from nnbench.meters.limits import Limit, moved_bytes, working_set_bytes
from nnbench.meters.memory import MemoryServer, Peak, cuda_peak
from nnbench.meters.peaks import MatmulPeak, matmul_peak

NOT_ASKED = "measured once per run, in its first block, unless --nnbench-memory=off"
# Named in a record only where operations were counted and a throughput is there to hold against them.
_LIMITS = ("mfu", "peak_flops_per_s", "moved_bytes", "bandwidth_bytes_per_s", "limit_share")
_COMPILING = "on a CPU the memory that compiling takes cannot be told from that of the steps"


@dataclass(frozen=True)
class Costs:
    """Memory and operations, and the rates of the device that they are held against.

    Attributes:
        matmul: of the arm's device, number format and threads; None where operations are not known.
        moving: the bandwidth for its working set; None where that is not known.
        cuda: whether the figures of CUDA's allocator belong to the record.
    """

    peak: Peak
    flops: Flops
    matmul: MatmulPeak | None = None
    moving: Bandwidth | None = None
    cuda: bool = False

    def figures(self, samples_per_s: float | None, batch: int) -> tuple[dict[str, Any], dict[str, str]]:
        """Metrics, and a reason for each that is None; where nothing was asked for, the two main ones.

        Args:
            batch: samples of a step.
        """
        flops, missing = self.flops.per_sample, dict(self.peak.reasons())
        metrics: dict[str, Any] = {"peak_bytes": self.peak.peak_bytes, "flops_per_sample": flops}
        if self.peak.peak_bytes is not None:
            of_cuda = ("reserved_bytes", "device_used_bytes")
            parts = self.peak.figures().items()
            metrics.update({name: value for name, value in parts if self.cuda or name not in of_cuda})
        missing["flops_per_sample"] = self.flops.reason or ""
        if flops is None or samples_per_s is None or self.matmul is None:
            return metrics, missing
        metrics["flops_per_s"] = flops * samples_per_s
        self._hold_against(self.matmul, metrics, missing, batch / samples_per_s)
        return metrics, missing

    def _hold_against(
        self, matmul: MatmulPeak, metrics: dict[str, Any], missing: dict[str, str], step_s: float
    ) -> None:
        """Add the device's rates, and the shares of them that were reached."""
        metrics.update(dict.fromkeys(_LIMITS))
        missing.update(dict.fromkeys(("mfu", "peak_flops_per_s", "limit_share"), matmul.reason or ""))
        metrics["peak_flops_per_s"] = matmul.flops_per_s
        moved, moving = moved_bytes(self.peak), self.moving
        metrics["moved_bytes"] = moved
        metrics["bandwidth_bytes_per_s"] = None if moving is None else moving.bytes_per_s
        why = missing.get("activation_bytes", "") if moving is None else moving.reason or ""
        missing.update(moved_bytes=why, bandwidth_bytes_per_s=why)
        if matmul.flops_per_s is None:
            return
        metrics["mfu"], reason = mfu(metrics["flops_per_s"], matmul.flops_per_s)
        missing["mfu"] = reason or ""
        if moved is None or moving is None or moving.bytes_per_s is None:
            missing["limit_share"] = why
            return
        limit = Limit(
            flops=round(metrics["flops_per_s"] * step_s), moved_bytes=moved,
            flops_per_s=matmul.flops_per_s, bytes_per_s=moving.bytes_per_s,
        )  # fmt: skip
        metrics["limit_share"], reason = limit.share(step_s)
        missing["limit_share"] = reason or ""


NO_COSTS = Costs(
    Peak(peak_bytes=None, reason=NOT_ASKED), Flops(forward=None, backward=None, reason=NOT_ASKED)
)


def costs_of(arm: Arm, seed: int, data_folder: Path | None, memory: MemoryServer) -> Costs:
    """Memory pass, count of operations, and the device's rates (1 s, once per process)."""
    if arm.ranks > 1 or arm.framework != OWN_LOOP:
        why = (
            "measured for one process, not for ranks" if arm.ranks > 1 else "measured for nnbench's own loop"
        )
        return Costs(Peak(peak_bytes=None, reason=why), Flops(forward=None, backward=None, reason=why))
    device = devices.choose_device(arm.device)
    cuda = devices.is_asynchronous(device)
    if cuda:
        peak = cuda_peak(arm, seed, data_folder)
    elif arm.execution == COMPILED:
        peak = Peak(peak_bytes=None, reason=_COMPILING)
    else:
        peak = memory.measure(arm, seed, data_folder)
    flops = memory.flops(arm, data_folder)
    if flops.per_sample is None:
        return Costs(peak, flops, cuda=cuda)
    matmul = _matmul(device, arm.precision, arm.threads)
    size = working_set_bytes(peak)
    moving = None if size is None else _bandwidth(device, rounded(size), arm.threads)
    return Costs(peak, flops, matmul, moving, cuda)


@functools.cache
def _matmul(device: torch.device, precision: str, threads: int) -> MatmulPeak:
    return matmul_peak(device, devices.product_type(precision), threads)


@functools.cache
def _bandwidth(device: torch.device, set_bytes: int, threads: int) -> Bandwidth:
    return bandwidth(device, set_bytes, threads)
