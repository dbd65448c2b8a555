"""What the meters saw of one training, as the numbers of a record."""

from __future__ import annotations

import math
import statistics
from typing import Any

import scipy.special  # noqa: F401 - `stats` loads it on first use: a third of a second of the first record
import torch

from nnbench import devices
from nnbench.config import Arm
from nnbench.distributed import launcher
from nnbench.frameworks import FrameworkTraining
from nnbench.meters.noise import Noise, flags
from nnbench.meters.timing import Stopwatch, step_quantiles
from nnbench.records import OK, SAMPLES_MOST
from nnbench.stats import drifts, evenly
from nnbench.training import History, Training

LEARNED = ("validation_accuracy", "validation_loss", "train_accuracy", "train_loss")
TIMES = (
    "train_s", "epoch_s", "step_s", "step_p90_s", "step_p99_s", "samples_per_s", "validation_s",
)  # fmt: skip


def learned(history: History) -> dict[str, float | None]:
    """Losses and accuracies of the last epoch; None where the training did not end well."""
    done = history.status == OK
    return {name: history.curves[name][-1] if done and history.curves.get(name) else None for name in LEARNED}


def times(history: History, watch: Stopwatch) -> dict[str, float | None]:
    """Seconds of the train and validation loops, and of a step; None where they cannot be believed."""
    if history.status != OK or watch.clock_went_back() or not watch.epoch_ns:
        return dict.fromkeys(TIMES)
    train_s = sum(watch.epoch_ns) / 1e9
    of = step_quantiles(watch.step_ns)
    tails = {"step_p90_s": of.p90_s, "step_p99_s": of.p99_s}
    return {
        "train_s": train_s,
        "epoch_s": statistics.median(watch.epoch_ns) / 1e9,
        "step_s": of.p50_s,
        **{name: value for name, value in tails.items() if value is not None},  # too few steps have none
        "samples_per_s": history.samples / train_s if train_s else None,
        "validation_s": sum(watch.validation_ns) / 1e9,
    }


def target_s(history: History, watch: Stopwatch, target: float) -> tuple[float | None, str]:
    """Seconds of training until the first validation at or above *target*; validation not counted."""
    reached = history.curves.get("validation_accuracy", [])
    for epoch, accuracy in enumerate(reached, start=1):
        if accuracy >= target:
            return sum(watch.epoch_ns[:epoch]) / 1e9, ""
    return None, f"{target:.1%} was not reached in {len(reached)} epochs (best {max(reached, default=0):.1%})"


def why_diverged(history: History) -> str | None:
    """Why the training is DIVERGED; None where it is not."""
    if history.status == OK:
        return None
    if history.first_bad_step is None:  # of another framework, whose steps nobody sees
        return "the validation loss is not finite"
    return f"the loss is not finite from step {history.first_bad_step} on"


def why_missing(training: Training | FrameworkTraining, history: History, watch: Stopwatch) -> str:
    """Why a number is None that nobody else has a reason for."""
    if watch.clock_went_back():
        return "the clock went back"
    if history.status == OK and isinstance(training, FrameworkTraining):
        return f"the loop of {training.arm.framework} tells of its epochs, not of its steps"
    return f"the training is {history.status}"


def curves(history: History, watch: Stopwatch) -> dict[str, list[float | None]]:
    """Losses and accuracies of each epoch, None where it was not scored; seconds trained until its end."""
    curves: dict[str, list[float | None]] = {
        name: [None if math.isnan(value) else value for value in values]
        for name, values in history.curves.items()
    }
    total = 0
    curves["train_s"] = [(total := total + each) / 1e9 for each in watch.epoch_ns]
    return curves


def samples(watch: Stopwatch, precision: str) -> dict[str, dict[str, Any]]:
    losses = torch.cat(watch.losses) if watch.losses else torch.empty(0)
    return {
        "step_s": {
            "count": len(watch.step_ns),
            "values": [watch.step_ns[i] / 1e9 for i in evenly(len(watch.step_ns), SAMPLES_MOST)],
        },
        "step_loss": loss_sample(losses, precision),
    }


def loss_sample(losses: torch.Tensor, precision: str) -> dict[str, Any]:
    """At most 512 of the *losses* of all steps, (S,), evenly taken, and their count."""
    picked = [losses[i] for i in evenly(len(losses), SAMPLES_MOST)]
    return {"count": len(losses), "values": [_shortest(loss, precision) for loss in picked]}


def _shortest(value: torch.Tensor, precision: str) -> float | None:
    """The shortest decimal that reads back as the same number in its own precision."""
    if not torch.isfinite(value):
        return None
    return float(str(value.numpy())) if devices.weight_type(precision) == torch.float32 else value.item()


def framework_json(training: Training | FrameworkTraining) -> dict[str, str]:
    """Which version of another framework has trained; nothing of nnbench's own loop."""
    return {} if isinstance(training, Training) else {"framework": training.version}


def data_json(training: Training | FrameworkTraining) -> dict[str, Any]:
    """Name, content and sizes of the data set of *training*."""
    return {
        "name": training.dataset.name,
        "sha256": training.dataset.sha256,
        "train": len(training.train),
        "validation": training.scored_samples,
        **({"notes": list(training.dataset.notes)} if training.dataset.notes else {}),
    }


def workers(arm: Arm) -> int:
    """Processes that load the batches of each rank."""
    return int(arm.loader_args.get("num_workers", 0))


def crowded(arm: Arm) -> bool:
    """Whether *arm* keeps more threads and processes busy than it may use cores."""
    return arm.ranks * (arm.threads + workers(arm)) > devices.usable_cores()


def quality(arm: Arm, watch: Stopwatch, noise: Noise) -> tuple[str, ...]:
    """Flags that say why the times of this record may not be believed."""
    found = launcher()
    own = tuple(
        flag
        for flag, raised in (
            ("CLOCK", watch.clock_went_back()),
            ("OVERSUBSCRIBED", (arm.ranks > 1 or workers(arm) > 0) and crowded(arm)),
            ("DRIFT", drifts(watch.step_ns)),
            ("INVALID", found.get("restarts", 0) > 0),
        )
        if raised
    )
    disturbed = flags(noise)
    if workers(arm) and crowded(arm):  # that it waited for cores says nothing where its own workers fill them
        disturbed = tuple(flag for flag in disturbed if flag not in ("NOISY", "INVALID"))
    return tuple(dict.fromkeys([*own, *disturbed]))
