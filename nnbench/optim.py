"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from nnbench.config import CAPTURABLE, CUDA_GRAPH, OPTIMIZERS, Arm, ConfigError, load_object, plain
from nnbench.deferred_compiler import defer_compiler

# What torch does not take together with fused=True.
_NOT_FUSED = frozenset({"foreach", "differentiable"})


def make_optimizer(arm: Arm, parameters: Iterable[torch.nn.Parameter]) -> Optimizer:
    """The arm's optimizer over *parameters*; ``momentum`` and ``nesterov`` are SGD with 0.9.

    Raises:
        ConfigError: an argument that the optimizer does not take.
    """
    defer_compiler()
    path, defaults = OPTIMIZERS.get(arm.optimizer, (arm.optimizer, {}))
    chosen = plain(arm.optimizer_args)
    if arm.execution == CUDA_GRAPH:
        defaults = {**defaults, **CAPTURABLE[arm.optimizer]}
    if not _NOT_FUSED.isdisjoint(chosen):
        defaults = {key: value for key, value in defaults.items() if key != "fused"}
    arguments = {**defaults, **chosen}
    try:
        optimizer: Optimizer = load_object(path)(parameters, lr=arm.lr, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"optimizer_args: {arm.optimizer} with {arguments}: {error}") from error
    return optimizer


def _cyclic(optimizer: Optimizer, steps: int, rate: float, **kwargs: Any) -> LRScheduler:
    # Smith 2017: between base and max, half a cycle up and half a cycle down, here 4 cycles a training.
    own = {"base_lr": rate / 10, "max_lr": rate, "step_size_up": max(1, steps // 8)}
    cycles_momentum = "momentum" in optimizer.defaults and optimizer.defaults["momentum"] > 0
    return lr_scheduler.CyclicLR(optimizer, **{**own, "cycle_momentum": cycles_momentum, **kwargs})


def _onecycle(optimizer: Optimizer, steps: int, rate: float, **kwargs: Any) -> LRScheduler:
    momentum = optimizer.defaults.get("momentum", 0) > 0 or "betas" in optimizer.defaults
    own = {"max_lr": rate, "total_steps": steps, "cycle_momentum": momentum}
    return lr_scheduler.OneCycleLR(optimizer, **{**own, **kwargs})


# name -> (made from optimizer, total steps, rate, the user's arguments; whether it moves every step)
_SCHEDULES: Mapping[str, tuple[Callable[..., LRScheduler], bool]] = {
    "step": (lambda o, n, r, **k: lr_scheduler.StepLR(o, **{"step_size": 1, **k}), False),
    "multistep": (lambda o, n, r, **k: lr_scheduler.MultiStepLR(o, **k), False),
    "exponential": (lambda o, n, r, **k: lr_scheduler.ExponentialLR(o, **{"gamma": 0.9, **k}), False),
    "linear": (
        lambda o, n, r, **k: lr_scheduler.LinearLR(
            o, **{"start_factor": 1.0, "end_factor": 0.01, "total_iters": n, **k}
        ),
        True,
    ),
    "polynomial": (
        lambda o, n, r, **k: lr_scheduler.PolynomialLR(o, **{"total_iters": n, "power": 2.0, **k}),
        True,
    ),
    "cosine": (lambda o, n, r, **k: lr_scheduler.CosineAnnealingLR(o, **{"T_max": n, **k}), True),
    "cosine-restarts": (
        lambda o, n, r, **k: lr_scheduler.CosineAnnealingWarmRestarts(o, **{"T_0": max(1, n // 4), **k}),
        True,
    ),
    "cyclic": (_cyclic, True),
    "onecycle": (_onecycle, True),
}


class Schedule:
    """A learning-rate schedule that knows when it moves: after each step, or after each epoch.

    ``step``, ``multistep`` and ``exponential`` count epochs, the others steps of the whole training.
    """

    def __init__(self, arm: Arm, optimizer: Optimizer, steps: int) -> None:
        self._scheduler: LRScheduler | None = None
        self._by_step = False
        if arm.schedule == "constant":
            return
        make, self._by_step = _SCHEDULES[arm.schedule]
        try:
            self._scheduler = make(optimizer, steps, float(arm.lr), **plain(arm.schedule_args))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"schedule_args: {arm.schedule}: {error}") from error

    @property
    def moves_by_step(self) -> bool:
        """Whether `after_step` does anything."""
        return self._scheduler is not None and self._by_step

    def after_step(self) -> None:
        """Move a schedule that counts steps."""
        if self._scheduler is not None and self._by_step:
            self._scheduler.step()

    def after_epoch(self) -> None:
        """Move a schedule that counts epochs."""
        if self._scheduler is not None and not self._by_step:
            self._scheduler.step()
