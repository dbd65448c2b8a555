"""A/B: sides, revisions, placeholders, blocks; few tests start a process, and none a long one."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from fake_runs import ENVIRONMENT, arm_json
from nnbench import ab
from nnbench.ab.bench_files import inside
from nnbench.ab.child import Ended, run_child
from nnbench.ab.commands import words_of
from nnbench.ab.revisions import in_tree
from nnbench.ab.trainings import read_answer
from nnbench.cli import main
from nnbench.cli.ab import before_dashes
from nnbench.comparing import FASTER, INCONCLUSIVE
from nnbench.config import Arm, ConfigError
from nnbench.records import Record, read_run
from nnbench.results import load_run

XOR = ("--data", "xor", "--model", "mlp", "--model-args", "hidden=(4,)", "--batch-size", "4", "--epochs", "2")


@pytest.fixture(autouse=True)
def _signals():
    """`main` answers SIGTERM in its own way."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*arguments):
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def project(here):
    """A repository of two commits: mark.py says 1, then 2; the current folder is its top."""
    git("init", "-q", "-b", "main")
    git("config", "user.email", "nobody@example.org")
    git("config", "user.name", "nobody")
    (here / "src").mkdir()
    for number in (1, 2):
        (here / "src" / "marked.py").write_text(f"NUMBER = {number}\n")
        (here / "mark.py").write_text(f"import marked\nassert marked.NUMBER == {number}\n")
        git("add", ".")
        git("commit", "-q", "-m", str(number))
    return here


def side(label="A", **values):
    given = {"changes": {}, "python": sys.executable, "folder": os.getcwd(), **values}
    return ab.Side(label=label, **given)


def run(capsys, *arguments):
    code = main(["ab", *map(str, arguments)])
    return code, *capsys.readouterr()


# sides


def test_changes_are_fields_of_the_arm():
    changes = {"batch_size": "128", "lr": "0.5", "optimizer": "adam", "model_args.hidden": "(8, 8)"}
    arm = ab.arm_of_side(Arm(model_args={"hidden": (4,), "activation": "tanh"}), side(changes=changes))
    assert (arm.batch_size, arm.lr, arm.optimizer) == (128, 0.5, "adam")
    assert dict(arm.model_args) == {"hidden": (8, 8), "activation": "tanh"}
    assert ab.arm_of_side(Arm(), side(changes={"batch_size": "full"})).batch_size == "full"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batchsize": "1"}, "--b: unknown key 'batchsize'; did you mean 'batch_size'"),
        ({"batch_size": "0"}, "--b: batch_size: expected 1, 2, …"),
        ({"model.hidden": "0"}, "--b: unknown key 'model.hidden'"),
        ({"ranks": "2"}, "--b: unknown key 'ranks'"),
    ],
)
def test_a_change_that_no_arm_takes_names_the_flag(changes, message):
    with pytest.raises(ConfigError) as error:
        ab.arm_of_side(Arm(), side("B", changes=changes))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["x"], "expected KEY=VALUE, got 'x'"),
        (["=1"], "expected KEY"),
        (["x=1", "x=2"], "'x' is given twice"),
    ],
)
def test_changes_are_pairs(texts, message):
    with pytest.raises(ConfigError, match=message):
        ab.parse_changes("--a", texts)
    assert ab.parse_changes("--a", ["x=a=b", "y="]) == {"x": "a=b", "y": ""}


def test_a_side_tells_what_sets_it_apart():
    assert side().told() == ""
    told = side(changes={"n": "1"}, revision="ab" * 20, python="/x/bin/python9").told()
    assert told == "n=1, revision abababababab, python9"
    assert side(python="/x/bin/python9").to_json()["python"] == "python9"


# revisions


def test_revisions_become_folders_and_are_gone_afterwards(project):
    (project / "src" / "marked.py").write_text("NUMBER = 3\n")
    with ab.prepared(ab.Asked(revision="HEAD~1"), ab.Asked()) as (a, b, notes):
        assert (a.folder / "src" / "marked.py").read_text() == "NUMBER = 1\n"
        assert a.folder != project
        assert a.paths[:2] == (str(a.folder), str(a.folder / "src"))
        assert not any(path.startswith(str(project) + "/") or path == str(project) for path in a.paths)
        assert (b.folder, b.revision) == (project, "")
        assert notes == ["side B is the working tree, with changes that are not committed"]
        assert len(git("worktree", "list").splitlines()) == 2
    assert not a.folder.exists()
    assert len(git("worktree", "list").splitlines()) == 1


