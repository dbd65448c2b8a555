"""Activations: what depth is without one, how far gradients reach, and the claims about both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nnbench.analysis.gradients as gradients
from fake_runs import read_parts
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench import models, plots
from nnbench.claims import REFUTED, SUPPORTED
from nnbench.config import ConfigError
from nnbench.data import load

SCENARIOS = scenarios_of("test_activations.py")


@pytest.mark.parametrize("depth", [1, 6, 20])
def test_without_activation_a_network_is_the_product_of_its_matrices(depth):
    layers = gradients._network("identity", depth, 16, seed=3).double()
    weights = [layer.weight for layer in layers if isinstance(layer, torch.nn.Linear)]
    product = torch.linalg.multi_dot(weights[::-1]) if len(weights) > 1 else weights[0]
    x = torch.randn(5, 784, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layers(x), x @ product.T)  # biases are 0
    assert gradients.collapse(depth)["linear_error"] < 1e-12


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_with_one_it_is_no_linear_map(activation):
    assert gradients.collapse(2, activation)["linear_error"] > 0.1


@pytest.mark.parametrize(
    ("depth", "low", "high"), [(2, 0.2, 0.9), (5, 1e-3, 2e-2), (10, 1e-6, 1e-4), (20, 0, 1e-10)]
)
def test_sigmoids_stop_the_gradient(depth, low, high):
    assert low < gradients.gradient_reach("sigmoid", depth, 0).metrics["gradient_ratio"] < high


@pytest.mark.parametrize("activation", ["tanh", "relu", "leaky-relu", "gelu", "silu", "elu"])
def test_others_let_it_through(activation):
    ratios = [gradients.gradient_reach(activation, 20, seed).metrics["gradient_ratio"] for seed in range(3)]
    assert 0.25 < np.median(ratios) < 8


def test_the_norms_are_those_of_autograd():
    found = gradients.gradient_reach("tanh", 3, seed=5, width=16)
    layers = gradients._network("tanh", 3, 16, 5).double()
    train = load("fashion-mini").train
    loss = torch.nn.functional.cross_entropy(
        layers(train.images[:256].flatten(1).double() / 255), train.labels[:256]
    )
    linear = [layer.weight for layer in layers if isinstance(layer, torch.nn.Linear)]
    norms = [float(of.norm()) for of in torch.autograd.grad(loss, linear)][:-1]
    np.testing.assert_allclose(found.arrays["norms"], norms, rtol=1e-6)
    assert found.metrics["gradient_ratio"] == pytest.approx(norms[0] / norms[-1], rel=1e-6)


def test_xavier_draws_glorot_s_uniform():
    torch.manual_seed(0)
    model = models.build("mlp", (1, 28, 28), 10, {"hidden": (300,), "init": "xavier"})
    weight = model.layers.linear1.weight.detach()
    bound = (6 / (784 + 300)) ** 0.5
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.99 * bound
    assert float(weight.var()) == pytest.approx(2 / (784 + 300), rel=0.02)
    assert not model.layers.linear1.bias.any()


@pytest.mark.parametrize(
    ("values", "message"), [({"depth": 0}, "expected 1 to 100"), ({"activation": "step"}, "step")]
)
def test_bad_arguments_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        gradients.gradient_reach(**{"activation": "relu", "depth": 2, "seed": 0, **values})


# the claims, and what would flip them


def test_the_claims_about_reach_and_collapse_hold():
    assert set(verdicts_of(SCENARIOS["no-activation"]).values()) == {SUPPORTED}
    few = ("sigmoid, 5", "sigmoid, 20", "relu, 20", "tanh, 20")
    found = verdicts_of(SCENARIOS["gradient-reach"], seeds=range(6), only=few)
    assert len(found) == 4
    assert set(found.values()) == {SUPPORTED}


def test_first_weights_that_do_not_match_flip_a_claim(monkeypatch):
    """Torch's own first weights let the signal of tanh and ReLU fade."""
    monkeypatch.setattr(gradients, "_INIT", {"relu": "torch", "tanh": "torch"})
    found = verdicts_of(SCENARIOS["gradient-reach"], seeds=range(4), only=("relu, 20",))
    assert set(found.values()) == {REFUTED}


def test_an_activation_where_none_should_be_flips_a_claim(monkeypatch):
    sound = gradients._network
    monkeypatch.setattr(gradients, "_network", lambda name, *of, **more: sound("relu", *of, **more))
    found = verdicts_of(SCENARIOS["no-activation"], only=("identity, 6 layers",))
    assert found["Six layers without activation are one linear map."] == REFUTED


@pytest.mark.parametrize("name", ["no-activation", "gradient-reach"])
def test_every_plot_is_drawn(name, tmp_path):
    draw_all(SCENARIOS[name], records_of(SCENARIOS[name]), tmp_path)


def test_the_deepest_network_of_each_activation_is_drawn(tmp_path):
    scenario = SCENARIOS["gradient-reach"]
    run = read_parts(tmp_path / "run.json", [(scenario, records_of(scenario))], profile="smoke")
    numbers = plots.draw(run, run.plan["scenarios"][0], "gradient_by_layer").numbers
    assert dict(numbers.groupby("activation")["layer"].max()) == {"relu": 20, "sigmoid": 20}
