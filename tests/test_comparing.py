"""Verdicts of comparisons, from records made up for the purpose: mostly of input that allows none."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest

from fake_runs import DATA, ENVIRONMENT, arm_json, failed
from nnbench.comparing import (
    BETTER,
    CONVERGENCE,
    EPOCHS_TO_TARGET,
    FASTER,
    INCONCLUSIVE,
    NOT_COMPARABLE,
    SAME,
    SLOWER,
    WORSE,
    Comparison,
    arm_differences,
    compare_learning,
    compare_paired,
    compare_runs,
    environment_differences,
    exit_code,
    half_width,
    only_one_side,
)
from nnbench.config import Arm, ConfigError
from nnbench.records import Record
from nnbench.stats import LEARNS_ALIKE, LEARNS_WORSE

ARM = Arm(model="mlp", epochs=2)


def record(i=0, arm=ARM, **more):
    """A record of block and seed *i*; metrics are given by name, anything else replaces a field."""
    names = {item.name for item in dataclasses.fields(Record)}
    fields = {name: more.pop(name) for name in list(more) if name in names}
    values = {
        "scenario": "s", "arm": arm_json(arm), "seed": i, "block": i, "metrics": more, "data": DATA,
        "environment": ENVIRONMENT,
    }  # fmt: skip
    return Record(**{**values, **fields})


def speeds(values, arm=ARM, **more):
    return [record(i, arm, samples_per_s=value, **more) for i, value in enumerate(values)]


def around(centre, n, spread=0.005, seed=0):
    return [centre * math.exp(random.Random(f"{seed} {i}").gauss(0, spread)) for i in range(n)]


def only(rows, metric="samples_per_s"):
    return next(row for row in rows if row.metric == metric)


# times of the same blocks


@pytest.mark.parametrize("n", [6, 15])
@pytest.mark.parametrize(("ratio", "verdict"), [(1.10, FASTER), (0.90, SLOWER), (1.0, SAME), (1.001, SAME)])
def test_the_head_is_faster_slower_or_the_same(ratio, verdict, n):
    row = only(compare_paired(speeds(around(1000, n)), speeds(around(1000 * ratio, n, seed=1))))
    assert row.verdict == verdict
    assert row.effect.low < ratio < row.effect.high
    assert row.n == n
    assert len(row.samples) == n
    assert 0.02 < row.reach < 0.05


def test_of_times_less_is_faster():
    a, b = ([record(i, command_s=t) for i, t in enumerate(around(c, 10, seed=c))] for c in (2.0, 1.0))
    row = only(compare_paired(a, b), "command_s")
    assert (row.verdict, round(row.effect.centre, 1)) == (FASTER, 2.0)
    assert (round(row.a), round(row.b)) == (2, 1)


def test_the_sides_may_ask_for_different_arms_and_the_metric_can_be_named():
    b = ARM.replace(batch_size=128)
    a_records = [record(i, train_s=x) for i, x in enumerate(around(1, 10))]
    b_records = [record(i, b, train_s=x) for i, x in enumerate(around(0.5, 10, seed=1))]
    row = only(compare_paired(a_records, b_records, name="train_s"), "train_s")
    assert row.verdict == FASTER
    assert row.arm == "mlp/sgd/b64 → mlp/sgd/b128"
    assert only_one_side(a_records, b_records) == ([], [])


DEGENERATE = {
    "no records": ([], [], "nothing"),
    "one side has none": (speeds([1.0] * 10), [], "nothing"),
    "five blocks": (speeds(around(1, 5)), speeds(around(2, 5)), "5 blocks, and a verdict needs 6"),
    "other blocks": (speeds(around(1, 10)), [record(i + 50, samples_per_s=2.0) for i in range(10)], "no block"),
    "unequal n": (speeds(around(1, 15)), speeds(around(2, 3)), "3 blocks, and a verdict needs 6"),
    "zero spread": (speeds([1.0] * 10), speeds([2.0] * 10), "identical"),
    "a time of zero": (speeds([1.0] * 10), speeds([0.0, *[2.0] * 9]), "not above 0"),
    "all diverged": (
        [record(i, status="DIVERGED", reason="x") for i in range(10)],
        speeds(around(2, 10)), "no block",
    ),
    "not measured": (
        [record(i, samples_per_s=None, missing={"samples_per_s": "x"}, status="CRASH", reason="x") for i in range(10)],
        speeds(around(1, 10)), "no block",
    ),
    "all disturbed": (speeds(around(1, 10), quality=("INVALID",)), speeds(around(2, 10)), "no block"),
    "a clock that went back": (speeds(around(1, 10)), speeds(around(2, 10), quality=("CLOCK",)), "no block"),
    "another torch": (
        speeds(around(1, 10)), speeds(around(2, 10), environment={**ENVIRONMENT, "torch": "9"}),
        "torch: 2.10.0 against 9",
    ),
    "other threads": (
        speeds(around(1, 10)), speeds(around(2, 10), environment={**ENVIRONMENT, "threads": 2}),
        "threads: 1 against 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_times_get_no_verdict_but_a_reason(case):
    a, b, reason = DEGENERATE[case]
    rows = [row for row in compare_paired(a, b) if not row.exploratory]
    assert not {row.verdict for row in rows} & {FASTER, SLOWER, SAME}
    assert exit_code(rows) in (3, 4)
    assert (reason == "nothing" and not rows) or reason in rows[0].reason


def test_what_is_asked_to_differ_is_what_is_compared():
    b = speeds(around(2, 10, seed=1), environment={**ENVIRONMENT, "torch": "9"})
    assert only(compare_paired(speeds(around(1, 10)), b, asked={"torch"})).verdict == FASTER


def test_a_disturbed_block_is_dropped_as_a_pair_and_its_other_seeds_are_kept():
    a = [*speeds(around(1, 10)), record(3, samples_per_s=1.0, seed=99, quality=("NOISY",))]
    b = speeds(around(2, 10, seed=1))
    b[3] = dataclasses.replace(b[3], quality=("INVALID",))
    assert only(compare_paired(a, b)).n == 9


def test_holm_over_the_arms_and_nothing_else_gets_a_verdict():
    """Six blocks give p = 0.03 at best by ranks, so t: twenty arms make of a weak p none."""
    arms = [ARM.replace(name=f"arm {i}") for i in range(20)]
    a = [r for arm in arms for r in speeds(around(1, 10, 0.03, arm.name), arm, train_s=1.0, parameters=3)]
    b = [
        r
        for arm in arms
        for r in speeds(around(1.04, 10, 0.03, arm.name + "b"), arm, train_s=1.0, parameters=3)
    ]
    alone = [only(compare_paired(a[i : i + 10], b[i : i + 10])) for i in range(0, 200, 10)]
    together = [row for row in compare_paired(a, b) if not row.exploratory]
    assert len(together) == 20
    assert sum(row.verdict == FASTER for row in alone) > sum(row.verdict == FASTER for row in together)
    assert all(one.p <= row.p for one, row in zip(alone, together, strict=True))
    others = [row for row in compare_paired(a, b) if row.exploratory]
    assert {row.metric for row in others} == {"train_s", "parameters"}
    assert {row.verdict for row in others} == {""}


def test_arms_without_a_time_decide_nothing():
    skipped = [record(0, status="SKIPPED", reason="no CUDA device here")]
    rows = compare_paired(skipped, skipped)
    assert rows[0].exploratory
    assert "no CUDA device here" in rows[0].reason
    probe = [record(0, receptive_field=5)]
    assert compare_paired(probe, probe)[0].reason == "has no time of its own"


def test_half_the_width_of_an_interval():
    row = only(compare_paired(speeds(around(1, 10)), speeds(around(2, 10, seed=1))))
    assert half_width(row) == pytest.approx(math.log(row.effect.high / row.effect.low) / 2)
    assert half_width(Comparison(arm="x", metric="train_s")) is None


# what is learned


def learned(values, arm=ARM, **more):
    return [record(i, arm, validation_accuracy=value, **more) for i, value in enumerate(values)]


def test_faster_but_learns_worse_is_caught():
    a, b = learned(around(0.8, 8)), learned(around(0.7, 8, seed=1))
    row = only(compare_learning(a, b), CONVERGENCE)
    assert row.verdict == LEARNS_WORSE
    assert exit_code([Comparison(arm="x", metric="samples_per_s", verdict=FASTER), row]) == 1


@pytest.mark.parametrize(
    ("a", "b", "verdict", "reason"),
    [
        (learned(around(0.8, 8)), learned(around(0.8005, 8, seed=0)), LEARNS_ALIKE, "8 seeds"),
        (learned([0.5, 0.9] * 4), learned([0.9, 0.5] * 4), INCONCLUSIVE, "is not excluded"),
        (learned([0.8]), learned([0.8]), INCONCLUSIVE, "1 seed with an accuracy"),
        (learned([0.8] * 6), learned([0.8] * 6), LEARNS_ALIKE, "are equal"),
        (learned(around(0.8, 5)), learned(around(0.1, 5)), INCONCLUSIVE, "needs 6"),
        (learned([0.8], weights_sha256="ab"), learned([0.8], weights_sha256="ab"), LEARNS_ALIKE, "bit-identical"),
        (learned([0.8], weights_sha256="ab"), learned([0.8], weights_sha256="cd"), INCONCLUSIVE, "needs 6"),
        (learned(around(0.8, 8)), learned(around(0.8, 8), data={**DATA, "sha256": "cd" * 32}), NOT_COMPARABLE,
         "data.sha256: abababababab against cdcdcdcdcdcd"),
        (learned(around(0.8, 8)), learned(around(0.8, 8), data={**DATA, "validation": 9}), NOT_COMPARABLE,
         "data.validation: 2000 against 9"),
    ],
)  # fmt: skip
def test_convergence(a, b, verdict, reason):
    row = only(compare_learning(a, b), CONVERGENCE)
    assert (row.verdict, row.exploratory) == (verdict, False)
    assert reason in row.reason


def test_a_diverged_seed_is_a_loss_and_a_crashed_one_leaves_it_open():
    a = learned(around(0.8, 8))
    diverged = [dataclasses.replace(r, status="DIVERGED", reason="x", metrics={}) for r in a]
    assert only(compare_learning(a, diverged), CONVERGENCE).verdict == LEARNS_WORSE
    crashed = [*learned(around(0.8, 7)), failed(ARM, 7, scenario="s", status="CRASH", reason="x")]
    row = only(compare_learning(a, crashed), CONVERGENCE)
    assert row.verdict == INCONCLUSIVE
    assert "1 of 8 seeds have no accuracy" in row.reason


def test_data_sets_that_were_asked_for_leave_nothing_to_test():
    b = learned(around(0.8, 8), data={**DATA, "sha256": "cd" * 32})
    row = only(compare_learning(learned(around(0.8, 8)), b, asked={"data"}), CONVERGENCE)
    assert (row.verdict, row.exploratory) == (NOT_COMPARABLE, True)


def test_what_learns_nothing_has_no_convergence():
    assert compare_learning(speeds(around(1, 8)), speeds(around(1, 8))) == []


def test_a_table_of_equal_arms_raises_few_alarms():
    """Holm: 40 tables of 20 equal arms; single tests would alarm in 64 % of them."""
    arms, alarms = [ARM.replace(name=f"arm {i}") for i in range(20)], 0
    for table in range(40):
        a, b = (
            [r for arm in arms for r in learned(around(0.8, 8, 0.01, f"{table} {arm.name} {side}"), arm)]
            for side in "ab"
        )
        alarms += any(row.verdict == LEARNS_WORSE for row in compare_learning(a, b))
    assert alarms <= 6


def curves(epochs, arm):
    return [
        record(i, arm, validation_accuracy=0.9,
               curves={"validation_accuracy": [0.1] * (at - 1) + [0.9] * (10 - at + 1) if at else [0.1] * 10})
        for i, at in enumerate(epochs)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "head", "verdict"),
    [
        ([2, 2, 3, 2, 3, 2], [5, 6, 5, 7, 6, 5], LEARNS_WORSE),
        ([2, 2, 3, 2, 3, 2], [None] * 6, LEARNS_WORSE),
        ([None] * 6, [None] * 6, ""),
        ([2, 2, 3, 2, 3, 2], [2, 3, 2, 2, 3, 2], ""),
        ([5, 6, 5, 7, 6, 5], [2, 2, 3, 2, 3, 2], ""),
        ([2] * 5, [9] * 5, ""),
    ],
)
def test_epochs_to_a_target_with_misses_as_infinity(base, head, verdict):
    arm = ARM.replace(target_accuracy=0.8)
    row = only(compare_learning(curves(base, arm), curves(head, arm)), EPOCHS_TO_TARGET)
    assert row.verdict == verdict
    assert row.exploratory == (verdict == "")
    assert "missed it" in row.reason


# two runs


def row_of(a, b, metric, **options):
    return only(compare_runs(a, b, metrics=[metric], **options), metric)


def test_times_of_two_runs_get_a_ratio_and_no_verdict():
    row = row_of(speeds(around(1, 10)), speeds(around(2, 10, seed=1)), "samples_per_s")
    assert (row.verdict, row.reason) == (INCONCLUSIVE, "taken at different times: use nnbench ab")
    assert row.effect.low < 2 < row.effect.high
    one = row_of(speeds([1.0]), speeds([2.0]), "samples_per_s")
    assert (one.verdict, one.effect.centre, one.effect.low) == (INCONCLUSIVE, 2.0, None)


def test_times_of_two_machines_are_not_comparable_unless_that_is_asked_for():
    a, b = (
        speeds(around(1, 10)),
        speeds(around(2, 10), environment={**ENVIRONMENT, "cpu": "Other", "cores": 9}),
    )
    row = row_of(a, b, "samples_per_s")
    assert row.verdict == NOT_COMPARABLE
    assert row.reason == "cpu: Imaginary CPU @ 2.0 GHz against Other; cores: 2 against 9"
    assert environment_differences(a, b) == row.reason.split("; ")
    assert row_of(a, b, "samples_per_s", across=True).verdict == INCONCLUSIVE


@pytest.mark.parametrize(
    ("values", "verdict", "reason"),
    [
        (around(0.85, 8, 0.001, 1), BETTER, "margin"),
        (around(0.75, 8, 0.001, 1), WORSE, "margin"),
        (around(0.80, 8, 0.001, 1), SAME, "margin"),
        (around(0.81, 8, 0.01, 1), INCONCLUSIVE, "margin"),
        (around(0.70, 5, 0.001, 1), INCONCLUSIVE, "5 seeds in common, and a verdict needs 6"),
    ],
)
def test_accuracy_of_two_runs_against_the_margin(values, verdict, reason):
    base = learned(around(0.8, 8, 0.001))
    row = row_of(base, learned(values), "validation_accuracy")
    assert row.verdict == verdict
    assert reason in row.reason
    elsewhere = learned(values, environment={**ENVIRONMENT, "cpu": "Other"})
    assert row_of(base, elsewhere, "validation_accuracy").verdict == verdict
    other = learned(values, data={**DATA, "sha256": "cd" * 32})
    assert row_of(base, other, "validation_accuracy").verdict == NOT_COMPARABLE


def test_differences_that_are_all_alike_decide_nothing():
    row = row_of(learned([0.5] * 8), learned([0.75] * 8), "validation_accuracy")
    assert row.verdict == INCONCLUSIVE
    assert "identical" in row.reason


def test_a_loss_is_better_where_it_is_lower():
    a, b = ([record(i, validation_loss=x) for i, x in enumerate(around(c, 8, seed=c))] for c in (0.9, 0.5))
    assert row_of(a, b, "validation_loss").verdict == BETTER


@pytest.mark.parametrize(
    ("metric", "base", "head", "verdict"),
    [
        ("parameters", 100, 100, SAME),
        ("parameters", 100, 101, WORSE),
        ("parameters", 100, 99, BETTER),
        ("receptive_field", 5, 7, BETTER),
        ("steps", 5, 7, INCONCLUSIVE),
        ("peak_bytes", 100 * 2**20, 110 * 2**20, SAME),
        ("peak_bytes", 100 * 2**20, 112 * 2**20, WORSE),
        ("peak_bytes", 100 * 2**20, 80 * 2**20, BETTER),
    ],
)
def test_counts_are_exact_and_memory_is_what_its_meter_repeats(metric, base, head, verdict):
    row = row_of([record(0, **{metric: base})], [record(0, **{metric: head})], metric)
    assert row.verdict == verdict


def test_a_count_with_two_values_decides_nothing():
    two = [record(0, parameters=1), record(1, parameters=2)]
    assert row_of(two, [record(0, parameters=1)], "parameters").verdict == INCONCLUSIVE


def test_an_arm_that_fails_on_one_side_only_is_worse_there():
    fine, broken = speeds([1.0]), [failed(ARM, 0, scenario="s", status="OOM", reason="no memory")]
    row = only(compare_runs(fine, broken), "status")
    assert (row.verdict, row.reason) == (WORSE, "head: OOM: no memory")
    assert only(compare_runs(broken, fine), "status").verdict == BETTER
    assert exit_code(compare_runs(fine, broken)) == 1


def test_without_names_accuracy_counts_memory_and_throughput_decide():
    more = {
        "train_s": 1.0,
        "validation_loss": 0.5,
        "parameters": 3,
        "peak_bytes": 5,
        "steps": 2,
        "energy_j": 1.0,
    }
    a = [record(i, validation_accuracy=0.8 + i / 1000, samples_per_s=1.0 + i, **more) for i in range(6)]
    rows = compare_runs(a, a)
    declared = {row.metric for row in rows if not row.exploratory}
    assert declared == {"validation_accuracy", "parameters", "peak_bytes", "samples_per_s", CONVERGENCE}
    assert {row.metric for row in rows if row.exploratory} == {"train_s", "validation_loss", "energy_j"}
    assert exit_code(rows) == 3
    assert exit_code(compare_runs(a, a, metrics=["parameters", "validation_accuracy"])) == 0


def test_a_misspelt_metric_is_told():
    with pytest.raises(ConfigError, match="did you mean 'parameters'"):
        compare_runs(speeds([1.0]), speeds([1.0]), metrics=["parameter"])


def test_arms_of_one_side_and_changed_configurations_are_listed():
    other = Arm(model="logistic")
    a = [*speeds([1.0]), *speeds([1.0], other)]
    b = [*speeds([1.0], ARM.replace(epochs=1, name=ARM.name)), *speeds([1.0], Arm(model="cnn"))]
    assert only_one_side(a, b) == (["s: logistic/sgd/b64"], ["s: cnn/sgd/b64"])
    assert arm_differences(a, b) == ["mlp/sgd/b64: epochs: 2 against 1"]


# the exit code


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), 4), ((FASTER,), 0), ((SAME, BETTER, LEARNS_ALIKE), 0), ((SLOWER, NOT_COMPARABLE), 1),
        ((WORSE,), 1), ((FASTER, LEARNS_WORSE), 1), ((INCONCLUSIVE, NOT_COMPARABLE), 4), ((SAME, INCONCLUSIVE), 3),
    ],
)  # fmt: skip
def test_exit_codes(verdicts, code):
    rows = [Comparison(arm="x", metric="train_s", verdict=verdict) for verdict in verdicts]
    assert exit_code(rows) == code


def test_what_is_exploratory_has_no_say():
    rows = [Comparison(arm="x", metric="train_s", verdict=WORSE, exploratory=True)]
    assert exit_code(rows) == 3
    assert exit_code([*rows, Comparison(arm="x", metric="train_s", verdict=SAME)]) == 0


def test_a_row_is_plain_values():
    row = only(compare_paired(speeds(around(1, 10)), speeds(around(2, 10))))
    found = row.to_json()
    assert set(found["effect"]) == {"centre", "low", "high", "n"}
    assert isinstance(found["samples"], list)
