"""Probes under seeds: a record for each, arrays beside them, failures that lose nothing; in pytest and alone."""

from __future__ import annotations

import json

import pytest

from nnbench import Probe, measure
from nnbench.config import ConfigError
from nnbench.results import read_results

STUDY = """
import numpy as np
from nnbench.config import ProbeResult
from nnbench.data import DataMissing


def draw(size, seed, bad=None, data_folder="none"):
    if seed == bad:
        raise ValueError("drew the bad one")
    drawn = np.random.default_rng(seed).random((size, size), dtype=np.float32)
    return ProbeResult(metrics={"validation_accuracy": float(drawn.mean())}, arrays={"map": drawn})


def missing(seed):
    raise DataMissing("mnist: not here; fetch it")


def where(data_folder):
    return {"layers": len(str(data_folder))}


def broken():
    return [1] + "text"
"""
BENCH = """
from nnbench import Claim, Probe, Scenario

FUNCTION = "{function}"
arms = tuple(
    Probe(name=f"n{{n}}", function="seeded_study:" + FUNCTION, args={args}, seeded=True) for n in (2, 3)
)
drawn = Scenario(
    name="drawn", statement="…", question="?", axis="nothing", repeat="{repeat}",
    arms={{"smoke": arms, "quick": arms, "full": arms}},
    claims=(Claim(text="It lies about the middle.", kind="between", metric="validation_accuracy",
                  arms="n2", low=0.0, high=1.0),),
)


def test_drawn(arm, probe_benchmark):
    records = probe_benchmark(arm)
    assert all(record.arm["name"] == arm.name for record in records)
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    (tmp_path / "seeded_study.py").write_text(STUDY)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def bench(pytester, *options, function="draw", args='{"size": n}', repeat="seeds"):
    pytester.makepyfile(seeded_study=STUDY)
    pytester.syspathinsert()
    pytester.makepyfile(test_drawn=BENCH.format(function=function, args=args, repeat=repeat))
    ended = pytester.runpytest("--benchmark-json=out.json", "-p", "no:cacheprovider", *options)
    content = json.loads((pytester.path / "out.json").read_text())["nnbench"]
    return ended, content, pytester.path / "out.json"


def probe(function="draw", seeded=True, **args):
    return Probe(name="p", function=f"seeded_study:{function}", args=args, seeded=seeded)


def test_measured_alone_it_is_called_with_the_seed(study):
    first, again, other = (measure(probe(size=3), seed) for seed in (4, 4, 5))
    assert first.seed == 4
    assert first.arrays == again.arrays
    assert first.arrays != other.arrays
    assert first.metrics["validation_accuracy"] == pytest.approx(float(first.arrays["map"].mean()))


def test_what_makes_it_another_probe():
    plain, seeded = (Probe(name="p", function="m:f", seeded=is_so) for is_so in (False, True))
    assert plain.id != seeded.id
    assert "seeded" not in plain.config()  # it keeps the id that it had before there were seeds


def test_a_function_that_loads_data_gets_their_folder(study, tmp_path):
    metrics = measure(probe("where", seeded=False), data_folder=tmp_path).metrics
    assert metrics == {"layers": len(str(tmp_path))}


def test_arguments_that_it_does_not_take_are_named_and_a_fault_inside_is_its_own(study):
    from nnbench.benchmarking import run_probe

    with pytest.raises(ConfigError, match="unexpected keyword argument 'colour'; it takes size, seed, bad"):
        run_probe(probe(size=3, colour=1))
    with pytest.raises(TypeError, match="concatenate"):
        run_probe(probe("broken", seeded=False))
    record = measure(probe("broken", seeded=False))
    assert (record.status, record.metrics) == ("CRASH", {})


def test_in_pytest_each_seed_leaves_a_record(pytester):
    ended, content, path = bench(pytester, "--nnbench-seeds=3")
    ended.assert_outcomes(passed=2)
    assert [(r["arm"]["name"], r["seed"]) for r in content["records"]] == [
        ("n2", 0), ("n2", 1), ("n2", 2), ("n3", 0), ("n3", 1), ("n3", 2),
    ]  # fmt: skip
    maps = [record.arrays["map"] for record in read_results(path).records]
    assert [found.shape for found in maps] == [(2, 2)] * 3 + [(3, 3)] * 3
    assert maps[0].tolist() != maps[1].tolist()
    ended.stdout.fnmatch_lines(["*SUPPORTED*It lies about the middle.*"])


def test_a_seed_that_fails_leaves_its_record_and_the_others_go_on(pytester):
    ended, content, _ = bench(pytester, "--nnbench-seeds=3", args='{"size": n, "bad": 1}')
    ended.assert_outcomes(failed=2)
    assert [r["status"] for r in content["records"]] == ["OK", "CRASH", "OK"] * 2
    assert "drew the bad one" in content["records"][1]["reason"]


def test_data_that_are_missing_skip_it(pytester):
    ended, content, _ = bench(pytester, "--nnbench-seeds=2", function="missing", args="{}")
    ended.assert_outcomes(skipped=2)
    assert {r["status"] for r in content["records"]} == {"SKIPPED"}
    assert content["records"][0]["reason"] == "mnist: not here; fetch it"


def test_with_repeat_once_one_seed_will_do(pytester):
    _, content, _ = bench(pytester, "--nnbench-seeds=3", repeat="once")
    assert [r["seed"] for r in content["records"]] == [0, 0]
