"""The gradient noise scale: how many samples it takes until a batch's gradient is mostly signal.

B_simple = tr(Sigma) / |G|^2, with G the mean gradient over the training set and Sigma the covariance of
the gradients of single samples. McCandlish, Kaplan, Amodei et al. 2018 ("An Empirical Model of Large-Batch
Training", arXiv 1812.06162), eq. 2.9; the estimator from two batches is their appendix A.1.

Everywhere x are images (N, C, H, W) and y their labels (N,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from nnbench.config import ConfigError

_AT_ONCE = 64  # per-sample gradients of that many samples lie in memory together
_DENSE_AT_ONCE = 4096
_RANDOM = (_BatchNorm, nn.modules.dropout._DropoutNd)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Squared norm of the mean gradient, and trace of the covariance of single samples' gradients."""

    signal: float
    variance: float

    @property
    def scale(self) -> float:
        """B_simple, in samples."""
        return self.variance / self.signal


def exact_noise(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Noise:
    """From the gradient of every single sample: Sigma over N, as of batches drawn with replacement.

    Raises:
        ConfigError: the model has batch norm or dropout: a sample then has no gradient of its own.
    """
    if wrong := next((m for m in model.modules() if isinstance(m, _RANDOM)), None):
        raise ConfigError(
            f"noise scale: a model with {type(wrong).__name__} has no gradient of a single sample; take one "
            "without batch norm and dropout"
        )
    mean, squares = _sums(model, x, y)
    signal = sum(float(part.square().sum()) for part in mean)
    return Noise(signal=signal, variance=squares / len(y) - signal)


def _sums(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[list[torch.Tensor], float]:
    """Mean gradient of each parameter, and the sum over samples of their gradients' squared norms."""
    dense = _dense_layers(model)
    chunk = _DENSE_AT_ONCE if dense else _AT_ONCE
    squares, total = 0.0, [torch.zeros_like(p, dtype=torch.float64) for p in model.parameters()]
    for some, labels in zip(x.split(chunk), y.split(chunk), strict=True):
        each = (
            _dense_squares(model, dense, some, labels) if dense else per_sample_squares(model, some, labels)
        )
        squares += float(each.double().sum())
        loss = F.cross_entropy(model(some), labels, reduction="sum")
        for sum_of, part in zip(total, torch.autograd.grad(loss, list(model.parameters())), strict=True):
            sum_of += part
    return [part / len(y) for part in total], squares


def per_sample_squares(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Squared norm of the gradient of each sample's loss, (N,), by `torch.func`: any model, much memory."""
    weights = {name: each.detach() for name, each in model.named_parameters()}

    def loss(state: dict[str, torch.Tensor], one: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(functional_call(model, state, (one[None],)), label[None])

    gradients = vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, y)
    return torch.stack([each.flatten(1).square().sum(1) for each in gradients.values()]).sum(0)


def _dense_layers(model: nn.Module) -> list[nn.Linear]:
    """All layers with weights, where each is dense; else none."""
    owners = [m for m in model.modules() if list(m.parameters(recurse=False))]
    return (
        [m for m in owners if isinstance(m, nn.Linear)] if all(type(m) is nn.Linear for m in owners) else []
    )


def _dense_squares(
    model: nn.Module, layers: Sequence[nn.Linear], x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """As `per_sample_squares`, (N,), of dense layers that each see a sample once.

    A sample's gradient of a dense layer is an outer product, so its norm is a product of two norms: no
    gradient is ever made. Goodfellow 2015 ("Efficient Per-Example Gradient Computations", arXiv 1510.01799).
    """
    seen: list[tuple[nn.Linear, torch.Tensor, torch.Tensor]] = []

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        assert isinstance(layer, nn.Linear)
        seen.append((layer, inputs[0].detach(), output))

    handles = [layer.register_forward_hook(note) for layer in layers]
    loss = F.cross_entropy(model(x), y, reduction="sum")
    for handle in handles:
        handle.remove()
    slopes = torch.autograd.grad(loss, [output for _, _, output in seen])
    if len(seen) != len(layers) or any(slope.ndim != 2 for slope in slopes):
        return per_sample_squares(model, x, y)  # a layer used twice, or along an axis
    return torch.stack([
        slope.square().sum(1) * (inputs.square().sum(1) + (layer.bias is not None))
        for (layer, inputs, _), slope in zip(seen, slopes, strict=True)
    ]).sum(0)  # fmt: skip


def two_batch_draws(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, sizes: tuple[int, int], draws: int, seed: int
) -> torch.Tensor:
    """Squared gradient norms of a small and a large batch, independent, with replacement: (draws, 2).

    Raises:
        ConfigError: the sizes are not two ascending numbers from 1 on, or there is no draw.
    """
    if not 1 <= sizes[0] < sizes[1] or draws < 1:
        raise ConfigError(f"noise scale: expected sizes such as (32, 1024) and a draw, got {sizes}, {draws}")
    generator = torch.Generator().manual_seed(seed)
    norms = torch.empty(draws, 2, dtype=torch.float64)
    for draw in range(draws):
        for place, size in enumerate(sizes):
            chosen = torch.randint(len(y), (size,), generator=generator).to(y.device)
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            parts = torch.autograd.grad(loss, list(model.parameters()))
            norms[draw, place] = float(sum(part.square().sum() for part in parts))
    return norms


def two_batch_noise(norms: torch.Tensor, sizes: tuple[int, int]) -> list[Noise]:
    """Unbiased signal and variance of each draw of `two_batch_draws`; some signals are below 0.

    The expected squared norm at batch B is |G|^2 + tr(Sigma) / B: two batches, two equations.
    """
    small, big = sizes
    return [
        Noise(signal=(big * b - small * s) / (big - small), variance=(s - b) / (1 / small - 1 / big))
        for s, b in norms.tolist()
    ]


def averaged(found: Sequence[Noise]) -> Noise:
    """Signal and variance averaged apart; only then is their ratio close to that of the exact ones."""
    return Noise(
        signal=sum(each.signal for each in found) / len(found),
        variance=sum(each.variance for each in found) / len(found),
    )
