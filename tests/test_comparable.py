"""'May these two be compared?': what times depend on, and what is said where they may not be compared."""

from __future__ import annotations

import dataclasses

import pytest

from fake_runs import ENVIRONMENT, architectures, failed, scaling_run
from nnbench import findings
from nnbench.claims import NOT_COMPARABLE, NOT_RUN, REFUTED, TIMED, UNDECIDED, Claim, judge
from nnbench.config import Arm
from nnbench.metrics import METRICS
from nnbench.records import differences

WEAK = Arm(name="2 ranks, weak", model="mlp", batch_size=512, epochs=2, ranks=2)


@pytest.fixture
def record():
    return scaling_run()[1][0]


def other(record, arm=None, **environment):
    """*record* with some of its environment, and of its arm, changed."""
    changed = {**record.environment, **environment}
    return dataclasses.replace(record, arm={**record.arm, **(arm or {})}, environment=changed)


def said_to(name, records, kind="compare", arms=("2 ranks, weak", "1 rank")):
    claim = Claim(text="two are better than one", kind=kind, metric=name, arms=arms, direction="higher")
    return judge([claim], records, "quick")[0]


# records


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, []),
        ({"load_1min": 9.0, "memory_bytes": 1, "nnbench": "9"}, []),
        ({"torch": "9.9"}, ["torch: 2.10.0 against 9.9"]),
        ({"cpu": "Other"}, ["cpu: Imaginary CPU @ 2.0 GHz against Other"]),
        ({"device_name": "Other"}, ["device_name: Imaginary CPU @ 2.0 GHz against Other"]),
        ({"cores": None}, ["cores: 2 against nothing"]),
        ({"threads": 2}, ["threads: 1 against 2"]),
        ({"world_size": 4}, ["world_size: 2 against 4"]),
        ({"backend": "gloo"}, ["backend: nothing against gloo"]),
        ({"python": "3.13", "cuda": "13"}, ["python: 3.11.9 against 3.13", "cuda: nothing against 13"]),
    ],
    ids=str,
)
def test_what_times_depend_on(record, environment, said):
    assert differences(record, other(record, **environment)) == said


def test_of_a_launch_and_a_bare_process_the_launcher_alone_is_named(record):
    bare = other(record, launcher="python", world_size=None, backend=None)
    launched = other(record, backend="gloo")
    assert differences(bare, launched) == ["launcher: python against torchrun"]
    assert differences(launched, bare) == ["launcher: torchrun against python"]


def test_a_record_of_the_first_release_was_of_a_bare_process(record):
    old = dataclasses.replace(record, environment=ENVIRONMENT)
    assert "launcher" not in ENVIRONMENT
    assert differences(old, other(old, launcher="python")) == []
    assert differences(old, record) == ["launcher: python against torchrun"]


def test_what_the_arms_themselves_ask_for_is_what_is_compared(record):
    assert differences(record, other(record, arm={"threads": 2}, threads=2)) == []
    gpu = other(record, arm={"device": "cuda"}, device="cuda", device_name="H100", backend="nccl")
    assert differences(record, gpu) == []
    elsewhere = other(gpu, cpu="Other")
    assert differences(record, elsewhere) == ["cpu: Imaginary CPU @ 2.0 GHz against Other"]


# claims


@pytest.mark.parametrize("name", sorted(METRICS))
def test_times_and_energies_alone_need_comparable_records(name):
    records = [
        dataclasses.replace(record, metrics={name: 1 + record.seed + record.arm["ranks"]})
        for record in scaling_run(launcher="python")[1]
    ]
    found = said_to(name, records)
    assert (found.verdict == NOT_COMPARABLE) == (METRICS[name].nature in TIMED)
    if found.verdict == NOT_COMPARABLE:
        assert found.reason == "2 ranks, weak against 1 rank: launcher: torchrun against python"
        assert found.effect is None


def test_a_pair_that_was_not_measured_says_nothing_of_the_others():
    """What no rank is left to record is recorded by the bare process that started them."""
    records = scaling_run()[1]
    lost = other(
        failed(WEAK, 2, scenario="scaling", status="RANK_FAILED", reason="no rank is left"), launcher="python"
    )
    kept = [record for record in records if (record.arm["name"], record.seed) != (WEAK.name, 2)]
    assert said_to("samples_per_s", [*kept, lost]).verdict == UNDECIDED


def test_one_pair_that_does_not_compare_keeps_the_others_from_deciding():
    records = [other(r, torch="9.9") if r.seed == 1 and r.arm["ranks"] == 2 else r for r in scaling_run()[1]]
    assert said_to("samples_per_s", records).verdict == NOT_COMPARABLE


def test_in_an_order_what_does_not_compare_outweighs_what_is_open():
    records = scaling_run(ranks=(1, 2, 4))[1]
    arms = ("4 ranks, weak", "2 ranks, weak", "1 rank")
    unlike = [other(r, torch="9.9") if r.arm["name"] == "1 rank" else r for r in records]
    assert said_to("samples_per_s", unlike, "order", arms).verdict == NOT_COMPARABLE
    unmeasured = [
        dataclasses.replace(r, metrics={}) if r.arm["name"] == "4 ranks, weak" else r for r in unlike
    ]
    assert said_to("samples_per_s", unmeasured, "order", arms).verdict == NOT_RUN
    accuracies = dict(zip(arms, (0.5, 0.8, 0.9), strict=True))  # of what is learned nothing changes
    learned = [
        dataclasses.replace(r, metrics={"validation_accuracy": accuracies[r.arm["name"]] + 0.001 * r.seed**2})
        for r in unlike
        if r.arm["name"] in arms
    ]
    worse = [r if r.arm["name"] != "2 ranks, weak" else dataclasses.replace(
        r, metrics={"validation_accuracy": 0.7 + 0.002 * r.seed}) for r in learned]  # fmt: skip
    assert said_to("validation_accuracy", worse, "order", arms).verdict == REFUTED


# sentences


def test_times_that_do_not_compare_are_not_ranked():
    records = scaling_run(launcher="python")[1]
    said = findings.sentences(records, "quick")
    assert "Training times are not compared: launcher: python against torchrun." in said
    assert not any("fastest" in text for text in said)
    assert any("highest validation accuracy" in text for text in said)


def test_times_to_a_target_are_ranked_only_where_they_compare():
    records = [
        dataclasses.replace(
            record, metrics={**record.metrics, "target_s": 1.0 + i},
            arm={**record.arm, "target_accuracy": 0.1},
        )
        for i, record in enumerate(architectures(2)[1][:4])
    ]  # fmt: skip
    assert any("first, after" in text for text in findings.sentences(records, "quick"))
    unlike = [other(records[0], cpu="Other"), *records[1:]]
    assert not any("first, after" in text for text in findings.sentences(unlike, "quick"))