def test_worktrees_go_whatever_happens(project):
    with (
        pytest.raises(KeyboardInterrupt),
        ab.prepared(ab.Asked(revision="main"), ab.Asked(revision="main")) as (a, b, _),
    ):
        assert a.folder != b.folder
        raise KeyboardInterrupt
    assert len(git("worktree", "list").splitlines()) == 1


def test_what_a_killed_comparison_left_goes_with_the_next(project, tmp_path_factory):
    done = subprocess.run([sys.executable, "-c", ""], check=False)
    assert done.returncode == 0
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale = tmp_path_factory.mktemp("x") / f"nnbench-ab-{ended.pid}-x" / "a"
    git("worktree", "add", "-q", "--detach", str(stale), "HEAD")
    kept = tmp_path_factory.mktemp("y") / "of-the-user"
    git("worktree", "add", "-q", "--detach", str(kept), "HEAD")
    with ab.prepared(ab.Asked(revision="HEAD"), ab.Asked()):
        pass
    assert not stale.parent.exists()
    assert kept.exists()


def test_the_current_folder_within_the_project_is_that_of_the_revision(project, monkeypatch):
    monkeypatch.chdir(project / "src")
    with ab.prepared(ab.Asked(), ab.Asked(revision="HEAD~1")) as (_, b, _notes):
        assert (b.folder / "marked.py").read_text() == "NUMBER = 1\n"
        assert b.folder.name == "src"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (ab.Asked(revision="nowhere"), "--a-rev: no revision 'nowhere'"),
        (ab.Asked(revision="--all"), "--a-rev: no revision '--all'"),
        (ab.Asked(python="no-such-python"), "--a-python: 'no-such-python' is no program"),
        (ab.Asked(python="/bin/ls"), "--a-python: /bin/ls is no Python of 3.11 or later"),
    ],
)
def test_no_such_side(project, asked, message):
    with pytest.raises(ConfigError, match=message), ab.prepared(asked, ab.Asked()):
        pass


def test_a_revision_needs_a_repository(here, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(here.parent))
    with (
        pytest.raises(ConfigError, match="in no git repository"),
        ab.prepared(ab.Asked(), ab.Asked(revision="x")),
    ):
        pass


def test_an_interpreter_without_nnbench_is_told_how_to_get_it(here):
    fake = here / "python"
    fake.write_text("#!/bin/sh\necho '[[], null]'\n")
    fake.chmod(0o755)
    told = r"has no nnbench; install it there.*-m pip install -e \."
    with pytest.raises(ConfigError, match=told), ab.prepared(ab.Asked(), ab.Asked(python=str(fake))):
        pass
    with ab.prepared(ab.Asked(), ab.Asked(python=str(fake)), measures=False) as (_, b, _notes):
        assert b.python == str(fake)


