"""Every optimizer is torch's own; every schedule starts and ends where it says."""

import itertools

import pytest
import torch

from nnbench import Arm, fit
from nnbench.config import OPTIMIZERS, SCHEDULES, ConfigError
from nnbench.optim import Schedule, make_optimizer

ORACLES = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
}


def descend(optimizer_of):
    weights = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = optimizer_of([weights])
    for _ in range(10):
        optimizer.zero_grad()
        (weights**2 * torch.tensor([1.0, 10.0])).sum().backward()
        optimizer.step()
    return weights.detach()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_name_means_what_torch_does(name):
    ours = descend(lambda p: make_optimizer(Arm(optimizer=name, lr=0.01), p))
    torch.testing.assert_close(ours, descend(ORACLES[name]), rtol=1e-6, atol=0)  # fused rounds otherwise


@pytest.mark.parametrize("excludes", ["foreach", "differentiable"])
def test_who_asks_for_another_way_of_stepping_gets_it(excludes):
    arm = Arm(optimizer="adam", lr=0.01, optimizer_args={excludes: True})
    made = make_optimizer(arm, [torch.nn.Parameter(torch.ones(1))])
    assert made.defaults[excludes]
    assert not made.defaults["fused"]
    assert make_optimizer(Arm(optimizer="adam"), [torch.nn.Parameter(torch.ones(1))]).defaults["fused"]


def test_arguments_override_the_name():
    arm = Arm(optimizer="momentum", lr=0.01, optimizer_args={"momentum": 0.5})
    assert make_optimizer(arm, [torch.nn.Parameter(torch.ones(1))]).defaults["momentum"] == 0.5


def test_an_unknown_argument_names_the_optimizer():
    with pytest.raises(ConfigError, match=r"adam.*momentun"):
        make_optimizer(
            Arm(optimizer="adam", optimizer_args={"momentun": 1}), [torch.nn.Parameter(torch.ones(1))]
        )


def rates(schedule, steps=100, epochs=10, optimizer="sgd", **args):
    """The rate of each step of a training of 10 epochs of 10 steps."""
    arm = Arm(optimizer=optimizer, lr=0.1, schedule=schedule, schedule_args=args)
    parameter = torch.nn.Parameter(torch.ones(1))
    made = make_optimizer(arm, [parameter])
    moves = Schedule(arm, made, steps)
    seen = []
    for _ in range(epochs):
        for _ in range(steps // epochs):
            seen.append(made.param_groups[0]["lr"])
            parameter.grad = torch.ones(1)
            made.step()
            moves.after_step()
        moves.after_epoch()
    return seen


@pytest.mark.parametrize(
    ("schedule", "args", "first", "last"),
    [
        ("constant", {}, 0.1, 0.1),
        ("step", {"step_size": 5, "gamma": 0.1}, 0.1, 0.01),
        ("multistep", {"milestones": [2, 8], "gamma": 0.5}, 0.1, 0.025),
        ("exponential", {"gamma": 0.5}, 0.1, 0.1 * 0.5**9),
        ("linear", {}, 0.1, 0.1 * (1 - 0.99 * 0.99)),
        ("polynomial", {"power": 1.0}, 0.1, 0.001),
        ("cosine", {}, 0.1, 0.0),
        ("onecycle", {}, 0.1 / 25, 0.0),
    ],
)
def test_a_schedule_starts_and_ends_where_it_says(schedule, args, first, last):
    seen = rates(schedule, **args)
    assert seen[0] == pytest.approx(first)
    assert seen[-1] == pytest.approx(last, abs=1e-4)


def test_schedules_by_epoch_hold_still_within_one():
    seen = rates("exponential", gamma=0.5)
    assert len(set(seen[:10])) == 1
    assert seen[10] == pytest.approx(0.05)


def test_a_cycle_goes_up_and_down_again():
    seen = rates("cyclic")
    assert min(seen) == pytest.approx(0.01)
    assert max(seen) == pytest.approx(0.1, rel=0.05)
    ups = sum(later > earlier for earlier, later in itertools.pairwise(seen))
    assert 40 <= ups <= 60


def test_restarts_come_back_to_the_first_rate():
    seen = rates("cosine-restarts")
    assert seen[25] == seen[50] == pytest.approx(0.1)
    assert seen[24] < 0.01


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adagrad"])
def test_every_schedule_trains_with_every_kind_of_optimizer(schedule, optimizer):
    args = {"milestones": [1]} if schedule == "multistep" else {}
    arm = Arm(
        data="xor", model="logistic", batch_size=2, epochs=4, lr=0.01,
        optimizer=optimizer, schedule=schedule, schedule_args=args,
    )  # fmt: skip
    assert fit(arm).status == "OK"


def test_a_bad_schedule_argument_names_the_schedule():
    with pytest.raises(ConfigError, match="cosine"):
        rates("cosine", T_mox=3)
