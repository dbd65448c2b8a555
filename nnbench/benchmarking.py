"""Measure one arm: the one road that pytest, the command line and `measure` share.

A `Measurement` holds what is done once per arm (warm-up, memory pass); each seed is prepared, run and
turned into a record. Only `Round.run` is worth timing from outside.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from nnbench import devices, models
from nnbench.config import Arm, ConfigError, NnbenchError, Probe, load_object, plain
from nnbench.data import DataError, DataMissing
from nnbench.distributed import ALONE, Group, launcher
from nnbench.meters.environment import environment
from nnbench.meters.memory import MemoryServer, Peak, cuda_peak
from nnbench.meters.timing import Clock, Stopwatch, WarmUp
from nnbench.records import OK, SAMPLES_MOST, Record
from nnbench.stats import evenly
from nnbench.training import History, Training

LEARNED = ("validation_accuracy", "validation_loss", "train_accuracy", "train_loss")


class Measurement:
    """One arm about to be measured, in one block, perhaps under several seeds.

    Args:
        memory: the server of the memory pass; None leaves `peak_bytes` null.
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
        group: Group = ALONE,
        clock: Clock = time.perf_counter_ns,
    ) -> None:
        self.arm, self.scenario, self.block, self.group = arm, scenario, block, group
        self.data_folder, self.clock = data_folder, clock
        self._memory = memory
        self._peak: Peak | None = None
        self._warmup: dict[str, float | None] = {}

    def prepare(self, seed: int) -> Round:
        """A fresh training under *seed*; before the first one, the memory pass and the warm-up.

        Raises:
            ConfigError, DataError: see `nnbench.training.Training`.
        """
        training = Training(self.arm, seed, self.data_folder, self.group)
        if self._peak is None:
            self._peak = self._measure_peak(training, seed)
            self._warm_up(seed)
        return Round(self, training)

    def _measure_peak(self, training: Training, seed: int) -> Peak:
        if self._memory is None:
            return Peak(peak_bytes=None, reason="no memory pass was asked for")
        if self.group.size > 1:
            return Peak(peak_bytes=None, reason="the memory pass measures one process, not ranks")
        if devices.is_asynchronous(training.device):
            return cuda_peak(self.arm, seed, self.data_folder)
        return self._memory.measure(self.arm, seed, self.data_folder)

    def _warm_up(self, seed: int) -> None:
        training = Training(self.arm, seed, self.data_folder, self.group)
        start = self.clock()
        listener = WarmUp(training.planned_steps, self.clock, ranks=self.group.size)
        training.run(listener, validate=False)
        devices.wait(training.device)
        elapsed_ns = self.clock() - start
        self._warmup = {
            "warmup_s": elapsed_ns / 1e9 if elapsed_ns >= 0 else None,
            "warmup_steps": listener.steps,
        }

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
        return self.refusal(seed, *_status(error))

    def refusal(self, seed: int, status: str, reason: str) -> Record:
        """The record of a training of which there is nothing to tell but *status* and *reason*."""
        return Record(
            scenario=self.scenario, arm=arm_json(self.arm), seed=seed, block=self.block, status=status,
            reason=reason, environment=self._environment(), started_at=_now(),
        )  # fmt: skip

    def _environment(self) -> dict[str, Any]:
        try:
            device = devices.choose_device(self.arm.device)
        except ConfigError:
            device = torch.device("cpu")
        return environment(device, self.arm.threads)


class Round:
    """One prepared training: run it, then ask for its record."""

    def __init__(self, measurement: Measurement, training: Training) -> None:
        self._measurement, self._training = measurement, training
        self._stopwatch = Stopwatch(training.device, measurement.clock)
        self._history: History | None = None
        self._started_at = ""

    def run(self) -> History:
        """Train and validate, observed. Nothing else happens in here."""
        self._started_at = _now()
        self._history = self._training.run(self._stopwatch)
        return self._history

    @property
    def seed(self) -> int:
        """The seed of this round."""
        return self._training.seed

    def record(self) -> Record:
        """What was seen; every rank of the group calls it. Raises RuntimeError before `run`."""
        if self._history is None:
            raise RuntimeError("run the round before asking for its record")
        history, watch, of = self._history, self._stopwatch, self._measurement
        watch.slowest(of.group.gather((watch.epoch_ns, watch.validation_ns)))
        metrics, missing = self._metrics(history, watch)
        status, reason = history.status, None
        if history.first_bad_step is not None:
            reason = f"the loss is not finite from step {history.first_bad_step} on"
        return Record(
            scenario=of.scenario, arm=arm_json(of.arm), seed=self.seed, block=of.block, status=status,
            reason=reason, quality=_quality(of.arm, watch),
            metrics=metrics, missing=missing, curves=_curves(history, watch),
            samples=_samples(watch, of.arm.precision),
            weights_sha256=history.weights_sha256() if status == OK else None,
            data=_data_json(self._training), environment=of._environment(), started_at=self._started_at,
        )  # fmt: skip

    def _metrics(self, history: History, watch: Stopwatch) -> tuple[dict[str, Any], dict[str, str]]:
        of, arm = self._measurement, self._measurement.arm
        peak = of._peak or Peak(peak_bytes=None, reason="no memory pass was asked for")
        metrics: dict[str, float | int | None] = {
            "parameters": models.parameter_count(history.model),
            "steps": history.steps,
            "samples": history.samples,
            "epochs": history.samples / len(self._training.train),
            "peak_bytes": peak.peak_bytes,
            **of._warmup,
        }
        missing = {} if peak.reason is None else {"peak_bytes": peak.reason}
        for name in LEARNED:
            values = history.curves.get(name)
            metrics[name] = values[-1] if values and history.status == OK else None
        for name, value in _times(history, watch).items():
            metrics[name] = value
        if arm.target_accuracy is not None:
            metrics["target_s"], reason = _target(history, watch, arm.target_accuracy)
            missing.update({"target_s": reason} if reason else {})
        why = "the clock went back" if watch.clock_went_back() else f"the training is {history.status}"
        missing.update({name: missing.get(name, why) for name, value in metrics.items() if value is None})
        return metrics, missing


