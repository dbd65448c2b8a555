"""The loop of a run, with blocks that are no processes: what is run, what is marked, what is run again."""

import json
import time
from collections import Counter, deque
from pathlib import Path

import pytest

import fake_blocks
from fake_blocks import ARMS, Death, aged
from nnbench.findings import counts
from nnbench.records import SCHEMA_VERSION, Journal, StorageError, read_own_record, read_run, write_record
from nnbench.results import read_results
from nnbench.runner import BlockError, Request, Run
from nnbench.runner.account import remaining_s
from nnbench.runner.child import Ended
from nnbench.work import planned

KILLED = Ended(-9, False, False, ("so far so good",))


class Setup:
    """A run folder, and the processes that a run in it will start."""

    def __init__(self, folder: Path, monkeypatch) -> None:
        self.folder, self.pytest, self.told = folder, fake_blocks.Pytest(), []
        monkeypatch.setattr("nnbench.runner.blocks.BlockProcess", lambda *a, **k: self.pytest.start(*a, **k))

    def run(self, blocks=1, max_minutes=None, **changes):
        request = Request(paths=("bench",), blocks=blocks, **changes)
        return Run(request, self.folder, command="nnbench run", tell=self.told.append).run(max_minutes)

    def statuses(self):
        return {name: (record.status, record.reason) for name, record in self.records().items()}

    def records(self):
        found = [read_own_record(path) for path in (self.folder / "records").glob("*.json")]
        return {(record.arm["name"], record.seed, record.block): record for record in found}

    def processes(self):
        return len(self.pytest.commands)


