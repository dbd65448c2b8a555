"""Seeds that train as one model, in records and in pytest: what each has learned, and no times."""

import pytest

from fakes import FakeClock
from nnbench import Arm, Claim, Scenario, fit
from nnbench.benchmarking import Measurement, Together, measure_together, pays, why_alone
from nnbench.cli import main
from nnbench.config import ConfigError
from nnbench.records import record_from_json, strict_dumps, strict_loads
from nnbench.report import write_report
from nnbench.results import load_run, read_results
from nnbench.training.vectorised import NotVectorisable
from test_pytest_plugin import BENCH, bench, load  # noqa: F401

SMALL = Arm(
    data="digits", model_args={"hidden": (8,)}, batch_size=64, epochs=2, device="cpu", precision="float64"
)
TIMELESS = BENCH.replace('plots=("overview",)', 'plots=("learning_curves",)')
REASON = "trained with 2 other seeds as one model"


# records


def test_each_record_is_that_of_its_seed_without_times():
    records = measure_together(SMALL, (0, 1, 5))
    assert [record.seed for record in records] == [0, 1, 5]
    for record in records:
        alone = fit(SMALL, record.seed)
        assert record.evidence["vectorised"] == 3
        assert record.evidence["together_s"] > 0
        for name, values in alone.curves.items():
            assert record.curves[name] == pytest.approx(values, rel=1e-10)
        assert record.metrics["validation_accuracy"] == alone.curves["validation_accuracy"][-1]
        assert (record.metrics["steps"], record.metrics["epochs"]) == (2 * 22, 2)
        assert record.samples["step_loss"]["count"] == 2 * 22
        for name in ("train_s", "samples_per_s", "peak_bytes", "flops_per_sample", "energy_j"):
            assert record.metrics[name] is None
            assert record.missing[name] == REASON
        assert record_from_json(strict_loads(strict_dumps(record.to_json()))) == record
    assert len({record.weights_sha256 for record in records}) == 3


def test_the_seconds_of_all_are_those_of_the_clock():
    together = Together(Measurement(SMALL, clock=FakeClock(tick_ns=10**6)), (0, 1, 2))
    with pytest.raises(RuntimeError, match="run the training before asking"):
        together.records()
    together.run()
    assert [record.evidence["together_s"] for record in together.records()] == 3 * [0.001]


def test_a_member_that_diverges_says_so_and_the_others_are_ok():
    arm = SMALL.replace(model="seeded_models:sometimes_wild", model_args={})
    records = measure_together(arm, range(3))
    assert [record.status for record in records] == ["DIVERGED", "DIVERGED", "OK"]
    assert "the loss is not finite from step 1" in records[0].reason
    assert records[0].missing["validation_accuracy"] == "the training is DIVERGED"
    assert records[0].missing["train_s"] == REASON
    assert (records[0].weights_sha256, records[2].reason) == (None, None)
    assert records[2].weights_sha256


def test_what_cannot_train_as_one_is_refused():
    with pytest.raises(NotVectorisable, match="come through the loader 'dataloader'"):
        measure_together(SMALL.replace(loader="dataloader"), range(3))


# when


def scenario(**values):
    arms = (SMALL.replace(name="a"), SMALL.replace(name="b", lr=0.2))
    claim = Claim(text="a beats b", kind="compare", metric="validation_accuracy", arms=("a", "b"))
    whole = {"name": "s", "statement": "s", "question": "q", "axis": "epochs", "claims": (claim,)}
    return Scenario(**{**whole, "arms": dict.fromkeys(("smoke", "quick", "full"), arms), **values})


TIMED = Claim(text="a is sooner", kind="compare", metric="train_s", arms=("a", "b"))
OPERATIONS = Claim(text="a counts", kind="exact", metric="flops_per_sample", arms=("a",), value=1)


@pytest.mark.parametrize(
    ("values", "auto", "on"),
    [
        ({}, "", ""),
        ({"plots": ("verdicts", "learning_curves")}, "", ""),
        ({"repeat": "blocks"}, "repeats by 'blocks'", "repeats by 'blocks'"),
        ({"repeat": "once"}, "repeats by 'once'", "repeats by 'once'"),
        ({"claims": (TIMED,)}, "'a is sooner' needs train_s", "'a is sooner' needs train_s"),
        ({"claims": (OPERATIONS,)}, "needs flops_per_sample", "needs flops_per_sample"),
        ({"claims": ()}, "claims nothing", ""),
        ({"plots": ("learning_curves", "overview")}, "the plot overview shows times", ""),
    ],
    ids=str,
)
def test_a_scenario_that_needs_times_has_them(values, auto, on):
    for way, why in (("auto", auto), ("on", on), ("off", "it was asked for")):
        found = why_alone(scenario(**values), SMALL, way)
        assert why in found
        assert bool(why) == bool(found)


def test_an_arm_with_a_target_has_its_time():
    assert why_alone(scenario(), SMALL.replace(target_accuracy=0.5), "on") == "its time to a target is taken"


@pytest.mark.parametrize(
    ("change", "seeds", "expected"),
    [
        ({}, 6, True),
        ({}, 2, False),
        ({"data": "fashion-mini"}, 3, True),
        ({"data": "fashion-mini", "model_args": {"hidden": (512,)}, "batch_size": 1}, 60, False),
        ({"data": "fashion-mini", "model_args": {"hidden": (128,)}, "batch_size": 16}, 6, True),
        ({"data": "fashion-mini", "model_args": {"hidden": (128,)}}, 6, False),
        ({"data": "xor", "batch_size": "full"}, 200, True),
        ({"model": "cnn", "model_args": {"channels": (4,)}}, 6, False),
        ({"model_args": {"hidden": (8,), "dropout": 0.1}}, 6, True),
        ({"model_args": {"nonsense": 1}}, 6, False),
    ],
    ids=str,
)
def test_it_pays_for_small_dense_models(change, seeds, expected):
    assert pays(SMALL.replace(**change), seeds) is expected


