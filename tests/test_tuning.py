"""Choosing learning rates, with a training that is a formula."""

import math
from collections import Counter

import pytest

import nnbench
from nnbench import tuning
from nnbench.catalog import Rate, Rates, read_rates, write_rates
from nnbench.claims import PROFILES, SEEDS, Scenario
from nnbench.config import Arm, Probe
from nnbench.records import Record
from nnbench.training import Training
from nnbench.tuning import GRID, tunable, tune_accuracy, tune_scenario

ARMS = (
    Arm(name="a", lr="tuned", model_args={"best": 0.03}),
    Arm(name="b", lr="tuned", model_args={"best": 0.3}),
    Arm(name="fixed", lr=0.5),
    Probe(name="p", function="m:f"),
)


def scenario(*arms):
    return Scenario(
        name="s", statement="…", question="…?", axis="epochs", arms=dict.fromkeys(PROFILES, arms or ARMS)
    )


def hill(arm, seed):
    """Accuracy falls off to both sides of the best rate."""
    return 0.9 - 0.1 * abs(math.log10(arm.lr / arm.model_args["best"]))


def no_rates(tmp_path):
    return Rates(tmp_path / "rates.toml")


def test_only_arms_that_ask_for_it_are_tuned():
    assert [arm.name for arm in tunable(scenario(), "quick")] == ["a", "b"]


def test_the_best_rate_wins_and_is_recorded_with_its_curve(tmp_path):
    tuned = tune_scenario(scenario(), "full", no_rates(tmp_path), train=hill, seeds=2)
    assert {key: rate.lr for key, rate in tuned.rates.items()} == {
        ("s", "a", "full"): 0.03,
        ("s", "b", "full"): 0.3,
    }
    rate = tuned.rates["s", "a", "full"]
    assert (rate.scenario, rate.arm, rate.profile, rate.seeds) == ("s", "a", "full", 2)
    assert rate.arm_id == ARMS[0].id  # of the arm that still says 'tuned'
    assert rate.grid == GRID
    assert rate.accuracy == tuple(round(hill(ARMS[0].replace(lr=lr), 0), 6) for lr in GRID)
    assert rate.edge is False
    assert rate.nnbench == nnbench.__version__
    assert len(rate.date) == len("2026-11-22")


def test_what_was_tuned_comes_back_from_its_file(tmp_path):
    tuned = tune_scenario(scenario(), "quick", no_rates(tmp_path), train=hill)
    write_rates(tuned)
    assert read_rates(tmp_path) == tuned


@pytest.mark.parametrize(
    ("best", "edge"), [(1e-4, True), (1.0, True), (3e-4, False), (0.3, False), (50, True)]
)
def test_an_optimum_on_the_edge_is_flagged(best, edge, tmp_path):
    arm = Arm(name="a", lr="tuned", model_args={"best": best})
    rate = tune_scenario(scenario(arm), "quick", no_rates(tmp_path), train=hill).rates["s", "a", "quick"]
    assert rate.edge is edge
    assert rate.lr == min(GRID, key=lambda lr: abs(math.log(lr / best)))


def test_the_mean_over_seeds_decides_not_the_luckiest(tmp_path):
    def train(arm, seed):
        return {0.01: (0.9, 0.1), 0.1: (0.6, 0.6), 1.0: (0.5, 0.5)}[arm.lr][seed]

    tuned = tune_scenario(
        scenario(ARMS[0]), "quick", no_rates(tmp_path), grid=(0.01, 0.1, 1.0), seeds=2, train=train
    )
    assert tuned.rates["s", "a", "quick"].lr == 0.1
    assert tuned.rates["s", "a", "quick"].accuracy == (0.5, 0.6, 0.5)


def test_an_arm_that_always_diverges_ends_on_the_edge(tmp_path):
    rate = tune_scenario(scenario(ARMS[0]), "quick", no_rates(tmp_path), train=lambda arm, seed: 0.0)
    assert rate.rates["s", "a", "quick"].edge is True


