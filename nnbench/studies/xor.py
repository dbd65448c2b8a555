"""XOR, 'pizza or pineapple': what linear models cannot do, and how often one hidden layer learns it.

Shapes: R networks, P points (2^bits of them), H hidden units, G x G points of a picture.
"""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F

from nnbench.config import ConfigError, ProbeResult
from nnbench.models.activations import activation_class
from nnbench.studies.batched_nets import BatchedNets

_GRID = 41
_PICTURE = 61
_MARGIN = 0.6  # of a picture, beyond the points


def corners(bits: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """All inputs of 0 and 1, (P, bits), and whether an odd number of them is 1, (P,)."""
    if not 1 <= bits <= 10:
        raise ConfigError(f"bits: expected 1 to 10, got {bits}")
    x = torch.tensor(list(product((0.0, 1.0), repeat=bits)))
    return x, x.sum(1) % 2


def linear_limit() -> ProbeResult:
    """The best of 41^3 lines: two weights and a bias from -2 to 2 in steps of 0.1.

    No line is right at all four corners: w1 + b > 0, w2 + b > 0, b <= 0 and w1 + w2 + b <= 0 contradict each
    other, since the first two sum to w1 + w2 + 2 b > 0 (Minsky and Papert 1969).
    """
    x, y = corners()
    values = torch.linspace(-2, 2, _GRID)
    lines = torch.cartesian_prod(values, values, values)
    right = ((lines[:, :2] @ x.T + lines[:, 2:] > 0) == y.bool()).double().mean(1)
    return ProbeResult(metrics={"best_linear_accuracy": float(right.max()), "lines": len(lines)})


def logistic_limit(steps: int = 20000) -> ProbeResult:
    """Logistic regression by gradient descent at a rate of 1, from random weights: where it comes to rest."""
    x, y = (values.double() for values in corners())
    draw = torch.Generator().manual_seed(0)
    weights = torch.randn(3, generator=draw, dtype=torch.float64)
    inputs = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1)
    for _ in range(steps):
        weights = weights - inputs.T @ (torch.sigmoid(inputs @ weights) - y) / len(y)
    chance = torch.sigmoid(inputs @ weights)
    loss = F.binary_cross_entropy(chance, y)
    return ProbeResult(
        metrics={"xor_loss": float(loss), "from_half": float((chance - 0.5).abs().max())},
        arrays={
            "chance": torch.sigmoid(_picture().double() @ weights[:2] + weights[2]).view(_PICTURE, -1).float()
        },
    )


def perceptron_rule(epochs: int = 1000) -> ProbeResult:
    """Rosenblatt's rule from zero weights: how many of the four it has wrong when it ends, and its cycle.

    Rosenblatt 1958; it converges on what a line separates (Novikoff 1962), and repeats itself elsewhere.
    """
    x, y = corners()
    weights, wrong, cycle = torch.zeros(3), 4, 0
    seen: dict[tuple[float, ...], int] = {}
    inputs = torch.cat([x, torch.ones(len(x), 1)], 1)
    for epoch in range(epochs):
        for row, label in zip(inputs, y, strict=True):
            weights = weights + (label - float(row @ weights > 0)) * row
        wrong = min(wrong, int(((inputs @ weights > 0) != y.bool()).sum()))
        key = tuple(weights.tolist())
        if key in seen:
            cycle = epoch - seen[key]
            break
        seen[key] = epoch
    return ProbeResult(metrics={"least_wrong": wrong, "cycle_epochs": cycle})


def solve_rate(
    hidden: int, activation: str, *, bits: int = 2, trials: int = 200, steps: int = 1500, seed: int = 0
) -> ProbeResult:
    """The share of *trials* first weights from which Adam, at 0.05, learns all corners by heart.

    All networks bits-H-1 train in one tensor on the full batch; solved is right at every corner, at the end.

    Raises:
        ConfigError: an unknown activation, or bits out of range.
    """
    x, y = corners(bits)
    layer = activation_class(activation)()
    nets = BatchedNets((bits, hidden, 1), nets=trials, seed=seed, activation=layer, init="torch")
    optimizer = torch.optim.Adam(nets.parameters(), lr=0.05)
    wanted = y.expand(trials, len(y))
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(nets(x)[..., 0], wanted, reduction="none")
        loss.mean(1).sum().backward()
        optimizer.step()
    with torch.no_grad():
        solved = ((nets(x)[..., 0] > 0) == y.bool()).all(1)
        chances = torch.sigmoid(nets(_picture())[..., 0]).view(trials, _PICTURE, -1) if bits == 2 else None
    shown = {}
    if chances is not None:
        for name, which in (("solved", solved), ("unsolved", ~solved)):
            if which.any():
                shown[name] = chances[int(which.nonzero()[0])].half().numpy()
    return ProbeResult(metrics={"xor_solved": float(solved.double().mean()), "trials": trials}, arrays=shown)


def _picture() -> torch.Tensor:
    """G x G points about the corners, (G^2, 2): rows run from the top, columns from the left."""
    side = torch.linspace(-_MARGIN, 1 + _MARGIN, _PICTURE)
    down, right = torch.meshgrid(side.flip(0), side, indexing="ij")
    return torch.stack([right.flatten(), down.flatten()], 1)
