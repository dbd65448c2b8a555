"""Known truths, live: sleeps and calibrated work, as the meters see them. Needs a quiet machine.

Run by ``NNBENCH_SLOW=1 pytest tests/slow/test_truths.py -rP``: -rP shows the figures.
"""

import os
import statistics
import subprocess
import sys
import time

import pytest
import torch

from nnbench import Arm
from nnbench.meters.overhead import listening_s
from nnbench.meters.phase_watch import PhaseWatch
from nnbench.meters.phases import measure_phases
from nnbench.meters.timing import Stopwatch
from nnbench.training import Training
from nnbench.training.events import PHASES
from nnbench.training.phased import PhasedTraining

CPU = torch.device("cpu")
XOR = Arm(data="xor", model_args={"hidden": (4,)}, batch_size="full", device="cpu")


def near(found_s, truth_s, share=0.02, least_s=0.0003):
    return abs(found_s - truth_s) <= max(share * truth_s, least_s)


@pytest.mark.parametrize("duration_ms", [20, 50, 100, 200])
def test_sleeps_are_timed(duration_ms):
    """20 of them, as steps of a training that does nothing else; a sleep lasts as long as was asked, at least."""
    watch = Stopwatch(CPU)
    watch.epoch_started(1)
    for _ in range(20):
        time.sleep(duration_ms / 1e3)
        watch.step_ended()
    watch.epoch_trained(1)
    found_ms = statistics.median(watch.step_ns) / 1e6
    print(f"sleep of {duration_ms} ms: median step {found_ms:.3f} ms")
    assert duration_ms <= found_ms <= 1.01 * duration_ms + 0.3
    total_ns = sum(watch.step_ns)
    assert total_ns <= watch.epoch_ns[0] <= 1.01 * total_ns  # what follows the last sleep runs on cold caches


def own_step_ms():
    """What the xor step itself takes."""
    watch = Stopwatch(CPU)
    Training(XOR.replace(epochs=200)).run(watch)
    return statistics.median(watch.step_ns) / 1e6


PHASES_MS = {"load": 10, "forward": 20, "backward": 30, "optimizer": 5}


def test_phases_of_known_length_are_told_apart():
    """The watch driven by hand; what a sleep really took is told by another clock, which no meter reads."""
    watch, steps, truth_ns = PhaseWatch(CPU), 20, dict.fromkeys(PHASES_MS, 0)
    watch.epoch_started(1)
    watch.phase_ended("load")
    for _ in range(steps):
        for phase, duration_ms in PHASES_MS.items():
            start = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
            time.sleep(duration_ms / 1e3)
            truth_ns[phase] += time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - start
            watch.phase_ended(phase)
        watch.step_ended()
        watch.phase_ended("other")
    watch.window_ended(torch.zeros(steps), steps)
    watch.epoch_trained(1)
    found = {phase: watch.stretches()[phase].total_ns / steps / 1e9 for phase in PHASES}
    whole_s = watch.epoch_ns[0] / steps / 1e9
    for phase, duration_ms in PHASES_MS.items():
        print(
            f"{phase}: asked {duration_ms} ms, slept {truth_ns[phase] / steps / 1e6:.4f}, found {found[phase] * 1e3:.4f}"
        )
    print(f"sum {sum(found.values()) * 1e3:.4f} ms, whole step {whole_s * 1e3:.4f} ms")
    for phase in PHASES:
        assert near(found[phase], truth_ns.get(phase, 0) / steps / 1e9), phase
    assert abs(sum(found.values()) - whole_s) <= 0.01 * whole_s


def test_a_pass_finds_the_phase_that_sleeps():
    def slowly(make):
        def build(self, *args, **kwargs):
            make(self, *args, **kwargs)
            self.model.register_forward_hook(lambda *_: time.sleep(0.02))

        return build

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "__init__", slowly(Training.__init__))
        found = measure_phases(XOR.replace(epochs=200))
    print({phase: f"{seconds * 1e3:.3f} ms" for phase, seconds in found.seconds.items()},
          f"observing {found.observing_share:+.2%}")  # fmt: skip
    assert found.seconds["forward"] >= 0.02
    assert found.seconds["forward"] / found.step_s > 0.9


def arithmetic(rounds):
    """Pure work, in no library and on no clock; never 0."""
    value = 1
    for _ in range(rounds):
        value = (value * 1103515245 + 12345) % 2147483648
    return value + 1


class Working(PhasedTraining):
    """Does *rounds* of arithmetic in each forward pass."""

    rounds = 0

    def __init__(self, arm):
        super().__init__(arm)
        self.model.register_forward_pre_hook(lambda *_: arithmetic(self.rounds) and None)


def test_twice_the_work_takes_twice_as_long():
    """W, 2W and 4W in turn, 15 times; least-squares line through the medians."""
    training, rounds, steps_ms = Working(XOR.replace(epochs=3)), 250_000, {1: [], 2: [], 4: []}
    for _ in range(15):
        for factor, found in steps_ms.items():
            training.rounds = factor * rounds
            watch = Stopwatch(CPU)
            training.run(watch, validate=False)
            found += watch.step_ns
    medians = {factor: statistics.median(found) / 1e6 for factor, found in steps_ms.items()}
    slope, intercept = statistics.linear_regression(list(medians), list(medians.values()))
    print(
        {f"{factor}W": f"{ms:.3f} ms" for factor, ms in medians.items()},
        f"slope {slope:.3f}, intercept {intercept:.3f} ms",
    )
    off = {factor: ms / (intercept + slope * factor) - 1 for factor, ms in medians.items()}
    assert max(map(abs, off.values())) <= 0.03, off
    assert abs(medians[4] / medians[1] / 4 - 1) <= 0.03 + own_step_ms() / medians[1]


def test_the_whole_agrees_with_the_clock_of_another_process():
    """A parent clocks the whole; train and validation loops, and what is around them, are a part of it."""
    code = (
        "import sys, time; from nnbench import Arm; from nnbench.meters.timing import Stopwatch;"
        "from nnbench.training import Training; import torch;"
        "t = Training(Arm(data='xor', model_args={'hidden': (4,)}, batch_size='full', epochs=20, device='cpu'));"
        "t.model.register_forward_hook(lambda *_: time.sleep(0.05)); w = Stopwatch(torch.device('cpu'));"
        "print('go', flush=True); sys.stdin.readline(); t.run(w); print(sum(w.epoch_ns) + sum(w.validation_ns), flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}) as child:  # fmt: skip
        assert child.stdout.readline() == "go\n"
        start = time.monotonic_ns()
        child.stdin.write("\n")
        child.stdin.flush()
        inside_ns = int(child.stdout.readline())
        outside_ns = time.monotonic_ns() - start
    print(f"inside {inside_ns / 1e9:.4f} s, outside {outside_ns / 1e9:.4f} s")
    assert 0 <= outside_ns - inside_ns <= 0.01 * outside_ns


def test_observing_a_null_step_takes_5_microseconds_at_most():
    watch_s = listening_s(lambda: Stopwatch(CPU))
    borders = ("load", "forward", "optimizer", "backward", "optimizer", "other")
    phases_s = listening_s(lambda: PhaseWatch(CPU), borders=borders)
    print(f"stopwatch {watch_s * 1e6:.3f} µs a step, with borders {phases_s * 1e6:.3f} µs")
    assert watch_s <= 5e-6
    assert phases_s <= 20e-6
