"""Faults of real runs: their processes are killed, interrupted, and met by another run in the same folder."""

import os
import shutil
import signal
import time

import pytest

from nnbench.findings import counts
from real_runs import Bench, end_of, eventually

ARMS = 'base.replace(name="a"), base.replace(name="b", lr=0.2), base.replace(name="waits", model="own:waits")'


@pytest.fixture
def bench(tmp_path):
    """Three arms, of which one waits as long as there is a file of that name."""
    made = Bench(tmp_path, ARMS)
    (tmp_path / "wait").touch()
    yield made
    for process in made.processes():
        process.kill()


def stopped(bench, number):
    """Begin the run or go on with it, send it signal *number* in the middle of an arm; code, errors, seconds."""
    process = bench.begin("--seeds", "1")
    bench.until_in("waits", process)
    start = time.monotonic()
    process.send_signal(number)
    _, err = end_of(process, None)
    return process.returncode, err, time.monotonic() - start


def test_a_run_that_is_stopped_leaves_nobody_behind_and_goes_on(bench):
    """S9, S10, S4: Ctrl-C, SIGTERM and kill -9 in the middle of an arm, one after another, then to the end."""
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        ended, err, seconds = stopped(bench, number)
        assert ended == code, err
        assert seconds < 5
        assert bench.nobody_is_left(0.5)
        assert "go on with: nnbench run --resume run" in err
        assert bench.statuses()["waits"] == "INTERRUPTED: interrupted"
    ended, _, _ = stopped(bench, signal.SIGKILL)
    assert ended == -9
    assert bench.nobody_is_left(5)

    process = bench.begin()
    bench.until_in("waits", process)
    start = time.monotonic()
    _, err = end_of(bench.start("run", "--resume", "run"), 5)
    assert time.monotonic() - start < 2 + 3  # its imports, while three others are at work
    assert f"run is in use by process {process.pid} since 20" in err
    (bench.folder / "wait").unlink()
    end_of(process, 0)
    assert set(bench.statuses().values()) == {"OK: None"}
    assert bench.run_twice() == [bench.records()["waits", 0, 0].id] * 3  # INTERRUPTED is no end
    assert counts(bench.table().plan, bench.table().records)["OK"] == 3
    assert bench.nobody_is_left(0.5)


def test_the_kill_of_a_block_in_an_arm_costs_this_arm_and_no_other(bench):
    process = bench.begin("--seeds", "1")
    bench.until_in("waits", process)
    block = next(each for each in bench.processes() if "pytest" in each.cmdline())
    block.kill()
    out, _ = end_of(process, 1)
    found = bench.statuses()
    assert found.pop("waits") == "CRASH: the process was killed by SIGKILL"
    assert found == {"a": "OK: None", "b": "OK: None"}
    assert "3 planned = 2 OK + 1 failed" in out
    assert bench.run_twice() == []


def test_changed_bench_files_are_told_apart_from_those_of_the_run(bench):
    (bench.folder / "wait").unlink()
    bench.complete("--seeds", "1")
    next((bench.run_folder / "records").iterdir()).unlink()
    bench.file.write_text(bench.file.read_text().replace("lr=0.2", "lr=0.3"))
    _, err = bench.complete(code=2)
    assert "run/run.json plans other arms than the bench files have now: start a new run" in err
    assert len(bench.records()) == 2


def test_a_mistake_that_only_pytest_sees_ends_the_run_with_its_words(bench):
    (bench.folder / "bench" / "conftest.py").write_text("import no_such_module\n")
    start = time.monotonic()
    _, err = bench.complete("--seeds", "1", code=2)
    assert "No module named 'no_such_module'" in err
    assert time.monotonic() - start < 30
    assert bench.records() == {}


def test_a_stop_at_the_first_failure_in_the_users_own_settings_is_not_ours(tmp_path):
    bench = Bench(tmp_path, 'base.replace(name="a", model_args={"no": 1}), base.replace(name="b")')
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -x\n")
    bench.complete("--seeds", "1", code=1)
    assert [text[:5] for text in bench.statuses().values()] == ["CRASH", "OK: N"]
    assert "no" in bench.statuses()["a"]


# Root may write everywhere, whatever the mode of a folder, unless it gives that right away.
BOUND = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()


@pytest.mark.skipif(BOUND != () and shutil.which("setpriv") is None, reason="root, and setpriv is not here")
def test_a_folder_that_cannot_be_written_to_is_told_before_the_first_arm(tmp_path):
    """S8."""
    bench = Bench(tmp_path, ARMS)
    bench.run_folder.mkdir(mode=0o555)
    start = time.monotonic()
    _, err = end_of(bench.start("run", "bench", "-o", "run", before=BOUND), 5)
    assert time.monotonic() - start < 2
    assert err == "nnbench: cannot write run/lock: Permission denied; choose another folder\n"
    assert list(bench.run_folder.iterdir()) == []


def test_the_helper_sees_the_processes_of_a_run(bench):
    process = bench.begin("--seeds", "1")
    assert eventually(lambda: len(bench.processes()) >= 2, 30)
    process.kill()
    end_of(process, None)
    assert bench.nobody_is_left(5)
