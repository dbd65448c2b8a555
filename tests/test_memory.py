"""The memory pass finds what it should; its failures are reasons, not numbers."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nnbench import Arm, models
from nnbench.meters.memory import MemoryServer, Peak
from nnbench.meters.memory import server as serving
from nnbench.meters.memory.peak import Split, composed
from nnbench.meters.memory.resident import resident_peak

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
MIB = 2**20
WIDE = Arm(data="digits", model="mlp", model_args={"hidden": (1024, 1024)}, batch_size=16, lr=1e-3)


HUNGRY = """
import time, torch
from torch import nn

class Hungry(nn.Module):
    def __init__(self, classes, how):
        super().__init__()
        self.linear, self.how = nn.Linear(64, classes), how

    def forward(self, x):
        if self.how == "touched":
            block = torch.ones(2**28, dtype=torch.uint8); del block
        if self.how == "held 5 ms":
            block = torch.ones(2**28, dtype=torch.uint8); time.sleep(0.005); del block
        if self.how == "untouched":
            block = torch.empty(2**28, dtype=torch.uint8); del block
        return self.linear(x.flatten(1))

def make(input_shape, classes, how):
    return Hungry(classes, how)
"""
LOUD = """
import torch

def make(input_shape, classes):
    print('hello'); return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, classes))
"""
DEADLY = """
import os

def make(input_shape, classes):
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that finds the models above; starting one takes seconds."""
    folder = tmp_path_factory.mktemp("models")
    for name, source in (("hungry", HUNGRY), ("loud", LOUD), ("deadly", DEADLY)):
        (folder / f"{name}_model.py").write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        with MemoryServer() as running:
            yield running


@pytest.mark.parametrize(("optimizer", "copies"), [("sgd", 2), ("momentum", 3), ("adam", 4)])
def test_weights_gradients_and_state_are_there(server, optimizer, copies):
    """SGD: weights and gradients. Momentum: one copy more. Adam: two more, and none while it computes."""
    parameters = 65 * 1024 + 1025 * 1024 + 1025 * 10
    least = copies * 4 * parameters
    peak = server.measure(WIDE.replace(optimizer=optimizer))
    assert peak.reason is None
    assert least * 0.98 < peak.peak_bytes < least * 1.02 + 2 * MIB


def test_a_small_arm_after_a_fat_one_shows_its_own_peak(server):
    first = server.measure(WIDE)
    fat = server.measure(WIDE.replace(model_args={"hidden": (3000, 3000)}, optimizer="adam"))
    again = server.measure(WIDE)
    assert fat.peak_bytes > 140 * MIB
    assert again.peak_bytes == pytest.approx(first.peak_bytes, rel=0.05, abs=6 * MIB)


def test_the_order_of_arms_does_not_matter(server):
    arms = [WIDE, WIDE.replace(optimizer="adam"), Arm(data="digits", model="cnn", batch_size=256),
            Arm(data="digits", model="logistic"), WIDE.replace(batch_size=512)]  # fmt: skip
    there = {arm.name: server.measure(arm).peak_bytes for arm in arms}
    back = {arm.name: server.measure(arm).peak_bytes for arm in reversed(arms)}
    assert back == {name: pytest.approx(peak, rel=0.05, abs=6 * MIB) for name, peak in there.items()}


# known bytes


@pytest.fixture(scope="module")
def hungry(server):
    """Peak bytes of a small model that allocates 256 MiB in its forward pass, or does not."""
    arm = Arm(data="digits", model="hungry_model:make")
    return lambda how: server.measure(arm.replace(model_args={"how": how})).peak_bytes


@pytest.mark.parametrize("how", ["touched", "held 5 ms"])
def test_what_is_touched_is_found_however_briefly(hungry, how):
    assert hungry(how) - hungry("nothing") == pytest.approx(256 * MIB, rel=0.02, abs=4 * MIB)


def test_what_is_not_touched_is_not_there(hungry):
    assert abs(hungry("untouched") - hungry("nothing")) <= MIB


# the parts


@pytest.mark.parametrize(
    ("optimizer", "per_weight", "counters"),
    [("sgd", 0, 0), ("momentum", 4, 0), ("adagrad", 4, 1), ("adam", 8, 1)],
)
def test_the_parts_are_exact_and_the_rest_is_what_is_left(server, optimizer, per_weight, counters):
    peak = server.measure(WIDE.replace(optimizer=optimizer))
    parameters = 65 * 1024 + 1025 * 1024 + 1025 * 10
    assert peak.parameter_bytes == peak.gradient_bytes == 4 * parameters
    assert (
        peak.optimizer_bytes == per_weight * parameters + counters * 4 * 6
    )  # weights and biases of 3 layers
    parts = peak.parameter_bytes + peak.gradient_bytes + peak.optimizer_bytes + peak.activation_bytes
    assert peak.rest_bytes == peak.peak_bytes - parts
    assert set(peak.reasons()) == {"reserved_bytes", "device_used_bytes"}
    assert "CPU" in peak.reasons()["reserved_bytes"]


SIZES = (32, 64, 128, 256, 512)


@pytest.mark.parametrize(
    ("model", "args"), [("mlp", {}), ("mlp", {"hidden": (64, 64), "dropout": 0.5}), ("cnn", {"batch_norm": True})],
    ids=str,
)  # fmt: skip
def test_activations_are_linear_in_the_batch(server, model, args):
    arms = Arm(data="synthetic", model=model, model_args=args, lr=1e-3).vary(batch_size=SIZES)
    found = [server.measure(arm).activation_bytes for arm in arms]
    assert np.corrcoef(SIZES, found)[0, 1] ** 2 > 0.99
    slopes = np.diff(found) / np.diff(SIZES)
    assert slopes.max() - slopes.min() < 0.001 * slopes.mean()


def test_two_threads_after_a_data_set_was_read_in_the_server(server):
    """A thread pool of the server would leave its child waiting for ever."""
    assert server.measure(Arm(data="synthetic", model="cnn", threads=2)).reason is None


# failures are reasons


def test_what_a_model_prints_does_not_get_between_the_answers(server):
    assert server.measure(Arm(data="digits", model="loud_model:make")).reason is None


def test_an_arm_that_fails_gives_the_reason(server):
    peak = server.measure(Arm(data="digits", model="mlp", model_args={"hiden": (3,)}))
    assert peak.peak_bytes is None
    assert "hiden" in peak.reason


def test_a_child_that_is_killed_gives_the_reason_and_the_next_arm_runs(server):
    assert "wait status 9" in server.measure(Arm(data="digits", model="deadly_model:make")).reason
    assert server.measure(WIDE).reason is None


def test_a_server_that_died_gives_the_reason_and_comes_back():
    with MemoryServer() as own:
        own._process.kill()
        own._process.wait()
        assert "died" in own.measure(WIDE).reason
        assert own.measure(WIDE).reason is None


def test_who_has_waited_finds_the_imports_done():
    with MemoryServer() as own:
        own.wait()
        assert "libtorch" in Path(f"/proc/{own._process.pid}/maps").read_text()
        own._process.kill()
        own._process.wait()
        own.wait()  # who died is told by what is measured then
        assert own.measure(WIDE).reason is None


def test_elsewhere_than_on_linux_there_is_a_reason(server, monkeypatch):
    monkeypatch.setattr(serving.sys, "platform", "darwin")
    assert "darwin" in server.measure(WIDE).reason


def test_the_pass_in_this_process():
    """The child's own function, run here so that its lines are seen; only the sign can be trusted."""
    peak = resident_peak(WIDE, 0, None)
    assert peak.peak_bytes >= 0
    assert peak.parameter_bytes == 4 * models.parameter_count(
        models.build("mlp", (1, 8, 8), 10, WIDE.model_args)
    )


