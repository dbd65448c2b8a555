"""Arrays of a record: packed, kept beside it, copied with it, and refused where they are not its own."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
import zipfile

import numpy as np
import pytest

from nnbench.records import (
    Arrays,
    DamagedError,
    Record,
    RecordError,
    StorageError,
    copy_records,
    read_record,
    read_records,
    write_record,
    write_run,
)

ARM = {"name": "a", "id": "0123456789abcdef", "kind": "probe"}
MAP = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


def record(seed=0, **arrays):
    return Record(scenario="s", arm=ARM, seed=seed, arrays=Arrays.of(arrays))


def stated(path):
    """What is in the file *path*, under its true hash."""
    return Arrays(hashlib.sha256(path.read_bytes()).hexdigest(), None, path)


@pytest.fixture
def folder(tmp_path):
    write_run(tmp_path, {"schema_version": 3, "scenarios": []})
    return tmp_path


def test_what_is_written_is_read_back(folder):
    names = np.array(["cat", "dog"])
    found = read_record(write_record(folder, record(map=MAP, names=names)))
    assert set(found.arrays) == {"map", "names"}
    np.testing.assert_array_equal(found.arrays["map"], MAP)
    assert found.arrays["map"].dtype == np.float32
    assert list(found.arrays["names"]) == ["cat", "dog"]
    assert found.arrays == record(map=MAP, names=names).arrays


def test_the_same_numbers_give_the_same_bytes():
    assert Arrays.of({"map": MAP}).sha256 == Arrays.of({"map": MAP.copy()}).sha256
    assert Arrays.of({"map": MAP}).sha256 != Arrays.of({"map": MAP + 1}).sha256


def test_a_record_without_arrays_has_no_file(folder):
    path = write_record(folder, record())
    assert not path.with_suffix(".npz").exists()
    assert not read_record(path).arrays
    assert dict(read_record(path).arrays) == {}


def test_the_hash_stands_in_the_record_and_the_bytes_where_the_whole_is_asked_for():
    own = record(map=MAP)
    assert own.to_json()["arrays"] == {"sha256": own.arrays.sha256}
    again = Arrays.from_json(own.to_json(whole=True)["arrays"])
    np.testing.assert_array_equal(again["map"], MAP)
    assert record().to_json(whole=True)["arrays"] == {}


def test_a_changed_file_is_noticed_when_it_is_read(folder):
    path = write_record(folder, record(map=MAP))
    arrays = path.with_suffix(".npz")
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    found = read_record(path)  # the record itself is sound
    with pytest.raises(DamagedError, match="SHA-256"):
        found.arrays["map"]
    arrays.unlink()
    with pytest.raises(StorageError, match=r"cannot read .*\.npz"):
        found.arrays["map"]


def test_objects_are_neither_written_nor_read(folder):
    with pytest.raises(RecordError, match="'bad': expected numbers or text, got objects"):
        Arrays.of({"bad": np.array([{}, []], dtype=object)})
    path = write_record(folder, record(map=MAP))
    arrays = path.with_suffix(".npz")
    np.savez(arrays, map=np.array([{}], dtype=object))
    with pytest.raises(DamagedError, match="holds no arrays"):
        stated(arrays)["map"]
    with zipfile.ZipFile(arrays, "w") as file:
        file.writestr("map.npy", pickle.dumps("anything"))
    with pytest.raises(DamagedError, match="no array"):
        stated(arrays)["map"]


def test_more_than_two_megabytes_are_refused():
    noise = np.random.default_rng(0).integers(0, 256, 2**21 + 2**16, dtype=np.uint8)
    with pytest.raises(RecordError, match="take fewer, or a smaller type"):
        Arrays.of({"noise": noise})


def test_a_copied_run_has_them_and_none_of_a_former_one(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("copy")
    write_record(target, record(seed=9, map=MAP))
    write_record(folder, record(seed=1, map=MAP))
    copy_records(folder, target)
    assert len(list((target / "records").glob("*.npz"))) == 1
    ((found, *_), rejected) = read_records(target)
    assert not rejected
    np.testing.assert_array_equal(found.arrays["map"], MAP)


def test_the_index_of_a_large_run_knows_them(folder, monkeypatch):
    monkeypatch.setattr("nnbench.records.folder.INDEXED_LEAST", 2)
    monkeypatch.setattr("nnbench.records.folder._TICK_NS", -(10**18))
    for seed in range(3):
        write_record(folder, record(seed=seed, map=MAP + seed))
    read_records(folder)
    records, _ = read_records(folder)
    assert [float(each.arrays["map"][0, 0]) for each in sorted(records, key=lambda r: r.seed)] == [0, 1, 2]


def test_two_records_with_the_same_arrays_are_equal():
    assert record(map=MAP) == record(map=MAP)
    assert record(map=MAP) != record(map=-MAP)
    assert dataclasses.replace(record(map=MAP)).arrays["map"].shape == (3, 4)


@pytest.mark.parametrize("npz", ["%%%", 3])
def test_what_is_no_base64_is_refused(npz):
    with pytest.raises(RecordError, match="base64"):
        Arrays.from_json({"sha256": "0" * 64, "npz": npz})
