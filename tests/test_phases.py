"""Where a step spends its time: told by the loop, timed on clocks that the test moves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fake_device import FakeDevice
from fakes import FakeClock
from nnbench import Arm, devices
from nnbench.meters import phases as module
from nnbench.meters.device_marks import DeviceMarks
from nnbench.meters.phase_watch import EPOCH_END, FIRST_LOAD, OBSERVING, WINDOW_READ, PhaseWatch
from nnbench.meters.phases import measure_phases
from nnbench.training import Listener, Training
from nnbench.training.events import PHASES
from nnbench.training.phased import PhasedTraining

TESTS = Path(__file__).parent
CPU = torch.device("cpu")
SMALL = Arm(data="digits", model_args={"hidden": (16,)}, batch_size=256, lr=0.1, epochs=2, device="cpu")
STEP_S = {"load": 0.010, "forward": 0.020, "backward": 0.030, "optimizer": 0.005}


# the loop


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batch_size": 1, "max_steps": 600},
        {"batch_size": "full"},
        {"loader": "dataloader"},
        {"optimizer": "adam", "schedule": "onecycle", "lr": 0.01},
        {
            "model_args": {"hidden": (16,), "dropout": 0.5},
            "schedule": "step",
            "schedule_args": {"step_size": 1},
        },
        {"model": "cnn", "model_args": {"batch_norm": True}, "max_steps": 3},
    ],
)
def test_telling_the_borders_changes_no_bit(changes):
    arm = SMALL.replace(**changes)
    plain, told = Training(arm, seed=1).run(), PhasedTraining(arm, seed=1).run(PhaseWatch(CPU))
    assert told.weights_sha256() == plain.weights_sha256()
    assert told.curves == plain.curves


class Borders(Listener):
    def __init__(self):
        self.told = []

    def phase_ended(self, phase):
        self.told.append(phase)

    def step_ended(self):
        self.told.append("| step")

    def window_ended(self, losses, steps):
        self.told.append("| window")

    def epoch_trained(self, epoch):
        self.told.append("| epoch")


STEP = ["forward", "optimizer", "backward", "optimizer", "| step", "other"]


def test_borders_come_in_the_order_of_the_step():
    borders = Borders()
    PhasedTraining(SMALL.replace(max_steps=2)).run(borders)
    assert borders.told == ["load", *["load", *STEP] * 2, "| window", "| epoch"]


def test_a_dataloaders_batch_is_waited_for_and_then_copied():
    borders = Borders()
    PhasedTraining(SMALL.replace(max_steps=2, loader="dataloader")).run(borders)
    assert borders.told == [*["load", "copy", *STEP] * 2, "| window", "| epoch"]


def test_the_ordinary_loop_tells_no_borders():
    borders = Borders()
    Training(SMALL).run(borders)
    assert set(borders.told) == {"| step", "| window", "| epoch"}


# the watch


def one_epoch(watch, spend, *, steps=3, moved=None, reading_s=0.004, first_load_s=0.1):
    """Announces an epoch; *moved* is the phase that takes other seconds, as (phase, seconds)."""
    seconds = {**STEP_S, **dict([moved] if moved else [])}
    watch.epoch_started(1)
    spend(first_load_s)
    watch.phase_ended("load")
    for _ in range(steps):
        for phase in ("load", "copy", "forward", "backward", "communication", "optimizer"):
            if phase in seconds:
                spend(seconds[phase])
                watch.phase_ended(phase)
        watch.step_ended()
        spend(seconds.get("other", 0.001))
        watch.phase_ended("other")
    spend(reading_s)
    watch.window_ended(torch.ones(steps), steps)
    watch.epoch_trained(1)


def seconds_of(watch):
    return {name: stretch.total_ns / 1e9 for name, stretch in watch.stretches().items()}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_phase_gets_its_own_time_and_together_they_are_the_epoch(monkeypatch, asynchronous):
    clock = FakeClock()
    spend = clock.advance_s
    if asynchronous:
        spend = FakeDevice(clock).install(monkeypatch).issue
    watch = PhaseWatch(CPU, clock)
    for _ in range(2):
        one_epoch(watch, spend)
        clock.advance_s(50)  # validation and so on: nobody's
    found = seconds_of(watch)
    # 1 µs of issuing where the device was idle
    expected = {
        **{phase: 6 * STEP_S.get(phase, 0) for phase in PHASES},
        "other": 6 * 0.001, FIRST_LOAD: 0.2, WINDOW_READ: 0.008, EPOCH_END: 0, OBSERVING: 0,
    }  # fmt: skip
    assert found == pytest.approx(expected, abs=1e-5)
    assert sum(found.values()) == pytest.approx(sum(watch.epoch_ns) / 1e9, rel=1e-4)
    assert not watch.clock_went_back()


def test_a_naive_watch_on_a_device_that_lags_reads_nothing(monkeypatch):
    """What the events are for: by the host's clock 65 ms of work are microseconds."""
    clock = FakeClock()
    device = FakeDevice(clock)
    naive = PhaseWatch(CPU, clock)
    one_epoch(naive, device.issue)
    assert sum(seconds_of(naive).values()) < 0.001


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("back_s", [-0.5, -3600])
def test_a_clock_that_goes_back_in_a_phase_is_noticed(phase, back_s):
    """In the sum over the steps a later epoch could hide it."""
    clock = FakeClock()
    watch = PhaseWatch(CPU, clock)
    one_epoch(watch, clock.advance_s, moved=(phase, back_s), steps=1)
    for _ in range(3):
        one_epoch(watch, clock.advance_s, steps=1)
    assert watch.clock_went_back()


