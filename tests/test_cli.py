"""The command line as a person meets it: what it prints where, and how it ends."""

import json
import os
import subprocess
import sys

import pytest

from nnbench.cli import main
from nnbench.records import record_from_json, strict_loads
from test_pytest_plugin import BENCH

TRAIN = ("train", "--data", "digits", "--model", "logistic", "--epochs", "1", "--no-memory")


def run(capsys, *arguments):
    """Exit code, standard output, standard error."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def test_train_prints_one_record_and_nothing_else(capsys):
    code, out, err = run(capsys, *TRAIN, "--json")
    assert code == 0
    record = record_from_json(strict_loads(out))
    assert record.arm["model"] == "logistic"
    assert err == ""


def test_the_flags_are_the_arms_fields(capsys):
    flags = ("--batch-size", "full", "--lr", "0.5", "--optimizer", "momentum", "--optimizer-args", "momentum=0.5",
             "--model", "mlp", "--model-args", "hidden=(8,8)", "activation=tanh", "--normalize", "--max-steps", "1")  # fmt: skip
    _, out, _ = run(capsys, *TRAIN, *flags, "--json", "--seed", "3")
    arm = strict_loads(out)["arm"]
    assert arm["batch_size"] == "full"
    assert arm["model_args"] == {"hidden": [8, 8], "activation": "tanh"}
    assert arm["optimizer_args"] == {"momentum": 0.5}
    assert arm["normalize"] is True
    assert strict_loads(out)["seed"] == 3


def test_train_without_json_reads_well(capsys):
    code, out, _ = run(capsys, *TRAIN, "--target-accuracy", "1.0")
    assert code == 0
    assert "validation accuracy [%]" in out
    assert "was not reached" in out


def test_a_diverged_training_ends_with_1_and_the_reason(capsys):
    code, out, err = run(capsys, *TRAIN, "--model", "mlp", "--lr", "1e30", "--json")
    assert code == 1
    assert strict_loads(out)["status"] == "DIVERGED"
    assert "from step 2 on" in err


def test_ones_own_model_from_the_folder_at_hand(capsys, tmp_path, monkeypatch):
    (tmp_path / "own_model_of_a_user.py").write_text(
        "import torch\ndef make(input_shape, classes, width=3):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, width), torch.nn.Linear(width, classes))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    code, out, _ = run(
        capsys, *TRAIN, "--model", "own_model_of_a_user:make", "--model-args", "width=5", "--json"
    )
    assert code == 0
    assert strict_loads(out)["metrics"]["parameters"] == 64 * 5 + 5 + 5 * 10 + 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--model", "mpl"), "did you mean 'mlp'"),
        (("train", "--lr", "0"), "lr: expected a positive number"),
        (("train", "--lr", "tuned"), "give a number"),
        (("train", "--batch-size", "huge"), "batch_size: expected 1, 2, … or 'full', got 'huge'"),
        (("train", "--model-args", "hidden"), "expected KEY=VALUE, got 'hidden'"),
        (("train", "--model", "nowhere:make"), "no module 'nowhere'"),
        (("train", "--model", "lenet5", "--data", "xor"), "need 12x12 or more"),
        (("train", "--schedule", "multistep"), "milestones"),
        (("train", "--model-args", "hidden=512"), "expected a list such as (512, 512), got 512"),
        (("list", "no/such/folder"), "no such file or folder"),
        (("run", "no/such/folder", "-o", "x"), "no such file or folder"),
        (("tune", "no/such/folder"), "no such file or folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_a_model_that_breaks_while_it_trains_is_a_failed_arm(capsys, tmp_path, monkeypatch):
    (tmp_path / "broken_model_of_a_user.py").write_text(
        "import torch\ndef make(input_shape, classes):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    code, out, err = run(capsys, *TRAIN, "--model", "broken_model_of_a_user:make", "--json")
    assert code == 1
    assert strict_loads(out)["status"] == "CRASH"
    assert "out of bounds" in err


@pytest.mark.parametrize("command", ["table", "plot", "report"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), ("{", "not JSON"), ("{}", "nnbench"), ('{"benchmarks": [], "x": NaN}', "NaN")],
)
def test_a_file_that_is_no_run_is_exit_code_5(capsys, tmp_path, command, content, message):
    path = tmp_path / "out.json"
    if content is not None:
        path.write_text(content)
    extra = () if command == "table" else ("-o", tmp_path / "folder")
    code, out, err = run(capsys, command, path, *extra)
    assert code == 5
    assert out == ""
    assert str(path) in err
    assert "Traceback" not in err


@pytest.fixture
def bench(tmp_path):
    """A folder with one bench file of two arms on the digits."""
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "test_tiny.py").write_text(BENCH)
    return folder


def test_list_shows_questions_and_arms(capsys, bench):
    code, out, _ = run(capsys, "list", bench)
    assert code == 0
    assert "tiny" in out
    assert "Is 16 ahead of 64?" in out
    assert "logistic/sgd/b16, logistic/sgd/b64" in out
    plans = json.loads(run(capsys, "list", bench, "--json")[1])
    assert plans[0]["arms"][0]["batch_size"] == 16


def test_tune_writes_rates_and_says_them(capsys, bench, monkeypatch):
    (bench / "test_tiny.py").write_text(BENCH.replace("epochs=2", "lr='tuned', epochs=2"))
    monkeypatch.setattr("nnbench.tuning.tune_accuracy", lambda arm, seed: 1 - abs(arm.lr - 0.3))
    code, out, err = run(capsys, "tune", bench)
    assert code == 0
    assert "logistic/sgd/b16  quick  lr 0.3" in out
    assert "lr = 0.3" in (bench / "rates.toml").read_text()
    code, _, err = run(capsys, "tune", bench, "--arm", "logistic/sgd/b17")
    assert code == 2
    assert "did you mean 'logistic/sgd/b16'" in err


def test_nothing_to_tune_is_said(capsys, bench):
    code, _, err = run(capsys, "tune", bench)
    assert code == 0
    assert "nothing to tune" in err


def test_run_table_plot_and_report_go_together(capfd, bench, tmp_path):
    """The real thing, once: a process of its own, the real memory pass, and everything made of its run."""
    out = tmp_path / "run"
    (bench / "budgets.toml").write_text("[smoke]\nblocks = 1\nminutes = 30")
    code = main(["run", str(bench), "--profile", "smoke", "-o", str(out), "--threads", "1"])
    told = capfd.readouterr().out
    assert code == 0, told
    assert len(list((out / "records").iterdir())) == 2
    assert f"next: nnbench report {out}" in told
    assert told.startswith("smoke: at most 30 minutes on two cores\n")
    assert "the budget of 30 minutes is kept: " in told

    assert main(["table", str(out), "--csv", str(tmp_path / "all.csv")]) == 0
    assert (tmp_path / "all.csv").read_text().count("\n") == 3
    capfd.readouterr()
    assert main(["table", str(out)]) == 0
    printed = capfd.readouterr().out
    assert "tiny: Is 16 ahead of 64?" in printed
    assert "peak memory [MiB]" in printed
    assert "–" not in printed.split("status")[1]
    assert len(json.loads(_printed(capfd, ["table", str(out), "--json"]))) == 2

    slides = _printed(capfd, ["table", str(out), "--slides"])
    assert slides.count("\n| ") == 41  # one row for each, of this lecture or not
    assert "| D8 t-SNE" in slides

    assert main(["plot", str(out), "-o", str(tmp_path / "plots")]) == 0
    assert {path.suffix for path in (tmp_path / "plots").iterdir()} == {".png", ".svg", ".csv"}
    assert main(["report", str(out), "-o", str(tmp_path / "report"), "--no-execute"]) == 0
    assert (tmp_path / "report" / "report.ipynb").exists()

    assert main(["run", str(bench), "-o", str(out)]) == 2
    assert "holds a run already" in capfd.readouterr().err


def _printed(capfd, arguments):
    assert main(arguments) == 0
    return capfd.readouterr().out


def test_a_failed_arm_is_exit_code_1(capfd, bench, tmp_path):
    (bench / "test_tiny.py").write_text(
        BENCH.replace('model="logistic"', 'model="mlp", lr=1e30').replace("logistic/", "mlp/")
    )
    assert main(["run", str(bench), "--profile", "smoke", "-o", str(tmp_path / "run")]) == 1


def test_doctor_says_what_is_here(capsys):
    code, out, _ = run(capsys, "doctor", "--quick", "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["memory pass"] in ("works",) or facts["memory pass"].startswith("not here:")
    assert facts["data fashion-mini"] == "verified, 6,000 + 2,000"
    assert facts["cores"] >= 1
    assert "extra report" in run(capsys, "doctor", "--quick")[1]


COMMANDS = ("list", "run", "tune", "table", "plot", "report", "compare", "ab", "train", "doctor")


def without_torch(*arguments):
    """Run the command in a process in which torch cannot be imported."""
    blocked = (
        "import sys; sys.modules['torch'] = None; from nnbench.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", blocked, *arguments],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=60,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_needs_no_torch(command):
    result = without_torch(command, "--help")
    assert result.returncode == 0, result.stderr
    assert f"example: nnbench {command}" in result.stdout


def test_every_command_is_in_the_readme_and_in_the_help():
    from pathlib import Path

    readme = (Path(__file__).parent.parent / "README.md").read_text()
    listed = without_torch("--help").stdout
    for command in COMMANDS:
        assert f"\n    {command}" in listed
    for command in ("run", "tune", "table", "plot", "report", "compare", "ab", "train", "doctor"):
        assert f"nnbench {command}" in readme


def test_version_and_no_command(capsys):
    assert run(capsys, "--version")[1].startswith("nnbench 0.")
    assert run(capsys)[0] == 2
