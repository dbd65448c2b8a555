"""The effective receptive field: how much each pixel of the input moves the centre of the output.

Luo, Li, Urtasun and Zemel 2016 ("Understanding the Effective Receptive Field in Deep Convolutional Neural
Networks"): a gradient of 1 at the centre of the output plane and 0 elsewhere is carried back to the input,
for random inputs and weights; here squares of the gradients are averaged over draws, each scaled to a sum of
1, since signed ones average to nothing.

Shapes: H = W = theoretical field, in pixels; C channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nnbench.analysis.receptive_field import theoretical_field
from nnbench.config import ConfigError, ProbeResult

WEIGHTS = ("uniform", "random", "random + ReLU")
# Two standard deviations of a Gaussian: what lies beyond counts as not seen (Luo et al. 2016, section 3).
_OUTSIDE = 1 - 0.9545

Array = NDArray[np.float64]


def size_of(field: Array) -> float:
    """The side of a square of as many pixels as exceed 4.55 % of the greatest one."""
    return math.sqrt(int((field > _OUTSIDE * field.max()).sum()))


def spread_of(field: Array) -> float:
    """The standard deviation along one side, in pixels, of *field* as a distribution."""
    line = field.sum(0) / field.sum()
    places = np.arange(len(line))
    centre = (places * line).sum()
    return float(np.sqrt(((places - centre) ** 2 * line).sum()))


def likeness_of(field: Array) -> float:
    """The correlation of *field*, pixel by pixel, with a Gaussian of its own spread."""
    places = np.arange(len(field)) - (len(field) - 1) / 2
    line = np.exp(-(places**2) / (2 * spread_of(field) ** 2))
    return float(np.corrcoef(field.ravel(), np.outer(line, line).ravel())[0, 1])


def excess_kurtosis_of(field: Array) -> float:
    """Of its distribution along one side; 0 for a Gaussian, -1.5 / n after n uniform 3x3 layers."""
    line = field.sum(0) / field.sum()
    places = np.arange(len(line))
    away = places - (places * line).sum()
    return float((away**4 * line).sum() / (away**2 * line).sum() ** 2 - 3)


def uniform_field(layers: int, kernel: int = 3) -> Array:
    """*layers* convolutions with equal weights, one channel: the kernel's box, folded with itself, exactly.

    Its spread is sqrt(layers (kernel^2 - 1) / 12): variances of boxes add up.
    """
    line = np.ones(1)
    for _ in range(layers):
        line = np.convolve(line, np.full(kernel, 1 / kernel))
    return np.outer(line, line)


def drawn_field(
    make: Callable[[], nn.Module], side: int, *, draws: int, seed: int, channels: int = 1
) -> Array:
    """The mean of the squared gradients of the centre, over *draws* of weights and inputs.

    Args:
        make: a network that keeps the size of (1, channels, side, side), with fresh weights.
        side: odd, so that there is a centre.
    """
    total = np.zeros((side, side))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(draws):
            total += gradient_of_centre(make(), torch.randn(1, channels, side, side))
    return total / draws


def gradient_of_centre(net: nn.Module, x: torch.Tensor, channel: int = 0) -> Array:
    """Squared gradients of the centre of an output *channel*, at the input *x*; they sum to 1.

    Those of the input's channels are added up. All are 0 where a ReLU lets nothing through.
    """
    x = x.requires_grad_()
    output = net(x)
    middle = tuple(size // 2 for size in output.shape[2:])
    (gradient,) = torch.autograd.grad(output[:, channel, middle[0], middle[1]].sum(), x)
    squared: Array = gradient.double().square().sum((0, 1)).numpy()
    return squared / squared.sum() if squared.sum() else squared


def convolutions(
    layers: int,
    *,
    channels: int = 1,
    kernel: int = 3,
    relu: bool = False,
    dilations: Sequence[int] = (),
    skips: bool = False,
) -> nn.Module:
    """*layers* convolutions that keep the size, with He's first weights and without biases."""
    steps: list[nn.Module] = []
    for i in range(layers):
        dilation = dilations[i % len(dilations)] if dilations else 1
        step = nn.Conv2d(
            channels, channels, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False
        )
        nn.init.kaiming_normal_(step.weight, nonlinearity="relu" if relu else "linear")
        whole = nn.Sequential(step, nn.ReLU()) if relu else step
        steps.append(_Skip(whole) if skips else whole)
    return nn.Sequential(*steps)


