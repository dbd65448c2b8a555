"""Optimizers where all is exact: walks, valleys and surfaces against formulas, and what would flip their claims."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
import torch

from fake_runs import probe_record, read_parts
from nnbench import plots
from nnbench.benchmarking import ProbeMeasurement
from nnbench.catalog import load_scenarios
from nnbench.claims import REFUTED, SUPPORTED, judge
from nnbench.config import ConfigError
from nnbench.optim.slides import SlideAdams
from nnbench.studies import quadratics, surfaces
from nnbench.studies.constant_gradient import walk

BENCH = Path(__file__).parents[1] / "bench"
SCENARIOS = {each.name: each for _, each in load_scenarios([BENCH / "test_optimizers.py"])}
EXACT = [name for name, each in SCENARIOS.items() if each.repeat == "once"]


def records(scenario, profile="smoke"):
    return [ProbeMeasurement(arm, scenario=scenario.name).record(0) for arm in scenario.arms[profile]]


def verdicts(name, profile="quick"):
    scenario = SCENARIOS[name]
    found = judge(scenario.claims_in(profile), records(scenario, profile), profile)
    return {of.claim.text: of.verdict for of in found}


# walks


@pytest.mark.parametrize("gradient", [1e-4, 1.0, 100.0, -3.0])
@pytest.mark.parametrize(
    ("optimizer", "distance", "digit"),
    [("adagrad", 0.18590, 5e-6), ("adam", 1.0, 1.5e-4), ("slide-adams", 0.3442, 5e-5)],
)
def test_whose_walks_do_not_know_how_steep_it_is(optimizer, distance, digit, gradient):
    assert walk(optimizer, gradient).metrics["walked_distance"] == pytest.approx(distance, abs=digit)


def test_walks_are_their_sums():
    root_sum = sum(t**-0.5 for t in range(1, 101))
    assert walk("adagrad", 2.0).metrics["walked_distance"] == pytest.approx(0.01 * root_sum, rel=1e-8)
    adams = 0.01 * (1.9 * root_sum - 0.9)  # its first step has no gradient before it
    assert walk("slide-adams", 2.0).metrics["walked_distance"] == pytest.approx(adams)
    assert 0.01 * 1.9 * root_sum == pytest.approx(0.353, abs=5e-4)
    momentum = walk("momentum", 2.0).metrics
    assert momentum["walk_last_step"] == pytest.approx(0.02 * (1 - 0.9**100) / 0.1)
    inside = sum(0.01 * 1e-4 / math.sqrt(t * 1e-8 + 1e-8) for t in range(1, 101))
    assert walk("slide-adagrad", 1e-4).metrics["walked_distance"] == pytest.approx(inside)


def test_a_walk_has_all_its_places():
    found = walk("sgd", -2.0, rate=0.5, steps=3)
    assert list(found.arrays["walked"]) == [0.0, 1.0, 2.0, 3.0]
    assert walk("sgd", 1.0, steps=1).metrics["walk_last_step"] == pytest.approx(0.01)


# valleys


@pytest.mark.parametrize("kappa", [10, 100])
@pytest.mark.parametrize("degrees", [0, 20])
def test_gradient_descent_and_momentum_do_not_see_how_a_valley_lies(kappa, degrees):
    """Both shrink as the theory says: by the largest eigenvalue of their linear recursion."""
    curvatures, first = np.array([1.0, 1 / kappa]), np.array([1.0, 2.0])
    for optimizer in ("sgd", "momentum"):
        (rate,), settings = quadratics._best(optimizer, kappa)
        at, before = first.copy(), first.copy()
        steps = 0
        while np.linalg.norm(at) > 1e-3 * np.linalg.norm(first):
            at, before = (
                at - rate * curvatures * at + settings.get("momentum", 0) * (at - before),
                at,
            )
            steps += 1
        found = quadratics.steps_down(optimizer, kappa, degrees).metrics
        assert abs(found["steps_to_bottom"] - steps) <= 1
        assert found["chosen_rate"] == rate


@pytest.mark.parametrize("optimizer", ["adagrad", "adam"])
def test_a_rate_for_each_weight_divides_the_curvature_away(optimizer):
    grid = [0.1, 1.0, 3.0]
    one, other = (quadratics.steps_down(optimizer, kappa, 0, grid).metrics for kappa in (3, 3000))
    assert one == other


def test_a_rate_at_the_edge_and_a_bottom_out_of_reach_are_told(monkeypatch):
    assert quadratics.steps_down("sgd", 10, 0, [0.01, 0.1, 1.5]).metrics["chosen_at_edge"] == 1
    assert quadratics.steps_down("sgd", 10, 0, [0.1, 1.5, 3.0]).metrics["chosen_at_edge"] == 0
    monkeypatch.setattr(quadratics, "_MOST", 5)
    found = quadratics.steps_down("sgd", 10)
    assert found.metrics["steps_to_bottom"] is None
    assert found.missing == {"steps_to_bottom": "not there after 5 steps"}


# surfaces


@pytest.mark.parametrize(
    ("name", "minimum"),
    [("valley", (0, 0)), ("Rosenbrock", (1, 1)), ("Beale", (3, 0.5)), ("saddle", (0, 1))],
)
def test_the_bottom_of_each_surface_is_zero_and_where_it_should_be(name, minimum):
    of = surfaces.SURFACES[name]
    at = torch.tensor(minimum, dtype=torch.float64, requires_grad=True)
    height = of.height(at)
    height.backward()
    assert height.item() == pytest.approx(0, abs=1e-15)
    torch.testing.assert_close(at.grad, torch.zeros(2, dtype=torch.float64))
    around = at.detach() + 0.1 * torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    assert float(of.height(around).min()) > 0
    (x0, x1), (y0, y1) = of.frame
    assert all(x0 < x < x1 and y0 < y < y1 for x, y in (minimum, of.start))


def test_rosenbrock_is_scipy_s():
    points = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = scipy.optimize.rosen(points.T.numpy())
    np.testing.assert_allclose(surfaces.banana(points).numpy(), expected)


def test_the_valley_is_a_hundred_times_as_steep_across_as_along():
    curvature = torch.autograd.functional.hessian(surfaces.valley, torch.zeros(2, dtype=torch.float64))
    assert torch.linalg.eigvalsh(curvature).tolist() == pytest.approx([0.01, 1.0])


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_paths_of_many_rates_are_those_of_each_rate_alone(optimizer):
    of = surfaces.SURFACES["Rosenbrock"]
    together = surfaces.paths(of, optimizer, (1e-4, 1e-3, 0.1), 12)
    for i, rate in enumerate((1e-4, 1e-3, 0.1)):
        alone = surfaces.paths(of, optimizer, (rate,), 12)[:, 0]
        torch.testing.assert_close(together[:, i], alone, equal_nan=True)


def test_a_path_that_climbs_is_passed_over():
    found = surfaces.descent("valley", "sgd", 40, (0.1, 1.0, 2.5))
    assert found.metrics["chosen_rate"] == 1.0
    assert found.arrays["path"].shape == (41, 2)
    with pytest.raises(ConfigError, match="with each of them sgd climbs on valley; give smaller ones"):
        surfaces.descent("valley", "sgd", 40, (2.5, 3.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: walk("adam", 0.0), "gradient: expected a finite number other than 0, got 0.0"),
        (lambda: walk("adam", math.inf), "gradient: expected a finite"),
        (lambda: walk("adam", steps=0), "steps: expected 1, 2, …, got 0"),
        (lambda: walk("adan"), "did you mean 'adam'"),
        (lambda: walk("adam", beta=0.9), "optimizer_args: adam with"),
        (lambda: quadratics.steps_down("sgd", 0.5), "kappa: expected 1 or more, got 0.5"),
        (lambda: quadratics.steps_down("adam", 10), "rates: 'adam' has no formula"),
        (lambda: surfaces.descent("beale", "sgd"), "did you mean 'Beale'"),
        (lambda: surfaces.descent("Beale", "sgd", 0), "steps: expected 1, 2, …, got 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


# the claims, and what would flip them

ADAMS = "The slide's 'Adams' is Adam: it walks as far."
INSIDE = "On a slope of 1e-4 the slide's Adagrad, with epsilon inside the root, does so too."
MOMENTUM = "Momentum takes the root of that."


def test_the_walks_bear_the_slides_out_but_for_two():
    found = verdicts("constant-gradient")
    assert (found.pop(ADAMS), found.pop(INSIDE)) == (REFUTED, REFUTED)
    assert set(found.values()) == {SUPPORTED}


def test_adams_with_running_means_would_be_adam(monkeypatch):
    """A planted defect: what the slide writes, done as Adam does it."""

    def as_adam(self, gradient, state, group):
        state["n"] = state.get("n", 0) + 1
        state["m"] = 0.9 * state.get("m", 0) + 0.1 * gradient
        state["v"] = 0.999 * state.get("v", 0) + 0.001 * gradient**2
        root = (state["v"] / (1 - 0.999 ** state["n"])).sqrt()
        return group["lr"] * state["m"] / (1 - 0.9 ** state["n"]) / root

    monkeypatch.setattr(SlideAdams, "change", as_adam)
    found = verdicts("constant-gradient")
    assert found[ADAMS] == SUPPORTED
    assert found["The slide's 'Adams' walks 0.344."] == REFUTED
    assert found["Its steps shrink as Adagrad's do: it is momentum and Adagrad together."] == REFUTED


def test_momentum_that_forgets_flips_its_claim(monkeypatch):
    """A planted defect: the momentum of the theory is lost on the way to the optimizer."""
    scenario = SCENARIOS["narrow-valley"]
    few = [arm for arm in scenario.arms["quick"] if arm.name.startswith(("momentum", "sgd"))]
    claims = [claim for claim in scenario.claims if claim.text == MOMENTUM]

    def verdict():
        return judge(claims, [ProbeMeasurement(arm).record(0) for arm in few], "quick")[0].verdict

    assert verdict() == SUPPORTED
    best = quadratics._best
    monkeypatch.setattr(
        quadratics, "_best", lambda optimizer, kappa: (best("sgd", kappa)[0], {"momentum": 0.0})
    )
    assert verdict() == REFUTED


def test_valleys_across_the_weights_are_narrow_again():
    found = verdicts("narrow-valley")
    across = [text for text in found if "across the weights" in text]
    assert [found.pop(text) for text in across] == [REFUTED, REFUTED]
    assert set(found.values()) == {SUPPORTED}


# plots


@pytest.mark.parametrize("name", EXACT)
def test_each_plot_is_drawn_of_a_smoke_run(name, tmp_path):
    scenario = SCENARIOS[name]
    run = read_parts(tmp_path / "run.json", [(scenario, records(scenario))], profile="smoke")
    for plot in scenario.plots:
        assert len(plots.draw(run, run.plan["scenarios"][0], plot).numbers)


@pytest.mark.parametrize("name", EXACT)
def test_what_was_not_measured_is_named_and_not_drawn(name, tmp_path):
    scenario = SCENARIOS[name]
    some = records(scenario)[::4]
    run = read_parts(tmp_path / "some.json", [(scenario, some)], profile="smoke")
    for plot in scenario.plots:
        assert len(plots.draw(run, run.plan["scenarios"][0], plot).numbers)
    nothing = [probe_record(scenario.arms["smoke"][0], scenario=name)]
    run = read_parts(tmp_path / "none.json", [(scenario, nothing)])
    for plot in scenario.plots:
        assert not len(plots.draw(run, run.plan["scenarios"][0], plot).numbers)
