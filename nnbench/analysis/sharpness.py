"""How steep a loss is where a network stands: the largest eigenvalue of its Hessian."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def sharpness(
    model: nn.Module,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    *,
    tolerance: float = 1e-3,
    most: int = 200,
    start: Tensor | None = None,
) -> tuple[float, Tensor]:
    """The eigenvalue of largest size of the Hessian of the mean loss over *x*, *y*, by power iteration.

    Products with the Hessian are gradients of a gradient's product with a vector (Pearlmutter 1994, "Fast
    Exact Multiplication by the Hessian"); the matrix itself is never made.

    Args:
        x: inputs, (B, ...).
        y: targets, (B,).
        tolerance: it ends when the eigenvalue changes by less than this share in an iteration.
        most: iterations at most.
        start: a first vector, (P,) for P parameters, such as the last one of a training; None draws one.

    Returns:
        The eigenvalue and its vector, (P,), of length 1.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    slope = _flat(torch.autograd.grad(loss_of(model(x), y), weights, create_graph=True))
    if start is None:
        start = torch.randn(slope.shape, generator=torch.Generator().manual_seed(0), dtype=slope.dtype)
    vector, value = start / start.norm(), 0.0
    if not slope.requires_grad:
        return value, vector  # linear in all weights
    for _ in range(most):
        image = _flat(torch.autograd.grad(slope @ vector, weights, retain_graph=True))
        last, value = value, float(vector @ image)
        if not (length := image.norm()) > 0:
            return 0.0, vector
        vector = image / length
        if abs(value - last) <= tolerance * abs(value):
            break
    return value, vector


def _flat(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts])
