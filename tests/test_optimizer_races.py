"""Performance profiles against a brute-force area; races against their own rules; what steps cost."""

from __future__ import annotations

import dataclasses
import math
import random
from pathlib import Path

import numpy as np
import pytest

import nnbench.benchmarking.optimizer_races as races
from fake_runs import probe_record, read_parts, training_record
from nnbench import Arm, plots
from nnbench.benchmarking import ProbeMeasurement
from nnbench.catalog import load_scenarios
from nnbench.claims import REFUTED, SUPPORTED, judge
from nnbench.config import ConfigError
from nnbench.meters.memory.split import state_bytes as state_bytes_of
from nnbench.stats import profile_at, profile_score, time_ratios
from nnbench.studies import tuned_optimizers
from nnbench.training import Training

BENCH = Path(__file__).parents[1] / "bench"
SCENARIOS = {each.name: each for _, each in load_scenarios([BENCH / "test_tuned_optimizers.py"])}
WORKLOADS = {
    "digits": {"data": "digits", "model": "logistic", "batch_size": 32, "max_steps": 60, "epochs": 9,
               "target_accuracy": 0.8},
    "out of reach": {"data": "digits", "model": "logistic", "batch_size": 32, "max_steps": 10,
                     "target_accuracy": 1.0},
}  # fmt: skip


# profiles


def test_ratios_are_to_the_fastest_of_each_workload():
    times = {"a": {"x": 2.0, "y": 9.0}, "b": {"x": 3.0}, "c": {"x": math.inf, "y": 3.0}}
    found = time_ratios(times, ["x", "y"])
    assert found == {"a": [1.0, 3.0], "b": [1.5, math.inf], "c": [math.inf, 1.0]}
    assert [profile_at(found["a"], tau) for tau in (1, 2.9, 3)] == [0.5, 0.5, 1.0]
    assert time_ratios({"a": {}}, ["x"]) == {"a": [math.inf]}  # where all miss, nobody is first


@pytest.mark.parametrize("r_max", [2.0, 4.0, 10.0])
def test_the_score_is_the_area_under_the_profile(r_max):
    draw = random.Random(0)
    ratios = [1 + draw.expovariate(0.5) for _ in range(7)] + [math.inf]
    taus = np.linspace(1, r_max, 200_001)
    area = np.trapezoid([profile_at(ratios, tau) for tau in taus[::100]], taus[::100]) / (r_max - 1)
    assert profile_score(ratios, r_max) == pytest.approx(area, abs=2e-3)


def test_scores_that_can_be_told_by_hand():
    assert profile_score([1.0, 1.0]) == 1
    assert profile_score([math.inf, 4.0, 7.0]) == 0
    assert profile_score([1.0, math.inf]) == 0.5
    assert profile_score([2.5]) == 0.5
    assert profile_score([2.0], r_max=2) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: time_ratios({"a": {}}, []), "workloads: expected one or more"),
        (lambda: time_ratios({"a": {"x": 0.0}}, ["x"]), "times on x: expected numbers above 0"),
        (lambda: profile_score([]), "ratios: expected one or more"),
        (lambda: profile_score([1.0], r_max=1), "r_max: expected a number above 1, got 1"),
    ],
)
def test_no_profile_of_nonsense(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# races


def race(optimizer, seed=0, **more):
    args = {"contestants": ("sgd", "adam"), "workloads": WORKLOADS, "rates": (0.01, 0.1), **more}
    return races.race(optimizer, seed, **args)


def test_a_race_is_won_by_the_soonest_and_a_miss_has_no_steps():
    found = {name: race(name) for name in ("sgd", "adam")}
    steps = {name: of.metrics["race_steps_digits"] for name, of in found.items()}
    assert all(taken % 10 == 0 and 10 <= taken <= 60 for taken in steps.values())
    for name, of in found.items():
        ratio = steps[name] / min(steps.values())
        assert of.metrics["race_score"] == pytest.approx(profile_score([ratio, math.inf]))
        assert of.metrics["race_steps_out_of_reach"] is None
        assert of.missing["race_s_out_of_reach"] == "no rate reached the target"
        assert of.metrics["race_s_digits"] > 0


def test_the_steps_are_those_of_the_soonest_rate():
    arm = Arm(optimizer="adam", **{k: v for k, v in WORKLOADS["digits"].items() if k != "target_accuracy"})
    soonest = math.inf
    for rate in (0.01, 0.1):
        training = tuned_optimizers.GridTraining(arm, (rate,), 0)
        for step in training.steps():
            if step % 10 == 0 and float(training.grid.accuracies(training.tune)[0]) >= 0.8:
                soonest = min(soonest, step)
    assert race("adam").metrics["race_steps_digits"] == soonest


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"contestants": ("momentum",)}, "'adam' is none of the contestants: momentum"),
        (
            {"workloads": {"x": {"data": "digits", "model": "logistic"}}},
            "workloads: each needs a target_accuracy",
        ),
        ({"workloads": {"x": {"date": "digits"}}}, "did you mean 'data'"),
    ],
)
def test_bad_races_are_told(how, message):
    with pytest.raises(ConfigError, match=message):
        race("adam", **how)


