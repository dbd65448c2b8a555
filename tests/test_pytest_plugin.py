"""The plugin as a user meets it: bench files in, records, strict JSON and a summary out."""

import fnmatch
import importlib
import json
import pkgutil
import sys

import pytest
import torch._dynamo

import nnbench
from nnbench.data import DataError
from nnbench.meters.flops import Flops
from nnbench.meters.memory import Peak
from nnbench.records import read_record, read_run, strict_loads
from nnbench.results import read_results
from nnbench.thread_tuning import ThreadChoice, Tried
from nnbench.work import planned

# pytester forgets what a run inside this process has imported; torch does not survive that.
for _module in pkgutil.walk_packages(nnbench.__path__, "nnbench."):
    # the three frameworks are an extra
    if not _module.name.endswith(
        ("__main__", "frameworks.lightning", "frameworks.skorch", "frameworks.keras")
    ):
        importlib.import_module(_module.name)
for _name in ("scipy.stats", "tabulate", "psutil"):
    importlib.import_module(_name)

BENCH = """
from nnbench import Arm, Claim, Scenario

base = Arm(data="digits", model="logistic", epochs=2, batch_size=64)
arms = base.vary(batch_size=(16, 64))
scenario = Scenario(
    name="tiny", statement="Small batches learn faster.", question="Is 16 ahead of 64?", axis="epochs",
    arms={"smoke": arms, "quick": arms, "full": arms},
    claims=(Claim(text="16 beats 64", kind="compare", metric="validation_accuracy",
                  arms=("logistic/sgd/b16", "logistic/sgd/b64")),),
    plots=("overview",), factor="batch_size",
)

def test_tiny(arm, train_benchmark):
    train_benchmark(arm)
"""


class InstantMemory:
    """Stands in for the server, whose start takes seconds; tests/test_memory.py has the real one."""

    def __init__(self, process=None):
        self._process = process

    def wait(self):
        pass

    def measure(self, arm, seed=0, data_folder=None):
        return Peak(peak_bytes=2**20)

    def flops(self, arm, data_folder=None):
        return Flops(forward=None, backward=None, reason="not counted")

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def bench(pytester, monkeypatch):
    """A project with one bench file; returns a function that runs pytest in it."""
    monkeypatch.setattr("nnbench.meters.memory.MemoryServer", InstantMemory)
    pytester.makepyfile(test_bench=BENCH)

    def run(*options, source=None):
        if source is not None:
            pytester.makepyfile(test_bench=source)
        return pytester.runpytest_inprocess(
            "test_bench.py", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestWarning", *options
        )

    run.path = pytester.path
    return run


def load(bench, name="out.json"):
    """The benchmark JSON, refusing what is not JSON."""
    return strict_loads((bench.path / name).read_text())


def test_one_benchmark_per_arm_and_one_round_per_seed(bench):
    result = bench("--benchmark-json=out.json", "--nnbench-seeds=2")
    result.assert_outcomes(passed=2)
    out = load(bench)
    assert [b["extra_info"]["arm"] for b in out["benchmarks"]] == ["logistic/sgd/b16", "logistic/sgd/b64"]
    assert all(b["stats"]["rounds"] == 2 and b["group"] == "tiny" for b in out["benchmarks"])
    assert all("UNSERIALIZABLE" not in json.dumps(b) for b in out["benchmarks"])
    own = out["nnbench"]
    assert len(own["records"]) == 4
    assert set(own["outcomes"].values()) == {"passed"}
    assert own["profile"] == "quick"
    assert own["scenarios"][0]["claims"][0]["text"] == "16 beats 64"


def test_the_summary_shows_accuracy_time_and_verdict(bench):
    result = bench("--nnbench-seeds=2")
    result.stdout.fnmatch_lines(
        [
            "*nnbench, profile quick*",
            "tiny: Is 16 ahead of 64?",
            "*validation accuracy [[]%]*training time [[]s]*",
        ]
    )
    result.stdout.re_match_lines([r"\s+(SUPPORTED|REFUTED|UNDECIDED)\s+16 beats 64"])


