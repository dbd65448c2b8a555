"""The parts of a training's memory, exact to the byte; the pass on a CUDA device, with a fake one."""

import os
import sys
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nnbench import Arm
from nnbench.meters.memory import cuda, cuda_peak, steps
from nnbench.meters.memory.split import _bytes, saved_bytes, split_of, state_bytes
from nnbench.meters.memory.steps import STEPS, make, run_steps

MIB = 2**20


def batch(size, features=64):
    return torch.randn(size, features), torch.zeros(size, dtype=torch.int64)


def kept_by_loss(size, classes):
    """log_softmax keeps its output; nll_loss that, the labels (of the batch) and a total weight of 4 bytes."""
    return 4 * size * classes + 4


# activations


def test_a_dense_layer_keeps_its_input_which_is_the_batch():
    x, y = batch(32)
    assert saved_bytes(nn.Linear(64, 10), F.cross_entropy, x, y) == 4 * 32 * 64 + 8 * 32 + kept_by_loss(
        32, 10
    )


def test_a_hidden_layer_with_relu_keeps_its_output_once():
    """ReLU keeps its output, which the next layer keeps as its input: one storage."""
    x, y = batch(32)
    model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    expected = 4 * 32 * 64 + 8 * 32 + 4 * 32 * 100 + kept_by_loss(32, 10)
    assert saved_bytes(model, F.cross_entropy, x, y) == expected
    model[1].inplace = True
    assert saved_bytes(model, F.cross_entropy, x, y) == expected


def test_weights_and_running_means_do_not_count():
    x, y = batch(16)
    plain = nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 10))
    normed = nn.Sequential(plain[0], nn.BatchNorm1d(8), plain[1])
    more = saved_bytes(normed, F.cross_entropy, x, y) - saved_bytes(plain, F.cross_entropy, x, y)
    # its input, mean and deviation, and (on a CPU) an empty reserve
    assert more == 4 * 16 * 8 + 2 * 4 * 8


def test_frozen_layers_keep_nothing_for_their_weights():
    x, y = batch(16)
    model = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    model[0].requires_grad_(False)
    assert saved_bytes(model, F.cross_entropy, x, y) == 4 * 16 * 64 + 8 * 16 + 4 * 16 * 8 + kept_by_loss(
        16, 10
    )


def test_it_counts_inside_no_grad_too():
    x, y = batch(4)
    with torch.no_grad():
        assert saved_bytes(nn.Linear(64, 10), F.cross_entropy, x, y) > x.nbytes + y.nbytes


# state of the optimizer, gradients


@pytest.mark.parametrize(
    ("make_optimizer", "per_weight", "per_tensor"),
    [
        (lambda p: torch.optim.SGD(p, lr=0.1), 0, 0),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), 4, 0),
        (lambda p: torch.optim.Adagrad(p), 4, 4),
        (lambda p: torch.optim.RMSprop(p), 4, 4),
        (lambda p: torch.optim.Adam(p), 8, 4),
        (lambda p: torch.optim.AdamW(p, amsgrad=True), 12, 4),
    ],
    ids=["sgd", "momentum", "adagrad", "rmsprop", "adam", "amsgrad"],
)
def test_the_state_of_an_optimizer_to_the_byte(make_optimizer, per_weight, per_tensor):
    model = nn.Linear(64, 10)
    optimizer = make_optimizer(model.parameters())
    for _ in range(2):
        model(torch.randn(3, 64)).sum().backward()
        optimizer.step()
    assert state_bytes(optimizer) == per_weight * 650 + per_tensor * 2


def test_state_that_refers_to_the_weights_is_not_counted_twice():
    weight = nn.Parameter(torch.ones(100))
    weight.grad = torch.ones(100)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    optimizer.state[weight] = {
        "last": weight.detach(),
        "grad": weight.grad,
        "seen": 3,
        "more": [torch.ones(5)],
    }
    assert state_bytes(optimizer) == 20


@pytest.mark.parametrize(("precision", "size"), [("float32", 4), ("float64", 8)])
def test_the_split_of_a_training(precision, size):
    arm = Arm(data="digits", model="logistic", optimizer="adam", batch_size=16, precision=precision)
    split = split_of(run_steps(make(arm, 0, None)))
    assert split.parameter_bytes == split.gradient_bytes == size * 650
    assert split.optimizer_bytes == 2 * size * 650 + 2 * 4
    assert split.activation_bytes == size * 16 * 64 + 8 * 16 + size * 16 * 10 + size
    total = split.parameter_bytes + split.gradient_bytes + split.optimizer_bytes + split.activation_bytes
    assert split.total_bytes == total


