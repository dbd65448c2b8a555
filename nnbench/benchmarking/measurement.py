"""One arm, prepared and run under its seeds, as records.

A `Measurement` holds what is done once per arm (warm-up, memory pass); each seed is prepared, run and
turned into a record. Only `Round.run` is worth timing from outside.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from nnbench import devices, models
from nnbench.benchmarking import readings
from nnbench.benchmarking.costs import NO_COSTS, Costs, costs_of
from nnbench.benchmarking.failures import status_of
from nnbench.config import Arm, ConfigError, Probe
from nnbench.distributed import ALONE, Group
from nnbench.frameworks import FrameworkTraining, training_of
from nnbench.meters.energy import Energy, EnergyMeter
from nnbench.meters.environment import environment
from nnbench.meters.memory import MemoryServer
from nnbench.meters.noise import Noise, NoiseMeter, between, worst
from nnbench.meters.phases import Phases, measure_phases
from nnbench.meters.timing import Clock, Stopwatch, WarmUp
from nnbench.metrics import PHASES
from nnbench.records import OK, Record
from nnbench.training import History, Training


class Measurement:
    """One arm about to be measured, in one block, perhaps under several seeds.

    Args:
        memory: the server of the memory pass; None leaves memory and operations null.
        phases: whether to tell where a step spends its time, once, by `meters.phases`.
        group: the ranks that measure the arm together; each makes its own Measurement, and each gets the
            whole record: elapsed time is that of the slowest rank, work is the sum.
        clock: returns nanoseconds; tests give a fake one.
    """

    def __init__(
        self,
        arm: Arm,
        *,
        scenario: str | None = None,
        block: int = 0,
        data_folder: Path | None = None,
        memory: MemoryServer | None = None,
        phases: bool = False,
        group: Group = ALONE,
        clock: Clock = time.perf_counter_ns,
    ) -> None:
        self.arm, self.scenario, self.block, self.group = arm, scenario, block, group
        self.data_folder, self.clock = data_folder, clock
        self._memory, self._wants_phases = memory, phases
        self.phases: Phases | None = None
        self.costs: Costs | None = None
        self._warmup: dict[str, float | None] = {}

    def prepare(self, seed: int) -> Round:
        """A fresh training under *seed*; before the first one, the memory pass and the warm-up.

        Raises:
            ConfigError, DataError: see `nnbench.frameworks.training_of`.
        """
        training = training_of(self.arm, seed, self.data_folder, self.group)
        if self.costs is None:
            asked = self._memory
            self.costs = NO_COSTS if asked is None else costs_of(self.arm, seed, self.data_folder, asked)
            self._warm_up(seed)
            if self._wants_phases:
                self.phases = measure_phases(self.arm, seed, self.data_folder, self.group, self.clock)
        if isinstance(training, Training):
            training.make_ready()
        return Round(self, training)

    def _warm_up(self, seed: int) -> None:
        training = training_of(self.arm, seed, self.data_folder, self.group)
        compiling = self._compile(training) if isinstance(training, Training) else {}
        start = self.clock()
        steps = self._warm_up_steps(training) if isinstance(training, Training) else training.warm_up()
        devices.wait(training.device)
        elapsed_ns = self.clock() - start
        self._warmup = {
            "warmup_s": elapsed_ns / 1e9 if elapsed_ns >= 0 else None, "warmup_steps": steps, **compiling,
        }  # fmt: skip

    def _compile(self, training: Training) -> dict[str, float | None]:
        """Seconds that the arm's execution takes to get ready, the slowest rank's; of the others nothing."""
        start = self.clock()
        if not training.make_ready():
            return {}
        devices.wait(training.device)
        elapsed_ns = max(self.group.gather(self.clock() - start))
        return {"compile_s": elapsed_ns / 1e9 if elapsed_ns >= 0 else None}

    def _warm_up_steps(self, training: Training) -> int:
        listener = WarmUp(training.planned_steps, self.clock, ranks=self.group.size, device=training.device)
        training.run(listener, validate=False)
        return listener.steps

    def record(self, seed: int) -> Record:
        """The arm under *seed*, prepared, run and recorded; a failure is a record too."""
        try:
            return self.train(seed)
        except Exception as error:
            return self.failure(seed, error)

    def train(self, seed: int) -> Record:
        """The same for ranks: an error is raised, since it may be of one of them and not of the arm."""
        round_ = self.prepare(seed)
        round_.run()
        return round_.record()

    def failure(self, seed: int, error: BaseException) -> Record:
        """The record of a training that ended in *error*."""
        return self.refusal(seed, *status_of(error))

    def refusal(self, seed: int, status: str, reason: str) -> Record:
        """The record of a training of which there is nothing to tell but *status* and *reason*."""
        return Record(
            scenario=self.scenario, arm=arm_json(self.arm), seed=seed, block=self.block, status=status,
            reason=reason, environment=self.environment(), started_at=now(),
        )  # fmt: skip

    def environment(self) -> dict[str, Any]:
        """Machine, versions, device and threads; of a device that is not here, the CPU's."""
        try:
            device = devices.choose_device(self.arm.device)
        except ConfigError:
            device = torch.device("cpu")
        return environment(device, self.arm.threads)