def test_the_file_names_neither_host_nor_branch_and_no_folder_of_this_machine(bench, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "the-hosts-own-name")
    bench("--benchmark-json=out.json", "--nnbench-profile=smoke")
    text = (bench.path / "out.json").read_text()
    out = json.loads(text)
    assert "node" not in out["machine_info"]
    assert not {"branch", "project"} & set(out["commit_info"])
    assert "the-hosts-own-name" not in text
    assert str(bench.path) not in out["nnbench"]["command"]


def test_pytest_benchmark_still_compares_the_file(bench, pytester):
    bench("--benchmark-json=out.json", "--nnbench-profile=smoke")
    result = pytester.run(sys.executable, "-m", "pytest_benchmark", "compare", "out.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_tiny*"])


def test_out_holds_a_plan_and_a_record_per_arm_and_seed(bench):
    bench("--nnbench-out=run", "--nnbench-seeds=2")
    plan = read_run(bench.path / "run")
    assert plan["seeds"] == 2
    records = [read_record(path) for path in sorted((bench.path / "run" / "records").iterdir())]
    assert len(records) == 4
    assert {record.arm["id"] for record in records} == {arm["id"] for arm in plan["scenarios"][0]["arms"]}


def test_seeds_count_from_the_first_and_memory_can_be_left_out(bench):
    bench("--nnbench-out=run", "--nnbench-seeds=2", "--nnbench-first-seed=4", "--nnbench-memory=off")
    run = read_results(bench.path / "run")
    assert [(record.seed, record.block) for record in run.records] == 2 * [(4, 0), (5, 0)]
    assert {work.id for work in planned(run.plan)} == {record.id for record in run.records}
    for record in run.records:
        assert record.metrics["peak_bytes"] is None
        assert "unless --nnbench-memory=off" in record.missing["peak_bytes"]


def test_the_folder_of_the_json_file_is_made(bench):
    """pytest-benchmark alone would end in a traceback, after the last arm."""
    bench("--benchmark-json=deep/er/out.json", "--nnbench-profile=smoke").assert_outcomes(passed=2)
    assert len(load(bench, "deep/er/out.json")["benchmarks"]) == 2
    (bench.path / "file").write_text("")
    result = bench("--benchmark-json=file/out.json", "--nnbench-profile=smoke")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cannot write file/out.json*"])


def test_when_every_arm_fails_the_file_still_says_why(bench):
    source = BENCH.replace("epochs=2", "epochs=2, model_args={'nonsense': 1}")
    bench("--benchmark-json=out.json", "--nnbench-profile=smoke", source=source).assert_outcomes(failed=2)
    out = load(bench)
    assert out["benchmarks"] == []
    assert [record["status"] for record in out["nnbench"]["records"]] == ["CRASH", "CRASH"]


def test_a_folder_that_holds_a_run_is_not_written_over(bench):
    bench("--nnbench-out=run", "--nnbench-profile=smoke")
    result = bench("--nnbench-out=run", "--nnbench-profile=smoke")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*run holds a run already; name another folder*"])


def test_the_plan_is_there_before_the_first_arm(bench):
    source = BENCH.replace(
        "    train_benchmark(arm)", "    import pathlib; assert pathlib.Path('run/run.json').exists()"
    )
    bench("--nnbench-out=run", source=source).assert_outcomes(passed=2)


def test_a_crash_fails_the_test_is_recorded_and_spares_the_others(bench):
    source = BENCH.replace(
        "    train_benchmark(arm)",
        "    train_benchmark(arm if arm.batch_size == 16 else arm.replace(model_args={'nonsense': 1}))",
    )
    result = bench("--benchmark-json=out.json", "--nnbench-profile=smoke", source=source)
    result.assert_outcomes(passed=1, failed=1)
    own = load(bench)["nnbench"]
    assert sorted(own["outcomes"].values()) == ["failed", "passed"]
    crashed = [record for record in own["records"] if record["status"] == "CRASH"]
    assert len(crashed) == 1
    assert "nonsense" in crashed[0]["reason"]


def test_an_assertion_after_the_timed_call_is_told_in_the_file(bench):
    source = BENCH + "    assert arm.batch_size == 16\n"
    bench("--benchmark-json=out.json", "--nnbench-profile=smoke", source=source)
    out = load(bench)
    failed = [name for name, outcome in out["nnbench"]["outcomes"].items() if outcome == "failed"]
    assert len(failed) == 1
    assert failed[0] in [b["fullname"] for b in out["benchmarks"]]


