"""XOR: what no line can do, what a hidden layer learns and how often, and the pictures of it."""

from __future__ import annotations

import math

import pytest
import torch

import nnbench.studies.xor as xor
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench.claims import REFUTED, SUPPORTED
from nnbench.config import ConfigError

SCENARIOS = scenarios_of("test_xor.py")
FEW = ("identity, 8", "relu, 2", "relu, 8")


def test_no_line_is_right_at_more_than_three_corners():
    assert xor.linear_limit().metrics == {"best_linear_accuracy": 0.75, "lines": 41**3}


def test_logistic_regression_ends_at_ln_2_from_anywhere():
    found = xor.logistic_limit(3000).metrics
    assert found["xor_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert found["from_half"] < 1e-3


def test_the_perceptron_goes_in_circles():
    found = xor.perceptron_rule(50).metrics
    assert found["cycle_epochs"] >= 1
    assert found["least_wrong"] >= 1


def test_the_perceptron_comes_to_rest_on_what_a_line_separates(monkeypatch):
    x, _ = xor.corners()
    monkeypatch.setattr(xor, "corners", lambda bits=2: (x, x.prod(1)))  # AND
    assert xor.perceptron_rule(50).metrics["least_wrong"] == 0


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_half_of_all_corners_are_odd(bits):
    x, y = xor.corners(bits)
    assert len(x) == len(x.unique(dim=0)) == 2**bits
    assert y.mean() == 0.5


@pytest.mark.parametrize(
    ("hidden", "activation", "low", "high"),
    [(4, "identity", 0, 0), (1, "sigmoid", 0, 0), (8, "tanh", 0.9, 1), (2, "relu", 0.05, 0.45)],
)
def test_how_often_it_is_learned(hidden, activation, low, high):
    found = xor.solve_rate(hidden, activation, trials=60, steps=500).metrics
    assert low <= found["xor_solved"] <= high
    assert found["trials"] == 60


def test_the_same_first_weights_learn_the_same():
    one, same, other = (
        xor.solve_rate(2, "tanh", trials=40, steps=300, seed=seed) for seed in (0, 0, 1)
    )  # fmt: skip
    assert one.metrics == same.metrics
    assert (one.arrays["solved"] == same.arrays["solved"]).all()
    assert not (one.arrays["solved"] == other.arrays["solved"]).all()


def test_the_picture_has_pizza_to_the_right_and_pineapple_above():
    points = xor._picture().view(61, 61, 2)
    assert torch.all(points[:, 1:, 0] > points[:, :-1, 0])
    assert torch.all(points[1:, :, 1] < points[:-1, :, 1])


@pytest.mark.parametrize(
    ("values", "message"), [({"bits": 0}, "bits: expected 1 to 10, got 0"), ({"activation": "step"}, "step")]
)
def test_bad_arguments_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        xor.solve_rate(**{"hidden": 2, "activation": "tanh", **values})


# the claims, and what would flip them


def test_the_claims_about_limits_hold():
    assert set(verdicts_of(SCENARIOS["xor-limits"]).values()) == {SUPPORTED}


def test_labels_that_a_line_separates_flip_them(monkeypatch):
    x, _ = xor.corners()
    monkeypatch.setattr(xor, "corners", lambda bits=2: (x, x.prod(1)))
    found = verdicts_of(SCENARIOS["xor-limits"])
    assert found["The best line is right at three corners of four."] == REFUTED
    assert found["Logistic regression ends at a loss of ln 2, 0.693147."] == REFUTED


def test_an_activation_that_is_there_where_none_should_be_flips_the_claim_about_none(monkeypatch):
    claim = "Without an activation no width learns it."
    assert verdicts_of(SCENARIOS["xor-learned"], only=FEW)[claim] == SUPPORTED
    monkeypatch.setattr(xor, "activation_class", lambda name: torch.nn.Tanh)
    assert verdicts_of(SCENARIOS["xor-learned"], only=FEW)[claim] == REFUTED


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_plot_is_drawn(name, tmp_path):
    draw_all(SCENARIOS[name], records_of(SCENARIOS[name]), tmp_path)
