"""Records: strict, sealed, written whole or not at all, and of a frozen schema."""

import errno
import hashlib
import json
import math
import os
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest

from nnbench.records import (
    SCHEMA_HISTORY,
    SCHEMA_VERSION,
    STATUSES,
    Record,
    RecordError,
    StorageError,
    read_record,
    read_run,
    record_from_json,
    strict_dumps,
    strict_loads,
    without_nan,
    write_atomic,
    write_record,
    write_run,
)

GOLDEN = Path(__file__).parent / "golden"
ARM = {"name": "mlp/sgd/b64", "id": "0123456789abcdef", "kind": "training"}
# Whoever changes the record raises SCHEMA_VERSION, adds a line here and a golden file of the new version.
FIELDS = {
    1: (
        "scenario", "arm", "seed", "block", "status", "reason", "quality", "metrics", "missing", "curves",
        "samples", "weights_sha256", "data", "environment", "started_at", "schema_version",
    ),
    2: (
        "scenario", "arm", "seed", "block", "status", "reason", "quality", "metrics", "missing", "curves",
        "samples", "weights_sha256", "data", "environment", "evidence", "started_at", "schema_version",
    ),
    3: (
        "scenario", "arm", "seed", "block", "status", "reason", "quality", "metrics", "missing", "curves",
        "samples", "weights_sha256", "data", "environment", "evidence", "arrays", "started_at",
        "schema_version",
    ),
}  # fmt: skip


def record(**values):
    return Record(**{"scenario": "s", "arm": ARM, "seed": 0, **values})


def sealed(kind, content):
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
    return json.dumps({"sha256": digest, kind: content}, ensure_ascii=False) + "\n"


# the schema


@pytest.mark.parametrize("version", sorted(SCHEMA_HISTORY))
def test_the_golden_record_of_each_version_reads_back_and_is_written_alike(version, tmp_path):
    golden = GOLDEN / f"record-{version}.json"
    found = read_record(golden)
    assert found.schema_version == version
    assert found.metrics["parameters"] == 669_706
    assert found.quality == ("NOISY", "UNKNOWN")
    assert found.curves["validation_loss"][1] is None
    if version >= 3:
        assert found.arrays["map"].tolist() == [[0, 0.25, 0.5], [0.75, 1, 1.25]]
    if version == SCHEMA_VERSION:
        assert write_record(tmp_path, found).read_bytes() == golden.read_bytes()


def test_the_golden_record_has_every_field():
    for version, names in FIELDS.items():
        content = json.loads((GOLDEN / f"record-{version}.json").read_text(encoding="utf-8"))["record"]
        assert tuple(content) == names


def test_a_changed_field_needs_a_new_schema_version():
    assert tuple(item.name for item in fields(Record)) == FIELDS[SCHEMA_VERSION]
    assert set(FIELDS) == set(SCHEMA_HISTORY)
    assert max(SCHEMA_HISTORY) == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"schema_version": 99}, StorageError, "record schema 99: this nnbench reads 1, 2, 3"),
        ({"schema_version": None}, StorageError, "record schema None"),
        ({"sed": 3}, RecordError, "unknown key 'sed'; did you mean 'seed'"),
        ({"status": "FINE"}, RecordError, "status"),
        ({"metrics": {"layers": "three"}}, RecordError, "metric 'layers' is no number: 'three'"),
    ],
)
def test_json_that_is_no_record_of_this_schema_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        record_from_json({**record().to_json(), **change})


@pytest.mark.parametrize("name", ["scenario", "arm", "seed"])
def test_a_missing_field_is_named(name):
    values = record().to_json()
    del values[name]
    with pytest.raises(RecordError, match=f"no '{name}'"):
        record_from_json(values)


def test_a_record_survives_json():
    before = record(seed=3, block=2, quality=("NOISY",), metrics={"train_s": 0.1 + 0.2, "layers": 3})
    assert record_from_json(json.loads(strict_dumps(before.to_json()))) == before


