"""S2: each system call that writes a run fails once, or kills; what is there afterwards is old or new, and whole.

A small program writes a plan, three records and their journal, once as it should (its calls are counted) and
then once for each call, which strace makes fail. SQLite is tested so.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

import three_records
from nnbench.records import Journal, read_record, read_records, read_run
from nnbench.runner.request import sweep
from three_records import RECORDS, old_run, record, write_all

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="strace is of Linux"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]
CALLS = {"write": "write", "fsync": "fsync", "rename": "?rename,?renameat,?renameat2", "open": "openat"}
FAULTS = {
    "ENOSPC": ("error=ENOSPC", "No space left on device"),
    "EIO": ("error=EIO", "Input/output error"),
    "SIGKILL": ("signal=SIGKILL", ""),
}


def traced(folder, *options, log):
    """The program under strace; its exit code and what it said."""
    paths = os.pathsep.join(sys.path)
    done = subprocess.run(
        ["strace", "-qq", "-f", "-o", str(log), *options, sys.executable, three_records.__file__, str(folder)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Name -> numbers of the first and last call of the program after its imports."""
    place = tmp_path_factory.mktemp("counted")
    found = {}
    for name, call in CALLS.items():
        log = place / f"{name}.log"
        code, said = traced(old_run(place / name), "-e", f"trace=openat,{call}", log=log)
        if code != 0 and "ptrace" in said:
            pytest.skip(f"tracing is not permitted here: {said.strip()}")
        assert code == 0, said
        lines = [line for line in log.read_text().splitlines() if re.match(r"\d+ +[a-z0-9]+\(", line)]
        mark = next(number for number, line in enumerate(lines) if "/MARK" in line)
        wanted = [number for number, line in enumerate(lines)
                  if line.split("(")[0].split()[-1] in call.replace("?", "").split(",")]  # fmt: skip
        before = sum(number <= mark for number in wanted)
        found[name] = (before + 1, len(wanted))
    return found


def whole(folder):
    """Every file is old or new, and whole; what the journal calls recorded is new."""
    assert read_run(folder)["profile"] in ("old", "new")
    records, rejected = read_records(folder)
    assert rejected == []
    texts = {each.id: each.started_at for each in records}
    assert texts.pop(record(0, "old").id) in ("old", "new")
    assert set(texts.values()) <= {"new"}
    noted = {entry.more["id"] for entry in Journal(folder).entries() if entry.event == "record"}
    assert all(read_record(folder / "records" / f"{name}.json").started_at == "new" for name in noted)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", CALLS)
def test_each_call_that_fails_leaves_what_was_there_or_what_should_be(name, fault, calls, tmp_path):
    first, last = calls[name]
    assert last - first + 1 >= (4 if name == "rename" else 11)
    how, words = FAULTS[fault]
    for number in range(first, last + 1):
        folder = old_run(tmp_path / str(number))
        inject = f"inject={CALLS[name]}:{how}:when={number}"
        code, said = traced(folder, "-e", f"trace={CALLS[name]}", "-e", inject, log=tmp_path / "log")
        where = f"{name} {number}: {code}: {said}"
        if fault == "SIGKILL":
            assert code in (-9, 137), where
        else:
            assert code == 5, where
            assert re.fullmatch(
                rf"nnbench: cannot write {folder}\S*: {words}; choose another folder\n", said
            ), where
        whole(folder)
        sweep(folder)
        assert list(folder.rglob("*.part")) == [], where
        write_all(folder, "new")  # and the next run is as if nothing had been
        assert [each.started_at for each in read_records(folder)[0]] == ["new"] * RECORDS


def test_an_error_leaves_no_part_behind_without_a_sweep(calls, tmp_path):
    folder = old_run(tmp_path / "run")
    inject = f"inject=fsync:error=ENOSPC:when={calls['fsync'][0]}"
    code, _ = traced(folder, "-e", "trace=fsync", "-e", inject, log=tmp_path / "log")
    assert code == 5
    assert list(folder.rglob("*.part")) == []
    assert read_run(folder)["profile"] == "old"
