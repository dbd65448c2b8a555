"""Channels-last weights: the same training in another order in memory, for whatever has convolutions."""

import pytest
import torch

from nnbench import Arm, fit, measure
from nnbench.training import Training
from nnbench.training.vectorised import VectorisedTraining

ARM = Arm(
    data="digits", model="cnn", model_args={"channels": (4, 6), "batch_norm": True}, optimizer="nesterov",
    lr=0.05, batch_size=48, epochs=2, precision="float64", name="x",
)  # fmt: skip
LAST = ARM.replace(memory_format="channels_last")


def first_convolution(training):
    seen = []
    layer = training.model.features.conv1_1
    layer.register_forward_hook(lambda module, inputs, output: seen.append(output.stride()))
    training.model(torch.rand(3, 1, 8, 8, dtype=torch.float64))
    return seen[0]


def test_the_channels_of_a_pixel_lie_side_by_side():
    assert first_convolution(Training(ARM))[1] == 64
    assert first_convolution(Training(LAST))[1] == 1  # even of images that have one channel


@pytest.mark.parametrize("changes", [
    {},
    {"model_args": {"channels": (4, 6), "pool": "none", "stride": 2}},
    {"model": "lenet5", "model_args": {}, "data": "fashion-mini", "max_steps": 4},
    {"model": "mlp", "model_args": {"hidden": (12,)}},
], ids=str)  # fmt: skip
def test_it_learns_the_same(changes):
    expected, found = (fit(arm.replace(**changes)).model.state_dict() for arm in (ARM, LAST))
    assert list(found) == list(expected)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-9)


def test_the_first_weights_have_one_hash_whatever_their_order_in_memory():
    expected, found = (Training(arm, seed=3).run(validate=False) for arm in (ARM, LAST))
    for weight, same in zip(found.model.parameters(), expected.model.parameters(), strict=True):
        weight.data.copy_(same.data)
    for weight, same in zip(found.model.buffers(), expected.model.buffers(), strict=True):
        weight.data.copy_(same.data)
    assert found.weights_sha256() == expected.weights_sha256()


def test_it_is_measured_like_any_other():
    record = measure(LAST.replace(precision="float32"))
    assert (record.status, record.arm["memory_format"]) == ("OK", "channels_last")


def test_many_seeds_as_one_model_learn_what_each_would():
    of = LAST.replace(model_args={"channels": (4, 6)})
    for seed, history in zip((3, 5), VectorisedTraining(of, (3, 5)).run(), strict=True):
        for name, value in fit(of, seed).model.state_dict().items():
            torch.testing.assert_close(history.model.state_dict()[name], value, rtol=0, atol=1e-9)
