"""Receptive fields, theoretical and effective: closed forms, brute force, and what would flip the claims."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import nnbench.analysis.effective_field as effective
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench.analysis.receptive_field import measured_field, theoretical_field
from nnbench.claims import REFUTED, SUPPORTED
from nnbench.config import ConfigError
from nnbench.studies.fields import trained_field

SCENARIOS = scenarios_of("test_receptive_field.py")


@pytest.mark.parametrize(
    ("kernels", "strides", "dilations"),
    [
        ((3,) * 5, None, None),
        ((3,) * 40, None, None),
        ((5, 3, 2), (2, 2, 1), None),
        ((7, 2, 3, 3), (2, 2, 1, 2), None),
        ((3, 3, 3), None, (1, 2, 5)),
        ((3, 3, 3), None, (4, 4, 4)),
        ((2, 3, 4), (1, 3, 2), (3, 1, 2)),
    ],
)
def test_the_recurrence_is_what_brute_force_finds(kernels, strides, dilations):
    found = measured_field(kernels, strides, dilations)
    assert found["receptive_field"] == theoretical_field(kernels, strides, dilations)


@pytest.mark.parametrize(
    ("dilations", "span", "seen"),
    [((1, 1, 1), 7, 7), ((2, 2, 2), 13, 7), ((1, 2, 4), 15, 15), ((1, 2, 3), 13, 13), ((4, 4, 4), 25, 7)],
)
def test_dilation_leaves_holes(dilations, span, seen):
    found = measured_field((3, 3, 3), dilations=dilations)
    assert (found["receptive_field"], found["seen_pixels"]) == (span, seen)


@pytest.mark.parametrize(
    ("layers", "spread", "size", "share"),
    [
        (5, 1.826, 8.31, 0.755),
        (10, 2.582, 11.70, 0.557),
        (20, 3.651, 16.16, 0.394),
        (40, 5.164, 22.74, 0.281),
    ],
)
def test_the_uniform_field_has_its_closed_forms(layers, spread, size, share):
    found = effective.uniform(layers).metrics
    assert found["field_spread"] == pytest.approx(math.sqrt(layers * 8 / 12), rel=1e-12)
    assert found["field_spread"] == pytest.approx(spread, abs=5e-4)
    assert found["effective_field"] == pytest.approx(size, abs=5e-3)
    assert found["effective_share"] == pytest.approx(share, abs=5e-4)
    assert found["excess_kurtosis"] == pytest.approx(-1.5 / layers, rel=1e-6)
    assert found["receptive_field"] == 1 + 2 * layers


@pytest.mark.parametrize(("kernel", "layers"), [(3, 4), (5, 3)])
def test_folding_boxes_is_what_autograd_carries_back(kernel, layers):
    net = effective.convolutions(layers, kernel=kernel).double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(1 / kernel**2)
    side = 1 + layers * (kernel - 1)
    x = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(net(x)[0, 0, side // 2, side // 2], x)
    np.testing.assert_allclose(gradient[0, 0].numpy(), effective.uniform_field(layers, kernel), atol=1e-15)


def test_squared_random_gradients_have_the_uniform_spread():
    """The variance of a sum is the sum of variances: E[g^2] folds boxes too."""
    spreads = [
        effective.drawn(10, seed, channels=16, draws=5).metrics["drawn_field_spread"] for seed in range(3)
    ]
    assert np.mean(spreads) == pytest.approx(math.sqrt(10 * 8 / 12), rel=0.05)


def test_what_size_and_shape_mean():
    block = np.zeros((9, 9))
    block[3:6, 3:6] = 2.0
    block[0, 0] = 0.09  # below 4.55 % of the greatest
    assert effective.size_of(block) == 3
    assert effective.spread_of(np.eye(1)) == 0
    places = np.arange(-20, 21)
    gaussian = np.exp(-(places**2) / 18)
    assert effective.likeness_of(np.outer(gaussian, gaussian)) == pytest.approx(1, abs=1e-6)
    assert effective.excess_kurtosis_of(np.outer(gaussian, gaussian)) == pytest.approx(0, abs=1e-3)


def test_each_draw_sums_to_one_and_the_seed_decides():
    field = effective.gradient_of_centre(effective.convolutions(3, channels=2), torch.randn(1, 2, 7, 7))
    assert field.sum() == pytest.approx(1)
    one, same, other = (effective.drawn(4, seed, draws=2).arrays["field"] for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()


def test_skips_look_nearer_and_dilation_further():
    plain, skips = (effective.drawn(12, 0, channels=8, skips=skip).metrics for skip in (False, True))
    dilated = effective.drawn(12, 0, channels=8, dilations=(1, 2)).metrics
    size = "drawn_effective_field"
    assert skips[size] < plain[size] < dilated[size]


@pytest.mark.parametrize("way", effective.ROUTES)
def test_every_route_sees_31_pixels(way):
    x = torch.randn(1, 8, 63, 63, dtype=torch.float64, requires_grad=True)
    net = effective._route(way).double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(1e-2)
    output = net(x)
    middle = output.shape[-1] // 2
    (gradient,) = torch.autograd.grad(output[0, 0, middle, middle], x)
    seen = gradient.abs().sum((0, 1, 2)).nonzero()[:, 0]
    assert int(seen[-1] - seen[0]) + 1 == 31


def test_a_trained_network_is_another_one():
    before, after = (trained_field(steps, seed=0) for steps in (0, 20))
    assert before.metrics["validation_accuracy"] < 0.3 < after.metrics["validation_accuracy"]
    assert (before.arrays["field"] != after.arrays["field"]).any()
    assert before.arrays["field"].shape == (28, 28)
    for found in (before, after):
        assert float(found.arrays["field"].sum()) == pytest.approx(1, abs=1e-5)


def test_the_field_of_a_channel_that_is_silent_is_nothing_and_of_the_others_all():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1, bias=False), torch.nn.ReLU())
    with torch.no_grad():
        net[0].weight[0], net[0].weight[1] = -1.0, 1.0
    x = torch.ones(1, 1, 5, 5)
    assert effective.gradient_of_centre(net, x.clone(), 0).sum() == 0
    assert effective.gradient_of_centre(net, x.clone(), 1).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: effective.uniform(0), "expected 1 and 2 or more, got 0, 3"),
        (lambda: effective.drawn(3, 0, draws=0), "expected 1 or more, got 3, 0"),
        (
            lambda: effective.route("luck", 0),
            "expected one of depth, dilation, stride, wide kernels, got 'luck'",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


# the claims, and what would flip them


@pytest.mark.parametrize("name", ["theoretical-field", "uniform-field"])
def test_the_exact_claims_hold(name):
    assert set(verdicts_of(SCENARIOS[name]).values()) == {SUPPORTED}


def test_the_claims_about_routes_come_out():
    found = verdicts_of(SCENARIOS["routes-afar"], seeds=range(3))
    assert found.pop("The same theoretical field is the same effective one, whatever the way.") == REFUTED
    assert set(found.values()) == {SUPPORTED}


def test_a_threshold_at_half_the_maximum_flips_the_sizes(monkeypatch):
    monkeypatch.setattr(effective, "_OUTSIDE", 0.5)
    found = verdicts_of(SCENARIOS["uniform-field"])
    assert found["After 5 layers it is 8.31 pixels wide."] == REFUTED
    assert found["The spread is the root of 5 times 8/12: 1.826 pixels."] == SUPPORTED  # it needs none


def test_a_recurrence_that_forgets_strides_flips_its_claim(monkeypatch):
    import nnbench.analysis.receptive_field as receptive_field

    sound = receptive_field.measured_field
    monkeypatch.setattr(receptive_field, "measured_field", lambda kernel_sizes, **_: sound(kernel_sizes))
    found = verdicts_of(SCENARIOS["theoretical-field"])
    assert found["Four layers with strides of 2 see as far as fifteen without."] == REFUTED
    assert found["5 layers see 11 pixels."] == SUPPORTED


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_plot_is_drawn(name, tmp_path):
    draw_all(SCENARIOS[name], records_of(SCENARIOS[name]), tmp_path)


def test_a_field_that_no_gradient_reaches_is_told_and_not_drawn(monkeypatch):
    monkeypatch.setattr(effective, "gradient_of_centre", lambda net, x: np.zeros(x.shape[-2:]))
    found = effective.drawn(3, 0, draws=1)
    assert found.metrics["drawn_effective_field"] is None
    assert "take more draws" in found.missing["drawn_effective_field"]
    assert not found.arrays
