"""Many rates as one training against one by one; plateaus, rare words, and what would flip their claims."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import nnbench.studies.rate_grid as rate_grid
from fake_runs import read_parts
from nnbench import Arm, fit, plots
from nnbench.benchmarking import ProbeMeasurement
from nnbench.catalog import load_scenarios
from nnbench.claims import REFUTED, SUPPORTED, judge
from nnbench.config import ConfigError, Probe
from nnbench.data import load
from nnbench.stats import peak, plateau
from nnbench.studies.tuned_optimizers import GridTraining, tuned

BENCH = Path(__file__).parents[1] / "bench"
SCENARIOS = {each.name: each for _, each in load_scenarios([BENCH / "test_tuned_optimizers.py"])}
DIGITS = {
    "data": "digits",
    "model_args": {"hidden": (16,)},
    "batch_size": 32,
    "epochs": 4,
    "schedule": "linear",
}
LONG = {**DIGITS, "data": "fashion-mini", "train_samples": 1000, "epochs": 8, "batch_size": 16}
RATES = tuple(10 ** (k / 2) for k in range(-4, 2))  # 0.01 to 3


# many rates as one


@pytest.mark.parametrize(
    ("optimizer", "rate", "args"),
    [("sgd", 0.3, {}), ("momentum", 0.03, {}), ("nesterov", 0.03, {"momentum": 0.5}), ("adagrad", 0.03, {}),
     ("rmsprop", 0.003, {}), ("adam", 0.003, {"weight_decay": 0.01})],
)  # fmt: skip
@pytest.mark.parametrize(
    "model", [{"model": "mlp", "model_args": {"hidden": (12, 8)}}, {"model": "logistic"}]
)
def test_each_of_many_rates_trains_as_it_would_alone(optimizer, rate, args, model):
    arm = Arm(data="digits", optimizer=optimizer, optimizer_args=args, epochs=1, schedule="linear",
              batch_size=64, train_on="tune", device="cpu", lr=rate, **model)  # fmt: skip
    alone = fit(arm, seed=3)
    training = GridTraining(arm, (1e-4, rate, 1e3), 3)  # the third is lost, and must disturb none
    assert max(training.steps()) == alone.steps
    stacks = zip(training.grid.weights, training.grid.biases, strict=True)
    for stack, own in zip([each for pair in stacks for each in pair], alone.model.parameters(), strict=True):
        torch.testing.assert_close(stack[1].detach(), own.detach(), rtol=1e-3, atol=1e-5)
    found = training.grid.accuracies(training.tune)[1]
    assert float(found) == pytest.approx(alone.curves["validation_accuracy"][-1], abs=0.005)


def test_the_split_that_chooses_is_the_last_sixth_of_training():
    training = GridTraining(Arm(data="digits"), (0.1,), 0)
    whole = load("digits").train
    cut = len(whole) - len(whole) // 6
    assert torch.equal(training.tune[1], whole.labels[cut:])
    assert torch.equal(training._train[1], whole.labels[:cut])
    assert torch.equal(training.validation[1], load("digits").validation.labels)


def test_a_training_ends_at_its_steps():
    assert list(GridTraining(Arm(data="digits", max_steps=3), (0.1,), 0).steps()) == [1, 2, 3]


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    one, again, other = (tuned({**DIGITS, "epochs": 1}, seed, rates=RATES) for seed in (0, 0, 1))
    assert one.metrics == again.metrics
    assert one.arrays["tune_accuracy"].tolist() != other.arrays["tune_accuracy"].tolist()


def test_the_rate_is_chosen_by_tune_and_scored_on_validation():
    found = tuned({**DIGITS, "optimizer": "adam"}, 0, rates=(1e-3, 1e-2, 1e-1))
    best = int(found.arrays["tune_accuracy"].argmax())
    assert found.metrics["validation_accuracy"] == pytest.approx(found.arrays["validation_accuracy"][best])
    lost = found.arrays["validation_accuracy"][best] - found.arrays["validation_accuracy"][0]
    assert found.metrics["untuned_loss"] == pytest.approx(lost)
    none = tuned({**DIGITS, "optimizer": "adam"}, 0, rates=(1e-2, 1e-1))
    assert none.metrics["untuned_loss"] is None
    assert "torch's own rate of adam" in none.missing["untuned_loss"]
    assert none.metrics["chosen_at_edge"] == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: tuned({**DIGITS, "model": "cnn", "model_args": {}}, 0),
            "'cnn' does not train at many rates",
        ),
        (lambda: tuned(DIGITS, 0, rates=()), "rates: expected numbers above 0, got \\[\\]"),
        (lambda: tuned(DIGITS, 0, rates=(0.1, 0.0)), "rates: expected numbers above 0"),
        (lambda: tuned({**DIGITS, "optimiser": "sgd"}, 0), "did you mean 'optimizer'"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


# curves of rates


def test_a_plateau_ends_where_the_curve_falls_below_it():
    rates = (0.01, 0.1, 1.0, 10.0)
    assert plateau(rates, (0.5, 0.8, 0.78, 0.2), 0.1) == pytest.approx((0.1 * 10 ** (-1 / 3), 10 ** (8 / 58)))
    assert plateau(rates, (0.8, 0.8, 0.8, 0.8), 0.1) == (0.01, 10.0)
    assert plateau(rates, (0.8, 0.1, 0.8, 0.8), 0.1)[1] < 0.1  # what lies beyond a gap is not about the best
    assert plateau((0.3,), (0.8,), 0.1) == (0.3, 0.3)


def test_the_peak_of_a_parabola_is_its_top():
    rates = tuple(10.0**k for k in range(-3, 2))
    tops = [-((k + 1.3) ** 2) for k in range(-3, 2)]
    assert peak(rates, tops) == pytest.approx(-1.3)
    assert peak(rates, (5, 4, 3, 2, 1)) == -3
    assert peak(rates, (1, 2, 2, 2, 1)) == pytest.approx(-1.5)
    assert peak((0.1, 0.2, 0.9), (1, 2, 1)) == pytest.approx(math.log10(0.2))


# rare words


def test_rare_words_are_rare_and_count_as_much_as_common_ones():
    rare, even = (load(f"nnbench.studies.rare_words:{kind}_words") for kind in ("rare", "even"))
    for dataset in (rare, even):
        assert set(dataset.train.images.unique().tolist()) == {0, 255}
        assert 0.4 < dataset.train.labels.float().mean() < 0.6
    shares = rare.train.images.flatten(1).float().mean(0) / 255
    torch.testing.assert_close(shares, 1 / (torch.arange(300) + 2), rtol=0, atol=0.03)
    number = [d.train.images.flatten(1).float().mean().item() for d in (rare, even)]
    assert number[0] == pytest.approx(number[1], rel=0.03)


# the claims, and what would flip them

SAME_RATE = "Momentum's best rate is gradient descent's, divided by 1 - 0.9."


def rate_verdict():
    arms = [
        Probe(name=name, function="nnbench.studies.tuned_optimizers:tuned", seeded=True,
              args={"arm": {**LONG, "optimizer": name}, "rates": RATES[:5]})
        for name in ("sgd", "momentum")
    ]  # fmt: skip
    records = [ProbeMeasurement(arm).record(seed) for arm in arms for seed in range(3)]
    claims = [claim for claim in SCENARIOS["tuned-optimizers"].claims if claim.text == SAME_RATE]
    return judge(claims, records, "quick")[0].verdict


def test_momentum_that_is_damped_flips_the_claim_about_its_rate(monkeypatch):
    """A planted defect: dampening takes away what momentum adds, and it is momentum in name only."""
    assert rate_verdict() == SUPPORTED
    sound = rate_grid.make_optimizer

    def damped(arm, parameters):
        args = {"dampening": 0.9} if arm.optimizer == "momentum" else {}
        return sound(arm.replace(optimizer_args=args), parameters)

    monkeypatch.setattr(rate_grid, "make_optimizer", damped)
    assert rate_verdict() == REFUTED


# plots


@pytest.mark.parametrize("name", ["tuned-optimizers", "rare-features"])
def test_accuracy_by_rate_of_a_smoke_run(name, tmp_path):
    scenario = SCENARIOS[name]
    arms = scenario.arms["smoke"]
    records = [ProbeMeasurement(arm, scenario=name).record(0) for arm in arms]
    assert {record.status for record in records} == {"OK"}
    run = read_parts(tmp_path / "run.json", [(scenario, records)], profile="smoke")
    figure = plots.draw(run, run.plan["scenarios"][0], "accuracy_by_rate")
    assert set(figure.numbers["arm"]) == {arm.name for arm in arms}
    few = read_parts(tmp_path / "few.json", [(scenario, records[1:2])], profile="smoke")
    assert len(plots.draw(few, few.plan["scenarios"][0], "accuracy_by_rate").numbers)
    none = read_parts(tmp_path / "none.json", [(scenario, [])], profile="smoke")
    assert not len(plots.draw(none, none.plan["scenarios"][0], "accuracy_by_rate").numbers)
