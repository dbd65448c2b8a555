"""How well networks of ReLU units approximate functions: constructed, with random features, and trained.

What a network can represent is shown by weights that are written down; what it learns is another question.
Shapes: P points, N units, I inputs, O outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from nnbench.config import ConfigError, ProbeResult
from nnbench.studies.batched_nets import BatchedNets, fit_nets
from nnbench.studies.written import linear

Function = Callable[[torch.Tensor], torch.Tensor]
_POINTS = 4097  # on a line, finer than any kinks here
_SIDE = 193  # of a square
_DRAWN = 257


def sine(x: torch.Tensor) -> torch.Tensor:
    """sin(2 pi x), R -> R; (P, 1) to (P, 1)."""
    return torch.sin(2 * math.pi * x)


def swirl(x: torch.Tensor) -> torch.Tensor:
    """(sin(pi x) cos(pi y), x y), R^2 -> R^2; (P, 2) to (P, 2)."""
    a, b = x[:, :1], x[:, 1:]
    return torch.cat([torch.sin(math.pi * a) * torch.cos(math.pi * b), a * b], 1)


FUNCTIONS: Mapping[str, tuple[Function, int]] = {"sine": (sine, 1), "swirl": (swirl, 2)}


def _target(function: str) -> tuple[Function, torch.Tensor]:
    """The function of that name, and the points of [0, 1]^I on which errors are taken."""
    if function not in FUNCTIONS:
        raise ConfigError(f"function: expected one of {', '.join(FUNCTIONS)}, got {function!r}")
    of, inputs = FUNCTIONS[function]
    side = torch.linspace(0, 1, _POINTS if inputs == 1 else _SIDE, dtype=torch.float64)
    return of, side[:, None] if inputs == 1 else torch.cartesian_prod(side, side)


def interpolant(function: Function, units: int) -> nn.Sequential:
    """One hidden layer of *units* ReLU that equals *function* on R at units + 1 points of [0, 1].

    Unit i bends the line at i / units by the change of slope there. For f with |f''| <= M the error is at
    most M / (8 units^2) (de Boor, "A Practical Guide to Splines", linear interpolation).
    """
    if units < 1:
        raise ConfigError(f"units: expected 1, 2, …, got {units}")
    knots = torch.linspace(0, 1, units + 1, dtype=torch.float64)
    values = function(knots[:, None])[:, 0]
    slopes = values.diff() * units
    bends = slopes.diff(prepend=slopes.new_zeros(1))
    hidden = linear(torch.ones(units, 1), -knots[:-1])
    return nn.Sequential(hidden, nn.ReLU(), linear(bends[None], values[:1]))


def hats(x: torch.Tensor, cells: int) -> torch.Tensor:
    """The hat functions of the (cells + 1)^2 nodes of a triangulated square, as three layers of ReLU.

    hat(u, v) = relu(1 - max(0, u, v) - max(0, -u, -v)) with (u, v) = cells (x - node), and
    max(0, u, v) = relu(u) + relu(v - relu(u)): 4 + 4 + 1 units for each node.

    Args:
        x: (P, 2).

    Returns:
        (P, nodes): at each point they sum to 1, and no more than three are above 0.
    """
    side = torch.linspace(0, 1, cells + 1, dtype=x.dtype)
    u, v = ((x[:, None, :] - torch.cartesian_prod(side, side)) * cells).unbind(-1)
    right, left, up, down = (torch.relu(each) for each in (u, -u, v, -v))
    above = torch.relu(up - down - right)
    below = torch.relu(down - up - left)
    return torch.relu(1 - right - above - left - below)


def constructed(function: str, resolution: int) -> ProbeResult:
    """A network written down: how far it is from *function*, with how many units.

    Args:
        resolution: pieces along each side of [0, 1]^I.

    Raises:
        ConfigError: an unknown function, or a resolution below 1.
    """
    of, points = _target(function)
    if resolution < 1:
        raise ConfigError(f"resolution: expected 1, 2, …, got {resolution}")
    with torch.no_grad():
        if points.shape[1] == 1:
            found, units = interpolant(of, resolution)(points), resolution
        else:
            side = torch.linspace(0, 1, resolution + 1, dtype=torch.float64)
            weights = of(torch.cartesian_prod(side, side))
            found = torch.cat([hats(part, resolution) @ weights for part in points.split(4096)])
            units = 9 * (resolution + 1) ** 2
    return _result(points, of(points), found, units, prefix="")


def random_features(function: str, units: int, seed: int) -> ProbeResult:
    """Random first weights that stay, and last ones by least squares: no training of the first layer.

    Rahimi and Recht 2008 ("Weighted Sums of Random Kitchen Sinks"). Kinks fall uniformly into the square.
    """
    of, points = _target(function)
    draw = torch.Generator().manual_seed(seed)
    directions = torch.randn(points.shape[1], units, generator=draw, dtype=torch.float64)
    places = torch.rand(points.shape[1], units, generator=draw, dtype=torch.float64)
    hidden = torch.relu(points @ directions - (places * directions).sum(0))
    features = torch.cat([hidden, points, torch.ones(len(points), 1, dtype=torch.float64)], 1)
    found = features @ torch.linalg.lstsq(features, of(points), driver="gelsd").solution
    return _result(points, of(points), found, units)


def trained(function: str, units: int, seed: int, steps: int = 1000) -> ProbeResult:
    """One hidden layer of *units*, trained by Adam from He's first weights at a rate of 0.01."""
    of, points = _target(function)
    sample = points[:: max(1, len(points) // 512)].float()
    nets = BatchedNets((points.shape[1], units, of(points[:2]).shape[1]), nets=1, seed=seed)
    fit_nets(nets, 2 * sample - 1, of(sample), steps=steps, lr=0.01)  # inputs about 0
    with torch.no_grad():
        found = nets(2 * points.float() - 1)[0].double()
    return _result(points, of(points), found, units)


def _result(
    points: torch.Tensor, wanted: torch.Tensor, found: torch.Tensor, units: int, prefix: str = "drawn_"
) -> ProbeResult:
    """Greatest and root mean square error; what chance has a part in is told apart by its *prefix*."""
    gap = (found - wanted).abs()
    arrays: dict[str, Any] = {}
    if points.shape[1] == 1:
        few = slice(None, None, (_POINTS - 1) // (_DRAWN - 1))
        arrays = {
            "x": points[few, 0].numpy(),
            "wanted": wanted[few, 0].numpy(),
            "found": found[few, 0].numpy(),
        }
    return ProbeResult(
        metrics={
            f"{prefix}sup_error": float(gap.max()),
            f"{prefix}rms_error": float(gap.square().mean().sqrt()),
            "units": units,
        },
        arrays=arrays,
    )
