"""Files of a run that are torn, changed or hostile: passed over, counted and told; the others are read."""

import copy
import hashlib
import json
import os
import random
import subprocess
import sys
import textwrap

import pytest

from fake_runs import architectures, edit, write_folder
from nnbench.cli import main
from nnbench.records import DamagedError, read_record, strict_loads
from nnbench.report.tables import glance
from nnbench.results import load_run, read_results

SEEDS, ALL = 3, 21
DEEP, DIGITS = 100_000, 1_000_000


@pytest.fixture
def folder(tmp_path):
    """A run of seven arms under three seeds."""
    return write_folder(tmp_path / "run", [architectures(SEEDS)], seeds=SEEDS)


def first(folder):
    return min((folder / "records").glob("*.json"))


def resealed(path, change):
    """Change the record in *path* and seal it anew: what somebody writes who knows the format."""
    outer = json.loads(path.read_text(encoding="utf-8"))
    change(outer["record"])
    body = json.dumps(outer["record"], ensure_ascii=False)
    digest = hashlib.sha256(body.encode()).hexdigest()
    path.write_text(f'{{"sha256": "{digest}", "record": {body}}}\n', encoding="utf-8")


def hostile(sound):
    """Name -> bytes of files that are no records, made of the bytes of one that is."""
    text = sound.decode()
    body = text[text.index('"record": ') + 10 : -2]
    return {
        "empty": b"",
        "zeros": bytes(4096),
        "binary": random.Random(1).randbytes(4096),
        "deep list": b"[" * DEEP,
        "deep list, closed": b"[" * DEEP + b"]" * DEEP,
        "deep object": b'{"a":' * DEEP,
        "deep in the record": text.replace('"block": 0', f'"block": {"[" * DEEP}{"]" * DEEP}').encode(),
        "huge number": text.replace('"seed": 0', f'"seed": {"1" * DIGITS}').encode(),
        "large number": text.replace('"seed": 0', f'"seed": {"1" * 4000}').encode(),
        "huge exponent": text.replace('"seed": 0', '"seed": 1e999999999').encode(),
        "key twice outside": text.replace('{"sha256"', f'{{"record": {body}, "sha256"', 1).encode(),
        "key twice inside": text.replace('"seed": 0', '"seed": 0, "seed": 0').encode(),
        "NaN": text.replace('"seed": 0', '"seed": NaN').encode(),
        "Infinity": text.replace('"seed": 0', '"seed": -Infinity').encode(),
        "a list": f"[{text}]".encode(),
        "a number": b"7",
        "no UTF-8": text.replace('"seed"', '"s\xe9ed"').encode("latin-1"),
        "half a pair": text.replace('"seed": 0', '"seed": 0, "x": "\\ud800"').encode(),
        "more after it": sound + sound,
        "blanks": text.replace(": ", " : ").encode(),
        "one blank": text.replace(": ", ":\t", 1).encode(),
        "many megabytes": b'{"record": [' + b"{}," * 2_000_000 + b"0]}",
    }


