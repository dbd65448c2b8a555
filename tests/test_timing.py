"""The stopwatch and the warm-up, on a clock that the test moves."""

import pytest
import torch

from fakes import FakeClock
from nnbench import devices
from nnbench.meters.timing import Stopwatch, WarmUp
from nnbench.training import StopTraining

CPU = torch.device("cpu")


def one_epoch(watch, clock, steps_s=(0.1, 0.2, 0.3), reading_s=0.05, validation_s=1.0, epoch=1):
    watch.epoch_started(epoch)
    for step_s in steps_s:
        clock.advance_s(step_s)
        watch.step_ended()
    clock.advance_s(reading_s)
    watch.window_ended(torch.ones(len(steps_s)), len(steps_s))
    watch.epoch_trained(epoch)
    clock.advance_s(validation_s)
    watch.validated(epoch)


def test_steps_epochs_and_validation_are_told_apart():
    clock = FakeClock()
    watch = Stopwatch(CPU, clock)
    one_epoch(watch, clock)
    clock.advance_s(99)  # between epochs: nobody's time
    one_epoch(watch, clock, epoch=2)
    assert [ns / 1e9 for ns in watch.step_ns] == pytest.approx([0.1, 0.2, 0.3] * 2)
    assert [ns / 1e9 for ns in watch.epoch_ns] == pytest.approx([0.65, 0.65])
    assert [ns / 1e9 for ns in watch.validation_ns] == pytest.approx([1.0, 1.0])


def test_reading_losses_back_belongs_to_no_step():
    clock = FakeClock()
    watch = Stopwatch(CPU, clock)
    watch.epoch_started(1)
    for _ in range(2):
        clock.advance_s(0.1)
        watch.step_ended()
        clock.advance_s(5)
        watch.window_ended(torch.ones(1), 1)
    assert [ns / 1e9 for ns in watch.step_ns] == pytest.approx([0.1, 0.1])


def test_a_clock_that_goes_back_is_noticed():
    clock = FakeClock()
    watch = Stopwatch(CPU, clock)
    watch.epoch_started(1)
    clock.advance_s(-1)
    watch.step_ended()
    assert watch.clock_went_back()


def test_an_asynchronous_device_is_waited_for_at_both_ends_and_times_windows(monkeypatch):
    """On a GPU a step that has been issued is not done: only the window's end can be timed."""
    clock, waits = FakeClock(), []
    monkeypatch.setattr(devices, "is_asynchronous", lambda device: True)

    def wait(device):
        waits.append(clock.now_ns)
        clock.advance_s(0.5)  # what was still queued

    monkeypatch.setattr(devices, "wait", wait)
    watch = Stopwatch(torch.device("cuda", 0), clock)
    watch.epoch_started(1)
    for _ in range(4):
        clock.advance_s(0.001)
        watch.step_ended()
    clock.advance_s(2)
    watch.window_ended(torch.ones(4), 4)
    watch.epoch_trained(1)
    assert len(waits) == 2
    assert watch.epoch_ns[0] / 1e9 == pytest.approx(2.504)  # the wait at the end is inside
    assert [ns / 1e9 for ns in watch.step_ns] == pytest.approx([2.004 / 4] * 4)


@pytest.mark.parametrize(("planned", "steps"), [(1000, 100), (20, 2), (3, 1)])
def test_warm_up_is_a_tenth_of_the_steps(planned, steps):
    warm = WarmUp(planned, FakeClock())
    with pytest.raises(StopTraining):
        for _ in range(planned):
            warm.step_ended()
    assert warm.steps == steps


def test_warm_up_ends_after_a_second():
    clock = FakeClock()
    warm = WarmUp(10**6, clock)
    with pytest.raises(StopTraining):
        for _ in range(100):
            clock.advance_s(0.3)
            warm.step_ended()
    assert warm.steps == 4


def test_the_two_sides_of_the_overhead_do_the_same_work(monkeypatch):
    """No bound on the ratio here: timing decides no test. Both sides count the samples of equal steps."""
    from nnbench.meters import overhead

    monkeypatch.setattr(overhead, "STEPS", {64: 3})
    (found,) = overhead.loop_overhead(pairs=2)
    assert (found.batch_size, found.ratio.n) == (64, 2)
    assert found.ratio.low <= found.ratio.centre <= found.ratio.high
    assert min(found.ratio.centre, found.ratio.low) > 0
