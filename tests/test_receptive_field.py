"""Closed forms against brute force: gradients of a real stack, parameters of real layers."""

import pytest
import torch
from torch import nn

from nnbench.analysis.receptive_field import conv_stack, theoretical_field


def span_of_gradient(kernel_sizes, strides):
    """Pixels of one row that can change the middle output, by a gradient with positive weights."""
    layers = [
        nn.Conv1d(1, 1, kernel, stride, bias=False)
        for kernel, stride in zip(kernel_sizes, strides, strict=True)
    ]
    for layer in layers:
        nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, 301, dtype=torch.float64, requires_grad=True)
    y = nn.Sequential(*layers).double()(x)
    y[0, 0, y.shape[2] // 2].backward()
    touched = x.grad.flatten().nonzero()
    return int(touched.max() - touched.min()) + 1


@pytest.mark.parametrize(
    ("kernel_sizes", "strides"),
    [((3,), (1,)), ((3, 3), (1, 1)), ((5, 3, 1), (1, 1, 1)), ((3, 3, 3), (2, 2, 1)), ((7, 3, 5), (2, 1, 3))],
)
def test_the_field_is_what_a_gradient_reaches(kernel_sizes, strides):
    assert theoretical_field(kernel_sizes, strides) == span_of_gradient(kernel_sizes, strides)


@pytest.mark.parametrize(("layers", "field"), [(5, 11), (10, 21), (20, 41), (40, 81)])
def test_the_lectures_stacks_of_3x3(layers, field):
    assert theoretical_field([3] * layers) == field


@pytest.mark.parametrize("kernel_sizes", [(3,), (5,), (3, 3), (9, 1)])
def test_parameters_are_those_of_real_layers(kernel_sizes):
    real = [nn.Conv2d(64, 64, kernel) for kernel in kernel_sizes]
    found = conv_stack(kernel_sizes, channels=64)
    assert found["parameters"] == sum(p.numel() for layer in real for p in layer.parameters())


def test_multiply_adds_are_half_of_torchs_flops():
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        nn.Conv2d(4, 4, 5, padding=2)(torch.zeros(1, 4, 28, 28))
    assert conv_stack((5,), channels=4)["macs"] * 2 == counter.get_total_flops()
