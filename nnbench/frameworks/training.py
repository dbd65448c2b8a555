"""A training by another framework, ready to run, as nnbench's own is one of `nnbench.training`."""

from __future__ import annotations

import copy
import importlib
import importlib.metadata
import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch.nn.functional as F

from nnbench import devices
from nnbench.config import OWN_LOOP, Arm, ConfigError, install_line
from nnbench.distributed import ALONE, Group
from nnbench.frameworks.job import Done, Epochs, Job
from nnbench.training import History, Listener, Training, evaluate
from nnbench.training.loop import order_seed

WARMUP_STEPS = 10
# framework -> its module here, the package that it needs, and the name under which that is installed
_HOMES: Mapping[str, tuple[str, str, str]] = {
    "bare": ("nnbench.frameworks.bare", "torch", "torch"),
    "lecture": ("nnbench.frameworks.lecture", "torchvision", "torchvision"),
    "lightning": ("nnbench.frameworks.lightning", "lightning", "lightning"),
    "skorch": ("nnbench.frameworks.skorch", "skorch", "skorch"),
    "keras": ("nnbench.frameworks.keras", "keras", "keras"),
    "scikit-learn": ("nnbench.frameworks.scikit_learn", "sklearn", "scikit-learn"),
}


class FrameworkMissing(ConfigError):
    """The framework that an arm asks for is not installed."""


def training_of(
    arm: Arm, seed: int = 0, data_folder: Path | None = None, group: Group = ALONE
) -> Training | FrameworkTraining:
    """The training of *arm* under *seed*, by the framework that it asks for.

    Raises:
        ConfigError, DataError: see `nnbench.training.Training`.
        FrameworkMissing, DeviceMissing: see `FrameworkTraining`.
    """
    if arm.framework == OWN_LOOP:
        return Training(arm, seed, data_folder, group)
    return FrameworkTraining(arm, seed, data_folder)


class FrameworkTraining:
    """One training of an arm under a seed by another framework than nnbench.

    Data, first weights and validation are those of nnbench's own training; `run` is the part worth timing.

    Raises:
        ConfigError, DataError: see `nnbench.training.Training`.
        FrameworkMissing: the framework is not installed; the message says how to install it.
        DeviceMissing: the arm asks for another device than the CPU.
    """

    def __init__(self, arm: Arm, seed: int = 0, data_folder: Path | None = None) -> None:
        self.arm, self.seed = arm, seed
        self._train = _train_function(arm.framework)
        self.device = devices.choose_device(arm.device)
        if self.device.type != "cpu":
            raise devices.DeviceMissing(
                f"framework: {arm.framework!r} is measured on a CPU, not on {self.device}; give device='cpu'"
            )
        own = Training(arm.replace(framework=OWN_LOOP, name=arm.name), seed, data_folder)
        self.dataset, self.train, self._scored = own.dataset, own.train, own.scored
        self.scored_samples, self.planned_steps = own.scored_samples, own.planned_steps
        if own.loss_of is not F.cross_entropy:
            raise ConfigError(
                f"model: {arm.model!r} has a loss of its own, and {arm.framework!r} trains on cross-entropy"
            )
        self.batch = own.batch
        self._own = own
        self.job = Job(
            images=own.train.decode(own.train.images), pixels=own.train.images, labels=own.train.labels,
            model=own.model,
            lr=float(arm.lr), batch_size=own.batch, epochs=arm.epochs, threads=arm.threads,
            seed=order_seed(seed),
        )  # fmt: skip

    @property
    def version(self) -> str:
        """The framework and its version, as '<name> <version>'."""
        return f"{self.arm.framework} {importlib.metadata.version(_HOMES[self.arm.framework][2])}"

    def warm_up(self, steps: int = WARMUP_STEPS) -> int:
        """The same on a throw-away copy, for a few *steps*; how many. Imports and first calls happen here."""
        few = slice(0, steps * self.job.batch_size)
        job = replace(
            self.job, images=self.job.images[few], pixels=self.job.pixels[few],
            labels=self.job.labels[few], epochs=1, model=copy.deepcopy(self.job.model),
        )  # fmt: skip
        return self._by_the_framework(job, Listener()).steps

    def run(self, listener: Listener | None = None, *, validate: bool = True) -> History:
        """Train, announcing the epochs to *listener*, and validate once, after the last of them."""
        listener, job = listener or Listener(), self.job
        done = self._by_the_framework(job, listener)
        history = History(job.model, steps=done.steps, samples=done.samples)
        if validate:
            loss, accuracy = evaluate(job.model, self._own.loss_of, self._scored)
            if math.isfinite(loss):
                unknown = [math.nan] * (job.epochs - 1)
                history.curves.update(
                    validation_loss=[*unknown, loss], validation_accuracy=[*unknown, accuracy]
                )
            else:
                history.status = "DIVERGED"
            listener.validated(job.epochs)
        return history

    def _by_the_framework(self, job: Job, listener: Listener) -> Done:
        with devices.seeded(job.seed, self.device), devices.settings(self.arm.threads):
            return self._train(job, Epochs(listener))


def _train_function(framework: str) -> Callable[[Job, Epochs], Done]:
    module, package, _ = _HOMES[framework]
    if importlib.util.find_spec(package) is None:
        raise FrameworkMissing(f"{framework} is not installed: {install_line('peers')}")
    found: Any = importlib.import_module(module)
    return found.train  # type: ignore[no-any-return]
