"""The index of a run of many records: what it gives is what the files give, whatever becomes of it."""

from __future__ import annotations

import dataclasses
import os
import pickle
import random
import shutil
import sqlite3

import pytest

from fake_runs import failed, training_record
from nnbench.config import Arm
from nnbench.records import copy_records, folder, index, read_records, write_record
from nnbench.records.index import FILE
from nnbench.records.kept import Kept

ARMS = [Arm(name=name, batch_size=size) for name, size in (("a", 16), ("b", 64))]


def record(arm, seed, **changes):
    of = training_record(arm, seed, scenario="s", accuracy=0.8, step_ms=1)
    return dataclasses.replace(
        of, metrics={**of.metrics, "whole": 1, "zero": -0.0, "train_s": 1 / 3}, **changes
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder of eight records, old enough to be indexed, where three are many."""
    monkeypatch.setattr(folder, "INDEXED_LEAST", 3)
    monkeypatch.setattr(folder, "_TICK_NS", -(10**18))
    for arm in ARMS:
        for seed in range(3):
            write_record(tmp_path, record(arm, seed))
        write_record(
            tmp_path, failed(arm, 3, scenario="s", status="DIVERGED", reason="the loss is not finite")
        )
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """The names of the record files that were read."""
    seen = []

    def read(path):
        seen.append(path.name)
        return folder_read(path)

    folder_read = folder.read_own_record
    monkeypatch.setattr(folder, "read_own_record", read)
    return seen


def plain(records):
    return [each.to_json() for each in records]


def from_files(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(folder, "INDEXED_LEAST", 10**9)
        return read_records(run)


def test_the_index_gives_what_the_files_give_to_the_last_bit(run, monkeypatch):
    expected, _ = from_files(run, monkeypatch)
    for _ in range(2):
        found, rejected = read_records(run)
        assert repr(plain(found)) == repr(plain(expected))  # 1 is no 1.0, and keys keep their order
        assert found == expected
        assert rejected == []
    assert isinstance(found[0].curves, Kept)


def test_what_is_indexed_is_not_read_again(run, opened):
    read_records(run)
    assert len(opened) == 8
    read_records(run)
    assert len(opened) == 8


def test_few_records_have_no_index(run, monkeypatch):
    from_files(run, monkeypatch)
    assert not (run / FILE).exists()


def test_new_changed_and_vanished_files_are_seen(run, opened):
    read_records(run)
    opened.clear()
    write_record(run, record(ARMS[0], 9))
    write_record(run, record(ARMS[0], 0, started_at="changed"))
    gone = next(path for path in (run / "records").iterdir() if "-s2-" in path.name)
    gone.unlink()
    found, _ = read_records(run)
    assert len(opened) == 2
    assert len(found) == 8
    assert {each.seed for each in found if each.arm["name"] == "a"} >= {0, 9}
    assert "changed" in {each.started_at for each in found}
    assert gone.stem not in {each.id for each in found}


def test_a_change_that_keeps_size_and_time_is_seen(run):
    read_records(run)
    path = run / "records" / f"{record(ARMS[0], 1).id}.json"
    before = path.stat()
    text = path.read_text()
    path.write_text(text.replace(text[12:20], "00000000"))  # of the seal
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    found, rejected = read_records(run)
    assert (len(found), [name for name, _ in rejected]) == (7, [path.name])


def test_what_was_changed_just_now_is_not_indexed_yet(run, opened, monkeypatch):
    monkeypatch.setattr(folder, "_TICK_NS", 10**18)
    for _ in range(2):
        assert len(read_records(run)[0]) == 8
    assert len(opened) == 16


def test_a_damaged_record_is_told_every_time(run):
    path = run / "records" / f"{record(ARMS[1], 1).id}.json"
    path.write_text("{")
    for _ in range(2):
        found, rejected = read_records(run)
        assert len(found) == 7
        assert [name for name, _ in rejected] == [path.name]


# an index that is none


def replaced(run, content):
    (run / FILE).unlink(missing_ok=True)
    (run / FILE).write_bytes(content)


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


def hostile(statement):
    def make(run):
        with sqlite3.connect(run / FILE) as database:
            database.executescript(statement)
        database.close()

    return make


DAMAGES = {
    "empty": lambda run: replaced(run, b""),
    "text": lambda run: replaced(run, b"no index at all" * 100),
    "cut off": lambda run: replaced(run, (run / FILE).read_bytes()[:5000]),
    "a folder": lambda run: ((run / FILE).unlink(), (run / FILE).mkdir()),
    "another version": hostile("PRAGMA user_version = 7"),
    "no table": hostile("DROP TABLE part"),
    "no parts": hostile("DELETE FROM part"),
    "another shape": hostile("UPDATE record SET row = '[]'"),
    "no JSON": hostile("UPDATE record SET row = x'ff00'"),
    "deep": hostile(f"UPDATE record SET row = '{'[' * 9999}'"),
    "rows exchanged": hostile("UPDATE record SET row = (SELECT max(row) FROM record)"),
    "a trigger": hostile("CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM part; END"),
    "a view": hostile("ALTER TABLE part RENAME TO x; CREATE VIEW part AS SELECT * FROM x"),
    "kept of others": hostile("UPDATE record SET kept = zeroblob(10)"),
    "a bomb": hostile("UPDATE record SET kept = zeroblob(100000000)"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_is_found_in_its_place_the_records_are_those_of_the_files(run, damage, monkeypatch):
    expected, _ = from_files(run, monkeypatch)
    read_records(run)
    DAMAGES[damage](run)
    for _ in range(2):
        assert repr(plain(read_records(run)[0])) == repr(plain(expected))


def test_a_bit_that_was_turned_changes_no_record(run, monkeypatch):
    expected, _ = from_files(run, monkeypatch)
    read_records(run)
    content, places = (run / FILE).read_bytes(), random.Random(0)
    for _ in range(150):
        replaced(run, flipped(content, places.randrange(len(content))))
        assert plain(read_records(run)[0]) == plain(expected)


def test_the_index_of_another_run_is_not_believed(run, tmp_path, opened):
    read_records(run)
    other = tmp_path / "other"
    (other / "records").mkdir(parents=True)
    for path in (run / "records").glob("*.json"):
        shutil.copy2(path, other / "records")
    shutil.copy2(run / FILE, other)
    opened.clear()
    assert len(read_records(other)[0]) == 8
    assert len(opened) == 8  # the same names and contents, but other files


# folders that cannot be written to, and two processes


def test_a_folder_that_is_read_only_is_read_from_its_files(run, monkeypatch, opened):
    connect = sqlite3.connect

    def refusing(database, **options):
        if "mode=rwc" in str(database):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(database, **options)

    monkeypatch.setattr(index.sqlite3, "connect", refusing)
    assert len(read_records(run)[0]) == 8
    assert not (run / FILE).exists()


def test_an_index_that_another_process_writes_is_done_without(run, opened):
    read_records(run)
    write_record(run, record(ARMS[0], 9))
    other = sqlite3.connect(run / FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert len(read_records(run)[0]) == 9
    other.execute("ROLLBACK")
    other.close()
    opened.clear()
    assert len(read_records(run)[0]) == 9
    assert len(opened) == 1  # the new one: what could not be added then is now


# what stays in the file


def test_curves_and_samples_survive_their_index(run, monkeypatch):
    expected, _ = from_files(run, monkeypatch)
    read_records(run)
    found, _ = read_records(run)
    (run / FILE).write_bytes(b"gone")
    assert plain(found) == plain(expected)


def test_a_copy_of_a_record_needs_no_file(run, monkeypatch):
    expected, _ = from_files(run, monkeypatch)
    read_records(run)
    copies = pickle.loads(pickle.dumps(read_records(run)[0]))
    shutil.rmtree(run / "records")
    (run / FILE).unlink()
    assert plain(copies) == plain(expected)
    assert repr(copies[0].curves) == repr(dict(expected[0].curves))


# copies


def test_a_copied_run_has_its_index(run, tmp_path, opened):
    read_records(run)
    target = tmp_path / "copy"
    (target / "records").mkdir(parents=True)
    (target / "records" / "old.json").write_text("{}")
    copy_records(run, target)
    opened.clear()
    found, rejected = read_records(target)
    assert (len(found), rejected, opened) == (8, [], [])


def test_a_copy_whose_index_is_none_has_none(run, tmp_path):
    read_records(run)
    (run / FILE).write_bytes(b"no index")
    copy_records(run, tmp_path / "copy")
    assert not (tmp_path / "copy" / FILE).exists()
    assert len(read_records(tmp_path / "copy")[0]) == 8
