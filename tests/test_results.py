import dataclasses
import json
import math

import pytest

from fake_runs import (
    architectures,
    batching,
    benchmark_json,
    edit,
    grid,
    kernels,
    lecture,
    read_parts,
    receptive_field,
    write_folder,
    write_json,
)
from nnbench.config import ConfigError
from nnbench.records import StorageError, strict_loads
from nnbench.results import curves, load_run, read_results, step_samples, summary_table


def test_folder_and_file_hold_the_same_run_in_the_order_of_the_plan(tmp_path):
    folder = read_results(write_folder(tmp_path / "run", lecture(2), seeds=2))
    file = read_results(write_json(tmp_path / "out.json", lecture(2), seeds=2))
    assert folder.records == file.records
    assert folder.plan == file.plan
    assert list(dict.fromkeys(r.scenario for r in folder.records)) == [
        "architectures", "batching", "kernel-size", "receptive-field",
    ]  # fmt: skip
    names = [record.arm["name"] for record in folder.of("batching")][::2]
    assert names[:3] == ["mlp-512-512/sgd/b1", "mlp-512-512/sgd/b4", "mlp-512-512/sgd/b16"]
    assert len(file.outcomes) == 27
    assert folder.outcomes == {}


def _is_no_result(path, match):
    with pytest.raises(StorageError, match=match) as caught:
        read_results(path)
    assert caught.value.exit_code == 5


def test_what_is_no_result_is_refused_with_its_reason(tmp_path):
    _is_no_result(tmp_path / "nothing.json", "no such file or folder")
    _is_no_result(tmp_path, "without run.json")
    other = tmp_path / "other.json"
    other.write_text('{"a": 1}')
    _is_no_result(other, "not written by pytest --benchmark-json")
    other.write_text("[1, 2]")
    _is_no_result(other, "not written by pytest --benchmark-json")
    other.write_text('{"benchmarks": []}')
    _is_no_result(other, "no results of nnbench")
    other.write_text('{"benchmarks": [')
    _is_no_result(other, "damaged or no JSON")
    other.write_text('{"benchmarks": [NaN]}')
    _is_no_result(other, "NaN is not JSON")
    other.write_bytes(b"\xff\xfe\x00")
    _is_no_result(other, "damaged or no JSON")


def test_a_schema_from_the_future_is_refused(tmp_path):
    path = write_json(tmp_path / "out.json", [receptive_field()])
    _is_no_result(edit(path, lambda c: c["nnbench"].update(schema_version=99)), "schema 99")
    path = write_json(tmp_path / "out.json", [receptive_field()])
    _is_no_result(edit(path, lambda c: c["nnbench"]["records"][0].update(schema_version=99)), "schema 99")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["nnbench"]["records"].append(7),
        lambda content: content["nnbench"]["records"][0].pop("arm"),
        lambda content: content["nnbench"]["records"][0].update(status="FINE"),
        lambda content: content["nnbench"]["records"][0].update(surprise=1),
        lambda content: content["nnbench"].pop("records"),
        lambda content: content["nnbench"].pop("scenarios"),
    ],
)
def test_sound_json_of_the_wrong_shape_is_refused(tmp_path, change):
    _is_no_result(edit(write_json(tmp_path / "out.json", [receptive_field()]), change), "malformed")


def test_a_damaged_record_of_a_folder_is_passed_over_and_told(tmp_path):
    folder = write_folder(tmp_path / "run", [receptive_field()])
    path = next((folder / "records").iterdir())
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    found = read_results(folder)
    assert len(found.records) == 4
    assert found.rejection().startswith(f"4 read, 1 rejected: {path.name}: is damaged: SHA-256")


def test_a_record_that_a_file_holds_twice_is_refused(tmp_path):
    path = write_json(tmp_path / "out.json", [receptive_field()])
    edit(path, lambda c: c["nnbench"]["records"].append(c["nnbench"]["records"][0]))
    _is_no_result(path, "two records of 'one 3x3' in scenario 'receptive-field', seed 0, block 0")