class Round:
    """One prepared training: run it, then ask for its record."""

    def __init__(self, measurement: Measurement, training: Training | FrameworkTraining) -> None:
        self._measurement, self._training = measurement, training
        self._stopwatch = Stopwatch(training.device, measurement.clock)
        self._noise_meter = NoiseMeter()
        self._energy_meter = EnergyMeter(training.device)
        self._history: History | None = None
        self._noise: Noise | None = None
        self._energy: Energy | None = None
        self._started_at = ""

    def run(self) -> History:
        """Train and validate, observed. Counters are read before and after; nothing else happens in here."""
        self._started_at = now()
        before = self._noise_meter.snapshot()
        self._energy_meter.start()
        self._history = self._training.run(self._stopwatch)
        watch = self._stopwatch
        self._energy = self._energy_meter.stop(sum((*watch.epoch_ns, *watch.validation_ns)) / 1e9)
        self._noise = between(before, self._noise_meter.snapshot())
        return self._history

    @property
    def seed(self) -> int:
        """The seed of this round."""
        return self._training.seed

    def record(self) -> Record:
        """What was seen; every rank of the group calls it. Raises RuntimeError before `run`."""
        if self._history is None or self._noise is None:
            raise RuntimeError("run the round before asking for its record")
        history, watch, of = self._history, self._stopwatch, self._measurement
        watch.slowest(of.group.gather((watch.epoch_ns, watch.validation_ns)))
        noise = worst(of.group.gather(self._noise))
        metrics, missing = self._metrics(history, watch)
        status = history.status
        return Record(
            scenario=of.scenario, arm=arm_json(of.arm), seed=self.seed, block=of.block, status=status,
            reason=readings.why_diverged(history),
            quality=readings.quality(of.arm, watch, noise),
            metrics=metrics, missing=missing, curves=readings.curves(history, watch),
            samples=readings.samples(watch, of.arm.precision),
            weights_sha256=history.weights_sha256() if status == OK else None,
            data=readings.data_json(self._training), environment=of.environment(),
            evidence={**noise.to_json(), **readings.framework_json(self._training)},
            started_at=self._started_at,
        )  # fmt: skip

    def _metrics(self, history: History, watch: Stopwatch) -> tuple[dict[str, Any], dict[str, str]]:
        of, arm = self._measurement, self._measurement.arm
        metrics: dict[str, float | int | None] = {
            "parameters": models.parameter_count(history.model),
            "steps": history.steps,
            "samples": history.samples,
            "epochs": history.samples / len(self._training.train),
            **of._warmup,
            **readings.learned(history),
            **readings.times(history, watch),
        }
        costs, missing = (of.costs or NO_COSTS).figures(metrics["samples_per_s"], self._training.batch)
        metrics.update(costs)
        if of.phases is not None:
            metrics.update({f"{name}_s": value for name, value in of.phases.seconds.items()})
            metrics["observing_share"] = of.phases.observing_share
            missing.update(dict.fromkeys((f"{name}_s" for name in PHASES), of.phases.reason or ""))
            missing["observing_share"] = of.phases.reason or ""
        self._add_energy(metrics, missing, history.samples)
        if arm.target_accuracy is not None:
            metrics["target_s"], reason = readings.target_s(history, watch, arm.target_accuracy)
            missing.update({"target_s": reason} if reason else {})
        why = readings.why_missing(self._training, history, watch)
        return metrics, {name: missing.get(name) or why for name, value in metrics.items() if value is None}

    def _add_energy(self, metrics: dict[str, Any], missing: dict[str, str], samples: int) -> None:
        """Joules of train and validation loops, of all ranks."""
        found: list[Energy | None] = self._measurement.group.gather(self._energy)
        joules = [energy.energy_j for energy in found if energy is not None and energy.energy_j is not None]
        if len(joules) < len(found):
            reason = next((e.reason for e in found if e is not None and e.reason), "not measured")
            metrics.update(energy_j=None, sample_j=None)
            missing.update(energy_j=str(reason), sample_j=str(reason))
            return
        # each GPU has its counter; the packages' is the machine's, and every rank has read the same
        total = sum(joules) if devices.is_asynchronous(self._training.device) else max(joules)
        metrics.update(energy_j=total, sample_j=total / max(1, samples))


def arm_json(arm: Arm | Probe) -> dict[str, Any]:
    """Name, id and configuration, as records and plans hold them."""
    return {"name": arm.name, "id": arm.id, **arm.config()}


def now() -> str:
    """The time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
