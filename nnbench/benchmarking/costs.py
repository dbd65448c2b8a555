"""What one arm needs whatever its seed: memory and arithmetic, measured once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nnbench import devices
from nnbench.config import COMPILED, OWN_LOOP, Arm
from nnbench.meters.flops import Flops, mfu
from nnbench.meters.memory import MemoryServer, Peak, cuda_peak
from nnbench.meters.peaks import MatmulPeak, matmul_peak

NOT_ASKED = "measured once per run, in its first block, unless --nnbench-memory=off"
_COMPILING = "on a CPU the memory that compiling takes cannot be told from that of the steps"


@dataclass(frozen=True)
class Costs:
    """Memory, operations per sample, and the matrix-product peak that they are held against.

    Attributes:
        matmul: of the arm's device, number format and threads; None where operations are not known.
        cuda: whether the figures of CUDA's allocator belong to the record.
    """

    peak: Peak
    flops: Flops
    matmul: MatmulPeak | None = None
    cuda: bool = False

    def figures(self, samples_per_s: float | None) -> tuple[dict[str, Any], dict[str, str]]:
        """Metrics, and a reason for each that is None; where nothing was asked for, the two main ones."""
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
        missing["mfu"] = self.matmul.reason or ""
        metrics["mfu"] = None
        if self.matmul.flops_per_s is not None:
            metrics["mfu"], why = mfu(metrics["flops_per_s"], self.matmul.flops_per_s)
            missing["mfu"] = why or ""
        return metrics, missing


NO_COSTS = Costs(
    Peak(peak_bytes=None, reason=NOT_ASKED), Flops(forward=None, backward=None, reason=NOT_ASKED)
)


def costs_of(arm: Arm, seed: int, data_folder: Path | None, memory: MemoryServer) -> Costs:
    """Memory pass, count of operations, and the peak of matrix products (1 s, once per process)."""
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
    matmul = None if flops.per_sample is None else _matmul(device, arm.precision, arm.threads)
    return Costs(peak, flops, matmul, cuda)


@functools.cache
def _matmul(device: torch.device, precision: str, threads: int) -> MatmulPeak:
    with devices.settings(threads):
        return matmul_peak(device, devices.product_type(precision), threads)
