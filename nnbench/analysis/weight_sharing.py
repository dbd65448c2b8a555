"""Dense, locally connected and convolutional layers: what sharing weights saves, and what it keeps.

Shapes: B images, C channels, H height, W width, K side of a kernel.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from nnbench.config import ConfigError

KINDS = ("dense", "locally connected", "convolution")


class LocallyConnected(nn.Module):
    """A window at every place, as a convolution has, but at every place with weights of its own.

    Args:
        channels: of the output.
        side: of the square input of one channel, and of the output, in pixels.
        kernel: side of the window, odd.
    """

    def __init__(self, channels: int, side: int, kernel: int) -> None:
        super().__init__()
        self.kernel, self.side = kernel, side
        bound = 1 / kernel
        self.weight = nn.Parameter(
            torch.empty(channels, kernel * kernel, side * side).uniform_(-bound, bound)
        )
        self.bias = nn.Parameter(torch.empty(channels, side * side).uniform_(-bound, bound))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, H, W) to (B, channels, H, W); the image goes on where it ends, as on a torus."""
        reach = self.kernel // 2
        windows = F.unfold(F.pad(x, (reach,) * 4, mode="circular"), self.kernel)
        found: torch.Tensor = torch.einsum("bkp,ckp->bcp", windows, self.weight) + self.bias
        return found.view(len(x), -1, self.side, self.side)


class Dense(nn.Module):
    """Every output looks at every pixel."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.channels, self.side = channels, side
        self.linear = nn.Linear(side * side, channels * side * side)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, H, W) to (B, channels, H, W)."""
        found: torch.Tensor = self.linear(x.flatten(1))
        return found.view(len(x), self.channels, self.side, self.side)


def layer_of(kind: str, channels: int, side: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """A layer from one channel to *channels* maps on a torus of *side* pixels.

    Raises:
        ConfigError: an unknown kind, an even kernel, or a stride that only a convolution has.
    """
    if kind not in KINDS:
        raise ConfigError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    if kernel % 2 == 0:
        raise ConfigError(f"kernel: expected an odd side, so that the window has a centre; got {kernel}")
    if kind == "convolution":
        return nn.Conv2d(1, channels, kernel, stride, kernel // 2, padding_mode="circular")
    if stride != 1:
        raise ConfigError(f"stride: {stride} is for a convolution; the {kind} layer has 1")
    return LocallyConnected(channels, side, kernel) if kind == "locally connected" else Dense(channels, side)


def parameters(kind: str, channels: int = 8, side: int = 28, kernel: int = 3) -> dict[str, int]:
    """Parameters of a layer that keeps the size of a *side* x *side* image.

    Convolution K K C + C; locally connected (K K + 1) C H W; dense (H W + 1) C H W.
    """
    layer = layer_of(kind, channels, side, kernel)
    return {"parameters": sum(weight.numel() for weight in layer.parameters())}


def equivariance(kind: str, seed: int, shift: int = 1, stride: int = 1, side: int = 24) -> dict[str, Any]:
    """How far *layer after shift* is from *shift after layer*, as a share of the layer's output.

    ||f(T x) - T f(x)|| / ||f(x)||, T a circular shift by *shift* pixels, and by shift / stride in the output:
    Cohen and Welling 2016 ("Group Equivariant Convolutional Networks"), eq. 1. Where *shift* is no multiple
    of the stride, T of the output is the nearest whole one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = layer_of(kind, 4, side, 3, stride).double()
        x = torch.randn(8, 1, side, side, dtype=torch.float64)
    with torch.no_grad():
        moved = layer(torch.roll(x, shift, -1))
        expected = torch.roll(layer(x), round(shift / stride), -1)
    return {"equivariance_error": float((moved - expected).norm() / expected.norm())}
