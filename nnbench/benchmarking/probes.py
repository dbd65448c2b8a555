"""Measurements that are no training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from nnbench import devices
from nnbench.benchmarking.failures import status_of
from nnbench.benchmarking.measurement import arm_json, now
from nnbench.config import ConfigError, Probe, load_object, plain
from nnbench.meters.environment import environment
from nnbench.records import Record


def run_probe(probe: Probe) -> Mapping[str, Any]:
    """Call the probe's function and return its metrics.

    Raises:
        ConfigError: the function is not there, does not take the arguments, or returns no mapping.
    """
    function = load_object(probe.function)
    try:
        with devices.settings(threads=1):
            metrics = function(**plain(probe.args))
    except TypeError as error:
        raise ConfigError(f"{probe.name}: {probe.function}: {error}") from error
    if not isinstance(metrics, Mapping):
        raise ConfigError(f"{probe.name}: {probe.function} returned {type(metrics).__name__}, not metrics")
    return metrics


def probe_record(probe: Probe, metrics: Mapping[str, Any], *, scenario: str | None, block: int = 0) -> Record:
    """The record of a probe that returned *metrics*."""
    return Record(
        scenario=scenario, arm=arm_json(probe), seed=0, block=block, metrics=dict(metrics),
        environment=environment(torch.device("cpu"), threads=1), started_at=now(),
    )  # fmt: skip


def probe_failure(probe: Probe, error: BaseException, *, scenario: str | None, block: int = 0) -> Record:
    """The record of a probe that ended in *error*."""
    status, reason = status_of(error)
    return Record(
        scenario=scenario, arm=arm_json(probe), seed=0, block=block, status=status, reason=reason,
        environment=environment(torch.device("cpu"), threads=1), started_at=now(),
    )  # fmt: skip
