"""`nnbench compare` as a person and a shell meet it."""

from __future__ import annotations

import dataclasses
import signal

import pytest

from fake_runs import architectures, kernels, receptive_field, write_folder, write_json
from nnbench.cli import main
from nnbench.records import strict_loads


@pytest.fixture(autouse=True)
def _signals():
    """`main` answers SIGTERM in its own way."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(capsys, *arguments):
    code = main(["compare", *map(str, arguments)])
    return code, *capsys.readouterr()


def changed(parts, change):
    """*parts* with every OK record changed."""
    scenario, records = parts
    return scenario, [change(record) if record.status == "OK" else record for record in records]


def with_metrics(record, **values):
    return dataclasses.replace(record, metrics={**record.metrics, **values}, weights_sha256="ef" * 32)


@pytest.fixture
def base(tmp_path):
    return write_folder(tmp_path / "base", [kernels(6)], seeds=6)


def test_a_run_is_the_same_as_itself_but_for_its_times(capsys, base):
    code, out, err = run(capsys, base, base)
    assert (code, err) == (3, "")
    assert "taken at different times: use nnbench ab" in out
    assert "bit-identical" in out
    assert "SAME: " in out
    assert "parameters" in out
    assert out.rstrip().splitlines()[-1].startswith("inconclusive; ")
    assert run(capsys, base, base, "--metric", "parameters", "--metric", "validation_accuracy")[0] == 0


def test_what_learns_worse_is_exit_code_1(capsys, base, tmp_path):
    worse = changed(kernels(6), lambda r: with_metrics(r, validation_accuracy=0.5 + r.seed / 1000))
    code, out, _ = run(capsys, base, write_folder(tmp_path / "head", [worse], seeds=6))
    assert code == 1
    assert "WORSE" in out
    assert "LEARNS WORSE" in out
    assert "HEAD is worse" in out


def test_a_file_and_a_folder_and_json(capsys, base, tmp_path):
    head = write_json(tmp_path / "head.json", [kernels(6), receptive_field()], seeds=6)
    code, out, _ = run(capsys, base, head, "--json")
    found = strict_loads(out)
    assert found["exit_code"] == code == 3
    assert "receptive-field: one 3x3" in found["only_head"]
    assert found["only_base"] == found["environment"] == found["configuration"] == []
    assert {row["metric"] for row in found["comparisons"]} >= {"samples_per_s", "convergence", "train_s"}


def test_another_machine_is_not_comparable_but_across(capsys, base, tmp_path):
    def elsewhere(record):
        return dataclasses.replace(
            record, environment={**record.environment, "cpu": "Another CPU", "torch": "9"}
        )

    head = write_folder(tmp_path / "head", [changed(kernels(6), elsewhere)], seeds=6)
    code, out, _ = run(capsys, base, head)
    assert code == 4
    assert "differs between the runs: cpu: Imaginary CPU @ 2.0 GHz against Another CPU" in out
    assert "differs between the runs: torch: 2.10.0 against 9" in out
    assert "not comparable" in out
    assert run(capsys, base, head, "--across")[0] == 3
    assert run(capsys, base, head, "--metric", "validation_accuracy")[0] == 0


def test_no_arm_in_common(capsys, base, tmp_path):
    code, out, _ = run(capsys, base, write_folder(tmp_path / "head", [receptive_field()]))
    assert code == 4
    assert "nothing to compare" in out
    assert "only BASE has: kernel-size: 1x1" in out
    assert "only HEAD has: receptive-field: one 3x3" in out


def test_an_arm_that_now_fails_is_worse(capsys, tmp_path):
    scenario, records = architectures(6)
    oom = [dataclasses.replace(r, status="OOM", reason="no memory", metrics={}) if r.arm["name"] == "lenet5" else r
           for r in records]  # fmt: skip
    folders = [
        write_folder(tmp_path / str(i), [(scenario, found)], seeds=6)
        for i, found in enumerate((records, oom))
    ]
    code, out, _ = run(capsys, *folders)
    assert code == 1
    assert "head: OOM: no memory" in out


@pytest.mark.parametrize(
    ("extra", "code", "message"),
    [
        (("--metric", "parameter"), 2, "did you mean 'parameters'"),
        (("--metric", "joy"), 2, "--metric: unknown name 'joy'"),
    ],
)
def test_a_mistake_is_one_line(capsys, base, extra, code, message):
    found, out, err = run(capsys, base, base, *extra)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1


def test_what_is_no_run_is_exit_code_5(capsys, base, tmp_path):
    code, out, err = run(capsys, base, tmp_path / "nowhere")
    assert (code, out) == (5, "")
    assert "no such file or folder" in err
