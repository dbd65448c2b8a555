"""The range test against torch-lr-finder, step by step, and its rules on curves whose answers are known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
import torch_lr_finder
from torch.utils.data import DataLoader, TensorDataset

from nnbench import Arm
from nnbench.cli import main
from nnbench.config import ConfigError
from nnbench.training import Training
from nnbench.training.rising_rate import range_test, until_blow_up

DIGITS = Arm(
    data="digits", model="mlp", model_args={"hidden": (32,)}, batch_size="full", precision="float64"
)  # at large rates a rounding grows from step to step


def library(arm, seed, low, high, steps, smoothing):
    """torch-lr-finder on the same weights and the same batch, all samples; its history and its pick."""
    training = Training(arm.replace(lr=low), seed)
    x, y = training.train.decode(training.train.images), training.train.labels
    finder = torch_lr_finder.LRFinder(
        training.model, training.optimizer, torch.nn.CrossEntropyLoss(), device="cpu"
    )
    loader = DataLoader(TensorDataset(x, y), batch_size=len(y))
    finder.range_test(loader, start_lr=low, end_lr=high, num_iter=steps, smooth_f=1 - smoothing)
    with torch.no_grad():
        _, pick = finder.plot(suggest_lr=True)
    return finder.history, pick


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(("low", "high", "steps"), [(1e-3, 1e5, 120), (1e-2, 1.0, 40)])
@pytest.mark.parametrize("smoothing", [0.95, 0.9])
def test_it_is_torch_lr_finder_s(optimizer, low, high, steps, smoothing):
    arm = DIGITS.replace(optimizer=optimizer)
    ours = range_test(arm, 1, low=low, high=high, steps=steps, smoothing=smoothing)
    history, pick = library(arm, 1, low, high, steps, smoothing)
    np.testing.assert_allclose(ours.rates, history["lr"], rtol=1e-9)
    np.testing.assert_allclose(ours.smoothed, history["loss"], rtol=1e-6)
    assert ours.steepest == pytest.approx(pick, rel=1e-9)
    assert ours.blew_up == (len(history["loss"]) < steps)


def test_the_rules_on_a_curve_whose_answers_are_known():
    rates = [10 ** (-3 + step / 10) for step in range(60)]
    # falls fastest in the middle of 20 to 30, is least at 35, rises beyond all from 45
    losses = [2.0] * 20 + [2.0 - 0.1 * k for k in range(1, 11)] + [0.9] * 5 + [0.5] + [0.8] * 9 + [50.0] * 15
    found = until_blow_up(rates, losses, smoothing=0.0)
    assert found.blew_up
    assert found.blow_up == rates[45] == found.rates[-1]
    assert found.least == rates[35]
    assert found.tenth == rates[35] / 10
    assert found.start == found.steepest == rates[34]
    assert found.losses == tuple(losses[:46])


def test_a_loss_that_falls_again_after_it_blew_up_is_not_where_to_start():
    falls = [2.0 - 0.02 * k for k in range(50)]
    found = until_blow_up([10 ** (k / 20) for k in range(80)], [*falls, *[4.0] * 10, *[1.5] * 20], 0.0)
    assert not found.blew_up
    assert found.steepest in found.rates[58:62]  # torch-lr-finder's rule
    assert found.start < found.least == found.rates[49]


def test_a_loss_that_never_falls_has_no_rate_to_start_with():
    found = until_blow_up([0.1 * k for k in range(1, 41)], [1.0 + 0.01 * k for k in range(40)])
    with pytest.raises(ConfigError, match=r"least at step 1, at a rate of 0\.1: it never fell"):
        found.start  # noqa: B018


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_none_is_a_blow_up(broken):
    found = until_blow_up([0.1 * k for k in range(1, 41)], [1.0] * 30 + [broken] + [1.0] * 9, smoothing=0.9)
    assert found.blew_up
    assert len(found.losses) == len(found.rates) == len(found.smoothed) == 30
    with pytest.raises(ConfigError, match="the first loss is"):
        until_blow_up([0.1], [broken])


def test_no_blow_up_is_told():
    found = until_blow_up([0.1 * k for k in range(1, 31)], [1.0] * 30)
    assert not found.blew_up
    assert found.blow_up is None


def test_a_test_that_blows_up_at_once_says_what_to_do():
    found = until_blow_up([1.0, 2.0, 3.0], [1.0, 99.0, 99.0])
    with pytest.raises(ConfigError, match=r"blew up at step 2, .* needs 17; take more steps, or a lower"):
        found.steepest  # noqa: B018


def test_a_real_one_ends_where_it_diverges_and_leaves_the_arm_alone():
    arm = DIGITS.replace(batch_size=64, lr=0.3, schedule="onecycle", target_accuracy=0.01, epochs=1)
    found = range_test(arm, 0, high=1e6)
    assert found.blew_up
    assert found.rates[0] == pytest.approx(1e-4)
    assert len(found.rates) < 200
    assert found.tenth < found.steepest < found.blow_up
    assert arm.lr == 0.3
    assert found == range_test(arm, 0, high=1e6)
    assert found != range_test(arm, 1, high=1e6)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"low": 0.0}, "low, high: expected rates above 0 that rise, got 0.0 and 10.0"),
        ({"low": 2.0, "high": 1.0}, "low, high: expected rates above 0 that rise, got 2.0 and 1.0"),
        ({"high": math.inf}, "got 0.0001 and inf"),
        ({"steps": 16}, "steps: expected 17 or more, got 16"),
        ({"smoothing": 1.0}, "smoothing: expected a share, 0 to below 1, got 1.0"),
    ],
)
def test_what_it_refuses(how, message):
    with pytest.raises(ConfigError, match=message):
        range_test(DIGITS, **how)


# nnbench lr-find

ASKED = ("lr-find", "--data", "digits", "--model", "logistic", "--batch-size", "64", "--seeds", "2")


def test_the_command_tells_each_rule_s_pick(capsys):
    assert main([*ASKED, "--high", "1e5"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("logistic/sgd/b64: 200 steps from 0.0001 to 100000, 2 seeds")
    for rule in (
        "steepest before the least: start with this",
        "a tenth of",
        "least loss, too large",
        "blew up",
    ):
        assert rule in told


def test_the_command_says_where_to_look_when_nothing_blows_up(capsys):
    assert main([*ASKED, "--high", "0.01"]) == 0
    told = capsys.readouterr().out
    assert "the loss blew up                               never" in told
    assert "'--high 0.1' would look further" in told


def test_the_command_s_json_holds_the_curves(capsys):
    assert main([*ASKED, "--json", "--steps", "30", "--optimizer", "adam"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["arm"]["optimizer"] == "adam"
    tests = [range_test(Arm(data="digits", model="logistic", optimizer="adam"), s, steps=30) for s in (0, 1)]
    assert [tuple(each["rates"]) for each in found["tests"]] == [each.rates for each in tests]
    assert next(iter(found["picks"].values())) == [each.start for each in tests]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seeds", "0"], "--seeds: expected 1, 2, …, got 0"),
        (["--low", "3", "--high", "2"], "low, high: expected rates above 0 that rise, got 3.0 and 2.0"),
        (["--optimizer", "sdg"], "did you mean 'sgd'?"),
    ],
)
def test_the_command_refuses_in_a_line(capsys, more, message):
    assert main([*ASKED, *more]) == 2
    assert message in capsys.readouterr().err
