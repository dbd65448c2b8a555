"""Universality and depth: networks written down against their formulas, and what chance and training find."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import nnbench.studies.approximation as approximation
from fake_runs import probe_record, read_parts
from nnbench import plots
from nnbench.benchmarking import ProbeMeasurement
from nnbench.catalog import load_scenarios
from nnbench.claims import REFUTED, SUPPORTED, judge
from nnbench.config import ConfigError
from nnbench.studies import depth
from nnbench.studies.batched_nets import BatchedNets, fit_nets

BENCH = Path(__file__).parents[1] / "bench"
SCENARIOS = {each.name: each for _, each in load_scenarios([BENCH / "test_approximation.py"])}


def records(scenario, profile="smoke", seeds=(0,)):
    return [
        ProbeMeasurement(arm, scenario=scenario.name).record(seed if arm.seeded else 0)
        for arm in scenario.arms[profile]
        for seed in (seeds if arm.seeded else (0,))
    ]


def verdicts(name):
    scenario = SCENARIOS[name]
    found = judge(scenario.claims_in("quick"), records(scenario, "quick"), "quick")
    return {of.claim.text: of.verdict for of in found}


# written down


@pytest.mark.parametrize(("units", "error"), [(16, 0.0188), (32, 0.00479), (64, 0.00120)])
def test_the_interpolant_of_a_sine_has_the_error_of_a_spline(units, error):
    found = approximation.constructed("sine", units).metrics["sup_error"]
    assert found == pytest.approx(error, abs=5 * 10 ** (math.floor(math.log10(error)) - 3))
    assert found <= (2 * math.pi) ** 2 / 8 / units**2


@pytest.mark.parametrize(("units", "ratio"), [(16, 3.93), (32, 3.98)])
def test_twice_the_units_divide_the_error_by_four(units, ratio):
    one, two = (approximation.constructed("sine", n).metrics["sup_error"] for n in (units, 2 * units))
    assert one / two == pytest.approx(ratio, abs=0.005)


def test_the_interpolant_is_numpy_s():
    x = torch.linspace(0, 1, 501, dtype=torch.float64)[:, None]
    knots = np.linspace(0, 1, 13)
    expected = np.interp(x[:, 0].numpy(), knots, np.sin(2 * np.pi * knots))
    found = approximation.interpolant(approximation.sine, 12)(x)[:, 0].detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_hats_are_a_partition_of_one_and_equal_the_function_at_the_nodes():
    side = torch.linspace(0, 1, 6, dtype=torch.float64)
    nodes = torch.cartesian_prod(side, side)
    torch.testing.assert_close(approximation.hats(nodes, 5), torch.eye(36, dtype=torch.float64))
    points = torch.rand(200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    hats = approximation.hats(points, 5)
    torch.testing.assert_close(hats.sum(1), torch.ones(200, dtype=torch.float64))
    assert int((hats > 1e-12).sum(1).max()) <= 3
    linear = points @ torch.tensor([[2.0], [-3.0]], dtype=torch.float64) + 1  # met exactly, cell by cell
    at_nodes = nodes @ torch.tensor([[2.0], [-3.0]], dtype=torch.float64) + 1
    torch.testing.assert_close(hats @ at_nodes, linear)


@pytest.mark.parametrize("folds", [1, 3, 7, 10])
def test_the_tent_map_takes_few_parameters_in_depth_and_many_in_width(folds):
    deep, shallow = (depth.constructed(folds, shape).metrics for shape in ("deep", "shallow"))
    assert (deep["parameters"], shallow["parameters"]) == (6 * folds + 1, 3 * 2**folds + 1)
    assert deep["line_pieces"] == shallow["line_pieces"] == 2**folds
    assert deep["sup_error"] == shallow["sup_error"] == 0


def test_one_unit_less_than_pieces_can_bend_often_enough_but_not_start_the_line():
    """The first slope is a sum of whole bends, 2^(k+1) each; it must be 2^k."""
    folds = 3
    bends = [-(2.0 ** (folds + 1)) if i % 2 else 2.0 ** (folds + 1) for i in range(1, 2**folds)]
    starts = {-sum(bend for bend, left in zip(bends, bits, strict=True) if left)
              for bits in np.ndindex(*[2] * len(bends))}  # fmt: skip
    assert 2.0**folds not in starts


# by chance, and trained


def test_random_features_depend_on_the_seed_alone():
    one, same, other = (approximation.random_features("sine", 8, seed).metrics for seed in (1, 1, 2))
    assert one == same != other


def test_more_random_features_come_nearer():
    errors = [approximation.random_features("sine", n, 0).metrics["drawn_rms_error"] for n in (4, 32, 256)]
    assert errors[0] > errors[1] > errors[2]


def test_batched_networks_learn_what_each_learns_alone():
    x = torch.linspace(-1, 1, 65)[:, None]
    nets = BatchedNets((1, 6, 5, 1), nets=3, seed=0)
    alone = []
    for i in range(3):
        own = torch.nn.Sequential(
            torch.nn.Linear(1, 6),
            torch.nn.ReLU(),
            torch.nn.Linear(6, 5),
            torch.nn.ReLU(),
            torch.nn.Linear(5, 1),
        )
        with torch.no_grad():
            for layer, weight, bias in zip(own[::2], nets.weights, nets.biases, strict=True):
                layer.weight.copy_(weight[i].T)
                layer.bias.copy_(bias[i, 0])
        alone.append(own)
    fit_nets(nets, x, x.abs(), steps=30, lr=0.01)
    for i, own in enumerate(alone):
        optimizer = torch.optim.Adam(own.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)
        for _ in range(30):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(own(x), x.abs()).backward()
            optimizer.step()
            schedule.step()
        torch.testing.assert_close(nets(x)[i], own(x), rtol=1e-4, atol=1e-5)


def test_training_comes_nearer_than_first_weights_do():
    before, after = (
        approximation.trained("sine", 16, 0, steps=n).metrics["drawn_rms_error"] for n in (1, 400)
    )
    assert after < 0.5 * before


def test_restarts_are_counted():
    found = depth.trained(3, 1, 20, 0, restarts=4, steps=50)
    assert found.metrics["trials"] == 4
    assert found.metrics["best_rms_error"] <= found.metrics["median_rms_error"]
    assert found.arrays["found"].shape == found.arrays["wanted"].shape == (65,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: approximation.constructed("cosine", 4), "expected one of sine, swirl, got 'cosine'"),
        (lambda: approximation.constructed("swirl", 0), "resolution: expected 1, 2, …, got 0"),
        (lambda: approximation.interpolant(approximation.sine, 0), "units: expected 1, 2, …, got 0"),
        (lambda: depth.constructed(20, "deep"), "folds: expected 1 to 14, got 20"),
        (lambda: depth.constructed(3, "wide"), "shape: expected deep or shallow, got 'wide'"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


# the claims, and what would flip them


def test_the_exact_claims_hold():
    found = verdicts("universality")
    assert found.pop("For R^2 to R^2 no more units are needed than for R to R.") == REFUTED
    assert set(found.values()) == {SUPPORTED}
    assert set(verdicts("depth-separation").values()) == {SUPPORTED}


def test_an_interpolant_that_is_none_flips_its_claims(monkeypatch):
    """A planted defect: kinks moved by half a piece."""
    sound = approximation.interpolant

    def moved(function, units):
        net = sound(function, units)
        with torch.no_grad():
            net[0].bias.sub_(0.5 / units)
        return net

    monkeypatch.setattr(approximation, "interpolant", moved)
    found = verdicts("universality")
    assert found["With 16 units a sine is met up to 0.0188."] == REFUTED
    assert found["From R to R the error falls with the square of the number of units."] == REFUTED


def test_a_deep_network_that_forgets_to_fold_flips_its_claims(monkeypatch):
    monkeypatch.setattr(depth, "folded", lambda folds, sound=depth.folded: sound(folds - 1))
    found = verdicts("depth-separation")
    assert found["They make 128 straight pieces."] == REFUTED
    assert found["The deep network is the tent map, without any error."] == REFUTED


# plots


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_plot_is_drawn_of_a_smoke_run(name, tmp_path):
    scenario = SCENARIOS[name]
    run = read_parts(tmp_path / "run.json", [(scenario, records(scenario))], profile="smoke")
    for plot in scenario.plots:
        figure = plots.draw(run, run.plan["scenarios"][0], plot)
        assert plot == "verdicts" or len(figure.numbers)


def test_arms_without_numbers_are_named_and_not_drawn(tmp_path):
    scenario = SCENARIOS["universality"]
    arms = scenario.arms["quick"]
    few = [probe_record(arm, scenario=scenario.name, sup_error=0.1, units=4) for arm in arms[:2]]
    run = read_parts(tmp_path / "run.json", [(scenario, few)])
    figure = plots.draw(run, run.plan["scenarios"][0], "approximation_error")
    assert len(figure.numbers) == 2
    none = read_parts(tmp_path / "none.json", [(scenario, [])])
    assert not len(plots.draw(none, none.plan["scenarios"][0], "approximation_error").numbers)
