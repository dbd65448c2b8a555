"""Theoretical receptive field, weights and arithmetic of a stack of convolutions."""

from __future__ import annotations

from collections.abc import Sequence


def theoretical_field(
    kernel_sizes: Sequence[int],
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
) -> int:
    """Receptive field in pixels (one side) of stacked convolutions or poolings.

    r_n = r_{n-1} + d_n (k_n - 1) * (product of the strides before n), r_0 = 1 (Araujo et al. 2019, eq. 2; a
    dilation d makes d (k - 1) + 1 of a kernel k).
    """
    ones = [1] * len(kernel_sizes)
    field, jump = 1, 1
    for kernel, stride, dilation in zip(kernel_sizes, strides or ones, dilations or ones, strict=True):
        field += dilation * (kernel - 1) * jump
        jump *= stride
    return field


def measured_field(
    kernel_sizes: Sequence[int],
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
) -> dict[str, int]:
    """The same by brute force: how far apart the pixels are that move the centre of the output.

    All weights are equal, in float64: random ones would leave gradients at the edge of a deep stack that are
    too small to be told from 0.

    Returns:
        receptive_field [px], found; seen_pixels, those in one row that move it: fewer where a dilation
        leaves holes; layers.
    """
    import torch

    ones = [1] * len(kernel_sizes)
    reach = theoretical_field(kernel_sizes, strides, dilations)
    x = torch.zeros(1, 1, 2 * reach + 1, dtype=torch.float64, requires_grad=True)
    y = x
    for kernel, stride, dilation in zip(kernel_sizes, strides or ones, dilations or ones, strict=True):
        weight = torch.full((1, 1, kernel), 1 / kernel, dtype=torch.float64)
        y = torch.nn.functional.conv1d(y, weight, stride=stride, dilation=dilation)
    (gradient,) = torch.autograd.grad(y[0, 0, y.shape[-1] // 2], x)
    seen = gradient[0, 0].nonzero()[:, 0]
    return {
        "receptive_field": int(seen[-1] - seen[0]) + 1,
        "seen_pixels": len(seen),
        "layers": len(kernel_sizes),
    }


def conv_stack(kernel_sizes: Sequence[int], channels: int, image: int = 28) -> dict[str, int]:
    """Exact figures of a stack of C -> C convolutions with bias, stride 1, size-keeping padding.

    Args:
        kernel_sizes: one per layer.
        channels: C, in and out of each layer.
        image: side of the square input, in pixels.

    Returns:
        receptive_field [px], parameters k*k*C*C + C per layer, macs (multiply-adds of one image,
        k*k*C*C*image*image per layer, bias not counted), layers.
    """
    weights = [kernel * kernel * channels * channels for kernel in kernel_sizes]
    return {
        "receptive_field": theoretical_field(kernel_sizes),
        "parameters": sum(weights) + channels * len(weights),
        "macs": sum(weights) * image * image,
        "layers": len(weights),
    }
