"""Learning-rate schedules by name, and warm-up before any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from nnbench.config import Arm, ConfigError, plain


def _inverse(optimizer: Optimizer, steps: int, decay: float = 9.0) -> LRScheduler:
    # Robbins and Monro 1951: as 1/t in the end; here a tenth of the first rate is left.
    if not decay > 0:
        raise ValueError(f"decay: expected a number above 0, got {decay!r}")
    return lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + decay * step / steps))


def _geometric(optimizer: Optimizer, steps: int, end_factor: float = 0.01) -> LRScheduler:
    # equal factors from step to step; the last of them has rate * end_factor
    if not end_factor > 0:
        raise ValueError(f"end_factor: expected a number above 0, got {end_factor!r}")
    return lr_scheduler.LambdaLR(optimizer, lambda step: end_factor ** (step / max(1, steps - 1)))


def _cyclic(optimizer: Optimizer, steps: int, cycles: float = 4, **kwargs: Any) -> LRScheduler:
    # Smith 2017, section 3.1: between base and max, half a cycle up and half a cycle down. The last step of a
    # training is the end of a cycle: stopped elsewhere, it ends at too high a rate.
    if not cycles > 0:
        raise ValueError(f"cycles: expected a number above 0, got {cycles!r}")
    half = max(1.0, (steps - 1) / (2 * cycles))
    momentum = "momentum" in optimizer.defaults and optimizer.defaults["momentum"] > 0
    rates = _rates(optimizer)
    own: dict[str, Any] = {
        "base_lr": [each / 10 for each in rates], "max_lr": rates, "step_size_up": half,
        "cycle_momentum": momentum,
    }  # fmt: skip
    if kwargs.get("mode") == "exp_range":
        own["gamma"] = 0.1 ** (1 / steps)  # torch's own, 1, would be no decay
    return lr_scheduler.CyclicLR(optimizer, **{**own, **kwargs})


def _rates(optimizer: Optimizer) -> list[float]:
    # torch's cyclic schedules give one rate to all groups where they are told one
    return [float(group["lr"]) for group in optimizer.param_groups]


def _onecycle(optimizer: Optimizer, steps: int, **kwargs: Any) -> LRScheduler:
    momentum = optimizer.defaults.get("momentum", 0) > 0 or "betas" in optimizer.defaults
    own: dict[str, Any] = {"max_lr": _rates(optimizer), "total_steps": steps, "cycle_momentum": momentum}
    return lr_scheduler.OneCycleLR(optimizer, **{**own, **kwargs})


# name -> (made from optimizer, total steps, the user's arguments; whether it moves every step)
_SCHEDULES: Mapping[str, tuple[Callable[..., LRScheduler], bool]] = {
    "step": (lambda o, n, **k: lr_scheduler.StepLR(o, **{"step_size": 1, **k}), False),
    "multistep": (lambda o, n, **k: lr_scheduler.MultiStepLR(o, **k), False),
    "exponential": (lambda o, n, **k: lr_scheduler.ExponentialLR(o, **{"gamma": 0.9, **k}), False),
    "linear": (
        lambda o, n, **k: lr_scheduler.LinearLR(
            o, **{"start_factor": 1.0, "end_factor": 0.01, "total_iters": n, **k}
        ),
        True,
    ),
    "polynomial": (
        lambda o, n, **k: lr_scheduler.PolynomialLR(o, **{"total_iters": n, "power": 2.0, **k}),
        True,
    ),
    "inverse": (_inverse, True),
    "geometric": (_geometric, True),
    "cosine": (lambda o, n, **k: lr_scheduler.CosineAnnealingLR(o, **{"T_max": n, **k}), True),
    "cosine-restarts": (
        lambda o, n, **k: lr_scheduler.CosineAnnealingWarmRestarts(o, **{"T_0": max(1, n // 4), **k}),
        True,
    ),
    "cyclic": (_cyclic, True),
    "onecycle": (_onecycle, True),
}


class Schedule:
    """A learning-rate schedule that knows when it moves: after each step, or after each epoch.

    ``step``, ``multistep`` and ``exponential`` count epochs, the others steps of the whole training.
    ``inverse`` is rate / (1 + decay t / T) at step t of T, decay 9; ``geometric`` goes by equal factors to
    rate * ``end_factor`` (0.01) at the last step; ``cyclic`` takes the number of ``cycles`` (4) and torch's
    ``mode``: triangular, triangular2, exp_range.

    Any of them, and ``constant`` too, takes ``warmup``, the share of all steps in which the rate first rises
    by equal amounts (Goyal et al. 2017, "Accurate, Large Minibatch SGD", arXiv 1706.02677, section 2.2).
    After it a schedule of steps runs over those that are left; one of epochs has counted on meanwhile.

    Raises:
        ConfigError: an argument that the schedule does not take, or a warm-up that is no share.
    """

    def __init__(self, arm: Arm, optimizer: Optimizer, steps: int) -> None:
        arguments = plain(arm.schedule_args)
        self._rise = _rise(arguments.pop("warmup", 0.0), steps)
        self._scheduler: LRScheduler | None = None
        self._by_step = False
        if arm.schedule != "constant":
            make, self._by_step = _SCHEDULES[arm.schedule]
            left = steps - self._rise if self._by_step else steps
            try:
                self._scheduler = make(optimizer, left, **arguments)
            except (TypeError, ValueError) as error:
                raise ConfigError(f"schedule_args: {arm.schedule}: {error}") from error
        elif arguments:
            raise ConfigError(f"schedule_args: constant takes warmup alone, got {', '.join(arguments)}")
        self._groups = optimizer.param_groups
        self._own = [group["lr"] for group in self._groups]  # what the rates would be without warm-up
        self._risen = 0
        self._warm()

    @property
    def moves_by_step(self) -> bool:
        """Whether `after_step` does anything."""
        return self._rise > 0 or (self._scheduler is not None and self._by_step)

    def after_step(self) -> None:
        """Move what counts steps: first the warm-up, then the schedule."""
        if self._risen < self._rise:
            self._risen += 1
            self._warm()
        elif self._scheduler is not None and self._by_step:
            self._scheduler.step()

    def after_epoch(self) -> None:
        """Move a schedule that counts epochs."""
        if self._scheduler is None or self._by_step:
            return
        for group, rate in zip(self._groups, self._own, strict=True):
            group["lr"] = rate  # it multiplies the rates that it finds, and warm-up has changed them
        self._scheduler.step()
        self._own = [group["lr"] for group in self._groups]
        self._warm()

    def _warm(self) -> None:
        """Step i = 0, 1, … of W has (i + 1) / (W + 1) of the rate; the step after them has all of it."""
        if not self._rise:
            return
        share = (self._risen + 1) / (self._rise + 1)
        for group, rate in zip(self._groups, self._own, strict=True):
            group["lr"] = rate * share


def _rise(share: float, steps: int) -> int:
    """Steps of the warm-up: one at least where there is to be one, and one less than all at most."""
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
        raise ConfigError(
            f"schedule_args: warmup: expected a share of the steps, 0 to below 1, got {share!r}"
        )
    return min(max(1, round(share * steps)), steps - 1) if share else 0