# pytest


def vectorised(out):
    return [record["evidence"].get("vectorised") for record in out["nnbench"]["records"]]


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        (TIMELESS, ["--nnbench-seeds=3"], 6 * [3]),
        (TIMELESS, ["--nnbench-seeds=3", "--nnbench-vectorise=off"], 6 * [None]),
        (TIMELESS, ["--nnbench-seeds=2"], 4 * [None]),
        (TIMELESS, ["--nnbench-seeds=2", "--nnbench-vectorise=on"], 4 * [2]),
        (BENCH, ["--nnbench-seeds=3"], 6 * [None]),  # it draws times
        (BENCH, ["--nnbench-seeds=3", "--nnbench-vectorise=on"], 6 * [3]),
        (TIMELESS.replace('axis="epochs"', 'axis="epochs", repeat="blocks"'),
         ["--nnbench-seeds=3", "--nnbench-vectorise=on"], 6 * [None]),
    ],
    ids=["auto", "off", "few", "on", "times", "on-times", "blocks"],
)  # fmt: skip
def test_the_option_says_which_seeds_train_as_one(bench, source, options, expected):  # noqa: F811
    result = bench("--benchmark-json=out.json", *options, source=source)
    result.assert_outcomes(passed=2)
    out = load(bench)
    assert vectorised(out) == expected
    rounds = len(expected) // 2 if expected[0] is None else 1
    assert [entry["stats"]["rounds"] for entry in out["benchmarks"]] == 2 * [rounds]
    assert [entry["extra_info"].get("vectorised") for entry in out["benchmarks"]] == [
        expected[0],
        expected[-1],
    ]
    assert [len(entry["extra_info"]["seeds"]) for entry in out["benchmarks"]] == 2 * [len(expected) // 2]
    result.stdout.re_match_lines([r"\s+(SUPPORTED|REFUTED|UNDECIDED)\s+16 beats 64"])


def test_a_run_of_such_seeds_is_read_and_reported(bench, tmp_path):  # noqa: F811
    bench("--nnbench-out=run", "--nnbench-seeds=3", source=TIMELESS)
    folder = bench.path / "run"
    assert {record.evidence["position"] for record in read_results(folder).records} == set(range(6))
    table = load_run(folder)
    assert table["validation_accuracy"].notna().all()
    assert table["train_s"].isna().all()
    write_report(folder, tmp_path / "report", execute=False)


def test_what_cannot_train_as_one_says_why_and_trains_alone(bench):  # noqa: F811
    source = TIMELESS.replace("epochs=2", "epochs=2, loader='dataloader'")
    bench("--benchmark-json=out.json", "--nnbench-seeds=2", "--nnbench-vectorise=on", source=source)
    records = load(bench)["nnbench"]["records"]
    assert [record["status"] for record in records] == 4 * ["OK"]
    for record in records:
        assert "its samples come through the loader 'dataloader'" in record["evidence"]["alone"]
        assert record["metrics"]["train_s"] > 0


def test_where_they_fail_together_each_goes_alone(bench, monkeypatch):  # noqa: F811
    def fails(self):
        raise MemoryError("too many")

    monkeypatch.setattr(Together, "run", fails)
    bench("--nnbench-out=run", "--nnbench-seeds=3", source=TIMELESS).assert_outcomes(passed=2)
    records = read_results(bench.path / "run").records
    assert [(record.status, record.seed) for record in records] == 2 * [("OK", 0), ("OK", 1), ("OK", 2)]
    assert {record.evidence["alone"] for record in records} == {"together they failed: MemoryError: too many"}


def test_a_mistake_in_the_arm_is_told_as_ever(bench):  # noqa: F811
    source = TIMELESS.replace("epochs=2", "epochs=2, model_args={'nonsense': 1}")
    bench("--benchmark-json=out.json", "--nnbench-vectorise=on", source=source).assert_outcomes(failed=2)
    assert {record["status"] for record in load(bench)["nnbench"]["records"]} == {"CRASH"}


def test_divergence_within_a_stack_fails_unless_it_is_expected(bench):  # noqa: F811
    source = TIMELESS.replace('model="logistic"', "model='seeded_models:sometimes_wild'")
    source = source.replace("logistic/sgd", "sometimes_wild/sgd")
    result = bench("--nnbench-seeds=3", "--nnbench-vectorise=on", source=source)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*seed 0: DIVERGED: the loss is not finite from step*"])


def test_a_wrong_way_is_a_usage_error(bench, capsys):  # noqa: F811
    assert bench("--nnbench-vectorise=maybe").ret == pytest.ExitCode.USAGE_ERROR
    with pytest.raises(SystemExit):
        main(["run", "bench", "-o", "run", "--vectorise", "maybe"])
    assert "invalid choice: 'maybe'" in capsys.readouterr().err


def test_the_command_line_hands_it_on(bench, monkeypatch):  # noqa: F811
    monkeypatch.chdir(bench.path)
    asked = []

    def run(request, *_, **__):
        asked.append(request.options)
        raise ConfigError("enough")

    monkeypatch.setattr("nnbench.runner.Run", run)
    assert main(["run", "test_bench.py", "-o", "run", "--vectorise", "on"]) == 2
    assert "--nnbench-vectorise=on" in asked[0]
