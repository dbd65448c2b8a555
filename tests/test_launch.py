"""Launches of torchrun from a bare process: their records, and what becomes of them when a rank fails."""

from __future__ import annotations

import socket
import sys
import time

import psutil
import pytest

from nnbench.config import Arm
from nnbench.records import OK
from nnbench.scaling import Task, capacity, launch
from nnbench.scaling.series import task_from_json, turns
from nnbench.scaling.torchrun import _who

pytestmark = pytest.mark.skipif(capacity("cpu") < 2, reason="two ranks need two cores")
FINE = Arm(name="fine", data="digits", model="logistic", batch_size=64, epochs=1)


def failing(kind: str, **changes) -> Arm:
    return Arm(
        name=kind, data="digits", model=f"failing_ranks:{kind}", batch_size=64, epochs=1, ranks=2, **changes
    )


def left_over() -> list[str]:
    """Processes of launches that are still there."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "nnbench.scaling --tasks" in line:
            found.append(line)
    return found


def statuses(records):
    return [(record.arm["name"], record.seed, record.status) for record in records]


def reason_of(records, status):
    return next(str(record.reason) for record in records if record.status == status)


def test_a_launch_measures_in_turns_what_all_ranks_agree_on():
    tasks = [Task(FINE, "s", tuple(range(2))), Task(FINE.replace(ranks=2, name="two"), "s", tuple(range(2))),
             Task(FINE.replace(ranks=4, name="four"), "s", tuple(range(1)))]  # fmt: skip
    records = launch(tasks, 2)
    assert statuses(records) == [
        (task.arm.name, seed, "SKIPPED" if task.arm.ranks == 4 else OK) for task, seed in turns(tasks)
    ]
    assert reason_of(records, "SKIPPED") == "needs 4 ranks, this launch has 2"
    by_name = {(record.arm["name"], record.seed): record for record in records}
    for seed in (0, 1):
        one, two = by_name["fine", seed], by_name["two", seed]
        # the same samples in the same steps: the same learning but for rounding
        assert two.metrics["train_loss"] == pytest.approx(one.metrics["train_loss"], abs=1e-5)
        assert two.metrics["samples"] == one.metrics["samples"] == 1400
        assert two.data["validation"] == 397
        assert two.environment["launcher"] == one.environment["launcher"] == "torchrun"
        assert (two.environment["world_size"], two.environment["restarts"]) == (2, 0)
        assert two.environment["threads"] == one.environment["threads"] == 1
        assert two.metrics["samples_per_s"] > 0
        assert not {"OVERSUBSCRIBED", "CLOCK"} & set(two.quality)  # noise is the machine's
    assert left_over() == []


def test_a_killed_rank_is_named_and_the_job_ends():
    records = launch([Task(failing("killed"), "s", tuple(range(2))), Task(FINE, "s", tuple(range(2)))], 2)
    failed = [record for record in records if record.status == "RANK_FAILED"]
    assert [record.reason for record in failed] == ["rank 1 of 2 ended unexpectedly (SIGKILL)"]
    assert failed[0].metrics == {}  # no timing
    at = records.index(failed[0])
    assert {record.status for record in records[:at]} <= {OK}
    assert {record.status for record in records[at + 1 :]} == {"SKIPPED"}
    assert reason_of(records, "SKIPPED") == "not run, since rank 1 of 2 ended unexpectedly"
    assert left_over() == []


def test_an_error_of_one_rank_is_told_with_its_words_one_of_all_is_the_arms():
    records = launch(
        [Task(failing("everywhere"), "s", tuple(range(1))), Task(failing("raising"), "s", tuple(range(1)))], 2
    )
    by_name = {record.arm["name"]: record for record in records}
    assert by_name["raising"].status == "RANK_FAILED"
    assert by_name["raising"].reason == "rank 1 of 2 failed: ValueError: rank 1 has had enough"
    everywhere = by_name["everywhere"]
    assert (everywhere.status, everywhere.reason) in [
        ("CRASH", "RuntimeError: no such shape"),  # measured first: the ranks are well, and go on
        ("SKIPPED", "not run, since rank 1 of 2 failed: ValueError: rank 1 has had enough"),
    ]


def test_a_hanging_rank_is_named_after_the_time_out():
    start = time.monotonic()
    records = launch([Task(failing("hanging"), "s", tuple(range(1)))], 2, timeout_s=5)
    assert statuses(records) == [("hanging", 0, "RANK_FAILED")]
    assert records[0].reason == "rank 1 of 2 hangs"
    assert time.monotonic() - start < 90  # torchrun's own patience with the deaf is 30 s
    assert left_over() == []


def test_a_rank_that_ignores_sigterm_does_not_hide_who_was_killed():
    records = launch([Task(failing("deaf"), "s", tuple(range(1)))], 2)
    assert statuses(records) == [("deaf", 0, "RANK_FAILED")]
    assert records[0].reason == "rank 1 of 2 ended unexpectedly (SIGKILL)"
    assert left_over() == []


def test_the_default_port_may_be_taken():
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("", 29500))
            taken.listen()
        except OSError:
            pass  # somebody else has taken it
        records = launch([Task(FINE, "s", tuple(range(1)))], 2)
    assert statuses(records) == [("fine", 0, OK)]


def test_a_launch_that_never_starts_says_why(monkeypatch):
    command = [sys.executable, "-c", "raise ImportError('no such wheel')"]
    monkeypatch.setattr("nnbench.scaling.torchrun._command", lambda *_: command)
    records = launch([Task(FINE, "s", tuple(range(2)))], 1)
    assert statuses(records) == [("fine", 0, "RANK_FAILED"), ("fine", 1, "SKIPPED")]
    assert records[0].reason == "torchrun ended with 1: ImportError: no such wheel"


def test_tasks_travel_as_json():
    task = Task(FINE.replace(ranks=2, batch_norm="global"), "s", tuple(range(3)))
    assert task_from_json(task.to_json()) == task
    assert task_from_json(task.to_json()).arm.id == task.arm.id


def test_turns_are_drawn_anew_for_each_seed_and_alike_on_all_ranks():
    tasks = [Task(FINE.replace(name=str(n)), "s", tuple(range(3))) for n in range(6)]
    order = turns(tasks)
    assert order == turns(tasks)
    rounds = [[task.arm.name for task, seed in order if seed == wanted] for wanted in range(3)]
    assert all(sorted(names) == list("012345") for names in rounds)
    assert len({tuple(names) for names in rounds}) == 3


def test_the_first_failure_is_read_from_what_torchrun_says(tmp_path):
    said = "Failures:\n[1]:\n rank : 0 (local_rank: 0)\n exitcode : 1 (pid: 4)\nRoot Cause (first observed failure):\n" \
          "[0]:\n rank : 5 (local_rank: 1)\n exitcode : -11 (pid: 7)\n"  # fmt: skip
    log = tmp_path / "log.txt"
    assert _who(log, 8) == ""
    log.write_text(said)
    assert _who(log, 8) == "rank 5 of 8 ended unexpectedly (SIGSEGV)"
    log.write_text(said.replace("-11", "7"))
    assert _who(log, 8) == "rank 5 of 8 ended unexpectedly (exit code 7)"
    log.write_text("nothing of the kind")
    assert _who(log, 8) == ""
