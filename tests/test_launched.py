"""Arms of several ranks under pytest and by `python -m nnbench.scaling`, with torchrun and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fake_runs import failed, training_record
from nnbench.config import Arm
from nnbench.records import OK
from nnbench.results import load_run, read_results
from nnbench.scaling import capacity
from nnbench.scaling.__main__ import ladder, main, scenario_of
from test_pytest_plugin import bench, load  # noqa: F401 - a fixture

TESTS = Path(__file__).parent
needs_two = pytest.mark.skipif(capacity("cpu") < 2, reason="two ranks need two cores")
SOURCE = """
from nnbench import Arm, Scenario

base = Arm(data="digits", model="{model}", epochs=1, batch_size=64)
arms = (base.replace(name="one"), base.replace(name="two", ranks=2))
ranks = Scenario(
    name="ranks", statement="Two are faster.", question="Are two faster?", axis="epochs",
    arms={{"smoke": arms, "quick": arms, "full": (*arms, base.replace(name="four", ranks=4))}},
)
alone = Scenario(
    name="alone", statement="One is enough.", question="Is it?", axis="epochs",
    arms=dict.fromkeys(("smoke", "quick", "full"), (base.replace(name="alone"),)),
)

def test_alone(arm, train_benchmark):
    train_benchmark(arm)

def test_ranks(arm, train_benchmark):
    train_benchmark(arm)