# what a record refuses


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"status": "FINE"}, "status: expected one of OK"),
        ({"status": "OOM"}, "status OOM needs a reason"),
        ({"status": "SKIPPED", "reason": ""}, "status SKIPPED needs a reason"),
        ({"quality": ("LOUD",)}, "quality: expected some of NOISY"),
        ({"metrics": {"train_loss": math.nan}}, "'train_loss' is nan: write None and the reason"),
        ({"metrics": {"train_loss": math.inf}}, "'train_loss' is inf"),
        ({"metrics": {"peak_bytes": None}}, "'peak_bytes' is None without a reason"),
        ({"metrics": {"peak_bytes": None}, "missing": {"peak_bytes": ""}}, "None without a reason"),
        ({"metrics": {"train_s": -1e-9}}, "'train_s' is below zero"),
        ({"metrics": {"peak_bytes": -1}}, "below zero"),
        ({"metrics": {"validation_accuracy": -0.1}}, "below zero"),
        ({"metrics": {"parameters": -1}}, "below zero"),
        ({"arm": {**ARM, "id": "../../x"}}, "arm id: expected 16 hexadecimal digits"),
        ({"arm": {**ARM, "id": "0123456789abcdef\n"}}, "arm id: expected"),
        ({"arm": {"id": ARM["id"]}}, "arm: expected an arm with its name"),
        ({"arm": "mlp"}, "arm: expected an arm"),
        ({"seed": "../x"}, "seed and block: expected whole numbers"),
        ({"block": 1.0}, "seed and block: expected whole numbers"),
    ],
    ids=str,
)
def test_a_record_that_contradicts_itself_is_refused(values, message):
    with pytest.raises(RecordError, match=message):
        record(**values)


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_with_a_reason_is_a_record(status):
    assert record(status=status, reason="because").status == status


def test_a_loss_may_be_negative_and_a_metric_null_with_its_reason():
    found = record(metrics={"train_loss": -0.5, "peak_bytes": None}, missing={"peak_bytes": "not asked for"})
    assert found.metrics == {"train_loss": -0.5, "peak_bytes": None}


# names of files


def test_the_id_tells_scenario_arm_seed_and_block_apart():
    ids = [
        record(scenario=scenario, arm={**ARM, "name": name}, seed=seed, block=block).id
        for scenario in ("a", "b", None)
        for name in ("x", "y")
        for seed in (0, 1)
        for block in (0, 1)
    ]
    assert len(set(ids)) == len(ids)
    assert record(metrics={"layers": 1}).id == record(metrics={"layers": 2}).id


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/b", "..", "x\0y", "C:\\x", "~", "", "ä × €"])
def test_names_from_outside_never_become_paths(name, tmp_path):
    inside = tmp_path / "deep" / "run"
    written = record(scenario=name, arm={**ARM, "name": name})
    path = write_record(inside, written)
    assert path.parent == inside / "records"
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]
    assert path.name == f"{written.id}.json"
    assert read_record(path) == written


# strict JSON


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_is_strict_in_both_directions(value):
    with pytest.raises(ValueError, match="JSON"):
        strict_dumps({"deep": [value]})
    with pytest.raises(ValueError, match="is not JSON"):
        strict_loads(json.dumps({"deep": [value]}))


def test_numbers_are_not_rounded_and_signs_are_kept_as_they_are():
    assert strict_loads(strict_dumps([0.1 + 0.2, 1e-300, 2**70])) == [0.1 + 0.2, 1e-300, 2**70]
    assert strict_dumps({"b": "µ×", "a": 1}) == '{"b": "µ×", "a": 1}'


def test_without_nan_takes_away_what_is_not_finite_and_nothing_else():
    value = {"a": [math.nan, 1.5, (math.inf, "x")], "b": {"c": -math.inf, "d": None, "e": 0, "f": True}}
    assert without_nan(value) == {
        "a": [None, 1.5, [None, "x"]],
        "b": {"c": None, "d": None, "e": 0, "f": True},
    }
    assert math.isnan(value["a"][0])


# damage


