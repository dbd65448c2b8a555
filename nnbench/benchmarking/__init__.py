"""Measure one arm: the one road that pytest, torchrun and the command line share."""

from __future__ import annotations

from pathlib import Path

from nnbench.benchmarking.measurement import Measurement, Round, arm_json
from nnbench.benchmarking.probes import ProbeMeasurement, ProbeRound, run_probe
from nnbench.benchmarking.together import Together, measure_together, pays, why_alone
from nnbench.config import Arm, Probe
from nnbench.meters.memory import MemoryServer
from nnbench.records import Record

__all__ = [
    "Measurement", "ProbeMeasurement", "ProbeRound", "Round", "Together", "arm_json", "measure",
    "measure_together", "pays", "run_probe", "why_alone",
]  # fmt: skip


def measure(
    arm: Arm | Probe,
    seed: int = 0,
    *,
    data_folder: Path | None = None,
    memory: bool = True,
    phases: bool = False,
) -> Record:
    """Measure *arm* under *seed*: the same training as `fit`, observed, as one record.

    Raises nothing for a training that fails: the record's status and reason say what happened.
    """
    if isinstance(arm, Probe):
        return ProbeMeasurement(arm, data_folder=data_folder).record(seed if arm.seeded else 0)
    if not memory:
        return Measurement(arm, data_folder=data_folder, phases=phases).record(seed)
    with MemoryServer() as server:
        return Measurement(arm, data_folder=data_folder, memory=server, phases=phases).record(seed)
