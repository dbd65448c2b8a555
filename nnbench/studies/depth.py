"""Wide against deep: the tent map, which depth folds and width must write down piece by piece."""

from __future__ import annotations

import torch
from torch import nn

from nnbench.config import ConfigError, ProbeResult
from nnbench.studies.batched_nets import BatchedNets, fit_nets
from nnbench.studies.written import linear

_SOLVED = 0.05  # root mean square error below which a restart has found the map, whose values fill [0, 1]


def tent(x: torch.Tensor, folds: int) -> torch.Tensor:
    """The tent map on [0, 1], applied *folds* times: 2^folds straight pieces between 0 and 1."""
    for _ in range(folds):
        x = 1 - (2 * x - 1).abs()
    return x


def folded(folds: int) -> nn.Sequential:
    """Two units a layer, *folds* layers: each folds the line once. 6 folds + 1 parameters.

    tent(x) = 2 relu(x) - 4 relu(x - 1/2) on [0, 1] (Telgarsky 2015, "Representation Benefits of Deep
    Feedforward Networks", arXiv 1509.08101, Lemma 3.11 and figure 1).
    """
    turns = torch.tensor([2.0, -4.0], dtype=torch.float64)
    layers: list[nn.Module] = []
    for i in range(folds):
        layers += [
            linear(turns.repeat(2, 1) if i else torch.ones(2, 1), torch.tensor([0.0, -0.5])),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, linear(turns[None], torch.zeros(1)))


def unfolded(folds: int) -> nn.Sequential:
    """One hidden layer that equals it: a unit for each of the 2^folds pieces, 3 2^folds + 1 parameters.

    N units bend a line at most N times, so that 2^folds - 1 are needed at least. They do not suffice: each
    bend is one of +-2^(folds + 1), a unit adds all of its bend or nothing to the slope of the first piece,
    and that slope, 2^folds, is half a bend. One unit more, bent at 0, is that slope.
    """
    pieces = 2**folds
    numbers = torch.arange(pieces, dtype=torch.float64)
    bends = torch.where(numbers % 2 == 1, -2.0, 2.0) * pieces
    bends[0] = pieces
    hidden = linear(torch.ones(pieces, 1), -numbers / pieces)
    return nn.Sequential(hidden, nn.ReLU(), linear(bends[None], torch.zeros(1)))


def pieces_of(net: nn.Module, cells: int) -> int:
    """Straight pieces of a network R -> R on [0, 1] whose kinks are all multiples of 1 / *cells*."""
    x = torch.linspace(0, 1, cells + 1, dtype=torch.float64)
    with torch.no_grad():
        slopes = net(x[:, None])[:, 0].diff() * cells
    return 1 + int((slopes.diff().abs() > 1e-6).sum())


def constructed(folds: int, shape: str) -> ProbeResult:
    """The tent map by a network written down: its parameters, its pieces, its error.

    Args:
        shape: "deep" for `folded`, "shallow" for `unfolded`.

    Raises:
        ConfigError: another shape, or folds out of range.
    """
    if shape not in ("deep", "shallow"):
        raise ConfigError(f"shape: expected deep or shallow, got {shape!r}")
    if not 1 <= folds <= 14:
        raise ConfigError(f"folds: expected 1 to 14, got {folds}")
    net = folded(folds) if shape == "deep" else unfolded(folds)
    x = torch.linspace(0, 1, 4 * 2**folds + 1, dtype=torch.float64)
    with torch.no_grad():
        gap = (net(x[:, None])[:, 0] - tent(x, folds)).abs().max()
    return ProbeResult(
        metrics={
            "parameters": sum(weight.numel() for weight in net.parameters()),
            "line_pieces": pieces_of(net, 4 * 2**folds),
            "sup_error": float(gap),
            "layers": folds + 1 if shape == "deep" else 2,
        }
    )


def trained(
    folds: int, layers: int, width: int, seed: int, *, restarts: int = 8, steps: int = 1500, lr: float = 0.03
) -> ProbeResult:
    """Restarts of a network of some 400 parameters, trained on the map by Adam: the best and the middle one.

    Args:
        layers: hidden ones, of *width* units each.

    Returns:
        Of all restarts the least and the median root mean square error, and the share that found the map.
    """
    x = torch.linspace(0, 1, 8 * 2**folds + 1)[:, None]
    y = tent(x, folds)
    nets = BatchedNets((1, *[width] * layers, 1), nets=restarts, seed=seed)
    inputs = 2 * x - 1  # about 0: from [0, 1] few of the kinks would lie among the points
    fit_nets(nets, inputs, y, steps=steps, lr=lr)
    with torch.no_grad():
        found = nets(inputs)
    errors = (found - y).square().mean((1, 2)).sqrt()
    best = found[int(errors.argmin()), :, 0]
    return ProbeResult(
        metrics={
            "best_rms_error": float(errors.min()),
            "median_rms_error": float(errors.median()),
            "parameters": sum(weight[0].numel() for weight in nets.parameters()),
            "found_share": float((errors < _SOLVED).float().mean()),
            "trials": restarts,
        },
        arrays={"x": x[:, 0].numpy(), "wanted": y[:, 0].numpy(), "found": best.numpy()},
    )
