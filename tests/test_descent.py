"""Descent that can be computed: the edge of divergence, a double well, floors, orders, and planted defects."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import nnbench.studies.descent as descent
import nnbench.studies.orders as orders
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench.claims import REFUTED, SUPPORTED
from nnbench.config import ConfigError

SCENARIOS = {
    name: of
    for file in ("test_learning_rate.py", "test_escaping.py", "test_sampling.py")
    for name, of in scenarios_of(file).items()
}


# the edge of divergence


def test_the_digits_are_scikit_learn_s():
    from sklearn.datasets import load_digits

    x, y = descent._digits()
    assert x.shape == (1797, 64)
    assert np.sort(x.sum(1).numpy()) == pytest.approx(np.sort(load_digits().data.sum(1) / 16))
    assert set(y.tolist()) == {-1.0, 1.0}


def test_the_sharpness_is_the_largest_singular_value_squared():
    from sklearn.datasets import load_digits

    found = descent.edge_of_divergence(0.5, steps=2).metrics
    values = np.linalg.svd(load_digits().data / 16, compute_uv=False)
    assert found["sharpness"] == pytest.approx(values[0] ** 2 / 1797, rel=1e-9)
    assert found["sharpness"] == pytest.approx(10.4553, abs=5e-5)
    assert found["edge_rate"] == pytest.approx(0.19129, abs=5e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(("factor", "converged"), [(0.5, 1), (0.98, 1), (1.02, 0), (1.1, 0)])
def test_descent_converges_below_the_edge_only(momentum, factor, converged):
    assert descent.edge_of_divergence(factor, momentum=momentum).metrics["converged"] == converged


def test_its_steps_are_torch_s_sgd():
    x, y = descent._digits()
    weights = torch.nn.Parameter(torch.zeros(64, dtype=torch.float64))
    edge = descent.edge_of_divergence(0.9, momentum=0.5, steps=20)
    optimizer = torch.optim.SGD([weights], lr=0.9 * edge.metrics["edge_rate"], momentum=0.5)
    losses = []
    for _ in range(20):
        loss = (x @ weights - y).square().mean() / 2
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(edge.arrays["loss"], losses, rtol=1e-9)


# the double well


def test_the_wells_and_the_barrier_are_where_the_slope_is_0():
    shallow, barrier = descent._extrema()
    for x in (shallow, barrier):
        assert x**3 - x + 0.15 == pytest.approx(0, abs=1e-12)
    height = [x**4 / 4 - x**2 / 2 + 0.15 * x for x in (barrier, shallow)]
    assert height[0] - height[1] == pytest.approx(0.1175, abs=5e-5)


@pytest.mark.parametrize(
    ("rate", "batch", "share"),
    [(0.2, 1, 0.67), (0.2, 4, 0.93), (0.2, 16, 0.28), (0.2, 64, 0), (0.4, 16, 0.99), (0.4, "full", 0)],
)
def test_how_many_end_in_the_deep_well(rate, batch, share):
    found = descent.double_well(rate, batch, seed=1).metrics
    assert found["in_deep_well"] == pytest.approx(share, abs=0.03)
    assert found["ever_escaped"] >= found["in_deep_well"]


# floors


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"rate": 0.05}, 0.0128), ({"rate": 0.2}, 0.0556), ({"rate": 0.8}, 0.3333),
        ({"rate": 0.2, "batch": 4}, 0.0139), ({"rate": 0.2, "momentum": 0.9}, 0.528),
    ],
)  # fmt: skip
def test_the_floor_is_the_closed_form_s(values, expected):
    found = descent.loss_floor(**values).metrics
    assert found["floor_formula"] == pytest.approx(expected, abs=5e-4)
    assert found["floor_error"] < 0.01


@pytest.mark.parametrize(
    ("order", "ratio"), [("replacement", 2.1), ("shuffle-once", 4.4), ("reshuffle", 7.6)]
)
def test_half_the_rate_divides_the_floor_by_a_power_of_two(order, ratio):
    floors = [
        descent.sampling_floor(order, rate, 0, epochs=150).metrics["excess_loss"] for rate in (0.2, 0.1)
    ]
    assert floors[0] / floors[1] == pytest.approx(ratio, rel=0.15)


def test_orders_are_what_they_say():
    draw = torch.Generator().manual_seed(0)
    once = torch.rand(3, 20, generator=draw).argsort(1)
    assert descent._order("shuffle-once", once, draw).equal(once)
    one, other = (descent._order("reshuffle", once, draw) for _ in range(2))
    assert not one.equal(other)
    assert one.sort(1).values.equal(torch.arange(20).expand(3, 20))
    assert any(len(row.unique()) < 20 for row in descent._order("replacement", once, draw))


def test_draws_with_replacement_meet_1_minus_1_over_e():
    assert descent.distinct_share(0)["distinct_share"] == pytest.approx(1 - 1 / math.e, abs=0.005)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: descent.double_well(0, 4), "expected a rate above 0 and 1, 2, … or full, got 0, 4"),
        (lambda: descent.double_well(0.1, 0), "got 0.1, 0"),
        (lambda: descent.loss_floor(2.5), "expected above 0 and below 2, got 2.5"),
        (lambda: descent.sampling_floor("by hand", 0.1, 0), "expected one of replacement, shuffle-once"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


# orders of real samples


def test_the_full_batch_does_not_mind_the_order():
    found = orders.order_spread("full", epochs=3, lr=0.5)
    assert found.metrics["accuracy_spread"] == 0
    assert found.metrics["rising_share"] == 0
    assert found.arrays["loss"].shape == (5, 3)


def test_minibatches_do():
    found = orders.order_spread(64, epochs=2, lr=0.1)
    assert found.metrics["accuracy_spread"] > 0
    assert found.metrics["rising_share"] > 0.2
    assert found.metrics["steps"] == 44


# the claims, and what would flip them


@pytest.mark.parametrize("name", ["edge-of-divergence", "loss-floor"])
def test_the_claims_hold(name):
    assert set(verdicts_of(SCENARIOS[name], seeds=range(6)).values()) == {SUPPORTED}


def test_the_claims_about_the_well_come_out():
    found = verdicts_of(SCENARIOS["double-well"])
    refuted = [text for text, verdict in found.items() if verdict != SUPPORTED]
    assert refuted == ["The more noise the better: online, nine in ten end there too."]


def test_a_rate_that_is_not_scaled_flips_the_claims_about_the_edge(monkeypatch):
    sound = descent.edge_of_divergence
    monkeypatch.setattr(
        descent, "edge_of_divergence", lambda factor, **more: sound(1.01 * factor, **more)
    )  # fmt: skip
    assert verdicts_of(SCENARIOS["edge-of-divergence"])["At 0.98 of it descent converges."] == SUPPORTED
    monkeypatch.setattr(descent, "edge_of_divergence", lambda factor, **more: sound(1.1 * factor, **more))
    assert verdicts_of(SCENARIOS["edge-of-divergence"])["At 0.98 of it descent converges."] == REFUTED


def test_with_replacement_called_without_flips_the_claim(monkeypatch):
    """A planted defect: what should shuffle anew draws with replacement."""
    claim = "Shuffled anew each epoch, as its cube, nearly."
    scenario = SCENARIOS["sampling-floor"]
    only = [f"reshuffle, {rate}" for rate in (0.2, 0.1, 0.05)]
    assert verdicts_of(scenario, seeds=range(3), only=only)[claim] == SUPPORTED
    sound = descent._order
    monkeypatch.setattr(
        descent, "_order",
        lambda sampling, *of: sound("replacement" if sampling == "reshuffle" else sampling, *of),
    )  # fmt: skip
    assert verdicts_of(scenario, seeds=range(3), only=only)[claim] == REFUTED


def test_noise_that_does_not_shrink_with_the_batch_flips_a_claim(monkeypatch):
    monkeypatch.setattr(descent.math, "sqrt", lambda value: 1.0)
    found = verdicts_of(SCENARIOS["double-well"], only=("rate 0.2, batch 64",))
    assert found["With batches of 64 the noise is too small."] == REFUTED


@pytest.mark.parametrize(
    "name", ["edge-of-divergence", "double-well", "order-spread", "loss-floor", "sampling-floor"]
)
def test_every_plot_is_drawn(name, tmp_path):
    draw_all(SCENARIOS[name], records_of(SCENARIOS[name]), tmp_path)


def test_a_training_of_one_step_has_no_share_of_rising_ones():
    found = orders.order_spread("full", epochs=1, lr=0.5)
    assert found.metrics["rising_share"] is None
    assert "none before it" in found.missing["rising_share"]