def test_every_arm_trains_with_the_same_rates_and_seeds(tmp_path):
    calls, lines = [], []

    def train(arm, seed):
        calls.append((arm.name, arm.lr, seed))
        return hill(arm, seed)

    grid = (0.3, 0.003, 0.03)
    tuned = tune_scenario(
        scenario(), "quick", no_rates(tmp_path), grid=grid, seeds=2, train=train, progress=lines.append
    )
    assert Counter(calls) == Counter((a, lr, s) for a in "ab" for lr in grid for s in (0, 1))
    assert tuned.rates["s", "b", "quick"].grid == (0.003, 0.03, 0.3)  # ascending, whatever was given
    assert len(lines) == 2 * 3
    assert lines[0] == f"s  a  lr 0.003  accuracy {hill(ARMS[0].replace(lr=0.003), 0):.1%}"


def test_nothing_but_the_rate_changes(tmp_path):
    seen = []
    tune_scenario(
        scenario(ARMS[0]), "quick", no_rates(tmp_path), train=lambda arm, seed: seen.append(arm) or 0.5
    )
    assert {arm.replace(lr="tuned") for arm in seen} == {ARMS[0]}


def test_other_entries_are_kept_and_only_what_is_asked_for_is_tuned(tmp_path):
    def old(scenario, arm, profile):
        return Rate(scenario=scenario, arm=arm, profile=profile, lr=7.0, arm_id="0" * 16)

    keys = [("s", "a", "quick"), ("s", "b", "quick"), ("s", "b", "full"), ("other", "b", "quick")]
    before = Rates(tmp_path / "rates.toml", {key: old(*key) for key in keys})
    after = tune_scenario(scenario(), "quick", before, train=hill, only={"b"})
    assert after.path == before.path
    assert list(after.rates) == keys
    assert [after.rates[key].lr for key in keys] == [7.0, 0.3, 7.0, 7.0]
    assert [before.rates[key].lr for key in keys] == [7.0] * 4
    assert tune_scenario(scenario(), "quick", before, train=hill, only=()) == before


class _Seen:
    """Stands for `Measurement`: remembers the arm and the seed, returns the record that was set."""

    status, reason, accuracy, calls = "OK", None, 0.75, ()

    def __init__(self, arm, **_):
        self.arm = arm

    def record(self, seed):
        type(self).calls = (*type(self).calls, (self.arm, seed))
        return Record(
            scenario=None, arm={"name": self.arm.name, "id": self.arm.id}, seed=seed, status=self.status,
            reason=self.reason, metrics={"validation_accuracy": self.accuracy},
            missing={"validation_accuracy": "the training failed"},
        )  # fmt: skip


@pytest.fixture
def seen(monkeypatch):
    fake = type("_SeenHere", (_Seen,), {})
    monkeypatch.setattr(tuning, "Measurement", fake)
    return fake


def test_tuning_sees_the_tune_split_and_no_seed_of_a_benchmark(seen, tmp_path):
    seeds = 10
    tuned = tune_scenario(scenario(ARMS[0]), "quick", no_rates(tmp_path), seeds=seeds)
    assert tuned.rates["s", "a", "quick"].accuracy == (0.75,) * len(GRID)
    assert {arm.train_on for arm, _ in seen.calls} == {"tune"}
    assert len({seed for _, seed in seen.calls}) == seeds
    benchmarked = set(range(max(SEEDS.values())))
    assert not benchmarked & {seed for _, seed in seen.calls}


def test_a_diverged_training_has_accuracy_0(seen):
    seen.status, seen.reason, seen.accuracy = "DIVERGED", "at step 1", None
    assert tune_accuracy(Arm(lr=1.0), 0) == 0


@pytest.mark.parametrize("status", ["OOM", "CRASH", "DATA"])
def test_any_other_failure_stops_the_tuning_with_its_reason(seen, status):
    seen.status, seen.reason, seen.accuracy = status, "no room", None
    with pytest.raises(RuntimeError, match=f"mine: {status}: no room"):
        tune_accuracy(Arm(name="mine", lr=1.0), 0)


def test_a_real_training_is_scored_on_the_held_back_sixth():
    arm = Arm(data="digits", model="logistic", lr=0.1, epochs=1)
    held_back = len(Training(arm.replace(train_on="tune"), 1000).scored)
    right = tune_accuracy(arm, 0) * held_back
    assert held_back < len(Training(arm, 1000).scored)
    assert held_back / 2 < right < held_back
    assert right == pytest.approx(round(right))  # a count of the tune split, of no other
