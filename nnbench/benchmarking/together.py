"""Many seeds of one arm, trained as one model, as records: what is learned is each one's own, time is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from nnbench import devices, models
from nnbench.benchmarking import readings
from nnbench.benchmarking.measurement import Measurement, arm_json, now
from nnbench.claims import Scenario
from nnbench.config import Arm
from nnbench.data import load
from nnbench.records import OK, Record
from nnbench.training import History
from nnbench.training.batches import batch_length
from nnbench.training.vectorised import VectorisedTraining, chain_of, give_dropout

ALWAYS, NEVER, WHERE_IT_PAYS = "on", "off", "auto"
# All that a record of such a training has; a claim about anything else needs each seed alone.
_KNOWN = (*readings.LEARNED, "parameters", "steps", "samples", "epochs")
_UNKNOWN = (*readings.TIMES, "warmup_s", "energy_j", "sample_j", "peak_bytes", "flops_per_sample")
_PLOTS_WITHOUT_TIMES = ("learning_curves", "loss_by_step", "verdicts")

# When it pays. One by one over together, 784 inputs, float32, one thread of a two-core machine (2026-11):
#
#   parameters       batch   2 seeds   3    6    20    60
#     7,850 (none)       1      1.5   1.7  3.6   6.3  12.3     hidden units in brackets
#                       16      1.2   1.4  2.4   2.6   4.7
#                       64      0.9   1.1  1.2   2.7   2.0
#    25,450 (32)         1      1.3   2.1  3.7   8.2   9.6
#                       16      1.5   1.6  2.5   3.1   5.0
#                       64      1.1   1.1  1.3   2.4   2.8
#   101,770 (128)        1      1.3   1.7  2.5   1.8   2.0
#                       16      1.4   1.5  2.0   1.9   2.3
#                       64      1.0   1.1  1.3   1.5   1.8
#   407,050 (512)        1                  0.7
#                       16                  0.8
#    15,770 (a CNN)  1, 16             1.7, 1.2
#
# A step of few multiply-adds is mostly the calls of its operations, which the seeds then share; weights that
# leave the cache, and convolutions (here grouped ones), gain nothing.
LEAST_SEEDS = 3
MOST_PARAMETERS = 2**17
MOST_PRODUCTS = 2**21  # parameters times samples of a step


def why_alone(scenario: Scenario, arm: Arm, way: str) -> str:
    """Why each seed of *arm* must train alone, whatever it costs; empty where they may train as one model.

    Args:
        way: ``on``, ``off`` or ``auto``. ``auto`` takes it that who states no claim, or draws times, wants
            to see them.
    """
    if way == NEVER:
        return "it was asked for"
    if scenario.repeat != "seeds":
        return f"its scenario repeats by {scenario.repeat!r}"
    if arm.target_accuracy is not None:
        return "its time to a target is taken"
    for claim in scenario.claims:
        if claim.metric not in _KNOWN:
            return f"the claim {claim.text!r} needs {claim.metric}"
    if way == WHERE_IT_PAYS and not scenario.claims:
        return "its scenario claims nothing, so its times may be what it is for"
    drawn = [name for name in scenario.plots if name not in _PLOTS_WITHOUT_TIMES]
    return f"the plot {drawn[0]} shows times" if way == WHERE_IT_PAYS and drawn else ""


def pays(arm: Arm, seeds: int, data_folder: Path | None = None) -> bool:
    """Whether so many *seeds* of *arm* are sooner trained as one model: by size alone, as measured above.

    The same on every machine and day; nothing is computed, and no weight takes memory.
    """
    if seeds < LEAST_SEEDS:
        return False
    try:
        dataset = load(arm.data, data_folder)
        with torch.device("meta"), devices.seeded(0, torch.device("cpu")):
            model = models.build(arm.model, dataset.input_shape, dataset.classes, arm.model_args)
        give_dropout(model)
        parameters, samples = (
            models.parameter_count(model),
            len(dataset.split(arm.train_on, arm.train_samples)[0]),
        )
        small = parameters <= min(MOST_PARAMETERS, MOST_PRODUCTS / batch_length(arm, samples))
        return small and chain_of(model) is not None
    except Exception:  # the training will tell what is wrong with it
        return False


class Together:
    """One arm under several seeds, prepared as one model: run it, then ask for its records.

    Raises:
        NotVectorisable, ConfigError, DataError: see `nnbench.training.vectorised.VectorisedTraining`.
    """

    def __init__(self, measurement: Measurement, seeds: Sequence[int]) -> None:
        self._measurement = measurement
        self._training = VectorisedTraining(measurement.arm, seeds, measurement.data_folder)
        self._histories: list[History] = []
        self._elapsed_ns = 0
        self._started_at = ""

    def run(self) -> list[History]:
        """Train and validate all seeds."""
        self._started_at, start = now(), self._measurement.clock()
        self._histories = self._training.run()
        self._elapsed_ns = self._measurement.clock() - start
        return self._histories

    def records(self) -> list[Record]:
        """A record of each seed, in their order. Raises RuntimeError before `run`."""
        if not self._histories:
            raise RuntimeError("run the training before asking for its records")
        return [self._record(place, history) for place, history in enumerate(self._histories)]

    def _record(self, place: int, history: History) -> Record:
        of, training = self._measurement, self._training
        metrics, missing = self._metrics(history)
        losses = readings.loss_sample(training.step_losses(place), of.arm.precision)
        evidence = {"vectorised": len(training.seeds), "together_s": max(0, self._elapsed_ns) / 1e9}
        return Record(
            scenario=of.scenario, arm=arm_json(of.arm), seed=training.seeds[place], block=of.block,
            status=history.status, reason=readings.why_diverged(history), metrics=metrics, missing=missing,
            curves={name: list(values) for name, values in history.curves.items()},
            samples={"step_loss": losses},
            weights_sha256=history.weights_sha256() if history.status == OK else None,
            data=readings.data_json(training.first), environment=of.environment(), evidence=evidence,
            started_at=self._started_at,
        )  # fmt: skip

    def _metrics(self, history: History) -> tuple[dict[str, Any], dict[str, str]]:
        others = len(self._training.seeds) - 1
        target = ("target_s",) if self._measurement.arm.target_accuracy is not None else ()
        lost = dict.fromkeys((*_UNKNOWN, *target), f"trained with {others} other seeds as one model")
        metrics = {
            "parameters": models.parameter_count(history.model),
            "steps": history.steps,
            "samples": history.samples,
            "epochs": history.samples / len(self._training.first.train),
            **readings.learned(history),
            **dict.fromkeys(lost),
        }
        why = f"the training is {history.status}"
        return metrics, {name: lost.get(name, why) for name, value in metrics.items() if value is None}


def measure_together(arm: Arm, seeds: Sequence[int], *, data_folder: Path | None = None) -> list[Record]:
    """Train *arm* under all *seeds* as one model: a record each, as `measure` makes them, without times.

    Curves and weights are those of `fit` up to rounding, so their hashes are others.

    Raises:
        NotVectorisable, ConfigError, DataError: see `nnbench.training.vectorised.VectorisedTraining`.
    """
    together = Together(Measurement(arm, data_folder=data_folder), seeds)
    together.run()
    return together.records()
