"""precision='bf16-mixed': products in bfloat16, everything that is kept in float32, and equal learning."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nnbench import Arm, devices, fit, measure
from nnbench.training import Training
from nnbench.training.phased import PhasedTraining
from nnbench.training.vectorised import NotVectorisable, VectorisedTraining

# calm enough that a difference does not grow: with momentum and a high rate, rounding soon decides the path
ARM = Arm(
    data="digits", model="cnn", model_args={"channels": (4, 6), "batch_norm": True}, optimizer="sgd",
    lr=0.02, batch_size=48, epochs=4, normalize=True, name="x",
)  # fmt: skip
MIXED = ARM.replace(precision="bf16-mixed")


class Seen(nn.Module):
    """A linear layer that notes the format of its outputs, and in which mode."""

    def __init__(self):
        super().__init__()
        self.last, self.formats = nn.Linear(64, 10), set()

    def forward(self, x):
        outputs = self.last(x.flatten(1))
        self.formats.add((self.training, outputs.dtype))
        return outputs


def seen(input_shape, classes):
    return Seen()


@pytest.mark.parametrize("loader", ["tensors", "dataloader"])
def test_products_are_bfloat16_in_training_and_evaluation(loader):
    history = fit(MIXED.replace(model=f"{__name__}:seen", model_args={}, loader=loader))
    assert history.model.formats == {(True, torch.bfloat16), (False, torch.bfloat16)}


def test_weights_gradients_optimizer_and_losses_stay_float32():
    training = Training(MIXED.replace(optimizer="momentum"))
    heard = []
    loss_of = training.loss_of
    training.loss_of = lambda outputs, labels: heard.append(loss_of(outputs, labels)) or heard[-1]
    training.run()
    assert {loss.dtype for loss in heard} == {torch.float32}
    kept = [*training.model.parameters(), *(weight.grad for weight in training.model.parameters())]
    kept += [state["momentum_buffer"] for state in training.optimizer.state.values()]
    assert {tensor.dtype for tensor in kept} == {torch.float32}


@pytest.mark.parametrize("changes", [
    {},
    {"loader": "dataloader"},
    {"model": "mlp", "model_args": {"hidden": (32,)}},
    {"optimizer": "adam", "lr": 0.002},
    {"memory_format": "channels_last"},
], ids=str)  # fmt: skip
def test_it_learns_nearly_the_same_and_not_bit_for_bit(changes):
    expected, found = (fit(arm.replace(**changes)) for arm in (ARM, MIXED))
    assert found.weights_sha256() != expected.weights_sha256()
    for name in ("train_loss", "validation_loss"):
        assert found.curves[name] == pytest.approx(expected.curves[name], rel=0.02)


def test_the_first_loss_differs_by_rounding_alone():
    """bfloat16 has 8 bits: a product is off by 2^-9, and so about is the loss of one batch."""
    losses = []
    for arm in (ARM, MIXED):
        training = Training(arm)
        x, y = next(training.train.scoring_batches())
        with devices.autocast(training.device, arm.precision), torch.no_grad():
            losses.append(F.cross_entropy(training.model(x), y).item())
    assert 0 < abs(losses[1] / losses[0] - 1) < 2**-7


def test_outside_of_a_training_nothing_is_cast():
    fit(MIXED.replace(epochs=1))
    assert not torch.is_autocast_enabled("cpu")
    with devices.autocast(torch.device("cpu"), "float32"):
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == torch.float32


def test_the_loop_that_tells_its_phases_does_the_same():
    assert PhasedTraining(MIXED).run().weights_sha256() == fit(MIXED).weights_sha256()


def test_it_is_measured_against_the_peak_of_its_products(monkeypatch):
    asked = []
    from nnbench.benchmarking import costs

    def peak(device, dtype, threads):
        asked.append(dtype)
        return real(device, dtype, threads, sizes=(64,))

    real = costs.matmul_peak
    costs._matmul.cache_clear()
    monkeypatch.setattr(costs, "matmul_peak", peak)
    record, plain = measure(MIXED, phases=True), measure(ARM)
    costs._matmul.cache_clear()
    assert record.status == "OK"
    assert asked == [torch.bfloat16, torch.float32]
    assert record.metrics["flops_per_sample"] == plain.metrics["flops_per_sample"]
    assert record.metrics["parameter_bytes"] == plain.metrics["parameter_bytes"]
    assert record.metrics["activation_bytes"] != plain.metrics["activation_bytes"]
    assert record.metrics["forward_s"] > 0
    # the shortest decimals that read back as float32
    values = record.samples["step_loss"]["values"]
    assert all(len(str(value)) < 14 for value in values)


def test_many_seeds_as_one_model_are_refused():
    with pytest.raises(NotVectorisable, match="the precision 'bf16-mixed' rounds otherwise where many"):
        VectorisedTraining(MIXED, (0, 1))
