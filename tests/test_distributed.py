"""Several ranks: that they compute what one process computes, and that failures are told by their number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from nnbench.config import Arm, ConfigError
from nnbench.distributed import ALONE, Group, place_of, with_global_batch_norm
from nnbench.distributed.world import launcher
from nnbench.meters.environment import environment
from nnbench.meters.timing import Stopwatch, WarmUp
from nnbench.training import StopTraining, Training
from nnbench.training.shares import share_of

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def truths(tmp_path_factory):
    """What tests/rank_truths.py found on two ranks of one launch."""
    path = tmp_path_factory.mktemp("truths") / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         str(TESTS / "rank_truths.py"), str(path)],
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())


# mathematics


@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-6), ("float64", 1e-12)])
def test_ranks_compute_what_one_process_does(truths, precision, most):
    found = truths[precision]
    assert found["gradients"] < most
    assert found["weights"] < most
    assert found["losses"] < (1e-5 if precision == "float32" else 1e-10)
    assert found["steps"] == 10  # two epochs of 33 samples in steps of 8, the last of one sample
    assert found["samples"] == 66
    assert found["train_accuracies"][0] == found["train_accuracies"][1]


def test_1001_validation_samples_count_as_1001(truths):
    many, one = truths["float64"]["accuracies"]
    assert many == one
    assert [round(accuracy * 1001, 6).is_integer() for accuracy in many] == [True, True]


def test_the_samples_of_ranks_are_disjoint_and_complete_each_epoch(truths):
    first, second = truths["shares"]
    for epoch in (0, 1):
        assert sorted(first[epoch] + second[epoch]) == list(range(33))
    assert first[0] != first[1]  # reshuffled


@pytest.mark.parametrize("case", ["batch_norm", "batch_norm_empty"])
def test_global_batch_norm_is_that_of_the_whole_batch(truths, case):
    assert max(truths[case].values()) < 1e-12, truths[case]


def test_a_network_with_global_batch_norm_learns_as_one_process_does(truths):
    found = truths["global_norm"]
    assert max(found[name] for name in ("gradients", "weights", "buffers", "losses")) < 1e-12


def test_local_batch_norm_is_another_function(truths):
    assert truths["local_norm"]["losses"] > 1e-3
    assert truths["local_norm"]["gradients"] > 1e-3


def test_ranks_behind_a_data_loader_compute_the_same(truths):
    assert truths["loader"]["weights"] < 1e-12
    assert truths["loader"]["accuracies"][0] == truths["loader"]["accuracies"][1]


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize(("count", "batch"), [(64, 16), (33, 8), (100, 24), (17, 17), (7, 24)])
def test_shares_cover_each_step_once(count, batch, ranks):
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    shares = [share_of(order, batch, rank, ranks) for rank in range(ranks)]
    assert sorted(torch.cat([share.order for share in shares]).tolist()) == list(range(count))
    steps = -(-count // batch)
    assert shares[0].sizes.tolist() == [len(chunk) for chunk in order.split(batch)]
    assert torch.stack([share.own for share in shares]).sum(0).tolist() == shares[0].sizes.tolist()
    done = [0] * ranks
    for step, chunk in enumerate(order.split(batch)):
        taken = []
        for rank, share in enumerate(shares):
            own = int(share.own[step])
            taken += share.order[done[rank] : done[rank] + own].tolist()
            done[rank] += own
        assert sorted(taken) == sorted(chunk.tolist())
    assert step + 1 == steps


def test_weights_make_a_mean_over_samples_of_one_over_ranks():
    shares = [share_of(torch.arange(33), 8, rank, 2) for rank in range(2)]
    assert list(shares[0].weights()) == [None, None, None, None, 2.0]
    assert list(shares[1].weights()) == [None, None, None, None, 0.0]
    uneven = [list(share_of(torch.arange(7), 7, rank, 2).weights()) for rank in range(2)]
    assert uneven == [[pytest.approx(8 / 7)], [pytest.approx(6 / 7)]]


# one process


def test_one_process_alone_sends_nothing():
    model = nn.Sequential(nn.BatchNorm1d(2))
    assert ALONE.parallel(model) is model
    assert ALONE.normalized(model, "global") is model
    assert ALONE.gather(3) == [3]
    tensor = torch.ones(2)
    assert ALONE.sum(tensor) is tensor
    ALONE.wait()
    ALONE.send_buffers(model)


def test_replacing_batch_norms_keeps_their_weights_and_names():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.BatchNorm2d(2), nn.ReLU()), nn.BatchNorm1d(2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    replaced = with_global_batch_norm(model)
    assert not [m for m in replaced.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    assert all(torch.equal(before[name], value) for name, value in replaced.state_dict().items())
    assert before.keys() == replaced.state_dict().keys()


def test_an_arm_of_two_ranks_does_not_train_in_one_process():
    with pytest.raises(
        ConfigError, match=r"arm of 2 ranks cannot train in 1; start it with 'torchrun --stand"
    ):
        Training(Arm(data="digits", ranks=2))
    with pytest.raises(ConfigError, match="arm of 1 ranks cannot train in 2"):
        Training(Arm(data="digits"), group=Group(0, 2))


def test_the_place_is_read_from_torchruns_variables():
    found = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    place = place_of(found)
    assert place is not None
    assert (place.rank, place.size, place.local_rank, place.local_size, place.restarts) == (3, 4, 1, 2, 0)
    assert place_of({**found, "TORCHELASTIC_RESTART_COUNT": "2"}).restarts == 2
    assert place_of({}) is None
    with pytest.raises(ConfigError, match="expected the numbers RANK, WORLD_SIZE"):
        place_of({"RANK": "0", "WORLD_SIZE": "two"})


def test_a_record_says_how_its_process_was_started(monkeypatch):
    assert environment(torch.device("cpu"), 1)["launcher"] == "python"
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    assert launcher() == {"launcher": "torchrun", "world_size": 2, "backend": None, "restarts": 0}


def test_elapsed_is_that_of_the_slowest_rank():
    watch = Stopwatch(torch.device("cpu"))
    watch.slowest([([3, 9], [1, 1]), ([4, 8], [2, 0])])
    assert (watch.epoch_ns, watch.validation_ns) == ([4, 9], [2, 1])


@pytest.mark.parametrize(("device", "steps"), [("cpu", 5), ("cuda", 20)])
def test_ranks_warm_up_by_steps_alone(device, steps):
    clock = iter(range(0, 10**12, 10**10))  # ten seconds a reading: a timed warm-up would end at once
    listener = WarmUp(1000, lambda: next(clock), ranks=2, device=torch.device(device))
    for _ in range(steps - 1):
        listener.step_ended()
    with pytest.raises(StopTraining):
        listener.step_ended()
