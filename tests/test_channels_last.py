"""memory_format='channels_last': the same training in another order in memory."""

import pytest
import torch

from nnbench import Arm, fit, measure
from nnbench.data.synthetic import coded_noise
from nnbench.training import History, Training
from nnbench.training.phased import PhasedTraining
from nnbench.training.vectorised import VectorisedTraining

ARM = Arm(
    data="digits", model="cnn", model_args={"channels": (4, 6), "batch_norm": True}, optimizer="nesterov",
    lr=0.05, batch_size=48, epochs=2, precision="float64", name="x",
)  # fmt: skip
LAST = ARM.replace(memory_format="channels_last")


def strides_of_the_first_convolution(training):
    seen = []
    training.model.features.conv1_1.register_forward_hook(lambda layer, x, out: seen.append(out.stride()))
    training.model(torch.rand(3, 1, 8, 8, dtype=torch.float64))
    return seen[0]


def test_the_channels_of_a_pixel_lie_side_by_side():
    assert strides_of_the_first_convolution(Training(ARM))[1] == 64
    assert strides_of_the_first_convolution(Training(LAST))[1] == 1  # even of images that have one channel


@pytest.mark.parametrize("loader", ["tensors", "dataloader"])
def test_images_of_several_channels_come_that_way(loader):
    arm = LAST.replace(data=f"{__name__}:coloured", loader=loader)
    training = Training(arm)
    x, _ = next(training.train.scoring_batches())
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert not x.is_contiguous()
    plain, _ = next(Training(arm.replace(memory_format="contiguous")).train.scoring_batches())
    assert torch.equal(x, plain)


def coloured(folder=None):
    return coded_noise(train=60, validation=30, shape=(3, 8, 8))


@pytest.mark.parametrize("changes", [
    {},
    {"loader": "dataloader"},
    {"model_args": {"channels": (4, 6), "pool": "none", "stride": 2}},
    {"data": f"{__name__}:coloured", "normalize": True},
    {"model": "lenet5", "model_args": {}, "data": "fashion-mini", "max_steps": 4},
    {"model": "mlp", "model_args": {"hidden": (12,)}},
], ids=str)  # fmt: skip
def test_it_learns_the_same(changes):
    expected, found = (fit(arm.replace(**changes)).model.state_dict() for arm in (ARM, LAST))
    assert list(found) == list(expected)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-9)


def test_the_first_weights_have_one_hash_whatever_their_order_in_memory():
    expected, found = Training(ARM, seed=3), Training(LAST, seed=3)
    assert found.model.features.conv2_1.weight.stride() != expected.model.features.conv2_1.weight.stride()
    assert History(found.model).weights_sha256() == History(expected.model).weights_sha256()


def test_the_loop_that_tells_its_phases_does_the_same():
    told = PhasedTraining(LAST).run().model.state_dict()
    assert all(torch.equal(told[name], found) for name, found in fit(LAST).model.state_dict().items())


def test_it_is_measured_like_any_other():
    record, plain = (measure(arm.replace(precision="float32")) for arm in (LAST, ARM))
    assert (record.status, record.arm["memory_format"]) == ("OK", "channels_last")
    assert record.metrics["flops_per_sample"] == plain.metrics["flops_per_sample"]
    assert record.metrics["activation_bytes"] > 0


def test_many_seeds_as_one_model_learn_what_each_would():
    of = LAST.replace(model_args={"channels": (4, 6)})
    for seed, history in zip((3, 5), VectorisedTraining(of, (3, 5)).run(), strict=True):
        for name, value in fit(of, seed).model.state_dict().items():
            torch.testing.assert_close(history.model.state_dict()[name], value, rtol=0, atol=1e-9)
