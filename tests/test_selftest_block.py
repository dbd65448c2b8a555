"""A block of the self-test: what its process runs, and that it never outlives the one that started it."""

import itertools
import os
import signal
import statistics
import subprocess
import sys
import time

import psutil
import pytest

from fakes import FakeClock
from nnbench.selftest import BlockFailed
from nnbench.selftest.block import WARM_UP_ROUNDS, Request, answer, arithmetic, order
from nnbench.selftest.child import ask

ITERATIONS = 200_000


class Worker:
    """Work that takes *iteration_ns* for each iteration by a fake clock, and notes what was asked for."""

    def __init__(self, iteration_ns=50, slow=()):
        self.clock, self.asked = FakeClock(), []
        self._iteration_ns, self._slow = iteration_ns, slow

    def __call__(self, iterations):
        factor = 3 if len(self.asked) in self._slow else 1
        self.asked.append(iterations)
        self.clock.advance_s(iterations * self._iteration_ns * factor / 1e9)


def test_a_block_times_every_round_of_every_side():
    worker = Worker()
    request = Request(pairs=[(100, 100), (100, 105)], rounds=3, seed=4)
    times = answer(request, clock=worker.clock, work=worker)
    assert times == [[[5000] * 3, [5000] * 3], [[5000] * 3, [5250] * 3]]
    assert len(worker.asked) == WARM_UP_ROUNDS + 4 * 3


def test_a_block_runs_its_pairs_in_the_order_of_its_seed():
    pairs = [(100 * i, 100 * i + 5) for i in range(1, 7)]
    worker = Worker()
    answer(Request(pairs=pairs, rounds=2, seed=9), clock=worker.clock, work=worker)
    expected = [pairs[pair][side] for pair, side in order(6, 9) for _ in range(2)]
    assert worker.asked[WARM_UP_ROUNDS:] == expected


def test_orders_are_shuffled_by_pair_and_by_side_and_repeat_by_seed():
    orders = [list(order(6, seed)) for seed in range(400)]
    assert orders == [list(order(6, seed)) for seed in range(400)]
    for found in orders:
        assert sorted(found) == list(itertools.product(range(6), range(2)))
        assert [pair for pair, _ in found[::2]] == [pair for pair, _ in found[1::2]]  # sides are neighbours
    assert 0.45 < statistics.fmean(side for found in orders for _, side in found[::2]) < 0.55
    assert 2.2 < statistics.fmean(found[0][0] for found in orders) < 2.8


@pytest.mark.parametrize("iteration_ns", [5, 50, 4000])
def test_a_calibration_finds_the_iterations_of_a_round(iteration_ns):
    worker = Worker(iteration_ns)
    found = answer(Request(calibrate_s=0.010), clock=worker.clock, work=worker)
    assert found == pytest.approx(0.010 / (iteration_ns / 1e9), abs=20)
    assert found * 1.05 == pytest.approx(round(found * 1.05))


def test_a_calibration_is_told_from_undisturbed_rounds():
    worker = Worker(slow=range(0, 1000, 2))
    assert answer(Request(calibrate_s=0.010), clock=worker.clock, work=worker) == ITERATIONS


def test_the_work_is_what_it_counts():
    value = 1.0
    for iterations in range(5):
        assert arithmetic(iterations) == value
        value = value * 0.999 + 0.1


# a child


def test_a_child_answers_and_brings_nothing_heavy():
    times = ask(Request(pairs=[(2000, 2100), (2000, 2000)], rounds=3, seed=1))
    assert [[len(side) for side in pair] for pair in times] == [[3, 3], [3, 3]]
    assert all(time_ns > 0 for pair in times for side in pair for time_ns in side)
    code = "import sys, nnbench.selftest.__main__; print({'torch', 'numpy', 'scipy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_child_that_fails_is_told_with_its_last_words():
    with pytest.raises(BlockFailed, match="ended with 1: IndexError"):
        ask(Request(pairs=[]))


def test_a_child_that_hangs_is_ended():
    with pytest.raises(BlockFailed, match="took longer than 1 s"):
        ask(Request(pairs=[(10**12, 10**12)]), timeout_s=1)
    assert workers(psutil.Process()) == []


def workers(parent):
    return [p for p in parent.children(recursive=True) if "nnbench.selftest" in p.cmdline()]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_no_child_outlives_its_parent(number, code):
    command = [sys.executable, "-m", "nnbench", "doctor", "--self-test", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        parent = psutil.Process(process.pid)
        found = until(lambda: workers(parent))
        os.kill(process.pid, number)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, b"")
    assert b"Traceback" not in said
    assert until(lambda: not any(alive(child) for child in found))


def until(seen, timeout_s=60):
    end = time.monotonic() + timeout_s
    while not (found := seen()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
