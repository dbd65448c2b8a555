"""Whole steps as a CUDA graph: the same training, replayed; without a GPU by a fake that notes and repeats."""

import pytest
import torch
from torch import nn

import fake_graphs
from nnbench import Arm, fit, measure
from nnbench.config import ConfigError
from nnbench.devices import DeviceMissing
from nnbench.meters.phases import measure_phases
from nnbench.training import Training
from nnbench.training.phased import PhasedTraining
from nnbench.training.vectorised import NotVectorisable, VectorisedTraining

# 1,500 samples or so in batches of 48: the last is short
ARM = Arm(
    data="digits", model="cnn", model_args={"channels": (4, 6), "batch_norm": True}, optimizer="momentum",
    lr=0.05, batch_size=48, epochs=2, precision="float64", name="x",
)  # fmt: skip
GRAPH = ARM.replace(execution="cuda-graph")


@pytest.fixture
def graphs(monkeypatch):
    return fake_graphs.install(monkeypatch)


class Reading(nn.Module):
    """Reads a number back amid its forward pass."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        return self.last(x.flatten(1)) * (1 if x.sum().item() > 0 else 2)


def reading(input_shape, classes):
    return Reading()


def same_weights(one, other, atol=0.0):
    assert list(one) == list(other)
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=atol)


@pytest.mark.parametrize("changes", [
    {},
    {"optimizer": "sgd"},
    {"optimizer": "nesterov", "optimizer_args": {"weight_decay": 0.01}},
    {"optimizer": "adam", "lr": 0.002},
    {"optimizer": "rmsprop", "lr": 0.002},
    {"loader": "dataloader"},
    {"batch_size": "full", "epochs": 5},
    {"max_steps": 3},
    {"memory_format": "channels_last"},
    {"precision": "float32"},
    {"precision": "bf16-mixed"},
], ids=str)  # fmt: skip
def test_it_learns_what_eager_steps_do(graphs, monkeypatch, changes):
    arm = GRAPH.replace(**changes)
    if arm.optimizer in ("adam", "rmsprop"):  # torch counts steps on the device for CUDA tensors alone
        monkeypatch.setattr("nnbench.optim.optimizers.CAPTURABLE", {arm.optimizer: {}})
    expected, found = fit(arm.replace(execution="eager")), fit(arm)
    same_weights(found.model.state_dict(), expected.model.state_dict(), atol=1e-12)
    assert found.curves == expected.curves
    assert [graph.captures for graph in graphs] == [1]


def test_full_batches_are_replayed_and_the_short_one_is_not(graphs):
    training = Training(GRAPH)
    full, rest = divmod(len(training.train), 48)
    assert rest
    history = training.run()
    assert history.steps == 2 * (full + 1)
    assert graphs[0].replays == 2 * full


def test_the_losses_of_all_steps_are_kept_though_each_overwrites_the_one_before(graphs):
    expected, found = (measure(arm, memory=False).samples["step_loss"] for arm in (ARM, GRAPH))
    assert found == expected
    assert len(set(found["values"])) == len(found["values"])


def test_trial_steps_and_capture_leave_nothing_behind(graphs):
    training, untouched = Training(GRAPH), Training(ARM)
    assert training.make_ready()
    assert not training.make_ready()
    assert graphs[0].replays == 0
    same_weights(training.model.state_dict(), untouched.model.state_dict())
    state = [value for each in training.optimizer.state.values() for value in each.values()]
    assert state
    assert not any(value.any() for value in state)


def test_the_optimizers_count_their_steps_on_the_device():
    adam, sgd = (GRAPH.replace(optimizer=name) for name in ("adam", "sgd"))
    from nnbench.optim import make_optimizer

    weights = [nn.Parameter(torch.zeros(2))]
    assert make_optimizer(adam, weights).defaults["capturable"]
    assert "capturable" not in make_optimizer(sgd, weights).defaults
    assert not make_optimizer(adam.replace(execution="eager"), weights).defaults["capturable"]


def test_what_a_graph_cannot_hold_is_refused_with_the_way_out(graphs):
    arm = GRAPH.replace(model=f"{__name__}:reading", model_args={})
    with pytest.raises(ConfigError, match="cannot hold a step of this model: operation not permitted when"):
        fit(arm)


def test_out_of_memory_is_told_as_such(graphs, monkeypatch):
    def full(graph):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.cuda, "graph", full)
    assert measure(GRAPH, memory=False).status == "OOM"


def test_the_capture_is_measured_apart(graphs):
    record = measure(GRAPH, memory=False)
    assert record.status == "OK"
    assert record.metrics["compile_s"] > 0
    assert "compile_s" not in measure(ARM, memory=False).metrics


def test_phases_have_a_reason_to_be_null(graphs):
    assert "replays a step as a whole" in measure_phases(GRAPH).reason
    record = measure(GRAPH, memory=False, phases=True)
    assert record.metrics["forward_s"] is None
    assert "replays a step as a whole" in record.missing["forward_s"]
    with pytest.raises(ConfigError, match="'cuda-graph' replays whole steps, without phases; take 'eager'"):
        PhasedTraining(GRAPH)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_cuda_device_it_is_skipped_with_the_way_out():
    with pytest.raises(DeviceMissing, match="'cuda-graph' needs a CUDA device, and this arm trains on cpu"):
        Training(GRAPH)
    record = measure(GRAPH, memory=False)
    assert record.status == "SKIPPED"
    assert "take execution 'eager' or 'compiled'" in record.reason


def test_many_seeds_as_one_model_are_refused():
    with pytest.raises(NotVectorisable, match="the execution 'cuda-graph' makes the steps of one model"):
        VectorisedTraining(GRAPH, (0, 1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("changes", [
    {},
    {"optimizer": "adam", "lr": 0.002},
    {"model": "mlp", "model_args": {"hidden": (32,), "dropout": 0.3}, "optimizer": "rmsprop", "lr": 0.002},
    {"precision": "bf16-mixed", "memory_format": "channels_last"},
], ids=str)  # fmt: skip
def test_on_a_gpu_it_learns_what_eager_steps_do(changes):
    arm = GRAPH.replace(device="cuda", precision="float32").replace(**changes)
    expected, found = fit(arm.replace(execution="eager")), fit(arm)
    same_weights(found.model.state_dict(), expected.model.state_dict(), atol=1e-3)
    assert found.curves["validation_loss"] == pytest.approx(expected.curves["validation_loss"], rel=0.02)
