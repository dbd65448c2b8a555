"""Every optimizer is a library's or equals one; every schedule starts and ends where it says."""

import itertools
import sys

import pytest
import pytorch_optimizer
import torch

from nnbench import Arm, fit
from nnbench.benchmarking import measure
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
    "lars": lambda p: pytorch_optimizer.LARS(p, lr=0.01),
    "lamb": lambda p: pytorch_optimizer.Lamb(p, lr=0.01),
    "slide-momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),  # while the rate is constant
    "slide-adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01, eps=0),  # squares are far above its 1e-8
    "slide-adams": lambda p: ByHand(p, adams),
}
# With every keyword set to something else than its default.
ALL_SET = {
    "sgd": {"weight_decay": 0.1},
    "momentum": {"momentum": 0.7, "dampening": 0.2, "weight_decay": 0.1},
    "nesterov": {"momentum": 0.7, "weight_decay": 0.1, "nesterov": True},
    "adagrad": {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.3, "eps": 0.01},
    "rmsprop": {"alpha": 0.9, "eps": 0.01, "weight_decay": 0.1, "momentum": 0.5, "centered": True},
    "adam": {"betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.1, "amsgrad": True},
    "adamw": {"betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.1, "amsgrad": True},
    "lars": {"momentum": 0.7, "weight_decay": 0.1, "trust_coefficient": 0.1},
    "lamb": {
        "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.1, "weight_decouple": False,
        "grad_averaging": False, "pre_norm": True, "max_grad_norm": 2.0,
    },
}  # fmt: skip
LIBRARY = {
    "sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "nesterov": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW, "lars": pytorch_optimizer.LARS, "lamb": pytorch_optimizer.Lamb,
}  # fmt: skip


class ByHand:
    """A formula of all gradients so far -> what is taken off the weights."""

    def __init__(self, weights, formula):
        (self.weights,), self.formula, self.gradients = weights, formula, []

    def zero_grad(self):
        self.weights.grad = None

    def step(self):
        self.gradients.append(self.weights.grad.clone())
        self.weights.data -= self.formula(self.gradients)


def adams(gradients, rate=0.01, momentum=0.9):
    before = gradients[-2] if len(gradients) > 1 else torch.zeros(2)
    return rate * (gradients[-1] + momentum * before) / sum(g**2 for g in gradients).sqrt()


def adagrad_with_eps_inside(gradients, rate=0.01, eps=0.3):
    return rate * gradients[-1] / (sum(g**2 for g in gradients) + eps).sqrt()


def path(optimizer_of, steps=10):
    """The weights after each step, (steps, 2)."""
    weights = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = optimizer_of([weights])
    places = []
    for _ in range(steps):
        optimizer.zero_grad()
        (weights**2 * torch.tensor([1.0, 10.0])).sum().backward()
        optimizer.step()
        places.append(weights.detach().clone())
    return torch.stack(places)


def descend(optimizer_of):
    return path(optimizer_of)[-1]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_name_means_what_torch_does(name):
    ours = descend(lambda p: make_optimizer(Arm(optimizer=name, lr=0.01), p))
    torch.testing.assert_close(ours, descend(ORACLES[name]), rtol=5e-6, atol=0)  # rounded otherwise


@pytest.mark.parametrize("name", ALL_SET)
def test_with_every_keyword_set_each_step_is_the_library_s(name):
    arm = Arm(optimizer=name, lr=0.02, optimizer_args=ALL_SET[name])
    ours = path(lambda p: make_optimizer(arm, p))
    theirs = path(lambda p: LIBRARY[name](p, lr=0.02, **ALL_SET[name]))
    torch.testing.assert_close(ours, theirs, rtol=5e-6, atol=1e-7)
    assert not torch.allclose(
        ours, path(lambda p: make_optimizer(Arm(optimizer=name, lr=0.02), p)), rtol=1e-4
    )


def test_the_slides_formulas_with_other_settings():
    ours = path(
        lambda p: make_optimizer(Arm(optimizer="slide-adagrad", lr=0.01, optimizer_args={"eps": 0.3}), p)
    )
    torch.testing.assert_close(ours, path(lambda p: ByHand(p, adagrad_with_eps_inside)))
    arm = Arm(optimizer="slide-adams", lr=0.01, optimizer_args={"momentum": 0.5})
    by_hand = path(lambda p: ByHand(p, lambda gradients: adams(gradients, momentum=0.5)))
    torch.testing.assert_close(path(lambda p: make_optimizer(arm, p)), by_hand)


def test_the_slide_s_momentum_keeps_older_rates_where_torch_does_not():
    def last_step(name):
        weight = torch.nn.Parameter(torch.zeros(1))
        optimizer = make_optimizer(Arm(optimizer=name, lr=1.0, optimizer_args={"momentum": 0.5}), [weight])
        for rate in (1.0, 0.1):
            optimizer.param_groups[0]["lr"] = rate
            before, weight.grad = weight.item(), torch.ones(1)
            optimizer.step()
        return float(before - weight.detach())

    assert last_step("slide-momentum") == pytest.approx(0.1 + 0.5)
    assert last_step("momentum") == pytest.approx(0.1 * 1.5)


@pytest.mark.parametrize("name", ["slide-momentum", "slide-adagrad", "slide-adams"])
def test_the_slides_formulas_stay_where_there_is_no_gradient(name):
    weight = torch.nn.Parameter(torch.tensor([2.0, -1.0]))
    optimizer = make_optimizer(Arm(optimizer=name, lr=0.1), [weight])
    optimizer.step()  # no gradient at all
    weight.grad = torch.zeros(2)
    assert optimizer.step(lambda: weight.sum() * 0 + 7).item() == 7
    assert weight.tolist() == [2.0, -1.0]


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("slide-momentum", {"momentum": 1.0}, "momentum: expected 0 to below 1, got 1.0"),
        ("slide-adagrad", {"eps": -1.0}, "eps: expected 0 or more, got -1.0"),
        ("slide-adams", {"eps": 1.0}, "slide-adams with .*eps"),
        ("lamb", {"beta": 0.9}, "lamb takes no 'beta'; it takes lr, betas"),
    ],
)
def test_settings_out_of_range_are_named(name, args, message):
    with pytest.raises(ConfigError, match=message):
        make_optimizer(Arm(optimizer=name, optimizer_args=args), [torch.nn.Parameter(torch.ones(1))])


def test_without_its_package_lamb_is_skipped(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    arm = Arm(data="xor", model="logistic", optimizer="lamb", batch_size="full", epochs=1)
    record = measure(arm, memory=False)
    assert record.status == "SKIPPED"
    assert "pip install -e '.[optim]'" in record.reason


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
