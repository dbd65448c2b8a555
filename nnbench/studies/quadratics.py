"""Down a quadratic: how many steps the ratio of its curvatures, kappa, asks of an optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nnbench.config import Arm, ConfigError, ProbeResult
from nnbench.optim import make_optimizer

_NEAR = 1e-3  # of the first distance
_START = (1.0, 2.0)  # along the steep axis and the flat one: were they equal, one rate would fit both
_MOST = 20_000


def steps_down(
    optimizer: str, kappa: float, degrees: float = 0.0, rates: Sequence[float] = ()
) -> ProbeResult:
    """Steps until a path is at a thousandth of its first distance from the bottom.

    The curvatures are 1 and 1 / kappa; a path begins 1 away along the steep axis, and 2 along the flat one.
    Without *rates*, gradient descent and momentum take what is best there: 2 / (1 + 1/kappa); with
    momentum 4 / (1 + 1/sqrt(kappa))^2 and ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2 (Polyak 1964; Goh 2017,
    "Why Momentum Really Works"). With them, any optimizer takes the one that is soonest there.

    Args:
        degrees: by which the axes are turned against the weights.

    Returns:
        ``steps_to_bottom``, None where it takes more than 20,000; the rate.

    Raises:
        ConfigError: a kappa below 1, or no rates for an optimizer other than ``sgd`` and ``momentum``.
    """
    if not kappa >= 1:
        raise ConfigError(f"kappa: expected 1 or more, got {kappa}")
    settings: dict[str, float] = {}
    if not rates:
        rates, settings = _best(optimizer, kappa)
    turn = _turn(degrees)
    curvature = turn @ torch.diag(torch.tensor([1.0, 1 / kappa], dtype=torch.float64)) @ turn.T
    start = turn @ torch.tensor(_START, dtype=torch.float64)
    arm = Arm(optimizer=optimizer, optimizer_args=settings)
    found = _soonest(arm, rates, start, curvature)
    if found is None:
        reason = f"not there after {_MOST} steps"
        return ProbeResult(metrics={"steps_to_bottom": None}, missing={"steps_to_bottom": reason})
    steps, chosen = found
    edge = len(rates) > 1 and chosen in (0, len(rates) - 1)
    return ProbeResult(
        metrics={"steps_to_bottom": steps, "chosen_rate": rates[chosen], "chosen_at_edge": int(edge)}
    )


def _best(optimizer: str, kappa: float) -> tuple[tuple[float, ...], dict[str, float]]:
    root = math.sqrt(kappa)
    if optimizer == "sgd":
        return (2 / (1 + 1 / kappa),), {}
    if optimizer == "momentum":
        return (4 / (1 + 1 / root) ** 2,), {"momentum": ((root - 1) / (root + 1)) ** 2}
    raise ConfigError(f"rates: {optimizer!r} has no formula for the best one; give a grid")


def _turn(degrees: float) -> Tensor:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)


def _soonest(arm: Arm, rates: Sequence[float], start: Tensor, curvature: Tensor) -> tuple[int, int] | None:
    """Steps until the path of one of the *rates* is near the bottom, and which one; None for none."""
    points = [torch.nn.Parameter(start.clone()) for _ in rates]
    groups = [{"params": [point], "lr": rate} for point, rate in zip(points, rates, strict=True)]
    moves = make_optimizer(arm, groups)
    near = _NEAR * float(start.norm())
    for step in range(_MOST + 1):
        places = torch.stack([point.detach() for point in points])
        there = (places.norm(dim=1) <= near).nonzero()
        if len(there):
            return step, int(there[0])
        for point, gradient in zip(points, places @ curvature, strict=True):
            point.grad = gradient
        moves.step()
    return None