def test_adam_without_its_second_moment_loses_its_lead(monkeypatch):
    """A planted defect: Adam divides by one number for all weights, not by the root of their mean squares."""
    claims = [
        c
        for c in SCENARIOS["optimizer-race"].claims
        if c.text == "Adam, which is both, is faster than momentum."
    ]
    deep = {"data": "digits", "model_args": {"hidden": (16, 16, 16)}, "batch_size": 32, "max_steps": 200,
            "epochs": 9, "target_accuracy": 0.5}  # fmt: skip
    arms = [
        probe for probe in SCENARIOS["optimizer-race"].arms["quick"] if probe.name in ("momentum", "adam")
    ]
    small = {
        "contestants": ("momentum", "adam"),
        "workloads": {"deep": deep},
        "rates": (0.003, 0.01, 0.03, 0.1),
    }

    def score(optimizer, seed):
        return races.race(optimizer, seed, **small).metrics["race_score"]

    def verdict():
        races._finish.cache_clear()
        found = [
            dataclasses.replace(probe_record(probe, scenario="x", race_score=score(probe.name, seed)), seed=seed)
            for probe in arms for seed in range(5)
        ]  # fmt: skip
        return judge(claims, found, "quick")[0].verdict

    def flat(self, x, y, sound=tuned_optimizers.RateGrid.step):
        sound(self, x, y)
        for state in self.optimizer.state.values():
            if "exp_avg_sq" in state:
                state["exp_avg_sq"].fill_(0.03)

    assert verdict() == SUPPORTED
    monkeypatch.setattr(tuned_optimizers.RateGrid, "step", flat)
    assert verdict() == REFUTED
    races._finish.cache_clear()


def test_the_profile_is_drawn_of_a_smoke_run(tmp_path):
    scenario = SCENARIOS["optimizer-race"]
    records = [ProbeMeasurement(arm, scenario=scenario.name).record(0) for arm in scenario.arms["smoke"]]
    assert {record.status for record in records} == {"OK"}
    run = read_parts(tmp_path / "smoke.json", [(scenario, records)], profile="smoke")
    plots.draw(run, run.plan["scenarios"][0], "performance_profile")  # 10 steps reach no target
    names = ("fashion_logistic", "digits_MLP", "rare_words")
    told = [
        probe_record(arm, scenario=scenario.name, **{f"race_{unit}_{name}": 10.0 + i + j for j, name in enumerate(names)
                                                     for unit in ("steps", "s")})
        for i, arm in enumerate(scenario.arms["quick"][:3])
    ]  # fmt: skip
    run = read_parts(tmp_path / "run.json", [(scenario, told)])
    numbers = plots.draw(run, run.plan["scenarios"][0], "performance_profile").numbers
    assert set(numbers["arm"]) == {arm.name for arm in scenario.arms["quick"][:3]}
    assert numbers.loc[numbers["workload"] == "digits deep MLP", "times the fastest"].eq(math.inf).all()


# what a step costs


@pytest.mark.parametrize(
    ("name", "state_bytes"),
    [("sgd", 0), ("momentum", 2_678_824), ("adagrad", 2_678_848), ("adam", 5_357_672)],
)
def test_the_bytes_of_the_state_are_those_of_the_claims(name, state_bytes):
    scenario = SCENARIOS["optimizer-cost"]
    (arm,) = (each for each in scenario.arms["smoke"] if each.name == name)
    training = Training(arm.replace(name=name, max_steps=2), seed=0)
    training.run()
    assert state_bytes_of(training.optimizer) == state_bytes
    (claim,) = (claim for claim in scenario.claims if claim.kind == "exact" and claim.arms == (name,))
    assert claim.value == state_bytes


def test_state_against_step_time_is_drawn(tmp_path):
    scenario = SCENARIOS["optimizer-cost"]
    found = [
        training_record(arm, 0, scenario=scenario.name, accuracy=0.5, step_ms=1 + i)
        for i, arm in enumerate(scenario.arms["quick"][:4])
    ]
    for i, record in enumerate(found):
        record.metrics["optimizer_bytes"] = i * 2**20
    run = read_parts(tmp_path / "run.json", [(scenario, found)])
    numbers = plots.draw(run, run.plan["scenarios"][0], "state_against_step_time").numbers
    assert numbers["optimizer state [MiB]"].tolist() == [0, 1, 2, 3]
    none = read_parts(tmp_path / "none.json", [(scenario, [])])
    assert not len(plots.draw(none, none.plan["scenarios"][0], "state_against_step_time").numbers)