"""
BENCH = SOURCE.format(model="logistic")


@pytest.fixture
def launches(monkeypatch):
    """What pytest asked to be launched; the launch itself is faked."""
    asked = []

    def launch(tasks, ranks, keep, begins, data_folder=None):
        begins()
        asked.append(([(task.scenario, task.arm.name, len(task.seeds)) for task in tasks], ranks))
        records = []
        for task in tasks:
            for seed in task.seeds:
                lost = launch.lost.get(task.arm.name)
                record = (
                    failed(task.arm, seed, scenario=task.scenario, status=lost[0], reason=lost[1])
                    if lost
                    else training_record(task.arm, seed, scenario=task.scenario, accuracy=0.8, step_ms=2)
                )
                records.insert(0, record)
        for record in records:
            keep(record)
        return records

    launch.lost = {}
    monkeypatch.setattr("nnbench.scaling.launch", launch)
    monkeypatch.setattr("nnbench.scaling.capacity", lambda device: 2)
    asked_and_lost = asked, launch.lost
    return asked_and_lost


def test_one_launch_measures_all_arms_that_were_selected(bench, launches):  # noqa: F811
    result = bench("--benchmark-json=out.json", "--nnbench-seeds=2", source=BENCH)
    result.assert_outcomes(passed=3)
    assert launches[0] == [([("ranks", "one", 2), ("ranks", "two", 2)], 2)]
    out = load(bench)
    records = [r for r in out["nnbench"]["records"] if r["scenario"] == "ranks"]
    found = sorted((r["arm"]["name"], r["seed"]) for r in records)
    assert found == [("one", 0), ("one", 1), ("two", 0), ("two", 1)]
    for told, name in zip(out["benchmarks"][1:], ("one", "two"), strict=True):
        own = [r["metrics"] for r in reversed(records) if r["arm"]["name"] == name]  # by seed
        assert told["stats"]["data"] == pytest.approx([m["train_s"] + m["validation_s"] for m in own])
        assert told["extra_info"]["status"] == ["OK", "OK"]
    result.stdout.fnmatch_lines(["*arm*against*scaling*speed-up*efficiency*"])


def test_only_what_is_selected_is_launched(bench, launches):  # noqa: F811
    bench("-k", "two", "--nnbench-seeds=1", source=BENCH).assert_outcomes(passed=1, deselected=2)
    assert launches[0] == [([("ranks", "two", 1)], 2)]
    bench("-k", "alone", "--nnbench-seeds=1", source=BENCH).assert_outcomes(passed=1, deselected=2)
    assert len(launches[0]) == 1


def test_a_launch_has_no_more_ranks_than_the_machine_holds(bench, launches):  # noqa: F811
    launches[1]["four"] = ("SKIPPED", "needs 4 ranks, this launch has 2")
    result = bench("--nnbench-profile=full", "--nnbench-seeds=1", "-rs", source=BENCH)
    result.assert_outcomes(passed=3, skipped=1)
    assert launches[0][0][1] == 2
    result.stdout.fnmatch_lines(["SKIPPED*needs 4 ranks, this launch has 2"])


def test_a_failed_rank_fails_its_arm_and_is_in_the_file(bench, launches):  # noqa: F811
    launches[1]["two"] = ("RANK_FAILED", "rank 1 of 2 ended unexpectedly")
    result = bench("--benchmark-json=out.json", "--nnbench-seeds=1", source=BENCH)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*seed 0: RANK_FAILED: rank 1 of 2 ended unexpectedly*"])
    out = load(bench)
    assert [r["status"] for r in out["nnbench"]["records"] if r["arm"]["name"] == "two"] == ["RANK_FAILED"]
    assert out["nnbench"]["outcomes"]["test_bench.py::test_ranks[two]"] == "failed"


def test_an_interrupted_launch_keeps_what_it_had(bench, pytester, launches, monkeypatch):  # noqa: F811
    def launch(tasks, ranks, keep, begins, data_folder=None):
        begins()
        keep(training_record(tasks[0].arm, 0, scenario="ranks", accuracy=0.8, step_ms=2))
        raise KeyboardInterrupt

    monkeypatch.setattr("nnbench.scaling.launch", launch)
    pytester.makepyfile(test_bench=BENCH)
    result = pytester.runpytest_inprocess(
        "test_bench.py", "-p", "no:cacheprovider", "-k", "ranks", "--benchmark-json=out.json",
        "--nnbench-out=run", no_reraise_ctrlc=True,
    )  # fmt: skip
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])
    result.stdout.no_fnmatch_line("*was not used*")
    assert len(list((bench.path / "run" / "records").iterdir())) == 1
    assert len(load(bench)["nnbench"]["records"]) == 1


def torchrun(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *arguments],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@needs_two
def test_pytest_under_torchrun_writes_and_prints_once(tmp_path):
    (tmp_path / "test_bench.py").write_text(BENCH)
    done = torchrun("-m", "pytest", "test_bench.py", "-rs", "-p", "no:cacheprovider", "--nnbench-seeds=2",
                    "--benchmark-json=out.json", "--nnbench-out=run", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("test session starts") == 1
    assert done.stdout.count("one process measures this: run it without torchrun") == 1
    table = load_run(tmp_path / "out.json")
    assert list(table["arm"]) == ["one", "one", "two", "two"]
    assert set(table["status"]) == {OK}
    assert set(table["environment.launcher"]) == {"torchrun"}
    assert len(list((tmp_path / "run" / "records").iterdir())) == 4


@needs_two
def test_pytest_under_torchrun_tells_of_a_killed_rank(tmp_path):
    (tmp_path / "test_bench.py").write_text(SOURCE.format(model="failing_ranks:killed"))
    done = torchrun("-m", "pytest", "test_bench.py", "-p", "no:cacheprovider", "--nnbench-seeds=1",
                    "-k", "two", "--benchmark-json=out.json", cwd=tmp_path)  # fmt: skip
    assert done.returncode != 0
    record = read_results(tmp_path / "out.json").records[0]
    assert (record.status, record.reason) == ("RANK_FAILED", "rank 1 of 2 ended unexpectedly")
    assert record.metrics == {}
    assert "rank 1 of 2 ended unexpectedly" in done.stdout


@needs_two
def test_the_command_under_torchrun_measures_a_ladder_and_the_reader_reads_it(tmp_path):
    flags = ["--data", "digits", "--model", "mlp", "--model-args", "hidden=(16,)", "--batch-size", "64",
             "--seeds", "2", "--json", "out.json"]  # fmt: skip
    done = torchrun("-m", "nnbench.scaling", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("speed-up") == 1
    run = read_results(tmp_path / "out.json")
    assert [arm["name"] for arm in run.plan["scenarios"][0]["arms"]] == [
        "1 rank",
        "2 ranks, strong",
        "2 ranks, weak",
    ]
    assert {record.status for record in run.records} == {OK}
    assert {record.arm["batch_size"] for record in run.records} == {64, 128}
    assert run.plan["command"].startswith(
        "torchrun --standalone --nproc-per-node=2 -m nnbench.scaling --data digits"
    )


def test_the_command_alone_starts_torchrun_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = []

    def launch(tasks, ranks, keep, **_):
        asked.append(([task.arm.name for task in tasks], ranks))
        for task in tasks:
            keep(training_record(task.arm, 0, scenario=task.scenario, accuracy=0.8, step_ms=2))

    monkeypatch.setattr("nnbench.scaling.__main__.launch", launch)
    assert main(["--processes", "3", "--batch-size", "60", "--seeds", "1"]) == 0
    assert asked[-1] == (
        ["1 rank", "2 ranks, strong", "2 ranks, weak", "3 ranks, strong", "3 ranks, weak"],
        3,
    )
    assert main(["--processes", "2", "--batch-size", "60", "--seeds", "1", "--json", "out.json"]) == 0
    assert asked[-1] == (["1 rank", "2 ranks, strong", "2 ranks, weak"], 2)
    assert "2 ranks, weak" in capsys.readouterr().out
    assert json.loads(Path("out.json").read_text())["nnbench"]["seeds"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0"], "--seeds: expected 1, 2, …, got 0"),
        (["--batch-size", "full"], "--batch-size: expected a number, since weak scaling multiplies it"),
        (
            ["--processes", "3", "--batch-size", "65"],
            "65 cannot be shared equally by each of 1, 2, 3 ranks; take a multiple of 6",
        ),
        (["--processes", "1", "--model-args", "widht=3"], "did you mean 'width'"),
        (["--json", "/proc/nowhere/out.json"], "cannot write /proc/nowhere/out.json"),
        (["--model", "mpl"], "did you mean 'mlp'"),
    ],
)
def test_a_mistake_is_told_in_a_line(arguments, message, capsys):
    assert main(arguments) == (5 if "--json" in arguments else 2)
    assert message in capsys.readouterr().err


def test_ladders():
    assert [ladder(size) for size in (1, 2, 3, 8, 12)] == [
        [1],
        [1, 2],
        [1, 2, 3],
        [1, 2, 4, 8],
        [1, 2, 4, 8, 12],
    ]
    assert [arm.name for arm in scenario_of(Arm(), 1).arms["quick"]] == ["1 rank"]