def test_an_asynchronous_device_without_events_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "is_asynchronous", lambda device: True)
    monkeypatch.setattr(DeviceMarks, "of", lambda device: None)
    with pytest.raises(ValueError, match="no timed events"):
        PhaseWatch(torch.device("mps"))


# the pass


def test_the_phases_of_a_training_sum_to_its_steps():
    tries = (measure_phases(SMALL.replace(epochs=20)) for _ in range(5))  # a busy machine may disturb one
    found = next(each for each in tries if each.reason is None)
    assert tuple(found.seconds) == PHASES
    assert sum(found.seconds.values()) == pytest.approx(found.step_s)
    assert found.seconds["copy"] == found.seconds["communication"] == 0
    assert min(found.seconds[name] for name in ("load", "forward", "backward", "optimizer", "other")) > 0
    assert found.validation_s > 0
    assert found.steps >= module.PAIRS
    assert found.observing_share > -1


@pytest.mark.parametrize("changes", [{"batch_size": "full", "epochs": 1}, {"max_steps": 1}, {"loader": "dataloader"},
                                     {"schedule": "onecycle", "max_steps": 2}, {"batch_size": 1, "max_steps": 50}])  # fmt: skip
def test_the_pass_works_for_the_shortest_arms(changes):
    found = measure_phases(SMALL.replace(**changes))
    if found.reason is not None:  # of so few steps a busy machine may disturb too many
        assert "do not sum to the wall time" in found.reason
        return
    assert found.seconds["load"] > 0
    assert (found.seconds["copy"] > 0) == ("loader" in changes)


def spending(monkeypatch, clock, **seconds):
    """A training whose phases take given times on a fake clock."""

    def slow(owner, name, spent_s):
        whole = getattr(owner, name)

        def spending(*args, **kwargs):
            clock.advance_s(spent_s)
            return whole(*args, **kwargs)

        monkeypatch.setattr(owner, name, spending)

    places = {"forward": (torch.nn.Linear, "forward"), "backward": (torch.Tensor, "backward"),
              "optimizer": (torch.optim.SGD, "step"), "order": (torch, "randperm"),
              "load": (module.PhasedTraining, "tell")}  # fmt: skip
    for phase, spent_s in seconds.items():
        slow(*places[phase], spent_s)


def test_known_times_of_a_training_come_out(monkeypatch):
    """Two linear layers: forward takes 2 x 10 ms; drawing the order takes 60 ms an epoch of 6 steps."""
    clock = FakeClock()
    spending(monkeypatch, clock, forward=0.01, backward=0.03, optimizer=0.005, order=0.06)
    found = measure_phases(SMALL.replace(epochs=40), clock=clock)
    assert found.reason is None
    expected = {"load": 0.01, "forward": 0.02, "backward": 0.03, "optimizer": 0.005}
    assert found.seconds == pytest.approx({**dict.fromkeys(PHASES, 0), **expected}, abs=1e-9)
    assert found.step_s == pytest.approx(0.065)
    assert found.observing_share == pytest.approx(0)
    assert found.validation_s == pytest.approx(0.02)