def test_answers_are_json_also_for_nonsense(tmp_path):
    path = tmp_path / "answer"
    with open(path, "w") as pipe:
        serving._answer("not json", pipe)
    assert "JSONDecodeError" in path.read_text()


@pytest.mark.parametrize(
    "line",
    ["not json", "{}", '{"arm": {"data": "mednist"}, "data_folder": "/nowhere"}', '{"arm": {"data": []}}'],
)
def test_what_the_server_cannot_read_ahead_is_left_to_the_child(line):
    serving._share_data(line)


def test_preparing_leaves_one_thread(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(serving.gc, "freeze", lambda: None)
    try:
        serving._prepare()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)


# what a peak says

SPLIT = Split(parameter_bytes=10 * MIB, gradient_bytes=10 * MIB, optimizer_bytes=0, activation_bytes=5 * MIB)


@pytest.mark.parametrize(("measured", "rest"), [(30, 5), (25, 0), (24, -1)])
def test_the_rest_may_be_a_little_below_zero_and_is_shown(measured, rest):
    assert composed(measured * MIB, SPLIT).rest_bytes == rest * MIB


def test_a_peak_far_below_its_parts_has_no_rest_but_a_reason():
    peak = composed(20 * MIB, SPLIT)
    assert peak.rest_bytes is None
    assert "more than the peak" in peak.reasons()["rest_bytes"]
    assert peak.parameter_bytes == 10 * MIB


def test_parts_that_could_not_be_counted_leave_the_peak():
    peak = composed(MIB, "TypeError: no")
    assert peak.peak_bytes == MIB
    assert peak.reasons()["rest_bytes"] == peak.reasons()["activation_bytes"] == "TypeError: no"


def test_every_figure_that_is_none_has_a_reason():
    assert set(Peak(peak_bytes=None, reason="why").reasons().values()) == {"why"}
    assert "peak_bytes" not in Peak(peak_bytes=1).reasons()
    assert len(Peak(peak_bytes=1).figures()) == 8