@pytest.mark.parametrize(("allowed", "passed"), [(False, 0), (True, 1)])
def test_divergence_fails_unless_the_scenario_expects_it(bench, allowed, passed):
    source = BENCH.replace(
        "base.vary(batch_size=(16, 64))", "(base.replace(name='wild', model='mlp', lr=1e30),)"
    )
    source = source.replace(
        'kind="compare", metric="validation_accuracy"', 'kind="exact", metric="steps", value=1'
    )
    source = source.replace('arms=("logistic/sgd/b16", "logistic/sgd/b64")', 'arms=("wild",)')
    source = source.replace("claims=(", "may_diverge=('wild',), claims=(") if allowed else source
    result = bench("--benchmark-json=out.json", "--nnbench-profile=smoke", source=source)
    result.assert_outcomes(passed=passed, failed=1 - passed)
    if not allowed:
        result.stdout.fnmatch_lines(["*DIVERGED: the loss is not finite from step*"])


def test_a_skipped_arm_says_why(bench):
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    result = bench("--nnbench-device=cuda", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*needs CUDA device 0, found 0*"])


def test_no_number_in_the_file_is_nan(bench):
    """One round has no deviation: pytest-benchmark would write a bare NaN for some of its figures."""
    source = BENCH + "    import math; request_extra['x'] = math.nan\n"
    source = source.replace("(arm, train_benchmark)", "(arm, train_benchmark, benchmark)").replace(
        "request_extra", "benchmark.extra_info"
    )
    bench("--benchmark-json=out.json", "--nnbench-profile=smoke", source=source)
    assert load(bench)["benchmarks"][0]["extra_info"]["x"] is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def test_tiny", "def test_tinny", "*no Scenario named 'tinny'; did you mean 'tiny'*"),
        ("epochs=2", "epochs=0", "*epochs: expected 1, 2,*got 0*"),
        ("epochs=2", "lr='tuned'", "*no tuned rate for the arm*nnbench tune*--scenario tiny*"),
    ],
)
def test_a_mistake_in_a_bench_file_names_the_way_out(bench, old, new, message):
    result = bench(source=BENCH.replace(old, new))
    assert result.ret != 0
    assert any(fnmatch.fnmatch(line, message) for line in result.outlines + result.errlines)


def test_wrong_options_are_usage_errors(bench):
    assert bench("--nnbench-profile=quik").ret == pytest.ExitCode.USAGE_ERROR
    assert bench("--nnbench-seeds=0").ret == pytest.ExitCode.USAGE_ERROR
    assert bench("--nnbench-first-seed=-1").ret == pytest.ExitCode.USAGE_ERROR
    assert bench("--nnbench-memory=maybe").ret == pytest.ExitCode.USAGE_ERROR


def test_options_are_ini_keys_too(bench, pytester):
    pytester.makeini("[pytest]\nnnbench_seeds = 1\nnnbench_profile = full\n")
    bench("--benchmark-json=out.json")
    own = load(bench)["nnbench"]
    assert own["profile"] == "full"
    assert len(own["records"]) == 2


def test_threads_and_device_override_the_arm(bench):
    bench(
        "--benchmark-json=out.json", "--nnbench-profile=smoke", "--nnbench-threads=2", "--nnbench-device=cpu"
    )
    arm = load(bench)["nnbench"]["records"][0]["arm"]
    assert (arm["threads"], arm["device"]) == (2, "cpu")


def test_threads_are_chosen_once_and_hold_for_all_blocks(bench, monkeypatch):
    asked = []

    def choose(arm, data_folder=None):
        asked.append(arm.batch_size)
        tried = Tried(threads=2, ratio=1.5, low=1.2, high=1.9)
        return ThreadChoice(threads=2 if arm.batch_size == 64 else 1, tried=(tried,))

    monkeypatch.setattr("nnbench.thread_tuning.choose_threads", choose)
    options = ("--nnbench-profile=smoke", "--nnbench-threads=auto", "--nnbench-out=run", "--nnbench-blocks=2")
    source = BENCH.replace('factor="batch_size"', 'factor="batch_size", repeat="blocks"')
    for block in (0, 1):
        bench(*options, f"--nnbench-block={block}", source=source).assert_outcomes(passed=2)
    assert asked == [16, 64]
    run = json.loads((bench.path / "run" / "run.json").read_text())["run"]
    assert {name: of["threads"] for name, of in run["threads"]["tiny"].items()} == {
        "logistic/sgd/b16": 1, "logistic/sgd/b64": 2,
    }  # fmt: skip
    assert run["threads"]["tiny"]["logistic/sgd/b64"]["tried"][0]["low"] == 1.2
    records = [json.loads(path.read_text())["record"] for path in (bench.path / "run/records").iterdir()]
    assert sorted((r["block"], r["arm"]["batch_size"], r["arm"]["threads"]) for r in records) == [
        (0, 16, 1), (0, 64, 2), (1, 16, 1), (1, 64, 2),
    ]  # fmt: skip