def test_the_cost_of_looking_is_reported_and_not_taken_off(monkeypatch):
    """Each border costs 1 ms here: 6 of them in a step of 65 ms."""
    clock = FakeClock()
    spending(monkeypatch, clock, forward=0.01, backward=0.03, optimizer=0.005)
    told = PhaseWatch.phase_ended

    def dear(self, phase):
        told(self, phase)
        clock.advance_s(0.001)

    monkeypatch.setattr(PhaseWatch, "phase_ended", dear)
    found = measure_phases(SMALL.replace(epochs=40), clock=clock)
    assert found.observing_share == pytest.approx(6 / 55, rel=0.01)
    assert found.step_s == pytest.approx(0.061, rel=0.01)


def test_the_budget_is_a_tenth_of_the_steps_and_half_a_second(monkeypatch):
    clock, taken = FakeClock(), []
    spending(monkeypatch, clock, forward=0.01, backward=0.03)
    run = module._run
    monkeypatch.setattr(module, "_run", lambda *args: (taken.append(args[2]), run(*args)))
    measure_phases(SMALL.replace(epochs=20), clock=clock)  # 120 steps of 50 ms: half a second is 10
    assert taken == [3, 3, *[1] * 8]
    taken.clear()
    measure_phases(SMALL.replace(batch_size=16), clock=FakeClock(tick_ns=1000), share=0.5)  # 180 steps
    assert taken == [3, 3, *[11] * 8]


def test_a_diverging_arm_has_no_phases():
    found = measure_phases(SMALL.replace(lr=1e30, epochs=60))
    assert found.step_s is None
    assert set(found.seconds.values()) == {None}
    assert "diverges" in found.reason


def test_a_clock_that_goes_back_gives_no_phases():
    readings = iter(range(10**12, 0, -1000))
    found = measure_phases(SMALL, clock=lambda: next(readings))
    assert (found.step_s, found.reason) == (None, "the clock went back")


def test_phases_that_do_not_sum_are_refused(monkeypatch):
    """A border that is lost takes its time along."""
    clock = FakeClock()
    spending(monkeypatch, clock, forward=0.01, backward=0.03)
    stretches = PhaseWatch.stretches

    def lossy(self):
        found = stretches(self)
        found["backward"].total_ns = 0
        return found

    monkeypatch.setattr(PhaseWatch, "stretches", lossy)
    found = measure_phases(SMALL.replace(epochs=40), clock=clock)
    assert found.step_s is None
    assert "do not sum to the wall time" in found.reason


def test_an_asynchronous_device_without_events_gives_the_reason(monkeypatch):
    monkeypatch.setattr(devices, "is_asynchronous", lambda device: True)
    monkeypatch.setattr(devices, "wait", lambda device: None)
    found = measure_phases(SMALL)
    assert found.reason == "torch has no timed events on a device of type cpu"


# ranks


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What tests/phase_ranks.py found on two ranks."""
    path = tmp_path_factory.mktemp("phases") / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         str(TESTS / "phase_ranks.py"), str(path)],
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())


def test_telling_the_borders_changes_no_bit_on_two_ranks(ranks):
    assert len({digest for found in ranks for digest in found["hashes"]}) == 1


def test_waiting_for_a_slow_rank_is_communication_and_all_ranks_agree(ranks):
    """Rank 1 sleeps 20 ms in forward, rank 0 waits for it at the end of backward: means of both."""
    first, second = (found["slow"] for found in ranks)
    assert first == second
    assert first["reason"] is None
    assert first["seconds"]["forward"] > 0.010
    assert first["seconds"]["communication"] > 0.008
    assert first["seconds"]["communication"] > 4 * first["seconds"]["backward"]
    assert sum(first["seconds"].values()) == pytest.approx(first["step_s"])


def test_every_phase_is_a_metric():
    from nnbench import metrics
    from nnbench.training.events import PHASES

    assert metrics.PHASES == PHASES
    assert {f"{phase}_s" for phase in PHASES} <= set(metrics.METRICS)
