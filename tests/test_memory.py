"""The memory pass finds what it should; its failures are reasons, not numbers."""

import sys

import pytest

from nnbench import Arm
from nnbench.meters import memory
from nnbench.meters.memory import MemoryServer

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
MIB = 2**20
WIDE = Arm(data="digits", model="mlp", model_args={"hidden": (1024, 1024)}, batch_size=16, lr=1e-3)


@pytest.fixture(scope="module")
def server():
    with MemoryServer() as running:
        yield running


@pytest.mark.parametrize(("optimizer", "copies"), [("sgd", 2), ("momentum", 3), ("adam", 6)])
def test_weights_gradients_and_state_are_there(server, optimizer, copies):
    """SGD: weights and gradients. Momentum: one copy more. Adam: two more, and two while it computes."""
    parameters = 65 * 1024 + 1025 * 1024 + 1025 * 10
    least = copies * 4 * parameters
    peak = server.measure(WIDE.replace(optimizer=optimizer))
    assert peak.reason is None
    assert least * 0.98 < peak.peak_bytes < least * 1.02 + 2 * MIB


def test_the_order_of_arms_does_not_matter(server):
    first = server.measure(WIDE).peak_bytes
    server.measure(WIDE.replace(model_args={"hidden": (3000, 3000)}))
    assert server.measure(WIDE).peak_bytes == pytest.approx(first, rel=0.1, abs=2 * MIB)


def test_what_a_model_prints_does_not_get_between_the_answers(server, tmp_path, monkeypatch):
    (tmp_path / "loud_model.py").write_text(
        "import torch\n"
        "def make(input_shape, classes):\n"
        "    print('hello'); return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with MemoryServer() as own:
        assert own.measure(Arm(data="digits", model="loud_model:make")).reason is None


def test_an_arm_that_fails_gives_the_reason(server):
    peak = server.measure(Arm(data="digits", model="mlp", model_args={"hiden": (3,)}))
    assert peak.peak_bytes is None
    assert "hiden" in peak.reason


def test_a_child_that_is_killed_gives_the_reason_and_the_next_arm_runs(server, tmp_path, monkeypatch):
    (tmp_path / "deadly_model.py").write_text(
        "import os\ndef make(input_shape, classes):\n    os.kill(os.getpid(), 9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with MemoryServer() as own:
        assert "wait status 9" in own.measure(Arm(data="digits", model="deadly_model:make")).reason
        assert own.measure(WIDE).reason is None


def test_a_server_that_died_gives_the_reason_and_comes_back():
    with MemoryServer() as own:
        own._process.kill()
        own._process.wait()
        assert "died" in own.measure(WIDE).reason
        assert own.measure(WIDE).reason is None


def test_elsewhere_than_on_linux_there_is_a_reason(server, monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert "darwin" in server.measure(WIDE).reason


def test_resident_growth_in_this_process():
    """The child's own function, run here so that its lines are seen; only the sign can be trusted."""
    assert memory.resident_growth(WIDE, 0, None) >= 0


def test_answers_are_json_also_for_nonsense(tmp_path):
    path = tmp_path / "answer"
    with open(path, "w") as pipe:
        memory._answer("not json", pipe)
    assert "JSONDecodeError" in path.read_text()
