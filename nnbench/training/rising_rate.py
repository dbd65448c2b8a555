"""The rate to start with: raise it from step to step until the loss blows up, and read it off the curve.

Smith 2017 ("Cyclical Learning Rates for Training Neural Networks", arXiv 1506.01186), section 3.3. The rule
of torch-lr-finder is the rate at which the smoothed loss falls fastest; but a loss that has blown up may fall
again, faster than it ever did. Ours looks only before the least loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from nnbench.config import Arm, ConfigError
from nnbench.training.events import Listener
from nnbench.training.loop import Training

LOW, HIGH, STEPS, SMOOTHING = 1e-4, 10.0, 200, 0.9
_BLOWN_UP = 5.0  # times the least loss: there torch-lr-finder stops
_SKIP_FIRST, _SKIP_LAST = 10, 5  # steps that the steepest descent is not looked for in
FEWEST = _SKIP_FIRST + _SKIP_LAST + 2


class _Losses(Listener):
    def __init__(self) -> None:
        self.losses: list[float] = []

    def window_ended(self, losses: torch.Tensor, steps: int) -> None:
        self.losses += losses.tolist()


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw, and the rates that its rules pick.

    Attributes:
        rates: of each step, (S,); the test ends at the step whose smoothed loss has blown up.
        losses: training losses, (S,).
        smoothed: their running mean, (S,): the first loss, then (1 - smoothing) loss + smoothing mean.
        blew_up: whether the smoothed loss rose above five times its least, or was none any more.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    blew_up: bool

    @property
    def start(self) -> float:
        """The rate at which the smoothed loss falls fastest on its way to its least: what to start with.

        The first ten steps are left out, where the mean has seen next to nothing.

        Raises:
            ConfigError: the least loss is among the first steps.
        """
        end = int(np.argmin(self.smoothed)) + 1
        if end < _SKIP_FIRST + 2:
            raise ConfigError(
                f"the loss is least at step {end}, at a rate of {self.least:g}: it never fell; take more "
                "steps, or a lower first rate"
            )
        slopes = np.gradient(np.array(self.smoothed))[_SKIP_FIRST:end]
        return self.rates[_SKIP_FIRST + int(slopes.argmin())]

    @property
    def steepest(self) -> float:
        """The rate at which it falls fastest anywhere but in the first ten and the last five steps.

        torch-lr-finder's suggestion.

        Raises:
            ConfigError: fewer than 17 steps.
        """
        if len(self.rates) < FEWEST:
            raise ConfigError(
                f"the loss blew up at step {len(self.rates)}, and the steepest descent needs {FEWEST}; "
                "take more steps, or a lower first rate"
            )
        inner = slice(_SKIP_FIRST, -_SKIP_LAST)
        return self.rates[inner][int(np.gradient(np.array(self.smoothed[inner])).argmin())]

    @property
    def least(self) -> float:
        """The rate at the least smoothed loss: near the edge, already too large to train at for long."""
        return self.rates[int(np.argmin(self.smoothed))]

    @property
    def tenth(self) -> float:
        """A tenth of that: the cautious rule."""
        return self.least / 10

    @property
    def blow_up(self) -> float | None:
        """The rate at which the loss blew up; None where it did not."""
        return self.rates[-1] if self.blew_up else None


def range_test(
    arm: Arm,
    seed: int = 0,
    data_folder: Path | None = None,
    *,
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    smoothing: float = SMOOTHING,
) -> RangeTest:
    """Train *arm* for *steps* steps while its rate rises from *low* to *high* by equal factors.

    The arm's own rate, schedule, epochs and target are not used; everything else is its own: its optimizer,
    batch, precision, execution. The weights are thrown away.

    Args:
        smoothing: weight of the past in the running mean of the losses, 0 for none.

    Raises:
        ConfigError: rates that do not rise, fewer than 17 steps, no share, or what `Training` refuses.
        DataError: see `Training`.
    """
    _check(low, high, steps, smoothing)
    rising = {"end_factor": high / low}
    rises = arm.replace(
        name=arm.name, lr=low, schedule="geometric", schedule_args=rising, epochs=steps, max_steps=steps,
        target_accuracy=None,
    )  # fmt: skip
    seen = _Losses()
    history = Training(rises, seed, data_folder).run(seen, validate=False)
    rates = [low * (high / low) ** (step / (steps - 1)) for step in range(len(seen.losses))]
    found = until_blow_up(rates, seen.losses, smoothing)
    return found if history.status == "OK" else replace(found, blew_up=True)


def _check(low: float, high: float, steps: int, smoothing: float) -> None:
    if not 0 < low < high < math.inf:
        raise ConfigError(f"low, high: expected rates above 0 that rise, got {low} and {high}")
    if steps < FEWEST:
        raise ConfigError(f"steps: expected {FEWEST} or more, got {steps}")
    if not 0 <= smoothing < 1:
        raise ConfigError(f"smoothing: expected a share, 0 to below 1, got {smoothing}")


def until_blow_up(rates: Sequence[float], losses: Sequence[float], smoothing: float = SMOOTHING) -> RangeTest:
    """The part of a test up to the step at which its loss blew up.

    Raises:
        ConfigError: not even the first loss is a number.
    """
    smoothed: list[float] = []
    blew_up = False
    for loss in losses:
        blew_up = not math.isfinite(loss)
        if blew_up:
            break
        smoothed.append((1 - smoothing) * loss + smoothing * smoothed[-1] if smoothed else loss)
        blew_up = smoothed[-1] > _BLOWN_UP * min(smoothed)
        if blew_up:
            break
    if not smoothed:
        raise ConfigError(f"the first loss is {[*losses, None][0]}: this network cannot train as it stands")
    count = len(smoothed)
    return RangeTest(tuple(rates[:count]), tuple(losses[:count]), tuple(smoothed), blew_up)
