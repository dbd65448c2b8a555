"""Weights that change in the backward pass: the same training, without gradients, or a refusal."""

import pytest
import torch
from torch import nn

from nnbench import Arm, fit, measure
from nnbench.config import ConfigError
from nnbench.meters.memory.split import split_of
from nnbench.meters.memory.steps import make, run_steps
from nnbench.training import Training
from nnbench.training.phased import PhasedTraining

ARM = Arm(data="digits", lr=0.2, batch_size=48, epochs=2, precision="float64", name="x")
MODELS = {
    "logistic": {},
    "mlp": {"hidden": (20, 12), "dropout": 0.2},
    "cnn": {"channels": (4, 6), "batch_norm": True},
}


class Twice(nn.Module):
    """A linear layer that a sample passes twice."""

    def __init__(self, shared):
        super().__init__()
        self.one, self.two = nn.Linear(64, 64), nn.Linear(64, 64)
        self.last = nn.Linear(64, 10)
        if shared:
            self.two.weight = self.one.weight

    def forward(self, x):
        return self.last(self.one(torch.relu(self.one(x.flatten(1)))))


class Sequences(nn.Module):
    """Linear layers over rows: their input has three dimensions."""

    def __init__(self):
        super().__init__()
        self.rows, self.last = nn.Linear(8, 5), nn.Linear(40, 10, bias=False)

    def forward(self, x):
        return self.last(torch.tanh(self.rows(x.squeeze(1))).flatten(1))


def twice(input_shape, classes, *, shared=False):
    return Twice(shared)


def sequences(input_shape, classes):
    return Sequences()


def convolution(input_shape, classes):
    return nn.Sequential(nn.Conv2d(1, classes, 8), nn.Flatten())


def weights(arm, seed=0):
    return fit(arm, seed).model.state_dict()


@pytest.mark.parametrize("changes", [
    *({"model": name, "model_args": args} for name, args in MODELS.items()),
    {"model": "mlp", "optimizer_args": {"weight_decay": 0.01}},
    {"model": "mlp", "schedule": "cosine"},
    {"model": "mlp", "batch_size": 1, "epochs": 1, "max_steps": 100, "lr": 0.01},
    {"model": f"{__name__}:sequences"},
], ids=str)  # fmt: skip
def test_the_weights_are_those_of_an_ordinary_training(changes):
    arm = ARM.replace(**changes)
    expected, found = weights(arm), weights(arm.replace(execution="in-backward"))
    assert list(found) == list(expected)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-10)


def test_in_single_precision_it_learns_the_same():
    arm = ARM.replace(model="mlp", precision="float32")
    expected, found = weights(arm), weights(arm.replace(execution="in-backward"))
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-4)


def test_the_loop_that_tells_its_phases_does_the_same():
    arm = ARM.replace(model="mlp", execution="in-backward")
    told = PhasedTraining(arm).run().model.state_dict()
    assert all(torch.equal(told[name], found) for name, found in weights(arm).items())


def test_no_gradient_is_kept():
    arm = ARM.replace(model="mlp", execution="in-backward")
    training = run_steps(make(arm, 0, None))
    assert all(weight.grad is None for weight in training.model.parameters())
    split = split_of(run_steps(make(arm, 0, None)))
    assert split.gradient_bytes == 0
    assert (
        split.parameter_bytes
        == split_of(run_steps(make(arm.replace(execution="eager"), 0, None))).parameter_bytes
    )


def test_it_is_measured_like_any_other():
    record = measure(ARM.replace(model="mlp", execution="in-backward"))
    assert record.status == "OK"
    assert record.metrics["gradient_bytes"] == 0
    assert record.arm["execution"] == "in-backward"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"optimizer": "adam"}, "adam needs whole gradients; take sgd"),
        ({"optimizer": "momentum"}, "momentum needs whole gradients; take plain sgd"),
        ({"optimizer_args": {"maximize": True}}, "maximize needs whole gradients"),
        ({"model": f"{__name__}:convolution"}, "convolution has no linear layer inside"),
        (
            {"model": f"{__name__}:twice", "model_args": {"shared": True}},
            "the weights of one belong to another",
        ),
    ],
)
def test_what_would_not_be_the_same_is_refused(changes, why):
    with pytest.raises(ConfigError, match=f"x: execution 'in-backward' is not possible: .*{why}"):
        Training(ARM.replace(model="mlp").replace(**changes).replace(execution="in-backward"))


def test_ranks_are_refused_before_any_starts():
    with pytest.raises(
        ConfigError, match="execution: 'in-backward' has no gradients that 2 ranks could average"
    ):
        ARM.replace(ranks=2, execution="in-backward")


def test_a_layer_that_is_used_twice_is_found_in_the_first_step():
    with pytest.raises(ConfigError, match="a linear layer is used twice in one step"):
        fit(ARM.replace(model=f"{__name__}:twice", execution="in-backward"))
