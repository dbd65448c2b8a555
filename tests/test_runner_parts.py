"""What the loop of a run is made of: its lock, its request, its journal, its account, its processes."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnbench.config import ConfigError
from nnbench.records import Journal, Record, StorageError
from nnbench.runner import Request, RunLock, account, read_request
from nnbench.runner.child import BlockProcess, Ended, oom_kills

# the lock


def test_a_second_run_in_the_folder_is_told_who_is_there_since_when(tmp_path):
    with RunLock(tmp_path):
        start = time.monotonic()
        with pytest.raises(
            StorageError, match=rf"in use by process {os.getpid()} since 20\d\d-.*:\d\d"
        ) as no:
            RunLock(tmp_path).__enter__()
        assert time.monotonic() - start < 2
        assert no.value.exit_code == 5
    with RunLock(tmp_path):
        pass


HOLDS = "import sys, time; from pathlib import Path; from nnbench.runner import RunLock\n" \
        "with RunLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"  # fmt: skip


def test_of_two_that_want_the_folder_one_gets_it_and_a_dead_ones_lock_is_taken_over(tmp_path):
    """S4, twenty rounds: each holder is killed while it holds the lock."""
    for _ in range(20):
        holder = os.fork()
        if not holder:  # pragma: no cover
            with RunLock(tmp_path):
                (tmp_path / "held").write_text("")
                time.sleep(60)
            os._exit(0)
        try:
            deadline = time.monotonic() + 10
            while not (tmp_path / "held").exists() and time.monotonic() < deadline:
                time.sleep(0.001)
            with pytest.raises(StorageError, match=f"in use by process {holder} since"):
                RunLock(tmp_path).__enter__()
        finally:
            os.kill(holder, 9)
            os.waitpid(holder, 0)
        (tmp_path / "held").unlink()
        with RunLock(tmp_path):
            pass


def test_a_killed_process_leaves_no_lock_behind(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(StorageError, match=f"process {process.pid} since"):
        RunLock(tmp_path).__enter__()
    process.kill()
    process.wait()
    process.stdout.close()
    with RunLock(tmp_path):
        assert f"process {os.getpid()} since" in (tmp_path / "lock").read_text()


# the request


@pytest.mark.parametrize("text", ["", "[]", "{", '{"paths": [1], "blocks": 1}', '{"paths": ["x"], "blocks": 0}',
                                  '{"paths": ["x"], "blocks": "two"}', '{"paths": 7, "blocks": 1}',
                                  '{"paths": ["x"], "blocks": 1, "more": 1}', "[" * 100_000])  # fmt: skip
def test_a_damaged_request_is_told(tmp_path, text):
    (tmp_path / "request.json").write_text(text)
    with pytest.raises(StorageError, match=r"request\.json is damaged"):
        read_request(tmp_path)


def test_a_request_comes_back_and_its_bench_files_must_be_here(tmp_path):
    Request(paths=(str(tmp_path / "bench"),), blocks=3, options=("-k", "x")).write(tmp_path)
    with pytest.raises(ConfigError, match="is not here; resume in the folder"):
        read_request(tmp_path)
    (tmp_path / "bench").mkdir()
    assert read_request(tmp_path).options == ("-k", "x")
    with pytest.raises(StorageError, match="no run that 'nnbench run' could resume"):
        read_request(tmp_path / "bench")


# the journal


def test_a_journal_passes_over_what_is_torn_or_strange(tmp_path):
    journal = Journal(tmp_path)
    journal.note("block", 0)
    journal.begins("s", {"name": "a\u2028b", "id": "0" * 16}, 0, 0)
    strange = ["{", "null", "7", '{"event": "arm", "block": 0, "clock_s": 1}', "[" * 100_000, "NaN", "\xff",
               '{"event": "arm", "block": 0, "clock_s": "soon", "id": "x", "scenario": "s", "arm": "a"}',
               '{"event": "record", "block": 0, "clock_s": 1}', '{"event": "ready", "block": [], "clock_s": 1}',
               '{"event": [], "block": 0, "clock_s": 1}']  # fmt: skip
    with (tmp_path / "journal.jsonl").open("a", encoding="latin-1") as file:
        file.write("\n".join([*strange, '{"event": "rec']))
    journal.note("ready", 0)
    for each in (journal, Journal(tmp_path)):
        assert [entry.event for entry in each.entries()] == ["block", "arm", "ready"]
        assert each.in_flight().more["arm"] == "a\u2028b"


def test_a_line_that_does_not_fit_is_an_error_and_not_a_silence(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    journal.note("block", 0)
    whole = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: whole(handle, data[:9]))
    with pytest.raises(StorageError, match=r"cannot write .*journal\.jsonl: No space left on device"):
        journal.note("ready", 0)
    monkeypatch.undo()
    journal.note("end", 0)
    assert [entry.event for entry in journal.entries()] == ["block", "end"]


# the account


def notes(folder, monkeypatch, *lines):
    """A journal of (seconds, event, seed) in *folder*."""
    journal = Journal(folder)
    for seconds, event, *seed in lines:
        monkeypatch.setattr("nnbench.records.journal.time.monotonic", lambda now=seconds: float(now))
        what = {"scenario": "tiny", "arm": "a", "id": f"id-{seed[0]}"} if seed else {}
        journal.note(event, 0, **what)
    return journal.entries()


def trained(seconds):
    arm = {"name": "a", "id": "0" * 16, "kind": "training"}
    return Record(scenario="tiny", arm=arm, seed=0, metrics={"train_s": seconds, "validation_s": 1.0})


def test_the_account_adds_up_and_leaves_pauses_out(tmp_path, monkeypatch):
    entries = notes(tmp_path, monkeypatch, (0, "block"), (4, "ready"), (4, "arm", 0), (14, "record", 0),
                    (14, "arm", 1), (20, "record", 1), (21, "end"))  # fmt: skip
    found = account(entries, [trained(8), trained(4)])
    assert (found.blocks, found.wall_s, found.training_s, found.starts_s) == (1, 21, 14, 5)
    assert found.rest_s == 2
    assert "1 block in 21 s" in found.lines()[0]


def test_the_account_counts_probes_apart(tmp_path, monkeypatch):
    probe = dataclasses.replace(trained(0), arm={"name": "p", "id": "1" * 16, "kind": "probe"},
                                metrics={"seed_s": 1.0})  # fmt: skip
    monkeypatch.setattr(Record, "id", "id-0")
    entries = notes(tmp_path, monkeypatch, (0, "block"), (4, "ready"), (4, "arm", 0), (14, "record", 0),
                    (15, "end"))  # fmt: skip
    found = account(entries, [probe])
    assert (found.probes_s, found.rest_s) == (10, 0)
    assert found.lines()[1] == "  probes, with their records 10 s"  # and nothing is divided by no training
    both = dataclasses.replace(found, training_s=4, wall_s=20)
    assert both.lines()[1].endswith("1.25 times that; probes, with their records 10 s")


def test_the_account_counts_seeds_that_trained_as_one_model_once(tmp_path, monkeypatch):
    entries = notes(tmp_path, monkeypatch, (0, "block"), (4, "ready"), (4, "arm", 0), (14, "record", 0),
                    (14, "record", 1), (15, "end"))  # fmt: skip
    seeds = [dataclasses.replace(trained(0), metrics={}, evidence={"vectorised": 2, "together_s": 9})] * 2
    assert account(entries, seeds).training_s == 9


def test_the_account_counts_a_process_that_was_cut_off_as_far_as_it_went(tmp_path, monkeypatch):
    entries = notes(tmp_path, monkeypatch, (0, "block"), (4, "ready"), (4, "arm", 0), (14, "record", 0),
                    (1000, "block"), (1004, "ready"), (1004, "arm", 1), (1010, "record", 1), (1010, "end"))  # fmt: skip
    found = account(entries, [trained(8), trained(4)])
    assert (found.wall_s, found.training_s, found.starts_s) == (24, 14, 8)
    assert found.rest_s == 2


# the process


def child(code, tmp_path):
    return BlockProcess(["-c", code], tmp_path / "log")


def test_a_process_is_watched_to_its_end_and_all_it_prints_is_kept(tmp_path):
    Journal(tmp_path).note("block", 0)
    ended = child("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path).watch(
        Journal(tmp_path), lambda: None, 60
    )
    assert ended == Ended(3, False, False, ended.tail)
    assert sorted(ended.tail) == ["err", "out"]
    assert sorted((tmp_path / "log").read_text().split()) == ["err", "out"]


@pytest.mark.parametrize(("in_an_arm", "limit_s"), [(True, 0.5), (False, 0.1)])
def test_a_process_that_shows_no_sign_of_life_is_ended(tmp_path, monkeypatch, in_an_arm, limit_s):
    """An arm has its limit, a start more time: imports take seconds on a busy machine."""
    monkeypatch.setattr("nnbench.runner.child._BETWEEN_S", 0.5)
    Journal(tmp_path).note("block", 0)
    if in_an_arm:
        Journal(tmp_path).begins("s", {"name": "a", "id": "0" * 16}, 0, 0)
    start = time.monotonic()
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    ended = child(code, tmp_path).watch(Journal(tmp_path), lambda: None, limit_s)
    assert (ended.code, ended.timed_out) == (-9, True)
    assert 0.5 < time.monotonic() - start < 5.5


def test_an_interrupted_process_has_three_seconds(tmp_path):
    polite = child("import time\ntry: print(1, flush=True); time.sleep(60)\nexcept KeyboardInterrupt: print('bye')",
                   tmp_path)  # fmt: skip
    deaf = child("import signal, time; signal.signal(2, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
                 tmp_path)  # fmt: skip
    while (tmp_path / "log").read_text().split().count("1") < 2:
        time.sleep(0.05)  # both have to have begun
    start = time.monotonic()
    polite.interrupt()
    assert time.monotonic() - start < 2.5
    deaf.interrupt()
    assert time.monotonic() - start < 5.5
    assert (tmp_path / "log").read_text().split().count("bye") == 1


VMSTAT, V1, V2 = (
    "/proc/vmstat",
    "/sys/fs/cgroup/memory/x/memory.oom_control",
    "/sys/fs/cgroup/x/memory.events",
)


@pytest.mark.parametrize(("group", "files", "kills"), [
    ("0::/x\n", {V2: "low 0\noom 4\noom_kill 3\n", VMSTAT: "oom_kill 9\n"}, 3),
    ("4:memory:/x\n0::/\n", {V1: "under_oom 0\noom_kill 2\n", VMSTAT: "oom_kill 9\n"}, 2),
    ("4:cpu,memory:/x:y\n0::/x\n", {VMSTAT: "nr 1\noom_kill 9\n"}, 9),
    ("0::/x\n", {VMSTAT: "nr 1\n"}, 0),
    (None, {}, 0),
])  # fmt: skip
def test_kills_by_the_kernel_are_read_where_it_tells_of_them(group, files, kills, monkeypatch):
    texts = {**files, **({} if group is None else {"/proc/self/cgroup": group})}

    def read(path, **_):
        if str(path) not in texts:
            raise FileNotFoundError(str(path))
        return texts[str(path)]

    monkeypatch.setattr(Path, "read_text", read)
    assert oom_kills() == kills
