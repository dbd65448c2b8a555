"""Theoretical receptive field, weights and arithmetic of a stack of convolutions."""

from __future__ import annotations

from collections.abc import Sequence


def theoretical_field(kernel_sizes: Sequence[int], strides: Sequence[int] | None = None) -> int:
    """Receptive field in pixels (one side) of stacked convolutions.

    r_n = r_{n-1} + (k_n - 1) * (product of the strides before n), r_0 = 1 (Araujo et al. 2019, eq. 2).
    """
    strides = strides or [1] * len(kernel_sizes)
    field, jump = 1, 1
    for kernel, stride in zip(kernel_sizes, strides, strict=True):
        field += (kernel - 1) * jump
        jump *= stride
    return field


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
