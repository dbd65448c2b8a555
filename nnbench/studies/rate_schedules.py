"""Learning-rate schedules as they are: the rate of each step."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nnbench.config import Arm, ConfigError, ProbeResult
from nnbench.optim import Schedule, make_optimizer


def rate_by_step(
    schedule: str, *, steps: int = 400, epochs: int = 4, args: dict[str, Any] | None = None
) -> ProbeResult:
    """The learning rate of each step of a training under *schedule*, as a share of the arm's.

    Args:
        args: of the schedule.

    Returns:
        first_rate, last_rate, highest_rate, mean_rate; turns, how often it changes its direction; array
        ``rate``, (steps,).

    Raises:
        ConfigError: what the schedule does not take, or steps that the epochs do not share equally.
    """
    if steps < 2 or epochs < 1 or steps % epochs:
        raise ConfigError(f"steps, epochs: expected steps that the epochs share, got {steps} and {epochs}")
    arm = Arm(lr=1.0, schedule=schedule, schedule_args=args or {})
    optimizer = make_optimizer(arm, [torch.nn.Parameter(torch.zeros(1))])
    moves, rates = Schedule(arm, optimizer, steps), []
    for _ in range(epochs):
        for _ in range(steps // epochs):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            moves.after_step()
        moves.after_epoch()
    seen = np.array(rates)
    turns = np.sign(np.round(np.diff(seen), 12))
    turns = turns[turns != 0]
    return ProbeResult(
        metrics={
            "first_rate": float(seen[0]), "last_rate": float(seen[-1]), "highest_rate": float(seen.max()),
            "mean_rate": float(seen.mean()), "turns": int((np.diff(turns) != 0).sum()),
        },
        arrays={"rate": seen},
    )  # fmt: skip
