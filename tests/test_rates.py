"""Rates: the sharpness they lead to, where a range test starts, the schedules, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.autograd.functional import hessian
from torch.func import functional_call

import nnbench.studies.starting_rates as starting_rates
import nnbench.studies.steepness as steepness
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench import Arm, fit
from nnbench.analysis.sharpness import sharpness
from nnbench.claims import REFUTED, SUPPORTED
from nnbench.config import ConfigError
from nnbench.studies import paths
from nnbench.studies.rate_schedules import rate_by_step
from nnbench.training.rising_rate import range_test

RATES, ESCAPING = scenarios_of("test_learning_rate.py"), scenarios_of("test_escaping.py")
MLP = {"data": "fashion-mini", "model_args": {"hidden": (16,)}, "train_samples": 600, "epochs": 1}


# sharpness


def whole_hessian(model, loss_of, x, y):
    names = {name: weight.detach() for name, weight in model.named_parameters()}
    sizes = {name: weight.numel() for name, weight in names.items()}

    def loss(flat):
        parts = dict(zip(sizes, flat.split(list(sizes.values())), strict=True))
        own = {name: part.view_as(names[name]) for name, part in parts.items()}
        return loss_of(functional_call(model, own, (x,)), y)

    return hessian(loss, torch.cat([weight.flatten() for weight in names.values()]))


@pytest.mark.parametrize("activation", [torch.nn.Tanh, torch.nn.ReLU])
@pytest.mark.parametrize("loss_of", [F.cross_entropy, lambda s, y: (s - F.one_hot(y, 3)).square().mean()])
def test_the_sharpness_is_the_largest_eigenvalue_of_the_whole_hessian(activation, loss_of):
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), activation(), torch.nn.Linear(5, 3)).double()
    x, y = torch.randn(20, 4, dtype=torch.float64), torch.randint(3, (20,))
    values = torch.linalg.eigvalsh(whole_hessian(model, loss_of, x, y))
    found, vector = sharpness(model, loss_of, x, y, tolerance=1e-9, most=5000)
    assert found == pytest.approx(float(values[values.abs().argmax()]), rel=1e-4)
    assert float(vector.norm()) == pytest.approx(1)
    again, _ = sharpness(model, loss_of, x, y, tolerance=1e-9, most=2, start=vector)
    assert again == pytest.approx(found, rel=1e-6)
    assert all(weight.grad is None for weight in model.parameters())


def test_where_nothing_bends_it_is_nothing():
    model = torch.nn.Linear(2, 2)
    flat, _ = sharpness(model, lambda scores, y: scores.sum(), torch.ones(3, 2), torch.zeros(3))
    assert flat == 0


def test_full_batch_descent_comes_to_two_over_its_rate():
    found = steepness.edge_of_stability(0.4, 0, steps=400)
    assert found.metrics["start_times_rate"] > 3
    assert found.metrics["sharpness_times_rate"] == pytest.approx(2.2, abs=0.25)
    assert len(found.arrays["sharpness"]) == len(found.arrays["step"]) == 11
    assert found.metrics == steepness.edge_of_stability(0.4, 0, steps=400).metrics


def test_noise_that_is_none_turns_the_claim_about_flatness(monkeypatch):
    """Planted: the small batches are the large ones."""
    text = "Batches of 8 arrive where the loss is flatter than where batches of 200 do."
    only = ("batch 8", "batch 200")
    scenario = ESCAPING["equal-loss"]
    assert verdicts_of(scenario, "quick", range(3), only)[text] == SUPPORTED
    sound = steepness.Training
    other = {8: 200, 200: 8}
    monkeypatch.setattr(
        steepness, "Training", lambda arm, seed: sound(arm.replace(batch_size=other[arm.batch_size]), seed)
    )
    assert verdicts_of(scenario, "quick", range(3), only)[text] == REFUTED


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: steepness.edge_of_stability(0, 0), "rate, steps: .* got 0 and 2000"),
        (lambda: steepness.edge_of_stability(0.1, 0, steps=40), "80 or more, got 0.1 and 40"),
        (
            lambda: steepness.steepness_at_loss(32, 0, most_steps=20),
            "a training loss of 0.02 is not reached in 20",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


# the rate to start with


def test_a_grid_is_the_trainings_one_by_one_and_the_picks_are_the_test_s():
    rates = (0.05, 0.2)
    found = starting_rates.starting_rate(MLP, 2, rates=rates)
    test = range_test(Arm(**MLP), 2)
    for rule in ("start", "steepest", "tenth", "least"):
        rate = getattr(test, rule)
        assert found.metrics[f"{rule}_rate"] == rate
        assert found.metrics[f"{rule}_octaves"] == pytest.approx(np.log2(rate / found.metrics["chosen_rate"]))
    assert found.metrics["chosen_rate"] in rates
    assert found.metrics["cliff_octaves"] is None
    assert found.missing["cliff_octaves"] == "the grid ends before the cliff"
    tune_fit = fit(Arm(**MLP, lr=0.2, train_on="tune"), 2)
    scored = steepness.Training(Arm(**MLP, lr=0.2), 2)
    scored.model.load_state_dict(tune_fit.model.state_dict())
    assert found.arrays["accuracy"][1] == pytest.approx(scored.score()[1], abs=0.005)


def test_a_rate_far_too_small_loses_and_the_cliff_is_found():
    found = starting_rates.starting_rate({**MLP, "epochs": 3, "schedule": "linear"}, 0).metrics
    assert found["cliff_octaves"] >= 1
    grid = (2.0**-9, 2.0**-3, 8.0)
    few = starting_rates.starting_rate({**MLP, "epochs": 3, "schedule": "linear"}, 0, rates=grid).metrics
    assert few["chosen_rate"] == 2.0**-3
    assert few["slow_rate_loss"] > 0.1
    assert few["cliff_octaves"] == 6


# schedules


@pytest.mark.parametrize(
    ("schedule", "args", "expected"),
    [
        ("constant", {}, (1, 1, 1, 0)),
        ("linear", {}, (1, 0.01 + 0.99 / 400, 1, 0)),
        ("geometric", {"end_factor": 100.0}, (1, 100, 100, 0)),
        ("cyclic", {"cycles": 3}, (0.1, 0.1, 1, 5)),
        ("onecycle", {}, (0.04, 4e-6, 1, 1)),
        ("constant", {"warmup": 0.5}, (1 / 201, 1, 1, 0)),
    ],
)
def test_rates_by_step(schedule, args, expected):
    told = rate_by_step(schedule, args=args).metrics
    names = ("first_rate", "last_rate", "highest_rate", "turns")
    assert [told[name] for name in names] == pytest.approx(list(expected), rel=1e-2)


def test_epochs_that_do_not_share_the_steps_are_refused():
    with pytest.raises(ConfigError, match="got 10 and 4"):
        rate_by_step("step", steps=10)


# paths


def test_a_straight_way_is_as_long_as_its_distance_and_noise_makes_it_longer():
    told = paths.paths(0, epochs=2).metrics
    assert 1 <= told["detour_full"] < 1.1 < told["detour_64"] < told["detour_1"]
    assert 0.5 < told["plane_share"] <= 1


def test_the_surface_holds_the_loss_where_the_paths_are():
    found = paths.paths(0, epochs=1).arrays
    assert found["surface"].shape == (33, 33)
    for name in ("full", "64", "1"):
        assert found[f"path_{name}"][0] == pytest.approx(found["path_full"][0], abs=1e-5)  # one start for all
    low = found["surface"].min()
    assert low < found["surface"][-1].max()


def test_the_first_tenth_is_counted_above_chance():
    arm = {"data": "digits", "model": "logistic", "lr": 0.5, "epochs": 10}
    found = paths.progress(arm, 0)
    accuracy = found.arrays["accuracy"]
    assert found.metrics["first_tenth_share"] == pytest.approx((accuracy[0] - 0.1) / (accuracy[-1] - 0.1))
    assert found.metrics["last_half_share"] == pytest.approx(1 - (accuracy[4] - 0.1) / (accuracy[-1] - 0.1))
    with pytest.raises(ConfigError, match="epochs: expected 10, 20, …, got 7"):
        paths.progress({**arm, "epochs": 7}, 0)


@pytest.mark.parametrize(
    ("scenarios", "name"),
    [(RATES, name) for name in RATES] + [(ESCAPING, name) for name in ("paths", "equal-loss",
                                                                       "fast-then-stuck")],
)  # fmt: skip
def test_every_plot_is_drawn(scenarios, name, tmp_path):
    draw_all(scenarios[name], records_of(scenarios[name]), tmp_path)


def test_all_claims_about_the_shapes_of_schedules_hold():
    assert set(verdicts_of(RATES["rate-schedules"]).values()) == {SUPPORTED}
