"""S9 and S10 with torchrun below the run: ranks are processes of processes, and end with it all the same."""

import signal
import time

import pytest

from real_runs import Bench, end_of

ARMS = 'base.replace(name="one", batch_size=4, model="own:waits"), ' \
       'base.replace(name="two", batch_size=4, ranks=2, model="own:waits")'  # fmt: skip


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path, ARMS, conftest="")
    (tmp_path / "wait").touch()
    yield made
    for process in made.processes():
        process.kill()


@pytest.mark.parametrize(("number", "code", "seconds"), [(signal.SIGKILL, -9, 5), (signal.SIGINT, 130, 5),
                                                         (signal.SIGTERM, 143, 5)])  # fmt: skip
def test_a_run_that_is_stopped_while_ranks_train_leaves_none_of_them(bench, number, code, seconds):
    process = bench.begin("--seeds", "1")
    bench.until_in("one|two", process)
    assert any("--tasks" in " ".join(each.cmdline()) for each in bench.processes())
    start = time.monotonic()
    process.send_signal(number)
    end_of(process, code)
    assert time.monotonic() - start < seconds
    assert bench.nobody_is_left(5), [each.cmdline() for each in bench.processes()]
    (bench.folder / "wait").unlink()
    bench.complete()
    assert set(bench.statuses().values()) == {"OK: None"}
