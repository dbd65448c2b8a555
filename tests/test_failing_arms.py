"""I1, I2, I3: one arm fails in each of the ways in which one can, and the others live.

The arms are those of one run; each death of its process costs a new one.
"""

import json
import time

import pytest

from nnbench.findings import counts
from nnbench.records import Record
from real_runs import Bench, end_of

LIMIT_S = 12
OWN = """
def greedy(input_shape, classes):
    resource.setrlimit(resource.RLIMIT_AS, (32 * 2**30, resource.RLIM_INFINITY))
    torch.empty(64 * 2**30, dtype=torch.uint8)

def killed(input_shape, classes):
    os.kill(os.getpid(), signal.SIGKILL)

def segfault(input_shape, classes):
    ctypes.string_at(0)

def vanishes(input_shape, classes):
    os._exit(0)

def exits(input_shape, classes):
    sys.exit(3)

class Endless(torch.nn.Module):
    def forward(self, x):
        while True:
            time.sleep(0.01)

def endless(input_shape, classes):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return torch.nn.Sequential(torch.nn.Linear(2, classes), Endless())

class Late(torch.nn.Module):
    steps = 0
    def forward(self, x):
        self.steps += self.training
        return x * (float("inf") if self.steps >= 7 else 1)

def late(input_shape, classes):
    return torch.nn.Sequential(net(input_shape, classes), Late())
"""
NAMES = ("greedy", "killed", "segfault", "vanishes", "exits", "endless", "late")
ARMS = ", ".join([
    *(f'base.replace(name="{name}", model="own:{name}", epochs=10)' for name in NAMES),
    'base.replace(name="wild", model="mlp", model_args={"hidden": (8, 8)}, lr=1e6, data="digits")',
    'base.replace(name="fine")', 'base.replace(name="fine too", model="logistic")',
])  # fmt: skip
EXPECTED = {
    "killed": "CRASH: the process was killed by SIGKILL",
    "segfault": "CRASH: the process was killed by SIGSEGV",
    "vanishes": "CRASH: the process ended with exit code 0 and left no record",
    "exits": "CRASH: SystemExit: 3",
    "endless": f"TIMEOUT: took longer than {LIMIT_S} s",
    "late": "DIVERGED: the loss is not finite from step 7 on",
    "fine": "OK: None",
    "fine too": "OK: None",
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The run, done, with the real memory pass: it meets the same arms."""
    made = Bench(tmp_path_factory.mktemp("failing"), ARMS, own=OWN, conftest="")
    process = made.begin("--seeds", "1", "--arm-timeout", str(LIMIT_S))
    made.printed, _ = end_of(process, 1, 300)
    yield made
    for process in made.processes():
        process.kill()


def test_each_failure_has_its_status_and_reason_and_the_others_are_ok(bench):
    found = bench.statuses()
    assert found.pop("greedy").startswith("OOM: RuntimeError: ")
    assert found.pop("wild").startswith("DIVERGED: the loss is not finite from step ")
    assert found == EXPECTED


def test_what_is_out_of_memory_says_how_much_it_asked_for(bench):
    assert str(64 * 2**30) in bench.records()["greedy", 0, 0].reason


def test_an_arm_without_end_is_ended_soon_after_its_limit(bench):
    took = [
        after.clock_s - before.clock_s
        for before, after in zip(bench.entries(), bench.entries()[1:], strict=False)
        if before.event == "arm" and before.more["arm"] == "endless"
    ]
    assert len(took) == 1
    assert LIMIT_S < took[0] < LIMIT_S + 5


def test_nothing_is_left_of_an_arm_without_end(bench):
    """Nor of the memory pass, which runs the same steps in a process of its own."""
    assert bench.nobody_is_left(5), [process.cmdline() for process in bench.processes()]


def test_no_time_of_a_failed_arm_is_published(bench):
    for (arm, _, _), record in bench.records().items():
        times = [record.metrics.get(name) for name in ("train_s", "step_s", "epoch_s", "samples_per_s")]
        assert (times.count(None) == 4) == (record.status != "OK"), arm
        assert (record.metrics.get("validation_accuracy") is None) == (record.status != "OK"), arm
    out, _ = end_of(bench.start("table", "run"), 0)
    for line in (line for line in out.splitlines() if " DIVERGED: " in line):
        assert line.split()[1:6] == ["0/1", "–", "–", "–", "–"]


def test_no_file_of_the_run_holds_what_is_not_json(bench):
    def refuse(token):
        raise AssertionError(token)

    files = [path for path in bench.run_folder.rglob("*") if path.suffix in (".json", ".jsonl")]
    assert len(files) == 3 + len(bench.records())
    for path in files:
        for text in path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]:
            if text:
                json.loads(text, parse_constant=refuse)


def test_planned_is_the_sum_of_what_became_of_it(bench):
    """A5."""
    run = bench.table()
    found = counts(run.plan, run.records)
    assert found == {"planned": 10, "OK": 2, "expected": 0, "failed": 8, "SKIPPED": 0, "missing": 0}
    assert "10 planned = 2 OK + 8 failed" in bench.printed


def test_a_resumed_run_does_not_try_failures_again(bench):
    before: dict[tuple[str, int, int], Record] = bench.records()
    start = time.monotonic()
    bench.complete(code=1)
    assert time.monotonic() - start < 10
    assert bench.records() == before