def test_a_dataloader_s_samples_are_counted_alike():
    arm = Arm(data="digits", model="logistic", batch_size=16)
    both = [
        split_of(run_steps(make(arm.replace(loader=loader), 0, None))) for loader in ("tensors", "dataloader")
    ]
    assert both[0] == both[1]


def test_sparse_gradients_count_what_they_hold():
    table = nn.EmbeddingBag(1000, 4, sparse=True)
    table(torch.tensor([[1, 2], [3, 4]])).sum().backward()
    assert _bytes(weight.grad for weight in table.parameters()) == 4 * (8 + 4 * 4)


def test_parts_that_cannot_be_counted_are_a_reason():
    training = make(Arm(data="digits", model="logistic"), 0, None)
    training.loss_of = None
    assert "TypeError" in split_of(training)


# the steps


def test_the_steps_end_and_the_samples_are_gathered_as_in_the_arm_s_own_training():
    arm = Arm(data="digits", model="logistic", batch_size=1, epochs=1, max_steps=100)
    training = make(arm, 0, None)
    history = training.run(steps._Stop(), validate=False)
    assert (history.steps, training.planned_steps) == (STEPS, 100)


def test_a_budget_below_the_steps_is_raised_to_them():
    arm = Arm(data="xor", model="logistic", batch_size="full", epochs=1, max_steps=1)
    assert make(arm, 0, None).planned_steps == STEPS


def test_a_model_that_is_measured_leaves_the_random_numbers_alone():
    arm = Arm(data="digits", model="mlp", model_args={"hidden": (8,), "dropout": 0.5})
    training = run_steps(make(arm, 0, None))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    split_of(training)
    assert torch.equal(torch.get_rng_state(), before)


# a CUDA device that is none


@pytest.fixture
def gpu(monkeypatch):
    """torch.cuda's counters and NVML, as told."""
    told = SimpleNamespace(
        allocated=3 * MIB, most=40 * MIB, reserved=64 * MIB, calls=[], used={os.getpid(): 500 * MIB}
    )
    for name, value in {
        "empty_cache": lambda: told.calls.append("empty"),
        "reset_peak_memory_stats": lambda device: told.calls.append("reset"),
        "memory_allocated": lambda device: told.allocated,
        "max_memory_allocated": lambda device: told.most,
        "max_memory_reserved": lambda device: told.reserved,
        "get_device_properties": lambda device: SimpleNamespace(uuid="1-2"),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: told.calls.append("shutdown"),
        nvmlDeviceGetHandleByUUID=lambda uuid: told.calls.append(uuid),
        nvmlDeviceGetComputeRunningProcesses=lambda handle: [
            SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in told.used.items()
        ],
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    told.nvml = nvml
    return told


ON_THE_FAKE = Arm(data="digits", model="logistic", batch_size=16, device="cpu")


def test_three_figures_and_the_parts(gpu):
    peak = cuda_peak(ON_THE_FAKE, 0, None)
    samples = 1797 * (64 + 8)
    assert 37 * MIB - samples - 4 * 512 <= peak.peak_bytes <= 37 * MIB - samples
    assert (peak.reserved_bytes, peak.device_used_bytes) == (64 * MIB, 500 * MIB)
    assert peak.parameter_bytes == 4 * 650
    assert peak.reasons() == {}
    assert gpu.calls == ["empty", "reset", "GPU-1-2", "shutdown"]


def test_the_only_process_on_the_device_is_this_one(gpu):
    gpu.used = {4_000_000_000: 7 * MIB}
    assert cuda.device_used_bytes(torch.device("cpu")) == 7 * MIB


@pytest.mark.parametrize(
    ("used", "word"),
    [({}, "0 processes"), ({1: 5, 2: 6}, "2 processes"), ({os.getpid(): None}, "does not tell")],
)
def test_what_nvml_does_not_tell_is_a_reason(gpu, used, word):
    gpu.used = used
    assert word in cuda.device_used_bytes(torch.device("cpu"))
    peak = cuda_peak(ON_THE_FAKE, 0, None)
    assert peak.device_used_bytes is None
    assert word in peak.reasons()["device_used_bytes"]


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetHandleByUUID"])
def test_an_nvml_that_fails_is_a_reason(gpu, call):
    def fail(*_):
        raise RuntimeError("not here")

    setattr(gpu.nvml, call, fail)
    assert cuda.device_used_bytes(torch.device("cpu")) == "NVML: not here"
