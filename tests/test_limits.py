"""What a device allows at best: bandwidth from a fake clock, bytes by hand, the share from both."""

from __future__ import annotations

import math

import pytest
import torch

from fakes import FakeClock
from nnbench.benchmarking.costs import Costs
from nnbench.config import Arm
from nnbench.meters.bandwidth import LARGEST_BYTES, REPEATS, SMALLEST_BYTES, Bandwidth, bandwidth, rounded
from nnbench.meters.flops import Flops
from nnbench.meters.limits import Limit, moved_bytes, working_set_bytes
from nnbench.meters.memory import MemoryServer, Peak
from nnbench.meters.peaks import MatmulPeak

CPU = torch.device("cpu")
LIMIT = Limit(flops=2_000, moved_bytes=100, flops_per_s=1_000, bytes_per_s=200)
PARTS = {"parameter_bytes": 100, "gradient_bytes": 100, "optimizer_bytes": 20, "activation_bytes": 3}


def matmul(flops_per_s, reason=None):
    return MatmulPeak(flops_per_s=flops_per_s, dtype="float32", threads=1, device_name="x", reason=reason)


# bandwidth


@pytest.mark.parametrize(
    ("asked", "size"),
    [(0, SMALLEST_BYTES), (3 * 2**20, 2**21), (2**22, 2**22), (10**12, LARGEST_BYTES)],
)
def test_a_set_is_rounded_down_to_a_power_of_two(asked, size):
    assert rounded(asked) == size


def test_each_byte_is_read_and_written():
    """A pass over 4 MiB moves 8 MiB; each reading of this clock is a millisecond after the last."""
    clock = FakeClock(tick_ns=1_000_000)
    of = bandwidth(CPU, 2**22, clock=clock)
    passes = max(1, round(1e-3 * 20e9 / 2**23))
    assert of.bytes_per_s == pytest.approx(passes * 2**23 / 1e-3)
    assert clock.readings == 2 * (REPEATS + 1)  # the first is warm-up


def test_a_clock_that_stands_still_gives_no_bandwidth():
    of = bandwidth(CPU, 2**20, clock=FakeClock())
    assert of.bytes_per_s is None
    assert "stood still" in of.reason


def test_what_cannot_be_held_has_a_reason(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no memory for it")

    monkeypatch.setattr(torch, "ones", refuse)
    assert bandwidth(CPU, 2**20).reason == "RuntimeError: no memory for it"


def test_this_machine_moves_more_than_a_gigabyte_a_second():
    assert bandwidth(CPU, 2**22).bytes_per_s > 1e9


# bytes


def test_weights_move_three_times_and_the_rest_twice():
    assert moved_bytes(Peak(peak_bytes=400, **PARTS)) == 3 * 100 + 2 * (20 + 3)
    assert working_set_bytes(Peak(peak_bytes=400, **PARTS)) == 223


@pytest.mark.parametrize("part", ["parameter_bytes", "optimizer_bytes", "activation_bytes"])
def test_a_part_that_is_not_known_leaves_no_sum(part):
    of = Peak(peak_bytes=400, **{**PARTS, part: None})
    assert moved_bytes(of) is None
    assert working_set_bytes(of) is None


# the limit


def test_the_slower_of_arithmetic_and_movement_is_the_limit():
    assert LIMIT.step_s == 2.0
    assert Limit(flops=1, moved_bytes=600, flops_per_s=1_000, bytes_per_s=200).step_s == 3.0


def test_the_share_is_one_where_a_step_takes_what_it_must():
    assert LIMIT.share(2.0) == (1.0, None)
    assert LIMIT.share(8.0) == (0.25, None)


@pytest.mark.parametrize(("step_s", "word"), [(1.0, "faster than the limit"), (0.0, "no time"),
                                              (math.nan, "no time")])  # fmt: skip
def test_an_impossible_share_is_none_with_a_reason(step_s, word):
    share, reason = LIMIT.share(step_s)
    assert share is None
    assert word in reason


# in a record


def costs(**changes):
    known = {
        "peak": Peak(peak_bytes=400, **PARTS),
        "flops": Flops(forward=10, backward=20),
        "matmul": matmul(1_000.0),
        "moving": Bandwidth(bytes_per_s=200.0, set_bytes=2**20),
    }
    return Costs(**{**known, **changes})


def test_a_record_holds_rates_and_shares():
    """4 samples a step of 120 operations: 0.12 s of arithmetic, but 346 bytes at 200 a second."""
    metrics, _ = costs().figures(samples_per_s=2.0, batch=4)
    assert metrics["mfu"] == pytest.approx(30 * 2 / 1_000)
    assert (metrics["peak_flops_per_s"], metrics["bandwidth_bytes_per_s"]) == (1_000, 200)
    assert metrics["moved_bytes"] == 346
    assert metrics["limit_share"] == pytest.approx((346 / 200) / (4 / 2.0))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"matmul": matmul(None, "cannot multiply")}, "cannot multiply"),
        ({"moving": Bandwidth(bytes_per_s=None, set_bytes=1, reason="no clock")}, "no clock"),
        ({"moving": None, "peak": Peak(peak_bytes=None, reason="not asked")}, "not asked"),
    ],
)
def test_what_is_not_known_is_none_with_its_reason(changes, reason):
    metrics, missing = costs(**changes).figures(samples_per_s=2.0, batch=4)
    assert metrics["limit_share"] is None
    assert missing["limit_share"] == reason
    assert all(missing[name] for name, value in metrics.items() if value is None)


def test_a_real_arm_stays_under_its_limit():
    from nnbench.benchmarking import Measurement

    arm = Arm(model_args={"hidden": (32,)}, epochs=1, max_steps=30)
    with MemoryServer() as server:
        record = Measurement(arm, memory=server).record(0)
    assert 0 < record.metrics["limit_share"] <= 1.05
    weights = record.metrics["parameters"] * 4
    assert record.metrics["moved_bytes"] == 3 * weights + 2 * record.metrics["activation_bytes"]