def test_the_tidy_table_has_a_row_per_record(tmp_path):
    table = load_run(write_folder(tmp_path / "run", lecture(3)))
    assert len(table) == 71
    assert list(table.columns[:7]) == ["scenario", "arm", "arm_id", "seed", "block", "status", "reason"]
    hot = table[table["status"] == "DIVERGED"].iloc[0]
    assert math.isnan(hot["validation_accuracy"])
    assert hot["parameters"] == 669_706
    row = table[table["arm"] == "mlp-512-512/sgd/b16"].iloc[0]
    assert row["batch_size"] == 16
    assert row["model_args.hidden"] == "512-512"
    assert row["environment.cores"] == 2
    assert row["data.validation"] == 2000


def test_a_field_named_like_a_metric_keeps_out_of_its_way(tmp_path):
    table = load_run(write_json(tmp_path / "out.json", [batching(1)], seeds=1))
    hot = table[table["status"] == "DIVERGED"].iloc[0]
    assert (hot["epochs"], hot["arm.epochs"]) == (1.4, 3)


def test_curves_count_epochs_from_one_and_are_cumulative(tmp_path):
    frame = curves(read_parts(tmp_path / "a.json", [batching(2)], seeds=2))
    b64 = frame[(frame["arm"] == "mlp-512-512/sgd/b64") & (frame["seed"] == 1)]
    assert b64["epoch"].tolist() == [1, 2, 3]
    assert b64["steps"].tolist() == [94, 188, 282]
    assert b64["samples"].tolist() == [6000, 12000, 18000]
    assert b64["train_s"].is_monotonic_increasing
    assert (frame["arm"] == "mlp/b64/lr 10").sum() == 2


def test_a_shorter_curve_ends_in_nan(tmp_path):
    scenario, records = architectures(1)
    cut = dataclasses.replace(records[0], curves={**records[0].curves, "train_s": [0.5]})
    frame = curves(read_parts(tmp_path / "a.json", [(scenario, [cut])], seeds=1))
    assert frame["train_s"].isna().tolist() == [False, True, True]


def test_probes_have_no_curves(tmp_path):
    run = read_parts(tmp_path / "a.json", [receptive_field()])
    assert curves(run).empty
    assert step_samples(run).empty
    assert "validation_accuracy" in curves(run)


def test_step_samples_are_spread_over_all_steps(tmp_path):
    frame = step_samples(read_parts(tmp_path / "a.json", [batching(1)], seeds=1))
    online = frame[frame["arm"] == "mlp-512-512/sgd/b1"]
    assert len(online) == 512
    assert (online["step"].iloc[0], online["step"].iloc[-1]) == (1, 18_000)
    full = frame[frame["arm"] == "mlp-512-512/sgd/full"]
    assert full["step"].tolist() == [1, 2, 3]


def test_a_single_step_is_step_one(tmp_path):
    scenario, records = architectures(1)
    one = dataclasses.replace(records[0], samples={"step_loss": {"count": 1, "values": [2.3]}})
    frame = step_samples(read_parts(tmp_path / "a.json", [(scenario, [one])], seeds=1))
    assert frame[["step", "step_loss"]].to_numpy().tolist() == [[1, 2.3]]


def test_summary_keeps_a_planned_arm_without_a_record(tmp_path):
    scenario, records = architectures(2)
    kept = [record for record in records if record.arm["name"] != "lenet5"]
    run = read_parts(tmp_path / "a.json", [(scenario, kept)], seeds=2)
    table = summary_table(run, "architectures").set_index("arm")
    assert table.loc["lenet5", "status"] == "NOT RUN: no record"
    assert table.loc["lenet5", "parameters"] == "–"
    assert table.loc["logistic", "parameters"] == "7,850"
    assert table.loc["alexnet", "status"].startswith("OOM: ")
    with pytest.raises(ConfigError, match="did you mean 'architectures'"):
        summary_table(run, "architecture")


def test_the_fakes_are_strict_json():
    strict_loads(json.dumps(benchmark_json([*lecture(1), kernels(1), grid(2, 1)])))
