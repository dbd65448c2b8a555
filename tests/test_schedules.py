"""Schedules step by step against their formulas: warm-up, 1/t, cycles, one cycle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nnbench import Arm, fit
from nnbench.config import SCHEDULES, ConfigError
from nnbench.optim import Schedule, make_optimizer
from nnbench.training.vectorised import VectorisedTraining

PEAK = 0.1


def rates(schedule, steps=101, epochs=1, optimizer="sgd", **args):
    """The rate of each step of a training of so many steps and epochs."""
    arm = Arm(optimizer=optimizer, lr=PEAK, schedule=schedule, schedule_args=args)
    weight = torch.nn.Parameter(torch.ones(1))
    made = make_optimizer(arm, [weight])
    moves = Schedule(arm, made, steps)
    seen = []
    for _ in range(epochs):
        for _ in range(steps // epochs):
            seen.append(made.param_groups[0]["lr"])
            weight.grad = torch.ones(1)
            made.step()
            moves.after_step()
        moves.after_epoch()
    return np.array(seen)


def test_inverse_is_one_over_t():
    t = np.arange(100)
    np.testing.assert_allclose(rates("inverse", 100), PEAK / (1 + 9 * t / 100))
    np.testing.assert_allclose(rates("inverse", 100, decay=30), PEAK / (1 + 30 * t / 100))


@pytest.mark.parametrize(
    ("mode", "scale"),
    [
        ("triangular", lambda it, cycle: 1.0),
        ("triangular2", lambda it, cycle: 1 / 2 ** (cycle - 1)),
        ("exp_range", lambda it, cycle: 0.1 ** (it / 101)),
    ],
)
@pytest.mark.parametrize("cycles", [1, 2, 4])
def test_a_cycle_is_smith_s_formula(mode, scale, cycles):
    """lr = base + (max - base) max(0, 1 - x), cycle = floor(1 + it / 2s), x = |it / s - 2 cycle + 1|."""
    half, expected = 100 / (2 * cycles), []
    for it in range(101):
        cycle = math.floor(1 + it / (2 * half))
        x = abs(it / half - 2 * cycle + 1)
        expected.append(PEAK / 10 + (PEAK - PEAK / 10) * max(0, 1 - x) * scale(it, cycle))
    np.testing.assert_allclose(rates("cyclic", mode=mode, cycles=cycles), expected, atol=1e-12)


@pytest.mark.parametrize("steps", [7, 50, 1000, 1875])
@pytest.mark.parametrize("cycles", [1, 2, 3, 4])
def test_the_last_step_of_cycles_is_their_minimum(steps, cycles):
    assert rates("cyclic", steps, cycles=cycles)[-1] == pytest.approx(PEAK / 10, rel=1e-6)


def test_one_cycle_is_two_halves_of_a_cosine():
    t = np.arange(100)
    up, top = PEAK / 25, 29
    rise = up + (PEAK - up) * (1 - np.cos(np.pi * t / top)) / 2
    fall = PEAK / 25e4 + (PEAK - PEAK / 25e4) * (1 + np.cos(np.pi * (t - top) / (99 - top))) / 2
    np.testing.assert_allclose(rates("onecycle", 100), np.where(t <= top, rise, fall))


# warm-up


def test_warm_up_rises_by_equal_amounts_and_goes_on_as_without():
    seen = rates("constant", 100, warmup=0.2)
    np.testing.assert_allclose(np.diff(seen[:21]), PEAK / 21)
    assert set(seen[20:]) == {PEAK}


@pytest.mark.parametrize("schedule", ["linear", "polynomial", "inverse", "cosine", "cyclic", "onecycle"])
def test_after_it_a_schedule_of_steps_runs_over_the_steps_that_are_left(schedule):
    seen = rates(schedule, 100, warmup=0.2)
    after = rates(schedule, 80)
    np.testing.assert_allclose(seen[20:], after, rtol=1e-12)
    np.testing.assert_allclose(seen[:20], after[0] * np.arange(1, 21) / 21)


@pytest.mark.parametrize(
    ("schedule", "args"),
    [("step", {"gamma": 0.5}), ("multistep", {"milestones": [1, 2]}), ("exponential", {"gamma": 0.7})],
)
def test_a_schedule_of_epochs_counts_on_meanwhile(schedule, args):
    """Goyal et al. 2017: the drops stay where they are; here the warm-up ends in the second epoch of ten."""
    plain = rates(schedule, 100, epochs=10, **args)
    seen = rates(schedule, 100, epochs=10, warmup=0.15, **args)
    factor = np.minimum(1, np.arange(1, 101) / 16)
    np.testing.assert_allclose(seen, plain * factor, rtol=1e-12)


def test_a_warm_up_of_momentum_and_of_groups_leaves_the_rest_alone():
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    arm = Arm(optimizer="momentum", lr=PEAK, schedule_args={"warmup": 0.5})
    made = make_optimizer(arm, [{"params": [w], "lr": lr} for w, lr in zip(weights, (0.1, 1.0), strict=True)])
    Schedule(arm, made, 4)
    assert [group["lr"] for group in made.param_groups] == pytest.approx([0.1 / 3, 1 / 3])
    assert [group["momentum"] for group in made.param_groups] == [0.9, 0.9]


@pytest.mark.parametrize(("share", "steps", "rising"), [(0.001, 100, 1), (0.99, 10, 9), (0.5, 1, 0)])
def test_a_warm_up_has_a_step_and_leaves_one(share, steps, rising):
    assert (rates("constant", steps, warmup=share) < PEAK).sum() == rising


@pytest.mark.parametrize("share", [1, 1.5, -0.1, True, "half"])
def test_a_warm_up_that_is_no_share_is_refused(share):
    with pytest.raises(ConfigError, match=r"warmup: expected a share of the steps, 0 to below 1, got"):
        rates("cosine", warmup=share)


@pytest.mark.parametrize(
    ("schedule", "args", "message"),
    [
        ("constant", {"gamma": 0.1}, "constant takes warmup alone, got gamma"),
        ("inverse", {"decay": 0}, "inverse: decay: expected a number above 0, got 0"),
        ("inverse", {"dacay": 1}, "inverse.*dacay"),
        ("cyclic", {"cycles": 0}, "cyclic: cycles: expected a number above 0, got 0"),
        ("cyclic", {"mode": "square"}, "cyclic: mode is invalid"),
    ],
)
def test_a_wrong_argument_names_schedule_and_value(schedule, args, message):
    with pytest.raises(ConfigError, match=message):
        rates(schedule, **args)


def test_a_cuda_graph_cannot_warm_up():
    with pytest.raises(ConfigError, match="warm-up changes it; leave out schedule_args"):
        Arm(execution="cuda-graph", device="cuda", schedule_args={"warmup": 0.1})


SMALL = Arm(data="digits", model_args={"hidden": (16,)}, batch_size=100, lr=0.5, epochs=2, device="cpu")


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warm_up_trains_with_every_schedule_and_changes_what_is_learned(schedule):
    args = {"milestones": [1]} if schedule == "multistep" else {}
    arm = SMALL.replace(schedule=schedule, schedule_args={**args, "warmup": 0.3})
    warm, cold = fit(arm), fit(arm.replace(schedule_args=args))
    assert warm.status == "OK"
    assert warm.weights_sha256() != cold.weights_sha256()


def test_seeds_as_one_model_warm_up_as_each_alone():
    arm = SMALL.replace(schedule="exponential", schedule_args={"warmup": 0.6})
    for seed, found in zip((0, 1), VectorisedTraining(arm, (0, 1)).run(), strict=True):
        expected = fit(arm, seed).model.state_dict()
        for name, weights in found.model.state_dict().items():
            torch.testing.assert_close(weights, expected[name], rtol=1e-4, atol=1e-5)


def test_in_the_backward_pass_the_rates_are_those_of_the_warm_up():
    arm = SMALL.replace(schedule_args={"warmup": 0.5})
    one, other = fit(arm), fit(arm.replace(execution="in-backward"))
    for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "multistep"])
def test_groups_of_other_rates_keep_their_ratio(schedule):
    arm = Arm(lr=PEAK, schedule=schedule)
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in (0.1, 0.4)]
    made = make_optimizer(arm, groups)
    moves = Schedule(arm, made, 20)
    for _ in range(20):
        low, high = (group["lr"] for group in made.param_groups)
        assert high == pytest.approx(4 * low)
        made.step()
        moves.after_step()
    moves.after_epoch()
    assert made.param_groups[1]["lr"] == pytest.approx(4 * made.param_groups[0]["lr"])