def test_arms_of_the_same_work_are_tried_once_and_what_has_no_data_keeps_its_threads(bench, monkeypatch):
    asked = []

    def choose(arm, data_folder=None):
        asked.append(arm.model)
        if arm.model == "mlp":
            raise DataError("not here")
        return ThreadChoice(threads=2)

    monkeypatch.setattr("nnbench.thread_tuning.choose_threads", choose)
    source = BENCH.replace("base.vary(batch_size=(16, 64))", """(
        base.replace(lr=0.1, name="logistic/sgd/b16"), base.replace(lr=0.2, name="logistic/sgd/b64"),
        base.replace(model="mlp", threads=3))""")  # fmt: skip
    bench("--benchmark-json=out.json", "--nnbench-profile=smoke", "--nnbench-threads=auto", source=source)
    assert asked == ["logistic", "mlp"]
    assert [arm["threads"] for arm in load(bench)["nnbench"]["scenarios"][0]["arms"]] == [2, 2, 3]


@pytest.mark.parametrize("text", ["0", "many", "-1", "1.5"])
def test_threads_are_a_number_or_auto(bench, pytester, text):
    assert bench(f"--nnbench-threads={text}").ret == pytest.ExitCode.USAGE_ERROR
    pytester.makeini(f"[pytest]\nnnbench_threads = {text}\n")
    result = bench()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"*nnbench_threads in the ini file: expected 1, 2, … or auto, got '{text}'*"]
    )


def test_with_timers_off_each_arm_still_runs_once(bench):
    result = bench("--benchmark-disable", "--nnbench-out=run")
    result.assert_outcomes(passed=2)
    assert len(list((bench.path / "run" / "records").iterdir())) == 2


@pytest.mark.parametrize(("repeat", "rounds"), [("once", 1), ("blocks", 5)])
def test_a_probe_whose_times_count_has_rounds_and_one_record(bench, repeat, rounds):
    source = f"""
from nnbench import Probe, Scenario
arms = (Probe(name="5x5", function="nnbench.analysis.receptive_field:conv_stack",
              args={{"kernel_sizes": (5,), "channels": 64}}),)
scenario = Scenario(name="stack", statement="s", question="q", axis="nothing", repeat={repeat!r},
                    arms={{"smoke": arms, "quick": arms, "full": arms}})
def test_stack(arm, probe_benchmark):
    (record,) = probe_benchmark(arm)
    assert record.metrics["parameters"] == 102464
"""
    bench("--benchmark-json=out.json", source=source).assert_outcomes(passed=1)
    out = load(bench)
    assert out["benchmarks"][0]["stats"]["rounds"] == rounds
    assert len(out["nnbench"]["records"]) == 1


def test_it_can_be_switched_off_and_survives_without_pytest_benchmark(pytester):
    pytester.makepyfile("def test_plain(): pass")
    for switch in ("no:nnbench", "no:benchmark"):
        result = pytester.runpytest_subprocess("-p", switch, "-p", "no:cacheprovider")
        result.assert_outcomes(passed=1)


def test_a_test_suite_without_arms_pays_and_sees_nothing(pytester):
    pytester.makepyfile(
        "import sys\ndef test_plain(): assert not {'torch', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*nnbench*profile*")


def test_a_parametrization_of_ones_own_is_left_alone(pytester):
    pytester.makepyfile(
        "import pytest\n@pytest.mark.parametrize('arm', ['left', 'right'])\ndef test_robot(arm): assert arm"
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
