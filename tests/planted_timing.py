"""Planted: work that is not waited for, time divided by the wrong thing, steps and clocks that misbehave."""

import sys
from dataclasses import fields

import pytest
import torch

from fake_device import FakeDevice
from fakes import FakeClock
from nnbench import Arm, devices
from nnbench.benchmarking import readings
from nnbench.meters.device_marks import DeviceMarks
from nnbench.meters.noise import Noise
from nnbench.meters.timing import Stopwatch
from nnbench.stats import outliers
from nnbench.training import Training
from planted import caught_by

CPU = torch.device("cpu")
ARM = Arm(data="digits", model_args={"hidden": (16,)}, batch_size=700, epochs=1, device="cpu")
STEPS_S = (0.1,) * 120


# time: a device whose work ends 20 ms after the call that issued it has returned


def lagging_work_is_timed_to_its_end(monkeypatch, plant):
    clock = FakeClock()
    device = FakeDevice(clock).install(monkeypatch)
    plant(monkeypatch)
    training = Training(ARM)
    training.model.register_forward_hook(lambda *_: device.issue(0.02))
    watch = Stopwatch(CPU, clock)
    training.run(watch, validate=False)
    count = training.steps_per_epoch
    assert [ns / 1e6 for ns in watch.step_ns] == pytest.approx([20] * count, rel=0.02)
    assert [ns / 1e6 for ns in watch.epoch_ns] == pytest.approx([20 * count], rel=0.02)


@caught_by(lagging_work_is_timed_to_its_end)
def device_taken_for_synchronous(monkeypatch):
    monkeypatch.setattr(devices, "is_asynchronous", lambda device: False)


@caught_by(lagging_work_is_timed_to_its_end)
def missing_wait(monkeypatch):
    monkeypatch.setattr(devices, "wait", lambda device: None)
    monkeypatch.setattr(DeviceMarks, "of", lambda device: None)


# time: divide by what happened, and by all of it


def samples_per_second_are_true(monkeypatch, plant):
    """100 steps of 0.1 s with 2 samples each are 20 a second; optimum-benchmark printed 2,000."""
    plant(monkeypatch)
    clock = FakeClock()
    training = Training(Arm(data="xor", model_args={"hidden": (4,)}, batch_size=2, epochs=50, device="cpu"))
    training.model.register_forward_hook(lambda *_: clock.advance_s(0.1))
    watch = Stopwatch(CPU, clock)
    history = training.run(watch)
    assert readings.times(history, watch)["samples_per_s"] == pytest.approx(20)


@caught_by(samples_per_second_are_true)
def all_samples_over_one_step(monkeypatch):
    sound = readings.times

    def times(history, watch):
        found = sound(history, watch)
        return {**found, "samples_per_s": history.samples / found["step_s"]}

    monkeypatch.setattr(readings, "times", times)


@caught_by(samples_per_second_are_true)
def validation_in_the_timed_region(monkeypatch):
    sound = Stopwatch.epoch_trained
    monkeypatch.setattr(Stopwatch, "validated", sound)
    monkeypatch.setattr(Stopwatch, "epoch_trained", lambda self, epoch: None)


# time: what a record says of its clock and its steps


QUIET = Noise(
    wall_s=1.0, wait_share=0.0,
    unknown={of.name: "not asked" for of in fields(Noise) if of.name not in ("wall_s", "wait_share")},
)  # fmt: skip


def steps_are_not_flagged(monkeypatch, plant):
    plant(monkeypatch)
    clock = FakeClock()
    watch = Stopwatch(CPU, clock)
    watch.epoch_started(1)
    for place, step_s in enumerate(STEPS_S):
        clock.advance_s(step_s * (1 + 0.002 * (place % 5)))  # some scatter
        watch.step_ended()
    watch.epoch_trained(1)
    assert readings.quality(ARM, watch, QUIET) == ()
    assert outliers(watch.step_ns).severe == 0


def _steps(change):
    return tuple(0.1 * change(place / len(STEPS_S)) for place in range(len(STEPS_S)))


@caught_by(steps_are_not_flagged)
def throttled_from_the_middle_on(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "STEPS_S", _steps(lambda at: 1.3 if at > 0.5 else 1))


@caught_by(steps_are_not_flagged)
def throttled_slowly(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "STEPS_S", _steps(lambda at: 1 + 0.1 * at))


@caught_by(steps_are_not_flagged)
def slow_start(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "STEPS_S", _steps(lambda at: 1.3 if at < 0.2 else 1))


@caught_by(steps_are_not_flagged)
def a_second_of_something_else(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "STEPS_S", (*STEPS_S[:50], 1.1, *STEPS_S[51:]))


@caught_by(steps_are_not_flagged)
def clock_going_back_in_a_step(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "STEPS_S", (*STEPS_S[:50], -0.1, *STEPS_S[51:]))