@pytest.mark.parametrize("share", range(100))
def test_a_record_cut_off_anywhere_is_noticed(share, folder):
    path = first(folder)
    sound = path.read_bytes()
    path.write_bytes(sound[: len(sound) * share // 100])
    with pytest.raises(DamagedError):
        read_record(path)


def test_a_thousand_changed_bytes_are_all_noticed(folder):
    path, rng = first(folder), random.Random(1)
    sound = path.read_bytes()
    for _ in range(1000):
        damaged = bytearray(sound)
        damaged[rng.randrange(len(sound))] ^= rng.randrange(1, 256)
        path.write_bytes(damaged)
        with pytest.raises(DamagedError, match=path.name):
            read_record(path)


def test_a_checkout_with_other_line_ends_is_no_damage(folder):
    path = first(folder)
    found = read_record(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_record(path) == found


READS = textwrap.dedent("""
    import json, sys, time
    from pathlib import Path
    from nnbench.records import DamagedError, read_record
    for path in sorted(Path(sys.argv[1]).iterdir()):
        Path("/proc/self/clear_refs").write_text("5")
        start = time.monotonic()
        try:
            found = read_record(path).id
        except DamagedError as error:
            found = str(error)
        status = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
        print(json.dumps([path.name, found, time.monotonic() - start, int(status) / 1024]))
""")


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_each_hostile_file_is_refused_within_two_seconds_and_200_mib(folder, tmp_path):
    place = tmp_path / "hostile"
    place.mkdir()
    files = hostile(first(folder).read_bytes())
    for number, content in enumerate(files.values()):
        (place / f"{number:02d}.json").write_bytes(content)
    done = subprocess.run([sys.executable, "-c", READS, str(place)], capture_output=True, text=True,
                          check=True, timeout=120, env={**os.environ, "PYTHONWARNINGS": ""})  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(files)
    for (name, message, seconds, mebibytes), what in zip(found, files, strict=True):
        assert name in message, what
        assert len(message) < 1000, what
        assert seconds < 2, what
        assert mebibytes < 200, what


def test_the_table_tells_at_its_foot_what_it_has_passed_over(folder, capsys):
    path = first(folder)
    sound = path.read_bytes()
    for content in hostile(sound).values():
        path.write_bytes(content)
        assert main(["table", str(folder)]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert out.splitlines()[-1].startswith(f"20 read, 1 rejected: {path.name}: is ")
        assert "Traceback" not in out


def test_a_program_that_reads_the_table_is_told_beside_it(folder, capsys):
    path = first(folder)
    path.write_bytes(b"")
    assert main(["table", str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(strict_loads(out)) == ALL - 1
    assert err.startswith("20 read, 1 rejected: ")
    assert len(load_run(folder)) == ALL - 1


def test_the_report_tells_it_at_a_glance(folder):
    first(folder).write_bytes(b"")
    shown = glance(read_results(folder)).set_index("what")["value"]
    assert shown["files"].startswith("20 read, 1 rejected: ")
    assert "1 without a record" in shown["measurements"]


def test_many_damaged_files_are_counted_and_a_few_named(folder):
    for path in (folder / "records").glob("*.json"):
        path.write_bytes(b"")
    found = read_results(folder).rejection()
    assert found.startswith("0 read, 21 rejected: ")
    assert found.count(".json: is not a record file") == 5
    assert found.endswith("; and 16 more")


WRONG_TYPES = {
    "scenario": [7, [], {"a": 1}],
    "arm": [None, 7, [], "mlp"],
    "seed": ["0", 0.0, None, True, [0]],
    "block": ["0", 1.5, None],
    "status": [None, 7, ["OK"], {}],
    "reason": [7, ["x"]],
    "quality": [None, "NOISY", [7], [["NOISY"]]],
    "metrics": [None, [], {"train_s": "1"}, {"train_s": [1]}, {"train_s": 10**400}, 7],
    "missing": [None, [], {"peak_bytes": 7}],
    "curves": [None, [], {"train_loss": 1}, {"train_loss": ["a"]}, {"train_loss": [10**400]}, 7],
    "samples": [None, {"step_s": []}, {"step_s": {"count": 1}}, {"step_s": {"count": "1", "values": [1]}},
                {"step_s": {"count": 1, "values": 1}}, {"step_s": {"count": 1, "values": [1, 2]}}],
    "weights_sha256": [7, []],
    "data": [None, [], {"name": 7}, {"validation": "many"}],
    "environment": [None, [], {"cores": "two"}, {"load_1min": "high"}],
    "evidence": [None, [], 7, {"vectorised": "6"}, {"together_s": [1]}],
    "started_at": [None, 7, []],
    "schema_version": [None, "2", 2.0, True, [], {}, 0, -1],
}  # fmt: skip


@pytest.mark.parametrize(("key", "values"), WRONG_TYPES.items(), ids=WRONG_TYPES)
def test_a_sealed_record_with_values_of_the_wrong_type_is_refused(key, values, folder):
    path = first(folder)
    sound = path.read_bytes()
    for value in values:
        path.write_bytes(sound)
        resealed(path, lambda record, value=value: record.update({key: copy.deepcopy(value)}))
        found = read_results(folder)
        assert len(found.records) == ALL - 1, value
        assert found.rejected[0][0] == path.name


@pytest.mark.parametrize("key", ["kind", "id", "name"])
def test_an_arm_without_what_the_tables_need_is_refused(key, folder):
    resealed(first(folder), lambda record: record["arm"].pop(key))
    assert len(read_results(folder).rejected) == 1


def test_a_copy_under_another_name_does_not_count_twice(folder):
    path = first(folder)
    path.with_name("copy.json").write_bytes(path.read_bytes())
    found = read_results(folder)
    assert len(found.records) == ALL
    assert [name for name, _ in found.rejected] == ["copy.json"]


def test_what_is_no_file_is_not_waited_for(folder):
    os.mkfifo(folder / "records" / "pipe.json")
    (folder / "records" / "folder.json").mkdir()
    (folder / "records" / "device.json").symlink_to("/dev/zero")
    (folder / "records" / "nothing.json").symlink_to("nowhere")
    found = read_results(folder)
    assert len(found.records) == ALL
    assert {name for name, _ in found.rejected} == {
        "pipe.json",
        "folder.json",
        "device.json",
        "nothing.json",
    }


def test_names_and_reasons_reach_the_terminal_as_one_printable_line(folder, capsys):
    (folder / "records" / os.fsdecode(b"\xff\x1b[31m\n.json")).write_bytes(b"")
    path = first(folder)
    resealed(path, lambda record: record.update({"\x1b[2J": 1}))
    assert main(["table", str(folder)]) == 0
    foot = capsys.readouterr().out.splitlines()[-1]
    assert "2 rejected" in foot
    assert foot.isprintable()


def test_a_record_of_a_later_schema_is_refused_with_the_run_and_left_as_it_is(folder, capsys):
    path = first(folder)
    resealed(path, lambda record: record.update(schema_version=99, surprise={"new": 1}))
    before = path.read_bytes()
    for command in (["table", str(folder)], ["run", "--resume", str(folder)]):
        assert main(command) == 5
    assert main(["table", str(folder)]) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith(
        f"nnbench: {path}: record schema 99: this nnbench reads 1, 2, 3; use"
    )
    assert path.read_bytes() == before


def test_a_plan_of_a_later_schema_is_refused_and_left_as_it_is(folder, capsys):
    path = folder / "run.json"
    edit(path, lambda content: content["run"].update(schema_version=99))
    content = json.loads(path.read_text())["run"]
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
    path.write_text(json.dumps({"sha256": digest, "run": content}, ensure_ascii=False) + "\n")
    before = path.read_bytes()
    assert main(["table", str(folder)]) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "schema 99" in err
    assert path.read_bytes() == before
