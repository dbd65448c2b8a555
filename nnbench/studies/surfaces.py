"""Paths down surfaces over two weights, every optimizer at the best rate of one and the same grid.

Shapes: R rates, each with a point of its own, (R, 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nnbench.config import Arm, ConfigError, ProbeResult, closest
from nnbench.optim import make_optimizer

RATES = tuple(10 ** (k / 4) for k in range(-16, 5))  # 1e-4 to 10, four in each decade
_KAPPA = 100.0


@dataclass(frozen=True)
class Surface:
    """A function of two weights.

    Attributes:
        height: (…, 2) to (…), float64; its least value is 0.
        start: where paths begin.
        frame: of a picture: least and greatest of both weights.
    """

    height: Callable[[Tensor], Tensor]
    start: tuple[float, float]
    frame: tuple[tuple[float, float], tuple[float, float]]


def valley(at: Tensor) -> Tensor:
    """A quadratic whose one axis is a hundred times as steep as the other, its axes turned by 30 degrees."""
    along, across = _turned(at, 30.0)
    return (along**2 / _KAPPA + across**2) / 2


def banana(at: Tensor) -> Tensor:
    """Rosenbrock 1960: (1 - x)^2 + 100 (y - x^2)^2, least at (1, 1)."""
    x, y = at.unbind(-1)
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def beale(at: Tensor) -> Tensor:
    """Beale 1958: plateaus and a steep rim, least at (3, 0.5)."""
    x, y = at.unbind(-1)
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def saddle(at: Tensor) -> Tensor:
    """A pass at (0, 0) between the minima (0, 1) and (0, -1): x^2 / 2 + (y^2 - 1)^2 / 4."""
    x, y = at.unbind(-1)
    return x**2 / 2 + (y**2 - 1) ** 2 / 4


def _turned(at: Tensor, degrees: float) -> tuple[Tensor, Tensor]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = at.unbind(-1)
    return cos * x + sin * y, cos * y - sin * x


SURFACES = {
    "valley": Surface(valley, (-3.0, 0.0), ((-3.6, 1.8), (-2.7, 1.2))),
    "Rosenbrock": Surface(banana, (-0.5, 2.5), ((-2.0, 1.8), (-0.6, 3.0))),
    "Beale": Surface(beale, (1.0, 1.5), ((-0.5, 4.5), (-2.0, 2.0))),
    "saddle": Surface(saddle, (1.5, 0.001), ((-1.8, 1.8), (-1.5, 1.5))),
}


def paths(surface: Surface, optimizer: str, rates: Sequence[float], steps: int) -> Tensor:
    """The places of each rate, (steps + 1, R, 2), float64; not finite from where a path is lost."""
    start = torch.tensor(surface.start, dtype=torch.float64)
    points = [torch.nn.Parameter(start.clone()) for _ in rates]
    groups = [{"params": [point], "lr": rate} for point, rate in zip(points, rates, strict=True)]
    moves = make_optimizer(Arm(optimizer=optimizer), groups)
    found = torch.empty(steps + 1, len(rates), 2, dtype=torch.float64)
    for step in range(steps + 1):
        places = torch.stack([*points])
        found[step] = places.detach()
        moves.zero_grad()
        surface.height(places).sum().backward()  # each point has a gradient of its own
        moves.step()
    return found


def descent(surface: str, optimizer: str, steps: int = 200, rates: Sequence[float] = RATES) -> ProbeResult:
    """How low an optimizer gets in so many steps, at the one of *rates* that gets lowest without climbing.

    A rate whose path is anywhere higher than where it began is passed over: it would be luck to come back.
    The rate is chosen by what it is judged by: this is the best that each optimizer can do here.

    Returns:
        Height at the end, rate, whether that is at an edge of the grid; the path, (steps + 1, 2).

    Raises:
        ConfigError: an unknown surface, no steps, or rates all of which climb.
    """
    if surface not in SURFACES:
        hint = closest(surface, list(SURFACES))
        raise ConfigError(f"surface: unknown {surface!r}; {hint}known: {', '.join(SURFACES)}")
    if steps < 1:
        raise ConfigError(f"steps: expected 1, 2, …, got {steps}")
    of = SURFACES[surface]
    found = paths(of, optimizer, rates, steps)
    heights = of.height(found).nan_to_num(math.inf, math.inf)
    tame = (heights <= heights[0] * (1 + 1e-9)).all(0)
    if not tame.any():
        raise ConfigError(f"rates: with each of them {optimizer} climbs on {surface}; give smaller ones")
    best = int(torch.where(tame, heights[-1], math.inf).argmin())
    return ProbeResult(
        metrics={
            "surface_height": float(heights[-1, best]),
            "chosen_rate": float(rates[best]),
            "chosen_at_edge": int(best in (0, len(rates) - 1)),
            "steps": steps,
        },
        arrays={"path": found[:, best].numpy(), **_map(of)},
    )


def _map(surface: Surface, side: int = 80) -> dict[str, object]:
    """Heights on a grid over the frame, for contours."""
    x, y = (torch.linspace(low, high, side, dtype=torch.float64) for low, high in surface.frame)
    across, up = torch.meshgrid(x, y, indexing="xy")
    heights = surface.height(torch.stack([across, up], -1)).to(torch.float32)
    return {"map_x": x.numpy(), "map_y": y.numpy(), "map_height": heights.numpy()}
