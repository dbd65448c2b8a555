"""A weight on a slope that never changes: what an optimizer makes of a gradient, and of nothing else."""

from __future__ import annotations

import math

import torch

from nnbench.config import Arm, ConfigError, ProbeResult
from nnbench.optim import make_optimizer


def walk(
    optimizer: str, gradient: float = 1.0, rate: float = 0.01, steps: int = 100, **settings: float
) -> ProbeResult:
    """Walk down a constant *gradient*, in float64, from 0.

    Args:
        optimizer: a key of `nnbench.config.OPTIMIZERS`.
        rate: its learning rate.
        settings: more arguments of the optimizer.

    Returns:
        Distance, first step and last step, all downhill; the path as an array of steps + 1 places.

    Raises:
        ConfigError: no steps, no gradient, or what the optimizer does not take.
    """
    if steps < 1:
        raise ConfigError(f"steps: expected 1, 2, …, got {steps}")
    if not (math.isfinite(gradient) and gradient != 0):
        raise ConfigError(f"gradient: expected a finite number other than 0, got {gradient!r}")
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    moves = make_optimizer(Arm(optimizer=optimizer, optimizer_args=settings, lr=rate), [weight])
    places = [0.0]
    for _ in range(steps):
        weight.grad = torch.full_like(weight, gradient)
        moves.step()
        places.append(float(weight.detach()) * -math.copysign(1, gradient))
    return ProbeResult(
        metrics={
            "walked_distance": places[-1],
            "walk_first_step": places[1],
            "walk_last_step": places[-1] - places[-2],
            "steps": steps,
        },
        arrays={"walked": places},
    )