class _Skip(nn.Module):
    """What a layer makes, beside what it was given."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W), the size is kept."""
        found: torch.Tensor = x + self.inner(x)
        return found


def figures_of(field: Array, theoretical: int) -> dict[str, float]:
    """Size, spread and shape of an effective *field* beside the *theoretical* one, in pixels."""
    size = size_of(field)
    return {
        "receptive_field": theoretical,
        "effective_field": size,
        "effective_share": size / theoretical,
        "field_spread": spread_of(field),
        "gaussian_likeness": likeness_of(field),
        "excess_kurtosis": excess_kurtosis_of(field),
    }


def uniform(layers: int, kernel: int = 3) -> ProbeResult:
    """The effective field of *layers* with equal weights: arithmetic, without a draw."""
    if layers < 1 or kernel < 2:
        raise ConfigError(f"layers, kernel: expected 1 and 2 or more, got {layers}, {kernel}")
    field = uniform_field(layers, kernel)
    found = figures_of(field, theoretical_field([kernel] * layers))
    return ProbeResult(metrics={**found, "layers": layers}, arrays={"field": field.astype(np.float32)})


def drawn(
    layers: int,
    seed: int,
    *,
    relu: bool = False,
    channels: int = 1,
    draws: int = 10,
    dilations: Sequence[int] = (),
    skips: bool = False,
) -> ProbeResult:
    """The effective field of *layers* 3x3 convolutions with random weights, under *seed*.

    Returns:
        As `uniform`, of the mean over the draws; names begin with ``drawn_``, since chance has a part.
    """
    if layers < 1 or draws < 1:
        raise ConfigError(f"layers, draws: expected 1 or more, got {layers}, {draws}")
    reach = sum(2 * (dilations[i % len(dilations)] if dilations else 1) for i in range(layers))
    side = reach + 1
    field = drawn_field(
        lambda: convolutions(layers, channels=channels, relu=relu, dilations=dilations, skips=skips),
        side, draws=draws, seed=seed, channels=channels,
    )  # fmt: skip
    known = {"receptive_field": side, "layers": layers, "parameters": layers * 9 * channels * channels}
    names = ("effective_field", "effective_share", "field_spread", "gaussian_likeness", "excess_kurtosis")
    if not field.any():
        lost = [f"drawn_{name}" for name in names]
        reason = "no gradient reached the input in any draw: its units were all silent; take more draws"
        return ProbeResult(metrics={**known, **dict.fromkeys(lost)}, missing=dict.fromkeys(lost, reason))
    found = figures_of(field, side)
    return ProbeResult(
        metrics={**known, **{f"drawn_{name}": found[name] for name in names}},
        arrays={"field": field.astype(np.float32)},
    )


ROUTES = ("depth", "dilation", "stride", "wide kernels")
_AFAR = 31  # pixels, the theoretical field of every route
_CHANNELS = 8


def _route(way: str) -> nn.Module:
    """A stack of 3x3 convolutions (wide kernels: 11x11) that sees 31 pixels by that *way*; 8 channels."""
    if way == "dilation":
        return convolutions(4, channels=_CHANNELS, dilations=(1, 2, 4, 8))
    if way == "stride":
        layers = [nn.Conv2d(_CHANNELS, _CHANNELS, 3, 2, 1, bias=False) for _ in range(4)]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
        return nn.Sequential(*layers)
    wide = way == "wide kernels"
    return convolutions(3 if wide else 15, channels=_CHANNELS, kernel=11 if wide else 3)


def route(way: str, seed: int, draws: int = 10) -> ProbeResult:
    """The effective field of a network that sees 31 pixels by depth, dilation, stride or wide kernels.

    Raises:
        ConfigError: another way.
    """
    if way not in ROUTES:
        raise ConfigError(f"way: expected one of {', '.join(ROUTES)}, got {way!r}")
    side = 2 * _AFAR + 1  # strides move the centre by some pixels
    field = drawn_field(lambda: _route(way), side, draws=draws, seed=seed, channels=_CHANNELS)
    found = figures_of(field, _AFAR)
    parameters = sum(weight.numel() for weight in _route(way).parameters())
    return ProbeResult(
        metrics={
            "receptive_field": _AFAR,
            "drawn_effective_field": found["effective_field"],
            "drawn_effective_share": found["effective_share"],
            "drawn_field_spread": found["field_spread"],
            "parameters": parameters,
            "drawn_field_per_parameter": found["effective_field"] / parameters,
        },
        arrays={"field": field.astype(np.float32)},
    )
