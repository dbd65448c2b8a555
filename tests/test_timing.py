"""The stopwatch and the warm-up, on a clock that the test moves."""

import pytest
import torch

from fake_device import FakeDevice
from fakes import FakeClock
from nnbench import Arm, devices
from nnbench.meters.device_marks import DeviceMarks
from nnbench.meters.timing import Stopwatch, WarmUp, step_quantiles
from nnbench.stats import outliers
from nnbench.training import StopTraining, Training

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


# faults of the clock


@pytest.mark.parametrize("back_s", [-1, -3600])
@pytest.mark.parametrize("where", ["step", "reading", "validation", "between", "nowhere"])
def test_a_clock_that_goes_back_is_noticed_wherever_it_does(where, back_s):
    clock = FakeClock()
    watch = Stopwatch(CPU, clock)
    one_epoch(watch, clock, validation_s=0.5)
    clock.advance_s(back_s if where == "between" else 0)
    moves = {"step": {"steps_s": (0.1, back_s)}, "reading": {"reading_s": back_s},
             "validation": {"validation_s": back_s}}.get(where, {})  # fmt: skip
    one_epoch(watch, clock, **moves, epoch=2)
    assert watch.clock_went_back() == (where != "nowhere")


def test_a_clock_that_goes_back_on_an_asynchronous_device_is_noticed(monkeypatch):
    clock = FakeClock()
    device = FakeDevice(clock).install(monkeypatch)
    watch = Stopwatch(CPU, clock)
    watch.epoch_started(1)
    device.issue(0.02)
    watch.step_ended()
    device.wait()
    clock.advance_s(-1)
    device.busy_until_ns = 0
    watch.epoch_trained(1)
    assert watch.clock_went_back()


def test_a_step_back_that_is_shorter_than_the_step_cannot_be_seen_by_one_clock():
    """Said in the module: the duration is too short and above zero."""
    clock = FakeClock()
    watch = Stopwatch(CPU, clock)
    one_epoch(watch, clock, steps_s=(0.1, 0.1 - 0.05, 0.1))
    assert not watch.clock_went_back()


def test_an_hour_asleep_is_one_severe_outlier_and_moves_no_median():
    """Where the clock counts a suspension; `perf_counter` on Linux does not, and sees nothing of it."""
    clock = FakeClock()
    watch = Stopwatch(CPU, clock)
    one_epoch(watch, clock, steps_s=[0.1 + 1e-4 * (i % 7) for i in range(50)] + [3600.0])
    assert outliers(watch.step_ns).severe == 1
    assert step_quantiles(watch.step_ns).p50_s == pytest.approx(0.1003)


# asynchronous devices


def test_an_asynchronous_device_is_waited_for_at_both_ends_and_times_windows(monkeypatch):
    """Without events a step that has been issued is not done: only the window's end can be timed."""
    clock, waits = FakeClock(), []
    monkeypatch.setattr(devices, "is_asynchronous", lambda device: True)
    monkeypatch.setattr(DeviceMarks, "of", lambda device: None)

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


def test_events_give_each_step_its_own_duration_at_one_wait_a_window(monkeypatch):
    clock = FakeClock()
    device = FakeDevice(clock).install(monkeypatch)
    watch = Stopwatch(CPU, clock)
    watch.epoch_started(1)
    steps_s = [0.010, 0.020, 0.050]
    for _ in range(2):
        for step_s in steps_s:
            device.issue(step_s)
            watch.step_ended()
        issued_ns = clock.now_ns
        assert issued_ns - device.busy_until_ns < -0.07e9  # the host is far ahead
        watch.window_ended(torch.ones(3), 3)
        assert clock.now_ns == device.busy_until_ns
        clock.advance_s(5)  # reading losses: no step's
        watch._begin_window()
    assert [ns / 1e9 for ns in watch.step_ns] == pytest.approx([0.010, 0.020, 0.050] * 2, abs=2e-6)
    assert device.waits == 1  # the start of the epoch; the events wait for themselves