def _quality(arm: Arm, watch: Stopwatch) -> tuple[str, ...]:
    """Flags that say why the times of this record may not be believed."""
    found = launcher()
    return tuple(
        flag
        for flag, raised in (
            ("CLOCK", watch.clock_went_back()),
            ("OVERSUBSCRIBED", arm.ranks > 1 and arm.ranks * arm.threads > devices.usable_cores()),
            ("INVALID", found.get("restarts", 0) > 0),
        )
        if raised
    )


def _times(history: History, watch: Stopwatch) -> dict[str, float | None]:
    names = ("train_s", "epoch_s", "step_s", "samples_per_s", "validation_s")
    if history.status != OK or watch.clock_went_back() or not watch.epoch_ns:
        return dict.fromkeys(names)
    train_s = sum(watch.epoch_ns) / 1e9
    return {
        "train_s": train_s,
        "epoch_s": statistics.median(watch.epoch_ns) / 1e9,
        "step_s": statistics.median(watch.step_ns) / 1e9,
        "samples_per_s": history.samples / train_s if train_s else None,
        "validation_s": sum(watch.validation_ns) / 1e9,
    }


def _target(history: History, watch: Stopwatch, target: float) -> tuple[float | None, str]:
    """Seconds of training until the first validation at or above *target*; validation not counted."""
    reached = history.curves.get("validation_accuracy", [])
    for epoch, accuracy in enumerate(reached, start=1):
        if accuracy >= target:
            return sum(watch.epoch_ns[:epoch]) / 1e9, ""
    return None, f"{target:.1%} was not reached in {len(reached)} epochs (best {max(reached, default=0):.1%})"


def _curves(history: History, watch: Stopwatch) -> dict[str, list[float | None]]:
    curves: dict[str, list[float | None]] = {name: list(values) for name, values in history.curves.items()}
    total = 0
    curves["train_s"] = [(total := total + each) / 1e9 for each in watch.epoch_ns]
    return curves


def _samples(watch: Stopwatch, precision: str) -> dict[str, dict[str, Any]]:
    losses = torch.cat(watch.losses) if watch.losses else torch.empty(0)
    picked = [losses[i] for i in evenly(len(losses), SAMPLES_MOST)]
    return {
        "step_s": {
            "count": len(watch.step_ns),
            "values": [watch.step_ns[i] / 1e9 for i in evenly(len(watch.step_ns), SAMPLES_MOST)],
        },
        "step_loss": {"count": len(losses), "values": [_shortest(loss, precision) for loss in picked]},
    }


def _shortest(value: torch.Tensor, precision: str) -> float | None:
    """The shortest decimal that reads back as the same number in its own precision."""
    if not torch.isfinite(value):
        return None
    return float(str(value.numpy())) if precision == "float32" else value.item()


def _data_json(training: Training) -> dict[str, Any]:
    return {
        "name": training.dataset.name,
        "sha256": training.dataset.sha256,
        "train": len(training.train),
        "validation": training.scored_samples,
        **({"notes": list(training.dataset.notes)} if training.dataset.notes else {}),
    }


def arm_json(arm: Arm | Probe) -> dict[str, Any]:
    """Name, id and configuration, as records and plans hold them."""
    return {"name": arm.name, "id": arm.id, **arm.config()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _status(error: BaseException) -> tuple[str, str]:
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, (devices.DeviceMissing, DataMissing)):
        return "SKIPPED", str(error)
    if isinstance(error, DataError):
        return "DATA", str(error)
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in text:
        return "OOM", text[:500]
    if isinstance(error, KeyboardInterrupt):
        return "INTERRUPTED", "interrupted"
    if "find_unused_parameters" in text:
        return "CRASH", (
            "a parameter of the model takes no part in the forward pass, and DistributedDataParallel waits "
            "for its gradient: remove it, or set its requires_grad to False"
        )
    return "CRASH", str(error) if isinstance(error, NnbenchError) else " ".join(text.split())[:500]


def measure(
    arm: Arm | Probe, seed: int = 0, *, data_folder: Path | None = None, memory: bool = True
) -> Record:
    """Measure *arm* under *seed*: the same training as `fit`, observed, as one record.

    Raises nothing for a training that fails: the record's status and reason say what happened.
    """
    if isinstance(arm, Probe):
        return probe_record(arm, run_probe(arm), scenario=None)
    if not memory:
        return Measurement(arm, data_folder=data_folder).record(seed)
    with MemoryServer() as server:
        return Measurement(arm, data_folder=data_folder, memory=server).record(seed)


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
        environment=environment(torch.device("cpu"), threads=1), started_at=_now(),
    )  # fmt: skip