@pytest.fixture
def setup(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    return Setup(folder, monkeypatch)


OK = ("OK", None)


def test_a_run_leaves_a_record_of_each_arm_and_seed(setup):
    setup.pytest.seeds = 2
    outcome = setup.run()
    assert (outcome.blocks, outcome.stopped) == (1, "")
    assert set(setup.statuses()) == {(arm.name, seed, 0) for arm in ARMS for seed in (0, 1)}
    assert setup.processes() == 1
    assert setup.told[-1].done == setup.told[-1].total == 6
    assert [progress.done for progress in setup.told[:-1]] == list(range(6))


def test_blocks_run_the_timed_scenarios_each_under_its_own_seed(setup):
    setup.pytest.repeat = "blocks"
    assert setup.run(blocks=3).blocks == 3
    assert set(setup.statuses()) == {(arm.name, block, block) for arm in ARMS for block in range(3)}
    assert setup.processes() == 3


def test_a_scenario_that_is_not_timed_starts_no_second_process(setup):
    setup.run(blocks=3)
    assert setup.processes() == 1
    assert len(setup.records()) == 3


# deaths


@pytest.mark.parametrize("after", [0, 1, 2])
def test_the_arm_that_a_process_dies_in_is_marked_and_the_others_run(setup, after):
    setup.pytest.deaths = deque([Death(after)])
    setup.run()
    lost = ARMS[after].name
    expected = {(arm.name, 0, 0): OK for arm in ARMS if arm.name != lost}
    assert setup.statuses() == {
        **expected,
        (lost, 0, 0): ("CRASH", "the process was killed by SIGKILL"),
    }
    assert setup.processes() == (1 if after == 2 else 2)
    assert max(Counter(setup.pytest.ran).values()) == 1


@pytest.mark.parametrize("where", ["before", "written", "noted"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_death_between_two_arms_marks_none_and_runs_none_twice(setup, after, where):
    setup.pytest.deaths = deque([Death(after, where)])
    setup.run()
    assert set(setup.statuses().values()) == {OK}
    assert len(setup.pytest.ran) == 3


def test_deaths_one_after_another_mark_one_arm_each(setup):
    setup.pytest.deaths = deque([Death(0), Death(0), Death(0)])
    setup.run()
    assert [status for status, _ in setup.statuses().values()] == ["CRASH"] * 3
    assert setup.processes() == 3


def test_a_process_that_keeps_dying_before_its_first_arm_ends_the_run(setup):
    setup.pytest.deaths = deque([Death(0, "before", KILLED)] * 5)
    with pytest.raises(BlockError, match="so far so good\nno arm was running: the process was killed by SIG"):
        setup.run()
    assert setup.processes() == 2
    assert setup.records() == {}


def test_one_death_before_the_first_arm_is_chance(setup):
    setup.pytest.deaths = deque([Death(0, "before", KILLED)])
    setup.run()
    assert set(setup.statuses().values()) == {OK}


CAUSES = [
    (Ended(-11, False, False, ()), "CRASH", "the process was killed by SIGSEGV"),
    (Ended(-9, False, True, ()), "OOM", "the kernel's out-of-memory killer ended the process"),
    (Ended(-11, False, True, ()), "CRASH", "the process was killed by SIGSEGV"),  # another one's memory
    (Ended(-9, True, False, ()), "TIMEOUT", "took longer than 7 s"),
    (Ended(-9, True, True, ()), "TIMEOUT", "took longer than 7 s"),
    (Ended(-40, False, False, ()), "CRASH", "the process was killed by signal 40"),
    (Ended(0, False, False, ()), "CRASH", "the process ended with exit code 0 and left no record"),
    (Ended(3, False, False, ()), "CRASH", "the process ended with exit code 3 and left no record"),
]


@pytest.mark.parametrize(("ended", "status", "reason"), CAUSES, ids=[case[2] for case in CAUSES])
def test_how_a_process_ended_tells_the_status(setup, ended, status, reason):
    setup.pytest.deaths = deque([Death(1, "inside", ended)])
    setup.run(arm_timeout_s=7)
    found = setup.statuses()
    assert found.pop(("b", 0, 0)) == (status, reason)
    assert set(found.values()) == {OK}


def test_an_arm_whose_test_never_calls_the_fixture_is_no_success(setup):
    setup.pytest.broken = ("b",)
    setup.run()
    found = setup.statuses()
    assert found.pop(("b", 0, 0)) == (
        "CRASH",
        "the process ended with exit code 0 and left no record of it",
    )
    assert set(found.values()) == {OK}
    assert setup.processes() == 1


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_a_bench_file_that_cannot_be_collected_ends_the_run_with_pytests_words(setup, code):
    said = ("collecting", "ERROR bench/test_x.py - SyntaxError: invalid", "E   def test(:", "1 error")
    setup.pytest.deaths = deque([Death(0, "before", Ended(code, False, False, said))] * 5)
    with pytest.raises(BlockError) as caught:
        setup.run()
    assert str(caught.value) == "ERROR bench/test_x.py - SyntaxError: invalid\nE   def test(:"
    assert caught.value.exit_code == 2
    assert setup.processes() == 1
    assert setup.records() == {}


def test_a_disk_that_fails_ends_the_run_with_the_name_of_the_file(setup):
    said = ("x", "!!! _pytest.outcomes.Exit: cannot write r/x.json: No space left on device !!!", "1 passed")
    setup.pytest.deaths = deque([Death(1, "inside", Ended(74, False, False, said))])
    with pytest.raises(StorageError, match=r"^cannot write r/x\.json: No space left on device$"):
        setup.run()
    assert set(setup.statuses()) == {("a", 0, 0)}


# resuming


@pytest.mark.parametrize("where", ["before", "inside", "written", "noted"])
@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("age_s", [0, 86_400])
def test_a_run_whose_runner_was_killed_goes_on_with_what_is_missing(setup, after, where, age_s):
    """The runner cannot mark anything: what was in flight is run again, and is no time-out after a day."""
    setup.pytest.seeds = 2
    setup.pytest.deaths = deque([Death(after, where, error=MemoryError())])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr("nnbench.runner.blocks.Run._mark_in_flight", lambda *_: False)
        setup.run()
    aged(setup.folder, age_s)
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        look = Run._look
        patch.setattr(Run, "_look", lambda run: (seen.append(run._journal.in_flight()), look(run)))
        setup.run()
    assert set(setup.statuses().values()) == {OK}
    assert len(setup.pytest.ran) == len(setup.records()) == 6
    assert not any(entry is not None and entry.clock_s < time.monotonic() - 3600 for entry in seen)


def test_a_complete_run_is_resumed_by_doing_nothing(setup):
    setup.run()
    setup.run()
    assert setup.processes() == 1


@pytest.mark.parametrize(("error", "reason"), [
    (KeyboardInterrupt(), "interrupted"), (SystemExit(143), "interrupted"), (StorageError("disk"), "disk"),
])  # fmt: skip
def test_an_interrupted_arm_is_marked_and_runs_again_on_resume(setup, error, reason):
    setup.pytest.deaths = deque([Death(1, "inside", error=error)])
    with pytest.raises(type(error)):
        setup.run()
    assert setup.statuses() == {("a", 0, 0): OK, ("b", 0, 0): ("INTERRUPTED", reason)}
    setup.run()
    assert set(setup.statuses().values()) == {OK}
    assert len(setup.pytest.ran) == 3


@pytest.mark.parametrize(
    ("code", "reason"), [(-9, "was killed by SIGKILL"), (3, "ended with exit code 3 and left no record")]
)
def test_a_death_in_an_arm_that_runs_again_after_an_interruption_is_marked(setup, code, reason):
    """Its record of the first time must not hide that it is in flight once more."""
    again = Death(0, "inside", Ended(code, False, False, ()))
    setup.pytest.deaths = deque([Death(1, "inside", error=KeyboardInterrupt()), again])
    with pytest.raises(KeyboardInterrupt):
        setup.run()
    setup.run()
    assert setup.statuses()["b", 0, 0] == ("CRASH", f"the process {reason}")
    assert setup.statuses()["c", 0, 0] == OK


def test_a_damaged_record_is_put_aside_and_its_arm_runs_again(setup):
    setup.run()
    path = next((setup.folder / "records").glob("*.json"))
    sound, damaged = path.read_bytes(), path.read_bytes()[:100]
    path.write_bytes(damaged)
    outcome = setup.run()
    assert outcome.put_aside == (path.name,)
    assert path.with_suffix(".rejected").read_bytes() == damaged
    assert path.read_bytes() == sound
    assert len(setup.pytest.ran) == 4
    assert read_results(setup.folder).rejected == ()


def test_a_record_of_a_later_schema_ends_the_run_and_stays(setup, monkeypatch):
    setup.run()
    path = next((setup.folder / "records").glob("*.json"))
    before = path.read_bytes()
    monkeypatch.setattr("nnbench.records.record.SCHEMA_VERSION", 1)
    monkeypatch.setattr("nnbench.records.record.SCHEMA_HISTORY", {1: "the first"})
    with pytest.raises(StorageError, match=f"schema {SCHEMA_VERSION}"):
        setup.run()
    assert path.read_bytes() == before
    assert not list(setup.folder.rglob("*.rejected"))


def test_what_killed_writers_have_left_is_swept_away(setup):
    (setup.folder / "records").mkdir()
    parts = [setup.folder / ".run.json.x1.part", setup.folder / "records" / ".ab-s0-b0.json.x2.part"]
    own = setup.folder / "my.part"
    for path in (*parts, own):
        path.write_text("half")
    setup.run()
    assert not any(path.exists() for path in parts)
    assert own.exists()
    assert len(setup.records()) == 3


def test_a_user_who_stops_at_the_first_failure_elsewhere_does_not_here(setup):
    setup.run()
    assert "--maxfail=0" in setup.pytest.commands[0]


# how many blocks


def test_invalid_blocks_are_made_up_for_by_two_at_most(setup):
    setup.pytest.repeat = "blocks"
    setup.pytest.quality = {0: ("INVALID",)}
    assert setup.run(blocks=3).blocks == 4
    assert {block for _, _, block in setup.records()} == {0, 1, 2, 3}
    setup.pytest.quality = dict.fromkeys(range(9), ("INVALID",))
    for path in (setup.folder / "records").glob("*"):
        path.unlink()
    assert setup.run(blocks=3).blocks == 5
    assert setup.run(blocks=3).blocks == 5
    assert len(setup.records()) == 15


def test_extra_blocks_are_for_times_only(setup):
    setup.pytest.quality = {0: ("INVALID",)}
    assert setup.run(blocks=3).blocks == 3
    assert setup.processes() == 1


def test_no_block_begins_that_would_not_end_in_time(setup, monkeypatch):
    setup.pytest.repeat = "blocks"
    monkeypatch.setattr(time, "monotonic", lambda: 60.0 * setup.processes())  # a minute for each
    outcome = setup.run(blocks=6, max_minutes=3)
    assert outcome.stopped == "stopped after 3 of 6 blocks: another would not end within 3 minutes"
    assert {block for _, _, block in setup.records()} == {0, 1, 2}
    assert setup.run(blocks=6, max_minutes=10).stopped == ""
    assert len(setup.pytest.ran) == 18


def test_planned_is_the_sum_of_what_became_of_it(setup):
    """A5, over a run with deaths, time-outs and arms that are missing."""
    setup.pytest.seeds = 2
    dead = [Death(1), Death(0, "inside", Ended(-9, True, False, ())), Death(1, "inside", error=MemoryError())]
    setup.pytest.deaths = deque(dead)
    with pytest.raises(MemoryError):
        setup.run()
    found = counts(read_run(setup.folder), list(setup.records().values()))
    assert found == {"planned": 6, "OK": 2, "expected": 0, "failed": 3, "SKIPPED": 0, "missing": 1}


def test_what_is_left_is_foretold_from_what_was(setup):
    setup.pytest.seeds = 2
    setup.run()
    work = planned(read_run(setup.folder))
    assert remaining_s(work, []) is None
    assert remaining_s(work, Journal(setup.folder).entries()) == 0


def test_the_fakes_write_what_the_plugin_writes(setup):
    setup.run()
    assert counts(read_run(setup.folder), list(setup.records().values()))["OK"] == 3
    assert json.loads((setup.folder / "run.json").read_text())["run"]["blocks"] == 1
    write_record(setup.folder, next(iter(setup.records().values())))
