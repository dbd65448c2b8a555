"""LARS against the paper's formula and against a library's, step by step."""

from __future__ import annotations

import pytest
import pytorch_optimizer
import torch

from nnbench import Arm
from nnbench.config import ConfigError
from nnbench.optim import make_optimizer
from nnbench.optim.lars import LARS


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.Flatten(), torch.nn.Linear(12, 2))


def trained(make, steps=8):
    model = network()
    optimizer = make(model.parameters())
    x, y = torch.randn(5, 1, 4, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 0, 1, 1])
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("trust_coefficient", [0.001, 0.5])
def test_at_a_constant_rate_it_is_the_library_s(momentum, weight_decay, trust_coefficient):
    own = {"momentum": momentum, "weight_decay": weight_decay, "trust_coefficient": trust_coefficient}
    ours = trained(lambda p: LARS(p, lr=0.3, **own))
    theirs = trained(lambda p: pytorch_optimizer.LARS(p, lr=0.3, **own))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def one_step(weight, gradient, velocity=None, **own):
    weight = torch.nn.Parameter(weight.clone())
    optimizer = LARS([weight], lr=2.0, momentum=0.5, weight_decay=0.1, trust_coefficient=0.01, **own)
    if velocity is not None:
        optimizer.state[weight]["momentum_buffer"] = velocity.clone()
    weight.grad = gradient.clone()
    optimizer.step()
    return weight.detach()


def test_the_first_step_is_the_paper_s_algorithm_1():
    """||w|| = 5, ||g|| = 2: local = 0.01 * 5 / (2 + 0.1 * 5), v = 2 local (g + 0.1 w)."""
    weight, gradient = torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0, 0.0]])
    expected = weight - 2.0 * (0.05 / 2.5) * (gradient + 0.1 * weight)
    torch.testing.assert_close(one_step(weight, gradient), expected)


def test_the_rate_enters_the_velocity_and_not_what_is_left_of_older_ones():
    weight, gradient = torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0, 0.0]])
    velocity = torch.tensor([[1.0, -1.0]])
    moved = one_step(weight, gradient, velocity)
    torch.testing.assert_close(moved, one_step(weight, gradient) - 0.5 * velocity)


@pytest.mark.parametrize(("weight", "gradient"), [([[0.0, 0.0]], [[1.0, 2.0]]), ([1.0, 2.0], [1.0, 2.0])])
def test_a_layer_without_a_norm_and_a_bias_take_plain_steps(weight, gradient):
    weight, gradient = torch.tensor(weight), torch.tensor(gradient)
    torch.testing.assert_close(one_step(weight, gradient), weight - 2.0 * gradient)


def test_the_step_of_a_layer_is_a_share_of_its_weights_whatever_the_gradient():
    weight = torch.tensor([[3.0, 4.0]])
    steps = [
        (weight - one_step(weight, scale * torch.tensor([[2.0, 1.0]]))).norm().item() for scale in (1e3, 1e6)
    ]
    assert steps[0] == pytest.approx(steps[1], rel=1e-3)
    assert steps[1] == pytest.approx(2.0 * 0.01 * 5.0, rel=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [{"momentum": 1.0}, {"weight_decay": -1}, {"trust_coefficient": 0}],
)
def test_bad_arguments_are_named(wrong):
    arm = Arm(optimizer="lars", optimizer_args=wrong)
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        make_optimizer(arm, [torch.nn.Parameter(torch.ones(1))])
