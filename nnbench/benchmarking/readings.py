"""What the meters saw of one training, as the numbers of a record."""

from __future__ import annotations

import statistics
from typing import Any

import scipy.special  # noqa: F401 - `stats` loads it on first use: a third of a second of the first record
import torch

from nnbench import devices
from nnbench.config import Arm
from nnbench.distributed import launcher
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


def why_diverged(history: History) -> str | None:
    """The reason of a training that diverged; None of one that did not."""
    step = history.first_bad_step
    return None if step is None else f"the loss is not finite from step {step} on"


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


def curves(history: History, watch: Stopwatch) -> dict[str, list[float | None]]:
    curves: dict[str, list[float | None]] = {name: list(values) for name, values in history.curves.items()}
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
    return float(str(value.numpy())) if precision == "float32" else value.item()


def data_json(training: Training) -> dict[str, Any]:
    """Name, content and sizes of the data set of *training*."""
    return {
        "name": training.dataset.name,
        "sha256": training.dataset.sha256,
        "train": len(training.train),
        "validation": training.scored_samples,
        **({"notes": list(training.dataset.notes)} if training.dataset.notes else {}),
    }


def quality(arm: Arm, watch: Stopwatch) -> tuple[str, ...]:
    """Flags that say why the times of this record may not be believed."""
    found = launcher()
    return tuple(
        flag
        for flag, raised in (
            ("CLOCK", watch.clock_went_back()),
            ("OVERSUBSCRIBED", arm.ranks > 1 and arm.ranks * arm.threads > devices.usable_cores()),
            ("DRIFT", drifts(watch.step_ns)),
            ("INVALID", found.get("restarts", 0) > 0),
        )
        if raised
    )