def test_nnbench_itself_comes_from_the_running_environment(project):
    (project / "nnbench").mkdir()
    (project / "nnbench" / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    git("add", ".")
    git("commit", "-q", "-m", "nnbench")
    with ab.prepared(ab.Asked(revision="HEAD"), ab.Asked(revision="HEAD")) as (a, _, notes):
        assert "this project is nnbench" in notes[0]
        code = "import nnbench.config, marked; print(nnbench.__version__, marked.NUMBER)"
        done = subprocess.run([a.python, "-P", "-c", code], env=a.environment(), cwd=a.folder, check=False,
                              capture_output=True, text=True)  # fmt: skip
    assert done.stdout.endswith(" 2\n"), done.stderr


def test_what_the_revision_lacks_is_left_to_the_interpreter(tmp_path):
    (tmp_path / "tree" / "src").mkdir(parents=True)
    paths = [str(tmp_path / "p" / "src"), str(tmp_path / "p" / ".venv" / "lib"), "/usr/lib"]
    assert in_tree(paths, tmp_path / "p", tmp_path / "tree") == [str(tmp_path / "tree" / "src")]


# placeholders


def test_placeholders_are_replaced_and_other_braces_stay():
    a, b = side("A", changes={"n": "1"}), side("B", changes={"n": "2"})
    command = ["{python}", "-c", "print({'x': {n}}, {other})", "--n={n}{n}"]
    assert words_of(command, a, b) == [sys.executable, "-c", "print({'x': 1}, {other})", "--n=11"]
    assert words_of(command, b, a)[3] == "--n=22"
    assert words_of(["x"], side(), side("B")) == ["x"]


@pytest.mark.parametrize(
    ("a", "b", "command", "message"),
    [
        ({"n": "1"}, {}, ["x", "{n}"], "--b: no value for {n}"),
        ({"n": "1"}, {"n": "1"}, ["x"], "--a: the command does not use {n}"),
        ({}, {"n": "1"}, ["x"], "--b: the command does not use {n}"),
    ],
)
def test_a_placeholder_has_a_value_on_both_sides(here, a, b, command, message):
    with pytest.raises(ConfigError) as error:
        ab.Command((side("A", changes=a), side("B", changes=b)), command, folder=here, keep=print)
    assert message in str(error.value)


def test_an_interpreter_that_the_command_does_not_use_is_a_mistake():
    with pytest.raises(ConfigError, match="the command does not use"):
        words_of(["python", "x.py"], side(python="/x/python9"), side("B"))


def test_a_command_is_what_follows_the_dashes():
    assert before_dashes(["ab", "--a", "n=1", "--", "x", "--", "-y"]) == (
        ["ab", "--a", "n=1"],
        ["x", "--", "-y"],
    )
    assert before_dashes(["ab", "bench"]) == (["ab", "bench"], None)
    assert before_dashes(["run", "--", "bench"]) == (["run", "--", "bench"], None)


# bench files


def test_bench_files_take_devices_and_threads_alone(here):
    (here / "bench").mkdir()
    (here / "else").mkdir()
    for changes, path, message in (
        ({"lr": "0.1"}, "bench", "--a: with bench paths a side changes device or threads, got 'lr'"),
        ({"thread": "2"}, "bench", "did you mean 'threads'"),
        ({}, "benches", "benches: no such file or folder"),
    ):
        with pytest.raises(ConfigError) as error:
            ab.BenchFiles(
                (side(changes=changes), side("B")), ab.Selection(paths=[here / path]), folder=here, keep=print
            )
        assert message in str(error.value)
    assert str(inside(side(), here / "bench")) == "bench"


def test_bench_files_of_a_revision_lie_in_the_project(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    a, b = side(project=project), side("B")
    with pytest.raises(ConfigError, match="lies outside"):
        ab.BenchFiles((a, b), ab.Selection(paths=[outside]), folder=project, keep=print)


BENCH = """
from nnbench import Probe, Scenario
ARMS = [Probe(name=f"counts {n}", function="builtins:dict", args={"parameters": n}) for n in (3, 4)]
SCENARIO = Scenario(name="tiny", statement="s", question="q?", axis="nothing", repeat="once",
                    arms=dict.fromkeys(("smoke", "quick", "full"), ARMS))
def test_tiny(arm, probe_benchmark):
    probe_benchmark(arm)
"""


def test_bench_files_run_through_pytest(here, capsys):
    (here / "bench").mkdir()
    (here / "bench" / "test_tiny.py").write_text(BENCH)
    code, out, err = run(capsys, "--b", "threads=1", "bench", "--blocks", "1", "-o", "run", "-k", "3")
    assert code == 3, err
    assert "throughput [samples/s]: has no time of its own" in out
    assert sorted(load_run("run")["arm"]) == ["A counts 3", "B counts 3"]


def test_each_block_of_bench_files_has_seeds_of_its_own_and_memory_is_counted_once(here, monkeypatch):
    (here / "bench").mkdir()
    asked = []

    def run_child(command, *_, **__):
        asked.append([word for word in command if word.startswith(("--nnbench-first", "--nnbench-mem"))])
        return Ended(0, 1.0)

    monkeypatch.setattr("nnbench.ab.bench_files.run_child", run_child)
    of = ab.Selection(paths=[Path("bench")], seeds=2, memory=True)
    work = ab.BenchFiles((side("A"), side("B")), of, folder=here, keep=print)
    for block in range(3):
        with pytest.raises(ab.SideFailed, match="no arm left a record"):
            work.block(block, "A")
    assert asked == [
        ["--nnbench-first-seed=0", "--nnbench-memory=on"],
        ["--nnbench-first-seed=2", "--nnbench-memory=off"],
        ["--nnbench-first-seed=4", "--nnbench-memory=off"],
    ]


def test_a_mistake_in_a_bench_file_is_told_as_pytest_tells_it(here, capsys):
    (here / "bench").mkdir()
    (here / "bench" / "test_tiny.py").write_text("import nowhere_to_be_found\n")
    code, out, err = run(capsys, "bench", "--blocks", "1")
    assert (code, out) == (2, "")
    assert "No module named 'nowhere_to_be_found'" in err


# blocks


class Fake:
    """Work whose times are told: seconds of A and of B for each block; `flags` disturbs blocks."""

    def __init__(self, outcome, times, flags=None):
        self.asked, self._outcome, self._times, self._flags = set(), outcome, times, flags or {}
        self.warmed = 0

    def warm_up(self):
        self.warmed += 1

    def block(self, number, order):
        for label in order:
            record = Record(
                scenario="ab", arm=arm_json(Arm()), seed=number, block=number, environment=ENVIRONMENT,
                metrics={"command_s": self._times[number % len(self._times)][label == "B"]},
                quality=self._flags.get((number, label), ()),
            )  # fmt: skip
            self._outcome.keep(label, record)


WIDE = [(1.0, 1.0 + 0.1 * (i % 3)) for i in range(40)]
NARROW = [(1.0, 1.1 + 0.001 * (i % 3)) for i in range(40)]


@pytest.mark.parametrize(
    ("times", "limits", "blocks", "why"),
    [
        (WIDE, {"blocks": 12}, 12, "12 blocks"),
        (NARROW, {"blocks": 15}, 10, "within 1.5 %"),
        (NARROW, {"blocks": 6}, 6, "6 blocks"),
        (NARROW, {"blocks": 15, "width": 0.0001}, 15, "15 blocks"),
        (WIDE, {"blocks": 15, "max_minutes": 1e-9}, 1, "another block would not end"),
    ],
)
def test_a_series_ends_by_count_width_or_time(times, limits, blocks, why):
    outcome = ab.Outcome()
    work = Fake(outcome, times)
    told = []
    ab.run_series(work, ab.Limits(**limits), outcome, order_seed=0, tell=told.append)
    assert outcome.blocks == len(outcome.orders) == blocks == told[-1].done
    assert why in outcome.stopped
    assert work.warmed == 1


def test_the_order_is_drawn_from_the_seed():
    orders = []
    for seed in (1, 1, 2):
        outcome = ab.Outcome()
        ab.run_series(Fake(outcome, WIDE), ab.Limits(blocks=20), outcome, order_seed=seed)
        orders.append(outcome.orders)
    assert orders[0] == orders[1] != orders[2]
    assert {*orders[0]} == {"AB", "BA"}


@pytest.mark.parametrize(("spoilt", "blocks"), [(1, 13), (2, 14), (5, 14)])
def test_two_more_blocks_at_most_for_disturbed_ones(spoilt, blocks):
    outcome = ab.Outcome()
    flags = {(i, "AB"[i % 2]): ("INVALID",) for i in range(spoilt)}
    ab.run_series(Fake(outcome, WIDE, flags), ab.Limits(blocks=12), outcome, order_seed=0)
    assert outcome.blocks == blocks


@pytest.mark.parametrize("limits", [{"blocks": 0}, {"width": 0.0}, {"max_minutes": -1.0}])
def test_limits_are_above_nothing(limits):
    with pytest.raises(ConfigError, match="expected"):
        ab.Limits(**limits)


def test_the_verdict_in_words_and_as_json():
    outcome = ab.Outcome()
    ab.run_series(
        Fake(outcome, [(y, x) for x, y in NARROW], {(0, "A"): ("NOISY",)}), ab.Limits(), outcome, order_seed=7
    )
    found = ab.judge(outcome, name="", profile="quick", asked=set())
    text = "\n".join(ab.lines(found, outcome, (side(changes={"n": "1"}), side("B")), 7))
    assert "A: n=1; B: as it is" in text
    assert "B is FASTER than A: 1.101 times as fast (95 % interval 1.10" in text
    assert re.search(r"10 pairs, p = \d\S*e-\d+, smallest effect in reach 2\.1%", text)
    assert "order seed 7" in text
    assert "1 of 20 records NOISY" in text
    values = found.to_json(outcome, (side(), side("B")), 7)
    assert values["exit_code"] == 0
    assert values["comparisons"][0]["verdict"] == FASTER
    assert len(values["comparisons"][0]["samples"]) == 10
    assert values["noise"] == {"records": 20, "NOISY": 1}


def test_an_arm_that_failed_is_exit_code_1():
    outcome = ab.Outcome()
    ab.run_series(Fake(outcome, NARROW), ab.Limits(blocks=6), outcome, order_seed=0)
    outcome.b[0] = dataclasses.replace(outcome.b[0], status="OOM", reason="no memory", metrics={})
    found = ab.judge(outcome, name="", profile="quick", asked=set())
    assert found.exit_code == 1
    text = ab.lines(found, outcome, (side(), side("B")), 0)
    assert text[-1].startswith("FAILED: side B, mlp/sgd/b64, block 1: OOM")


# for real


def test_two_settings_in_one_process_per_block(here, capsys):
    code, out, err = run(capsys, *XOR, "--a", "lr=0.1", "--b", "lr=0.2", "--blocks", "2", "-o", "run")
    assert code == 3, err
    assert "B against A is INCONCLUSIVE" in out
    assert "A: lr=0.1; B: lr=0.2" in out
    table = load_run("run")
    found = set(zip(table["arm"], table["seed"], table["lr"], strict=True))  # a busy machine adds blocks
    assert {("A mlp-4/sgd/b4", 0, 0.1), ("A mlp-4/sgd/b4", 1, 0.1)} <= found
    assert {("B mlp-4/sgd/b4", 0, 0.2), ("B mlp-4/sgd/b4", 1, 0.2)} <= found
    plan = read_run(here / "run")
    assert plan["ab"]["sides"]["B"]["changes"] == {"lr": "0.2"}
    assert isinstance(plan["ab"]["order_seed"], int)
    assert main(["table", "run"]) == 0
    assert "A mlp-4/sgd/b4" in capsys.readouterr().out
    code, _, err = run(capsys, *XOR, "-o", "run")
    assert code == 2
    assert "holds something already" in err


MODEL = """
import marked, torch
def make(input_shape, classes):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, 2 * marked.NUMBER), torch.nn.Linear(2 * marked.NUMBER, classes))
"""


def test_two_revisions_of_a_model(project, capsys):
    (project / "net.py").write_text(MODEL)
    git("add", ".")
    git("commit", "-q", "-m", "model")
    (project / "src" / "marked.py").write_text("NUMBER = 5\n")
    git("commit", "-q", "-a", "-m", "wider")
    flags = ("--data", "xor", "--model", "net:make", "--batch-size", "4", "--epochs", "1", "--blocks", "1")
    code, _, err = run(capsys, *flags, "--a-rev", "HEAD~1", "--b-rev", "HEAD", "-o", "out")
    assert code == 3, err
    counts = load_run("out").groupby("arm")["parameters"].first()
    assert counts["A make/sgd/b4"] == 4 * 3 + 2 * 5
    assert counts["B make/sgd/b4"] == 10 * 3 + 2 * 11
    assert len(git("worktree", "list").splitlines()) == 1


def test_a_model_that_fails_ends_the_comparison(here, capsys):
    (here / "broken_net.py").write_text(
        "import torch\ndef make(input_shape, classes, fail=False):\n    assert not fail, 'as asked'\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, classes))\n"
    )
    flags = (
        "--data",
        "xor",
        "--model",
        "broken_net:make",
        "--batch-size",
        "4",
        "--epochs",
        "1",
        "--blocks",
        "2",
    )
    code, _, err = run(capsys, *flags, "--b", "model_args.fail=True")
    assert code == 1
    assert "the training failed on side" in err
    assert "as asked" in err
    code, _, err = run(capsys, *flags, "--b", "model_args.wrong=True")
    assert code == 2
    assert "wrong" in err
    assert "Traceback" not in err


def test_a_command_with_a_difference_and_without(here, capsys):
    (here / "sleeps.py").write_text("import sys, time\ntime.sleep(float(sys.argv[1]))\n")
    command = ("--", sys.executable, "-S", "sleeps.py", "{s}")
    code, out, err = run(capsys, "--a", "s=0.2", "--b", "s=0.01", "--blocks", "6", "-o", "run", *command)
    assert code == 0, err
    assert "B is FASTER than A" in out
    assert set(load_run("run")["arm"].str[:2]) == {"A ", "B "}
    assert len(load_run("run")) == 12  # the warm-up is not counted
    code, out, _ = run(capsys, "--a", "s=0.01", "--b", "s=0.2", "--blocks", "6", "--json", *command)
    assert code == 1
    assert '"verdict": "SLOWER"' in out
    code, out, _ = run(capsys, "--blocks", "1", "--", "true")
    assert code == 3
    assert INCONCLUSIVE in out


def test_a_command_that_fails_shows_its_last_lines(here, capsys):
    (here / "fails.py").write_text(
        "import sys\nfor i in range(50): print('line', i)\nsys.exit(2 if 'b' in sys.argv else 0)\n"
    )
    code, out, err = run(capsys, "--a", "x=a", "--b", "x=b", "--", sys.executable, "fails.py", "{x}")
    assert code == 1
    assert out == ""
    assert "COMMAND failed on side B, warm-up, exit code 2" in err
    assert "line 49" in err
    assert "line 30\n" in err
    assert "line 29" not in err


def test_a_command_runs_in_the_revision(project, capsys):
    code, _, err = run(
        capsys, "--a-rev", "HEAD~1", "--b-rev", "HEAD", "--blocks", "1", "--", sys.executable, "mark.py"
    )
    assert code == 3, err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--",), "name the command"),
        (("--", "no-such-program-here"), "cannot be started"),
        (("bench", "--", "true"), "bench: bench paths or a command, not both"),
        (("--epochs", "1", "--", "true"), "--epochs: a field of a training"),
        (("--normalize", "."), "--normalize: a field of a training"),
        (("--a", "batch_size"), "--a: expected KEY=VALUE or a bench path that exists, got 'batch_size'"),
        (("--metric", "train"), "--metric: unknown name 'train'"),
        (("--metric", "parameters"), "--metric: unknown name 'parameters'"),
        (("--seeds", "0", "."), "--seeds: expected 1"),
        (("--blocks", "0"), "--blocks: expected 1"),
        (("--model", "mpl"), "did you mean 'mlp'"),
        (("--lr", "tuned"), "give a number"),
        (("no/such/bench",), "no such file or folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(here, capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


DEAF = textwrap.dedent("""
    import signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    open("started", "w").write(str(child.pid))
    time.sleep(60)
""")


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_comparison_and_all_that_it_has_started(here, number, code):
    (here / "deaf.py").write_text(DEAF)
    process = subprocess.Popen(
        [sys.executable, "-m", "nnbench", "ab", "--", sys.executable, "deaf.py"], stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while not (here / "started").exists() or not (here / "started").read_text():
        time.sleep(0.05)
        assert process.poll() is None
    grandchild = int((here / "started").read_text())
    begin = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=20) == code
    assert time.monotonic() - begin < 5
    assert not _alive(grandchild)


def test_a_child_is_timed_from_outside(here):
    ended = run_child([sys.executable, "-S", "-c", "import time; time.sleep(0.2); print('x'); raise SystemExit(3)"],
                      here / "logs" / "log", folder=here, environment=os.environ)  # fmt: skip
    assert ended.code == 3
    assert 0.2 <= ended.wall_s < 5
    assert (here / "logs" / "log").read_text() == "x\n"


def test_a_torn_line_of_an_answer_is_passed_over(here):
    assert read_answer(here / "none") == []
    (here / "answer").write_text('{"side": "A", "rec')
    assert read_answer(here / "answer") == []
