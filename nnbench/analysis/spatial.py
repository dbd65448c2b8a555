"""Pooling, stride, padding and dilation as arithmetic and on random maps: what they keep, and what they miss.

Shapes: B images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from nnbench.config import ConfigError, ProbeResult

# How a map becomes smaller; the image goes on where it ends, so that nothing leaves it.
POOLS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda x: x,
    "max 2": lambda x: F.max_pool2d(x, 2),
    "max 4": lambda x: F.max_pool2d(x, 4),
    "average 4": lambda x: F.avg_pool2d(x, 4),
    "every fourth": lambda x: x[..., ::4, ::4],
    "global max": lambda x: x.amax((2, 3), keepdim=True),
    "global average": lambda x: x.mean((2, 3), keepdim=True),
}


def output_size(
    side: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> dict[str, int]:
    """Side of the output: floor((H + 2 p - d (k - 1) - 1) / s + 1) by the formula, and as torch has it."""
    formula = (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    x, weight = torch.zeros(1, 1, side, side), torch.zeros(1, 1, kernel, kernel)
    found = F.conv2d(x, weight, stride=stride, padding=padding, dilation=dilation).shape[-1]
    return {"output_side": found, "formula_error": abs(found - formula)}


def smooth_maps(seed: int, *, number: int = 64, side: int = 32) -> torch.Tensor:
    """Random maps, (number, 1, side, side), whose neighbours are alike: noise, folded with a Gaussian."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(number, 1, side, side, generator=draw)
    places = torch.arange(-4, 5, dtype=torch.float32)
    line = torch.exp(-places.square() / 4)
    kernel = (line[:, None] * line)[None, None] / line.sum() ** 2
    return F.conv2d(F.pad(noise, (4, 4, 4, 4), mode="circular"), kernel)


def change_by_shift(pool: str, seed: int, pixels: int = 1) -> dict[str, float]:
    """How much features change when the image moves by *pixels*: ||f(Tx) - f(x)|| / ||f(x)||.

    Raises:
        ConfigError: a pooling that is none of `POOLS`.
    """
    x, of = smooth_maps(seed), _pool(pool)
    return {"change_by_shift": _change(of(torch.roll(x, pixels, -1)), of(x))}


def change_by_scale(pool: str, seed: int, factor: float = 1.5) -> dict[str, float]:
    """How much features change when the image is scaled about its centre; the map is read where it was.

    Both images are cut to the same middle, so that they show parts of one scene at two sizes.
    """
    x, of = smooth_maps(seed, side=64), _pool(pool)
    side = 32
    larger = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    return {"change_by_scale": _change(of(_middle(larger, side)), of(_middle(x, side)))}


def _pool(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    if name not in POOLS:
        raise ConfigError(f"pool: expected one of {', '.join(POOLS)}, got {name!r}")
    return POOLS[name]


def _change(moved: torch.Tensor, still: torch.Tensor) -> float:
    return float((moved - still).norm() / still.norm())


def _middle(x: torch.Tensor, side: int) -> torch.Tensor:
    start = (x.shape[-1] - side) // 2
    return x[..., start : start + side, start : start + side]


def order_of_pool(pool: str, seed: int) -> dict[str, float]:
    """Whether pooling before ReLU gives what it gives after it, bit by bit, and on how many elements ReLU
    runs.

    ReLU grows with its input, so that the greatest of four is the same before and after; a mean is not.

    Args:
        pool: "max" or "average", of 2x2.
    """
    if pool not in ("max", "average"):
        raise ConfigError(f"pool: expected max or average, got {pool!r}")
    of = F.max_pool2d if pool == "max" else F.avg_pool2d
    x = torch.randn(16, 8, 32, 32, generator=torch.Generator().manual_seed(seed))
    before, after = torch.relu(of(x, 2)), of(torch.relu(x), 2)
    return {
        "order_difference": float((before - after).abs().max()),
        "activated_first": x.numel(),
        "activated_last": before.numel(),
    }


def coverage(kernel: int, stride: int, side: int = 64) -> dict[str, float]:
    """The share of inner pixels that a convolution with this stride looks at: min(1, kernel / stride)^2.

    Found by gradients of all outputs, within a whole number of steps away from the border.
    """
    if kernel < 1 or stride < 1:
        raise ConfigError(f"kernel, stride: expected 1 or more, got {kernel}, {stride}")
    x = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    weight = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(F.conv2d(x, weight, stride=stride).sum(), x)
    first = -(-kernel // stride) * stride
    inner = gradient[0, 0, first : first + 6 * stride, first : first + 6 * stride]
    return {"coverage": float((inner != 0).double().mean())}


def unseen_lesion(kernel: int, stride: int, seed: int) -> dict[str, float]:
    """What a bright pixel changes in the output of a convolution that steps over it, at the place it misses
    most.

    Returns:
        lesion_change: greatest change of the output, by a lesion of 1 pixel, over the pixels of one step; the
        least of them: exactly 0 where a pixel is never looked at.
    """
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(1, 1, 33, 33, generator=draw)
    weight = torch.randn(4, 1, kernel, kernel, generator=draw)
    plain, changes = F.conv2d(x, weight, stride=stride), []
    for down in range(stride):
        for right in range(stride):
            marked = x.clone()
            marked[0, 0, 16 + down, 16 + right] += 10
            changes.append(float((F.conv2d(marked, weight, stride=stride) - plain).abs().max()))
    return {"lesion_change": min(changes)}


def uses(padding: int, side: int = 28) -> dict[str, int]:
    """How often a 3x3 convolution looks at a pixel in the corner, at the edge, and inside."""
    x = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    weight = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(F.conv2d(x, weight, padding=padding).sum(), x)
    seen = gradient[0, 0]
    return {
        "corner_uses": int(seen[0, 0]),
        "edge_uses": int(seen[0, side // 2]),
        "inner_uses": int(seen[side // 2, side // 2]),
    }


def valid_layers(side: int = 28, kernel: int = 3) -> dict[str, int]:
    """How many layers without padding an image of *side* pixels lives through, and what is left of it."""
    layers = 0
    while side >= kernel:
        side, layers = side - kernel + 1, layers + 1
    return {"layers": layers, "output_side": side}


def gridding(dilations: Sequence[int]) -> ProbeResult:
    """Which pixels move the centre after 3x3 convolutions with these *dilations*: span, and density within
    it.
    """
    line = np.ones(1)
    for dilation in dilations:
        taps = np.zeros(2 * dilation + 1)
        taps[[0, dilation, 2 * dilation]] = 1
        line = np.convolve(line, taps)
    seen = np.outer(line, line)
    return ProbeResult(
        metrics={
            "receptive_field": len(line),
            "density": float((seen > 0).mean()),
            "parameters": 9 * len(dilations),
        },
        arrays={"seen": seen.astype(np.float32)},
    )
