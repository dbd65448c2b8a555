"""The matrix-product peak from a clock that moves when it is told to; no real duration decides anything."""

import pytest
import torch

from fakes import FakeClock
from nnbench.meters import peaks
from nnbench.meters.peaks import REPEATS_LEAST, REPEATS_MOST, matmul_peak, peak_of, timed_sizes

CPU = torch.device("cpu")
WHERE = {"dtype": torch.float32, "threads": 1, "device_name": "a device"}


class FakeDevice:
    """Products take what *rate* (FLOP/s by size) says, and only waiting makes the time pass."""

    def __init__(self, rate):
        self.clock, self._rate, self._queued_s, self.done = FakeClock(), rate, 0.0, []

    def work_of(self, size):
        def work():
            self._queued_s += 2 * size**3 / self._rate[size]
            self.done.append(size)

        return work

    def wait(self):
        self.clock.advance_s(self._queued_s)
        self._queued_s = 0.0

    def times(self, sizes, budget_s):
        return timed_sizes(sizes, self.work_of, self.wait, self.clock, budget_s)


def test_the_best_size_wins_and_the_device_is_waited_for():
    device = FakeDevice({256: 1e9, 512: 4e9, 1024: 3e9})
    peak = peak_of(device.times((256, 512, 1024), 100), **WHERE)
    assert peak.flops_per_s == pytest.approx(4e9, rel=1e-6)
    assert (peak.size, peak.repeats, peak.reason) == (512, REPEATS_MOST, None)
    assert device._queued_s == 0


def test_a_size_that_does_not_fit_into_the_budget_is_not_tried():
    """0.034 s at 256, so about 0.27 s at 512: four of them do not fit into 0.5 s."""
    device = FakeDevice({256: 1e9, 512: 1e9})
    times = device.times((256, 512), 0.5)
    assert list(times) == [256]
    assert set(device.done) == {256}


def test_the_first_size_is_always_tried_and_at_least_thrice():
    device = FakeDevice({256: 1e3})
    assert len(device.times((256,), 0.001)[256]) == REPEATS_LEAST


def test_the_budget_is_kept():
    device = FakeDevice(dict.fromkeys((256, 512, 1024, 2048), 50e9))
    start = device.clock.now_ns
    device.times((256, 512, 1024, 2048), 1.0)
    assert device.clock.now_ns - start < 1.3e9


def test_the_median_is_the_peak_and_the_fastest_stands_beside_it():
    one_s = 10**9
    peak = peak_of({1000: [one_s, 2 * one_s, 4 * one_s], 100: [one_s]}, **WHERE)
    assert (peak.flops_per_s, peak.fastest_flops_per_s, peak.size) == (1e9, 2e9, 1000)


@pytest.mark.parametrize("times", [[0, 5, 5], [5, -1, 5]])
def test_a_clock_that_stands_still_or_goes_back_gives_no_peak(times):
    peak = peak_of({256: times}, **WHERE)
    assert peak.flops_per_s is None
    assert "clock" in peak.reason


def test_nothing_timed_is_no_peak():
    assert "no product" in peak_of({}, **WHERE).reason


def test_a_real_product_on_the_cpu_under_a_ticking_clock():
    """Each reading adds 1 ms, so each product takes 1 ms, whatever the machine does."""
    before = torch.get_num_threads()
    peak = matmul_peak(CPU, torch.float64, threads=2, sizes=(8, 16), clock=FakeClock(tick_ns=1_000_000))
    assert peak.flops_per_s == pytest.approx(2 * 16**3 / 1e-3)
    assert (peak.size, peak.dtype, peak.threads) == (16, "float64", 2)
    assert peak.device_name
    assert torch.get_num_threads() == before


def test_what_the_device_cannot_do_is_a_reason(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(peaks.torch, "mm", refuse)
    peak = matmul_peak(CPU, sizes=(8,), clock=FakeClock(tick_ns=1000))
    assert peak.flops_per_s is None
    assert "out of memory" in peak.reason