def test_events_are_used_again(monkeypatch):
    """Thousands of windows must not hold thousands of events."""
    clock = FakeClock()
    device = FakeDevice(clock).install(monkeypatch)
    watch = Stopwatch(CPU, clock)
    watch.epoch_started(1)
    for _ in range(100):
        for _ in range(10):
            device.issue(0.001)
            watch.step_ended()
        watch.window_ended(torch.ones(10), 10)
    assert len(watch.step_ns) == 1000
    assert device.events <= 13


def test_a_device_without_events_gives_none():
    assert DeviceMarks.of(torch.device("cpu")) is None
    assert DeviceMarks.of(torch.device("meta")) is None


def test_a_training_on_a_device_that_lags_is_timed_to_the_end_of_its_work(monkeypatch):
    """Work that ends 20 ms after the call returned reads 20 ms, though issuing takes microseconds."""
    clock = FakeClock()
    device = FakeDevice(clock).install(monkeypatch)
    training = Training(Arm(data="xor", model_args={"hidden": (4,)}, batch_size=2, epochs=2, device="cpu"))
    training.model.register_forward_hook(lambda *_: device.issue(0.02))
    watch = Stopwatch(CPU, clock)
    training.run(watch, validate=False)
    assert [ns / 1e6 for ns in watch.step_ns] == pytest.approx([20] * 4, rel=0.001)
    assert [ns / 1e6 for ns in watch.epoch_ns] == pytest.approx([40] * 2, rel=0.001)


# quantiles


def test_quantiles_of_steps():
    found = step_quantiles([round(i * 1e6) for i in range(1, 102)])
    assert (found.p50_s, found.p90_s, found.p99_s) == pytest.approx((0.051, 0.091, 0.100))


@pytest.mark.parametrize(
    ("steps", "known"), [(0, (False, False, False)), (1, (True, False, False)), (9, (True, False, False)),
                         (10, (True, True, False)), (99, (True, True, False)), (100, (True, True, True))],
)  # fmt: skip
def test_a_quantile_needs_a_step_beyond_it(steps, known):
    found = step_quantiles([1_000_000] * steps)
    assert tuple(value is not None for value in (found.p50_s, found.p90_s, found.p99_s)) == known


# warm-up


@pytest.mark.parametrize(("planned", "steps"), [(1000, 10), (100, 10), (50, 5), (20, 2), (3, 1)])
def test_warm_up_is_a_tenth_of_the_steps_and_ten_at_most(planned, steps):
    warm = WarmUp(planned, FakeClock())
    with pytest.raises(StopTraining):
        for _ in range(planned):
            warm.step_ended()
    assert warm.steps == steps


def test_warm_up_of_a_gpu_is_a_tenth_of_the_steps():
    warm = WarmUp(1000, FakeClock(), device=torch.device("cuda"))
    with pytest.raises(StopTraining):
        for _ in range(1000):
            warm.step_ended()
    assert warm.steps == 100


@pytest.mark.parametrize(
    ("step_s", "device", "steps"),
    [
        (0.001, "cpu", 10),
        (0.01, "cpu", 5),  # 50 ms
        (0.3, "cpu", 3),
        (0.6, "cpu", 2),  # a second
        (0.3, "cuda", 4),
        (0.1, "cuda", 10),
    ],
)
def test_warm_up_ends_after_50_ms_and_three_steps_or_after_a_second(step_s, device, steps):
    clock = FakeClock()
    warm = WarmUp(10**6, clock, device=torch.device(device))
    with pytest.raises(StopTraining):
        for _ in range(100):
            clock.advance_s(step_s)
            warm.step_ended()
    assert warm.steps == steps


def test_the_two_sides_of_the_overhead_do_the_same_work(monkeypatch):
    """No bound on the ratio here: timing decides no test. Both sides count the samples of equal steps."""
    from nnbench.meters import overhead

    monkeypatch.setattr(overhead, "STEPS", {64: 3})
    (found,) = overhead.loop_overhead(pairs=2)
    assert (found.batch_size, found.ratio.n) == (64, 2)
    assert found.ratio.low <= found.ratio.centre <= found.ratio.high
    assert min(found.ratio.centre, found.ratio.low) > 0