def test_a_flipped_bit_anywhere_is_noticed_and_the_file_named(tmp_path):
    path = write_record(tmp_path, record(metrics={"train_s": 1.25, "layers": 3}, environment={"cpu": "µ"}))
    sound, original = path.read_bytes(), read_record(path)
    assert len(sound) > 400
    for position in range(len(sound) - 1):  # the last byte is the end of the line
        for bit in (1, 0x80):
            damaged = bytearray(sound)
            damaged[position] ^= bit
            path.write_bytes(damaged)
            with pytest.raises(StorageError) as caught:
                assert read_record(path) == original  # never another record in silence
            assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a record file"),
        ("[]", "is not a record file"),
        ("null", "is not a record file"),
        ('{"record": NaN}', "NaN is not JSON"),
        ('{"sha256": "00"}', "is not a record file"),
        ('{"record": {"seed": 1}}', "is damaged"),
        (sealed("run", {"schema_version": 1}), "is not a record file"),
        (sealed("record", [1, 2]), "record is no object but list"),
        (sealed("record", {**record().to_json(), "schema_version": 99}), "schema 99"),
        (sealed("record", {**record().to_json(), "status": "FINE"}), "status: expected"),
        (sealed("record", {"schema_version": 1}), "no 'scenario'"),
        (sealed("record", {**record().to_json(), "arm": {}}), "arm: expected"),
    ],
    ids=range(12),
)
def test_what_is_no_record_file_is_a_storage_error_naming_the_file(text, message, tmp_path):
    path = tmp_path / "some.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StorageError, match=message) as caught:
        read_record(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 5


def test_a_truncated_record_is_noticed(tmp_path):
    path = write_record(tmp_path, record())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match=r"\.json"):
        read_record(path)


def test_a_missing_record_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read .*nothing\.json: No such file"):
        read_record(tmp_path / "nothing.json")


def test_a_run_plan_comes_back_and_its_damage_is_noticed(tmp_path):
    plan = {"schema_version": SCHEMA_VERSION, "profile": "quick", "scenarios": [{"name": "µ"}]}
    path = write_run(tmp_path / "run", plan)
    assert path == tmp_path / "run" / "run.json"
    assert read_run(tmp_path / "run") == plan
    path.write_text(path.read_text(encoding="utf-8").replace("quick", "smoke"), encoding="utf-8")
    with pytest.raises(StorageError, match=r"run\.json is damaged"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("version", [99, None])
def test_a_run_plan_of_an_unknown_schema_is_refused(version, tmp_path):
    write_run(tmp_path, {"schema_version": version})
    with pytest.raises(StorageError, match=f"unknown schema {version}"):
        read_run(tmp_path)
    with pytest.raises(StorageError, match="cannot read"):
        read_run(tmp_path / "elsewhere")


# writing


def failing(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("owner", "name"), [(os, "replace"), (os, "fsync"), (os, "chmod"), (tempfile, "mkstemp")]
)
@pytest.mark.parametrize("before", ["the old content", None])
def test_a_write_that_fails_leaves_what_was_there(before, owner, name, tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    if before:
        path.write_text(before)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        with pytest.raises(StorageError, match=r"cannot write .*file\.json: No space left.*another folder"):
            write_atomic(path, "new content")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == (
        {"file.json": before} if before else {}
    )


def test_ctrl_c_in_the_middle_of_a_write_leaves_no_part(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_atomic(tmp_path / "file.json", "new")
    assert list(tmp_path.iterdir()) == []


def test_the_content_is_synced_before_the_name_and_the_folder_after(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: (done.append(os.readlink(f"/proc/self/fd/{handle}")), fsync(handle))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("rename"), replace(a, b)))
    write_atomic(tmp_path / "file.json", "new")
    part, rename, folder = done
    assert part.endswith(".part")
    assert rename == "rename"
    assert folder == str(tmp_path)


def test_a_write_makes_its_folders_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "a" / "b" / "file.json"
    write_atomic(path, "one")
    write_atomic(path, "two µ")
    assert path.read_bytes() == "two µ".encode()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_written_file_has_the_users_permissions(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "file.json", "x")
        assert os.umask(umask) == umask  # and the mask is what it was
    finally:
        os.umask(before)
    assert (tmp_path / "file.json").stat().st_mode & 0o777 == mode


def test_a_folder_that_cannot_be_written_to_is_named_with_the_way_out(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot write .*/file/records/.*choose another folder"):
        write_record(tmp_path / "file", record())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named_with_the_way_out(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="Permission denied; choose another folder"):
        write_record(tmp_path, record())
