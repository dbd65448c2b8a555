"""Gradient descent where all of it can be computed: a quadratic, a double well, noise of a known size.

Shapes: R runs at once, S steps, N samples, D weights.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from nnbench.config import FULL_BATCH, ConfigError, ProbeResult
from nnbench.data import load

_TILT = 0.15  # of the double well x^4/4 - x^2/2 + 0.15 x
_KEPT = 400  # runs whose ends are kept for a picture


def _digits() -> tuple[torch.Tensor, torch.Tensor]:
    """All 1,797 digits of 8x8 pixels of 0, 1/16, … 1, (N, 64), and whether each is above 4, as 1 or -1,
    (N,).
    """
    whole = load("digits")
    images = torch.cat([whole.train.images, whole.validation.images]).flatten(1)
    pixels = (images.double() * 16 / 255).round() / 16  # kept in 255 steps, they were made in 16
    labels = torch.cat([whole.train.labels, whole.validation.labels])
    return pixels, (labels > 4).double() * 2 - 1


def edge_of_divergence(factor: float, *, momentum: float = 0.0, steps: int = 2000) -> ProbeResult:
    """Least squares on the digits at *factor* times the greatest rate that can converge.

    f(w) = ||X w - y||^2 / (2 N) has the Hessian X^T X / N; descent converges below 2 / lambda_max, with
    momentum below 2 (1 + momentum) / lambda_max (Polyak 1964).

    Returns:
        sharpness lambda_max; edge_rate, the greatest rate; loss_growth, the last loss over the first, and
        whether it converged.
    """
    x, y = _digits()
    sharpness = float(torch.linalg.eigvalsh(x.T @ x / len(x)).max())
    rate = factor * 2 * (1 + momentum) / sharpness
    weights, velocity = (
        torch.zeros(x.shape[1], dtype=torch.float64),
        torch.zeros(x.shape[1], dtype=torch.float64),
    )
    gram, image, power = x.T @ x / len(x), x.T @ y / len(x), float(y @ y) / len(x)
    losses = []
    for _ in range(steps):
        losses.append(float(0.5 * (weights @ gram @ weights - 2 * image @ weights + power)))
        velocity = momentum * velocity - rate * (gram @ weights - image)
        weights = weights + velocity
    growth = losses[-1] / losses[0]
    finite = math.isfinite(growth)
    return ProbeResult(
        metrics={
            "sharpness": sharpness, "edge_rate": 2 * (1 + momentum) / sharpness,
            "loss_growth": growth if finite else None, "converged": int(finite and growth < 1),
        },
        missing={} if finite else {"loss_growth": "beyond the greatest number"},
        arrays={"loss": np.clip(np.nan_to_num(np.array(losses[:200]), posinf=1e30), 0, 1e30)},
    )  # fmt: skip


def double_well(
    rate: float, batch: int | str, *, runs: int = 4000, steps: int = 1000, seed: int = 0
) -> ProbeResult:
    """Runs that start in the shallow well of x^4/4 - x^2/2 + 0.15 x, with the noise of a batch: 2 / sqrt(B).

    Returns:
        in_deep_well, the share that ends left of the barrier, and ever_escaped; trials.

    Raises:
        ConfigError: a rate or a batch that is none.
    """
    if rate <= 0 or not (batch == FULL_BATCH or (isinstance(batch, int) and batch >= 1)):
        raise ConfigError(f"rate, batch: expected a rate above 0 and 1, 2, … or full, got {rate}, {batch!r}")
    shallow, barrier = _extrema()
    noise = 0.0 if batch == FULL_BATCH else 2 / math.sqrt(int(batch))
    draw = torch.Generator().manual_seed(seed)
    x = torch.full((runs,), shallow)
    escaped = torch.zeros(runs, dtype=torch.bool)
    for _ in range(steps):
        x = x - rate * (x**3 - x + _TILT + noise * torch.randn(runs, generator=draw))
        x = x.clamp(-5, 5)  # far outside the slope throws a run beyond any number
        escaped |= x < barrier
    return ProbeResult(
        metrics={
            "in_deep_well": float((x < barrier).double().mean()),
            "ever_escaped": float(escaped.double().mean()),
            "trials": runs,
        },
        arrays={"ends": x[:_KEPT].numpy()},
    )


def _extrema() -> tuple[float, float]:
    """The shallow minimum and the barrier between the wells: roots of x^3 - x + 0.15."""
    roots = np.sort(np.roots([1, 0, -1, _TILT]).real)
    return float(roots[2]), float(roots[1])


def loss_floor(
    rate: float, *, batch: int = 1, momentum: float = 0.0, chains: int = 20000, seed: int = 0
) -> ProbeResult:
    """The mean loss at which descent with noise stays, on x^2 / 2 with gradients of variance 1 / batch.

    Closed form: rate (1 + m) / (2 B (1 - m) (2 (1 + m) - rate)), the stationary variance of the chain (Mandt,
    Hoffman and Blei 2017, for small rates).

    Returns:
        floor, simulated; floor_formula; floor_error, how far the one is from the other, as a share.
    """
    if not 0 < rate < 2 * (1 + momentum):
        raise ConfigError(f"rate: expected above 0 and below {2 * (1 + momentum):g}, got {rate}")
    draw = torch.Generator().manual_seed(seed)
    x, velocity = torch.zeros(chains), torch.zeros(chains)
    total, counted = 0.0, 0
    burn = round(20 / (rate * (1 - momentum))) + 50
    for step in range(burn + 200):
        gradient = x + torch.randn(chains, generator=draw) / math.sqrt(batch)
        velocity = momentum * velocity - rate * gradient
        x = x + velocity
        if step >= burn:
            total, counted = total + float(0.5 * x.square().mean()), counted + 1
    formula = rate * (1 + momentum) / (2 * batch * (1 - momentum) * (2 * (1 + momentum) - rate))
    return ProbeResult(
        metrics={
            "drawn_floor": total / counted,
            "floor_formula": formula,
            "floor_error": abs(total / counted / formula - 1),
        }
    )


ORDERS = ("replacement", "shuffle-once", "reshuffle", "sorted")


def sampling_floor(
    sampling: str,
    rate: float,
    seed: int,
    *,
    samples: int = 100,
    weights: int = 5,
    batch: int = 10,
    epochs: int = 0,
) -> ProbeResult:
    """How far above the least loss SGD stays on least squares, where the samples come in this order.

    64 problems at once; the excess loss at the ends of the epochs of the last tenth.

    Args:
        epochs: 0 for as many as the rate needs: 30 / rate.

    Raises:
        ConfigError: an unknown order.
    """
    if sampling not in ORDERS:
        raise ConfigError(f"sampling: expected one of {', '.join(ORDERS)}, got {sampling!r}")
    draw = torch.Generator().manual_seed(seed)
    problems, double = 64, torch.float64
    x = torch.randn(problems, samples, weights, generator=draw, dtype=double)
    y = torch.randn(problems, samples, generator=draw, dtype=double)
    if sampling == "sorted":
        order = y.argsort(1)
        x, y = x.gather(1, order[..., None].expand_as(x)), y.gather(1, order)
    gram, image = x.mT @ x / samples, torch.einsum("pnd,pn->pd", x, y) / samples
    best = torch.linalg.solve(gram, image)
    w, once = best.clone(), torch.rand(problems, samples, generator=draw).argsort(1)
    excess, kept = torch.zeros(problems, dtype=double), 0
    epochs = epochs or round(30 / rate)
    for epoch in range(epochs):
        order = _order(sampling, once, draw)
        for chosen in order.split(batch, 1):
            rows = x.gather(1, chosen[..., None].expand(-1, -1, weights))
            error = torch.einsum("pbd,pd->pb", rows, w) - y.gather(1, chosen)
            w = w - rate * torch.einsum("pbd,pb->pd", rows, error) / batch
        if epoch >= 0.9 * epochs:
            away = w - best
            excess += 0.5 * torch.einsum("pd,pde,pe->p", away, gram, away)
            kept += 1
    return ProbeResult(metrics={"excess_loss": float((excess / max(1, kept)).mean()), "step_rate": rate})


def _order(sampling: str, once: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """(problems, samples): the positions of an epoch, a row for each problem."""
    problems, samples = once.shape
    if sampling == "replacement":
        return torch.randint(samples, (problems, samples), generator=draw)
    if sampling == "reshuffle":
        return torch.rand(problems, samples, generator=draw).argsort(1)
    return once if sampling == "shuffle-once" else torch.arange(samples).expand(problems, samples)


def distinct_share(seed: int, samples: int = 60000) -> dict[str, float]:
    """The share of *samples* that so many draws with replacement meet: 1 - (1 - 1/N)^N, nearly 1 - 1/e."""
    drawn = torch.randint(samples, (samples,), generator=torch.Generator().manual_seed(seed))
    return {"distinct_share": len(drawn.unique()) / samples}
