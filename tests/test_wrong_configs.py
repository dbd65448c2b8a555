"""I6: a bench file with a mistake ends `nnbench run` at once with the key that is wrong, and nothing is run."""

import time

import pytest

from nnbench.cli import main
from real_runs import Bench, end_of

BENCH = """
from nnbench import Arm, Claim, Probe, Scenario
base = Arm(data="xor", model="logistic", batch_size=4, lr=0.1, epochs=2)
arms = (base.replace(name="a"), base.replace(name="b", lr=0.5))
scenario = Scenario(name="tiny", statement="s", question="q", axis="epochs", repeat="seeds", factor="lr",
                    arms={"smoke": arms, "quick": arms, "full": arms}, plots=("overview",),
                    claims=(Claim(text="a beats b", kind="compare", metric="validation_accuracy", arms=("a", "b")),),
                    may_diverge=("b",))
def test_tiny(arm, train_benchmark):
    train_benchmark(arm)
"""
# (what stands there, what stands there by mistake, what the message must name)
MISTAKES = [
    ("batch_size=4,", "batchsize=4,", "batchsize"),
    ("batch_size=4,", "batch_size=0,", "batch_size: expected 1, 2, "),
    ("batch_size=4,", 'batch_size="many",', "batch_size: expected"),
    ("lr=0.1", 'lr="fast"', "lr: expected a positive number"),
    ("lr=0.1", "lr=float('nan')", "lr: expected a positive number"),
    ("lr=0.1", "lr=-1", "lr: expected a positive number"),
    ("epochs=2", "epochs=2.5", "epochs: expected 1, 2, "),
    ("epochs=2", "epochs=None", "epochs: expected"),
    ("epochs=2", "epochs=True", "epochs: expected"),
    ('model="logistic"', 'model="logistics"', "model: unknown name 'logistics'; did you mean 'logistic'"),
    ('model="logistic"', 'model="logistic", model_args=[1]', "model_args: expected a mapping"),
    ('data="xor"', "data=7", "data: unknown name 7"),
    ('data="xor"', 'data="xor", optimizer="sdg"', "optimizer: unknown name 'sdg'; did you mean 'sgd'"),
    ('data="xor"', 'data="xor", optimizer_args={"x": object()}', "optimizer_args.x: expected"),
    ('data="xor"', 'data="xor", schedule="sometimes"', "schedule: unknown name"),
    ('data="xor"', 'data="xor", threads="two"', "threads: expected"),
    ('data="xor"', 'data="xor", ranks=3', "batch_size: 4 cannot be shared equally by 3 ranks"),
    ('data="xor"', 'data="xor", device="gpu"', "device: expected auto, cpu, cuda"),
    ('data="xor"', 'data="xor", normalize="yes"', "normalize: expected true or false"),
    ('data="xor"', 'data="xor", target_accuracy=90', "target_accuracy: expected a share"),
    ('replace(name="b"', 'replace(name="a"', "two arms of profile 'smoke' are named 'a'"),
    ('replace(name="b"', 'replace(nam="b"', "nam"),
    ('axis="epochs"', 'axis="epoch"', "axis 'epoch'; expected one of epochs"),
    ('repeat="seeds"', 'repeat="always"', "repeat 'always'; expected one of once"),
    ('"full": arms', '"ful": arms', "no arms for the profile 'full'"),
    ('question="q"', 'questoin="q"', "questoin"),
    ('kind="compare"', 'kind="compares"', "kind"),
    ('metric="validation_accuracy"', 'metric="validation_acuracy"', "validation_acuracy"),
    ('arms=("a", "b")', 'arms=("a", "c")', "no arm is named 'c'"),
    ('may_diverge=("b",)', 'may_diverge=("d",)', "no arm is named 'd'"),
    ("def test_tiny", "def test_tiny(:  #", "SyntaxError"),
    ("import Arm,", "import Arms, Arm,", "Arms"),
]  # fmt: skip


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A bench file, and a runner that must not start a process."""

    def never(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr("nnbench.runner.blocks.BlockProcess", never)
    made = Bench(tmp_path, "")
    made.file.write_text(BENCH)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize(("old", "new", "named"), MISTAKES, ids=[new for _, new, _ in MISTAKES])
def test_a_mistake_names_the_key_and_nothing_is_run(old, new, named, bench, capsys):
    assert BENCH.count(old) >= 1
    bench.file.write_text(BENCH.replace(old, new, 1))
    start = time.monotonic()
    assert main(["run", "bench", "-o", "run"]) == 2
    assert time.monotonic() - start < 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nnbench: bench/test_tiny.py: ")
    assert named in err
    assert not bench.run_folder.exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--blocks", "0"), "--blocks: expected 1, 2"),
        (("--arm-timeout", "0"), "--arm-timeout: expected seconds above 0"),
        (("--arm-timeout", "nan"), "--arm-timeout: expected seconds above 0"),
        (("--max-minutes", "-1"), "--max-minutes: expected a number above 0"),
        (("--resume", "run"), "not both"),
    ],
)
def test_a_mistake_in_an_option_is_told_too(options, named, bench, capsys):
    assert main(["run", "bench", "-o", "run", *options]) == 2
    assert named in capsys.readouterr().err
    assert not bench.run_folder.exists()


def test_the_unchanged_file_would_have_been_run(bench):
    with pytest.raises(AssertionError, match="a process was started"):
        main(["run", "bench", "-o", "run"])


def test_a_mistake_takes_less_than_two_seconds_with_the_start_of_the_command(bench):
    bench.file.write_text(BENCH.replace("batch_size=4", "batch_size=0"))
    start = time.monotonic()
    _, err = end_of(bench.start("run", "bench", "-o", "run"), 2)
    assert time.monotonic() - start < 2
    assert "batch_size: expected 1, 2, " in err
