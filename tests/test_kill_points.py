"""S1: a run that is killed goes on with what is missing: nothing lost, nothing run twice, the same numbers.

Here at points that the journal names; tests/slow/test_kill_points.py has fifty in random time.
"""

import shutil
from pathlib import Path

import pytest

import dying
from real_runs import NO_MEMORY, QUIET, Bench, end_of

ARMS = 'base.replace(name="a"), base.replace(name="b", lr=0.5), base.replace(name="c", optimizer="adam")'
# Killed here, one after the other, and gone on with: two blocks of three arms.
POINTS = ("block:1:after", "ready:1:after", "arm:1:after", "record:1:before", "record:1:after", "end:1:before",
          "arm:2:after", "end:1:after")  # fmt: skip


def killed(bench, point):
    """Begin the run or go on with it, and kill it at *point* of its journal."""
    resumes = (bench.run_folder / "request.json").exists()
    arguments = ("--resume", "run") if resumes else ("bench", "-o", "run", "--blocks", "2", "--seeds", "1")
    process = bench.start("run", *arguments, code=dying.RUNNER, NNBENCH_TEST_DIE=point)
    end_of(process, -9)
    assert bench.nobody_is_left(5)


def whole(bench):
    """What must be true at any time: each record that the journal names is there and sound."""
    assert not bench.run_folder.exists() or not bench.rejected()
    noted = {entry.more["id"] for entry in bench.entries() if entry.event == "record"}
    there = {record.id for record in bench.records().values()}
    assert noted <= there
    return there


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the run learns when nobody disturbs it."""
    bench = Bench(tmp_path_factory.mktemp("undisturbed"), ARMS, repeat="blocks", conftest=NO_MEMORY + QUIET)
    bench.complete("--blocks", "2", "--seeds", "1")
    return bench.learned()


def test_a_run_that_is_killed_at_each_point_of_its_journal_ends_as_if_it_had_not_been(tmp_path, undisturbed):
    bench = Bench(tmp_path, ARMS, repeat="blocks", conftest=NO_MEMORY + QUIET + dying.CONFTEST)
    shutil.copy(Path(dying.__file__), tmp_path)
    before = set()
    for point in POINTS:
        killed(bench, point)
        there = whole(bench)
        assert before <= there, point  # none is lost
        before = there
    bench.complete()
    assert bench.run_twice() == []
    assert bench.learned() == undisturbed
    assert {status for status, *_ in undisturbed.values()} == {"OK"}
    assert len(undisturbed) == 6
