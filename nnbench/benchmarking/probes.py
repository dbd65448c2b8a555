"""Measurements that are no training."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from nnbench import devices
from nnbench.benchmarking.failures import status_of
from nnbench.benchmarking.measurement import arm_json, now
from nnbench.config import ConfigError, Probe, ProbeResult, load_object, plain
from nnbench.meters.environment import environment
from nnbench.records import Arrays, Record


def run_probe(probe: Probe, seed: int = 0, data_folder: Path | None = None) -> ProbeResult:
    """Call the probe's function, under *seed* where it wants one.

    Args:
        data_folder: handed on to a function with a parameter of that name.

    Raises:
        ConfigError: the function is not there, does not take the arguments, or returns no mapping.
    """
    function = load_object(probe.function)
    arguments = {**plain(probe.args), **({"seed": seed} if probe.seeded else {})}
    if "data_folder" in _parameters(function):
        arguments["data_folder"] = data_folder
    _check(probe, function, arguments)
    with devices.settings(threads=1):
        found = function(**arguments)
    if isinstance(found, ProbeResult):
        return found
    if not isinstance(found, Mapping):
        raise ConfigError(f"{probe.name}: {probe.function} returned {type(found).__name__}, not metrics")
    return ProbeResult(metrics=found)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """What *function* takes; of some built-in ones nobody knows, and they take anything."""
    try:
        return inspect.signature(function).parameters
    except ValueError:
        return {"arguments": inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)}


def _check(probe: Probe, function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that *function* does not take: what goes wrong inside it is another matter."""
    takes = _parameters(function)
    try:
        inspect.Signature(list(takes.values())).bind(**arguments)
    except TypeError as error:
        given, known = ", ".join(arguments) or "nothing", ", ".join(takes) or "nothing"
        raise ConfigError(
            f"{probe.name}: {probe.function}: {error}; it takes {known}, and was given {given}"
        ) from error


class ProbeMeasurement:
    """A probe about to be called, in one block, perhaps under several seeds: see `Measurement`."""

    def __init__(
        self, probe: Probe, *, scenario: str | None = None, block: int = 0, data_folder: Path | None = None
    ) -> None:
        self.arm, self.scenario, self.block, self.data_folder = probe, scenario, block, data_folder

    def prepare(self, seed: int) -> ProbeRound:
        """One call under *seed*, to be run and recorded."""
        return ProbeRound(self, seed)

    def record(self, seed: int) -> Record:
        """The probe under *seed*, called and recorded; a failure is a record too."""
        round_ = self.prepare(seed)
        try:
            round_.run()
            return round_.record()
        except Exception as error:
            return self.failure(seed, error)

    def failure(self, seed: int, error: BaseException) -> Record:
        """The record of a call that ended in *error*."""
        status, reason = status_of(error)
        return Record(
            scenario=self.scenario, arm=arm_json(self.arm), seed=seed, block=self.block, status=status,
            reason=reason, environment=environment(torch.device("cpu"), threads=1), started_at=now(),
        )  # fmt: skip


class ProbeRound:
    """One call of a probe: run it, then ask for its record."""

    def __init__(self, measurement: ProbeMeasurement, seed: int) -> None:
        self._measurement, self.seed = measurement, seed
        self._found: ProbeResult | None = None
        self._started_at = ""

    def run(self) -> ProbeResult:
        """Call the function; a later call takes the place of an earlier one."""
        self._started_at = now()
        of = self._measurement
        self._found = run_probe(of.arm, self.seed, of.data_folder)
        return self._found

    def record(self) -> Record:
        """What it returned. Raises RuntimeError before `run`."""
        if self._found is None:
            raise RuntimeError("run the round before asking for its record")
        of, found = self._measurement, self._found
        return Record(
            scenario=of.scenario, arm=arm_json(of.arm), seed=self.seed, block=of.block,
            metrics=dict(found.metrics), missing=dict(found.missing), arrays=Arrays.of(found.arrays),
            environment=environment(torch.device("cpu"), threads=1), started_at=self._started_at,
        )  # fmt: skip
