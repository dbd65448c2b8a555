"""Claims about time: blocks are the unit, Holm over the claims on one metric, and what is degenerate decides nothing."""

import dataclasses
import math
import random

import pytest

from fake_runs import ENVIRONMENT
from nnbench.claims import (
    NOT_COMPARABLE,
    NOT_RUN,
    REFUTED,
    SUPPORTED,
    TIMED,
    UNDECIDED,
    Claim,
    judge,
)
from nnbench.metrics import METRICS
from nnbench.records import OK, Record, RecordError
from nnbench.stats import block_ratio, holm

# log ratios with a standard deviation of about 1 %, and a mean of 0
NOISE = [
    0.012,
    -0.008,
    0.004,
    -0.011,
    0.009,
    -0.006,
    0.002,
    -0.004,
    0.007,
    -0.005,
    0.011,
    -0.013,
    0.005,
    -0.003,
    0.0,
]


def claim(**values):
    values = {"kind": "compare", "metric": "train_s", "arms": ("a", "b"), **values}
    return Claim(text="a is better than b", **values)


def record(arm, block=0, *, seed=None, status=OK, quality=(), environment=None, config=None, **metrics):
    return Record(
        scenario="s", arm={"name": arm, "id": "0" * 16, **(config or {})}, seed=block if seed is None else seed,
        block=block, status=status, reason=None if status == OK else "because", quality=quality, metrics=metrics,
        missing={name: "too short" for name, value in metrics.items() if value is None},
        environment={**ENVIRONMENT, **(environment or {})},
    )  # fmt: skip


def blocks(arm, values, name="train_s", **more):
    return [record(arm, block, **{name: value}, **more) for block, value in enumerate(values)]


def pair(ratio, n=6, name="train_s"):
    """Arm b takes *ratio* times as long as arm a, more or less."""
    return blocks("a", [2.0] * n, name) + blocks(
        "b", [2.0 * ratio * math.exp(NOISE[i]) for i in range(n)], name
    )


def verdict(of, records, profile="quick"):
    return judge([of], records, profile)[0]


# what decides


@pytest.mark.parametrize(
    ("ratio", "n", "expected"),
    [
        (1.10, 6, SUPPORTED),
        (1.10, 15, SUPPORTED),
        (0.90, 6, REFUTED),
        (0.90, 15, REFUTED),
        (1.00, 6, REFUTED),  # the same within the margin
        (1.001, 15, REFUTED),
        (1.019, 6, UNDECIDED),  # significant, and too small to count
        (1.10, 5, UNDECIDED),
        (9.00, 1, UNDECIDED),
    ],
)
def test_significance_and_the_margin_decide(ratio, n, expected):
    found = verdict(claim(), pair(ratio, n))
    assert (found.verdict, found.n, found.effect) == (expected, n, None)
    assert found.ratio.ratio.centre == pytest.approx(ratio, rel=0.013)


def test_the_ratio_is_that_of_the_statistics_and_points_in_the_claims_direction():
    records = pair(1.1, 12)
    a, b = ([r.metrics["train_s"] for r in records if r.arm["name"] == name] for name in ("a", "b"))
    assert verdict(claim(), records).ratio == block_ratio(b, a)
    assert verdict(claim(arms=("b", "a")), records).ratio == block_ratio(a, b)
    longer = verdict(claim(direction="higher", arms=("b", "a")), records)
    assert (longer.verdict, longer.ratio) == (SUPPORTED, block_ratio(b, a))
    assert longer.reason.startswith("b against a: 1.100 times as long (")


@pytest.mark.parametrize("name", [name for name, of in METRICS.items() if of.nature in TIMED and of.better])
def test_all_times_and_energies_are_judged_by_blocks(name):
    better = ("b", "a") if METRICS[name].better == "higher" else ("a", "b")
    records = pair(1.2, 6, name)
    assert verdict(claim(metric=name, arms=better), records).verdict == SUPPORTED
    assert verdict(claim(metric=name, arms=better[::-1]), records).verdict == REFUTED
    assert verdict(claim(metric=name, arms=better), pair(1.2, 5, name)).verdict == UNDECIDED


def test_the_reason_is_a_sentence_to_read():
    assert verdict(claim(), pair(1.32)).reason == (
        "a against b: 1.32 times as fast (95\u00a0% interval 1.30 to 1.34, 6 blocks; p < 0.0001); "
        "margin 2\u00a0%; would have found 3.2\u00a0%"
    )
    assert verdict(claim(), pair(1.3, 1)).reason == (
        "a against b: 1.32 times as fast; 1 block, and a verdict needs 6: nnbench run --blocks 6"
    )
    rate = verdict(claim(metric="samples_per_s", arms=("b", "a")), pair(2, 6, "samples_per_s")).reason
    assert rate.startswith(
        "b against a: 2.00 times the throughput (95\u00a0% interval 1.96 to 2.04, 6 blocks; "
    )
    joules = verdict(claim(metric="energy_j"), pair(2, 6, "energy_j")).reason
    assert joules.startswith(
        "a against b: 0.500 times the energy (95\u00a0% interval 0.491 to 0.510, 6 blocks; "
    )
    same = verdict(claim(), pair(1.0)).reason
    assert "90\u00a0% interval 0.986 to 1.014 against a margin of 2\u00a0%" in same


def test_seeds_of_one_block_are_one_value():
    """Times within one process are not independent: they make a pair, not twelve."""
    records = [record("a", 0, seed=s, train_s=1.0 + s) for s in range(3)]
    records += [record("b", 0, seed=s, train_s=9.0 + s) for s in range(4)]
    found = verdict(claim(), records)
    assert (found.verdict, found.n) == (UNDECIDED, 1)
    assert found.ratio.ratio.centre == pytest.approx(10.5 / 2.0)


def test_pairs_are_made_by_block_not_by_position():
    records = pair(1.1)
    random.Random(1).shuffle(records)
    assert verdict(claim(), records) == verdict(claim(), pair(1.1))


# many comparisons


def noisy(n=8, seed=3):
    rng = random.Random(seed)
    means = {"a": 1.0, "b": 1.03, "c": 1.06, "d": 1.1}
    return [
        r
        for arm, mean in means.items()
        for r in blocks(arm, [mean * math.exp(rng.gauss(0, 0.02)) for _ in range(n)])
    ]


def test_holm_counts_the_pairs_of_all_claims_on_one_metric():
    records = noisy()
    values = {arm: [r.metrics["train_s"] for r in records if r.arm["name"] == arm] for arm in "abcd"}
    claims = [claim(), claim(arms=("c", "d")), claim(kind="equivalent", arms=("b", "c"), margin=0.05)]
    raw = [block_ratio(values[y], values[x]).p for x, y in ("ab", "cd", "bc")]
    assert [v.p for v in judge(claims, records, "quick")] == pytest.approx(holm(raw))
    assert verdict(claims[0], records).p == pytest.approx(raw[0])
    order = claim(kind="order", arms=("a", "b", "c", "d"))
    raw = [block_ratio(values[y], values[x]).p for x, y in ("ab", "bc", "cd")]
    assert verdict(order, records).p in holm(raw)
    assert "after Holm over 3" in verdict(order, records).reason


def test_other_metrics_and_what_has_no_test_do_not_count():
    records = noisy()
    more = [claim(metric="step_s"), claim(arms=("a", "z")), claim(kind="exact", arms=("a",), value=1)]
    assert judge([claim(), *more], records, "quick")[0] == judge([claim()], records, "quick")[0]


def test_more_claims_ask_for_more_evidence():
    records = pair(1.045)[:6] + [
        dataclasses.replace(r, metrics={"train_s": r.metrics["train_s"] * math.exp(1.2 * NOISE[r.block])})
        for r in pair(1.045)[6:]
    ]
    assert verdict(claim(), records).verdict == SUPPORTED
    among = judge([claim()] * 8, records, "quick")
    assert {v.verdict for v in among} == {UNDECIDED}
    assert "after Holm over 8" in among[0].reason
    assert "would have found" in among[0].reason


def test_a_slope_takes_its_share_of_the_error():
    records = [
        dataclasses.replace(r, arm={**r.arm, "batch_size": 4 ** "abcd".index(r.arm["name"])}) for r in noisy()
    ]
    slope = claim(kind="slope", arms=("a", "b", "c", "d"), over="batch_size", high=1)
    alone, among = judge([slope], records, "quick")[0], judge([slope, claim()], records, "quick")[0]
    assert among.effect.high > alone.effect.high
    assert "97.5\u00a0% interval" in among.reason
    assert judge([slope, claim()], records, "quick")[1].p == pytest.approx(2 * verdict(claim(), records).p)


# margins of a claim's own


@pytest.mark.parametrize(
    ("ratio", "margin", "expected"),
    [
        (2.0, 0.5, SUPPORTED),  # better by the factor 1.5
        (1.5, 0.5, UNDECIDED),
        (1.2, 0.5, REFUTED),  # better, and short of it
        (0.5, 0.5, REFUTED),
        (1.01, 0.0, UNDECIDED),
        (1.03, 0.0, SUPPORTED),
        (0.99, -0.05, SUPPORTED),  # slower by less than 5 %
    ],
)
def test_a_margin_asks_for_better_by_that_factor(ratio, margin, expected):
    found = verdict(claim(margin=margin), pair(ratio))
    assert found.verdict == expected
    if margin:
        assert f"asked for more than {1 + margin:.3g}" in found.reason


# equivalence


@pytest.mark.parametrize(
    ("ratio", "margin", "expected"),
    [
        (1.0, None, SUPPORTED),
        (1.0, 0.05, SUPPORTED),
        (1.04, 0.08, SUPPORTED),
        (1.02, None, UNDECIDED),
        (1.04, None, REFUTED),
        (0.96, None, REFUTED),
        (1.025, None, UNDECIDED),  # beyond the margin, but not wholly
        (1.08, 0.08, UNDECIDED),
        (1.2, 0.08, REFUTED),
    ],
)
def test_two_arms_are_equivalent_if_the_interval_lies_within_the_margin(ratio, margin, expected):
    found = verdict(claim(kind="equivalent", margin=margin), pair(ratio))
    assert found.verdict == expected
    assert f"against a margin of {100 * (margin or 0.02):g}\u00a0%" in found.reason
    assert verdict(claim(kind="equivalent", margin=margin), pair(ratio, 5)).verdict == UNDECIDED


# what is degenerate or disturbed (reliability.md, M11): never a verdict, always a reason


def edited(block, arm="b", n=6, **changes):
    return [
        dataclasses.replace(r, **changes) if (r.arm["name"], r.block) == (arm, block) else r
        for r in pair(1.5, n)
    ]


EVERY_B = [dataclasses.replace(r, environment={**ENVIRONMENT, "cpu": "Other"}) if r.arm["name"] == "b" else r
           for r in pair(1.5)]  # fmt: skip


@pytest.mark.parametrize(
    ("records", "expected", "reason"),
    [
        (pair(1.5, 5), UNDECIDED, "5 blocks, and a verdict needs 6: nnbench run --blocks 6"),
        (pair(1.5, 1), UNDECIDED, "1 block, and a verdict needs 6"),
        (pair(1.5, 7)[:-1], UNDECIDED, "block 6 has no training time of b: it was not run"),
        (pair(1.5, 9)[1:-1], UNDECIDED, "and 1 more like it"),
        (blocks("a", [1.0] * 9) + blocks("b", [2.0] * 9), UNDECIDED, "all 9 ratios are identical"),
        (blocks("a", [1.0] * 6) + blocks("b", [2.0 + 1e-12 * i for i in range(6)]), UNDECIDED, "identical"),
        (blocks("a", [1.0] * 12) + blocks("b", [2.0] * 11 + [2.1]), UNDECIDED, "most ratios are identical"),
        (blocks("a", [0.0] * 6) + blocks("b", [2.0] * 6), UNDECIDED, "a training time of 0 has no ratio"),
        (edited(2, metrics={"train_s": None}, missing={"train_s": "the clock"}, n=9), UNDECIDED, "block 2 has no "
         "training time of b: the clock"),
        (edited(2, status="CRASH", reason="boom", metrics={}, n=9), UNDECIDED, "of b: CRASH: boom"),
        (edited(2, status="DIVERGED", reason="at 7", metrics={}, n=9), UNDECIDED, "of b: DIVERGED: at 7"),
        (EVERY_B, NOT_COMPARABLE, "cpu: Imaginary CPU @ 2.0 GHz against Other"),
        (edited(3, environment={**ENVIRONMENT, "torch": "9.9"}), NOT_COMPARABLE, "torch: 2.10.0 against 9.9"),
        (edited(3, environment={**ENVIRONMENT, "threads": 2}), NOT_COMPARABLE, "threads: 1 against 2"),
        (edited(3, environment={**ENVIRONMENT, "launcher": "torchrun"}), NOT_COMPARABLE, "launcher: python against"),
        (edited(3, quality=("INVALID",)), UNDECIDED, "1 block left out as INVALID"),
        (edited(3, quality=("CLOCK",)), UNDECIDED, "5 blocks, and a verdict needs 6"),
        ([dataclasses.replace(r, quality=("INVALID",)) for r in pair(1.5)], UNDECIDED, "no block is left"),
        (blocks("a", [1.0] * 6), NOT_RUN, "b: it was not run"),
        (blocks("a", [1.0] * 6) + blocks("b", [None] * 6), NOT_RUN, "block 0 has no training time of b: too short"),
        (blocks("a", [None] * 6) + blocks("b", [None] * 6), NOT_RUN, "train_s was not measured"),
        ([*blocks("a", [1.0] * 6), record("b", 7, train_s=1.0)], NOT_RUN, "block 0 has no training time of b"),
        ([], NOT_RUN, "a: it was not run"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["compare", "order", "equivalent"])
def test_what_is_degenerate_gets_no_verdict_and_a_reason(kind, records, expected, reason):
    found = verdict(claim(kind=kind), records)
    assert found.verdict == expected
    assert reason in found.reason
    assert found.p is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_no_record_holds_a_time_that_is_none(value):
    with pytest.raises(RecordError):
        record("a", train_s=value)


def test_a_disturbed_block_is_left_out_and_counted_and_its_replacement_counts():
    records = [dataclasses.replace(r, quality=("INVALID",)) if r.block in (1, 4) and r.arm["name"] == "a" else r
               for r in pair(1.5, 8)]  # fmt: skip
    found = verdict(claim(), records)
    assert (found.verdict, found.n) == (SUPPORTED, 6)
    assert found.reason.endswith("; 2 blocks left out as INVALID, or the clock failed")
    noisy_only = [dataclasses.replace(r, quality=("NOISY", "DRIFT", "UNKNOWN")) for r in pair(1.5)]
    assert verdict(claim(), noisy_only).n == 6


def test_a_seed_used_twice_in_a_block_is_refused():
    with pytest.raises(RecordError, match="seed reuse"):
        verdict(claim(), [*pair(1.5), record("a", 3, train_s=9.0)])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"a": 1.0, "b": 1.2, "c": 1.5}, SUPPORTED),
        ({"a": 1.0, "b": 1.5, "c": 1.2}, REFUTED),
        ({"a": 1.0, "b": 1.2, "c": 1.2}, REFUTED),
        ({"a": 1.0, "b": 1.2, "c": 1.223}, UNDECIDED),
        ({"a": 1.0, "b": 1.2}, NOT_RUN),
    ],
)
def test_the_weakest_pair_decides_about_an_order(values, expected):
    shift = {"a": 0, "b": 3, "c": 7}
    records = [
        r for arm, mean in values.items()
        for r in blocks(arm, [mean * math.exp(NOISE[(i + shift[arm]) % 15] / 2) for i in range(6)])
    ]  # fmt: skip
    assert verdict(claim(kind="order", arms=("a", "b", "c")), records).verdict == expected


# time to a target, and misses


def target(arm, times, goal=0.8):
    return blocks(arm, times, "target_s", config={"target_accuracy": goal})


def to_target(a, b, **values):
    return verdict(claim(metric="target_s", **values), target("a", a) + target("b", b))


SPREAD = [1.0, 1.03, 0.98, 1.01, 1.02, 0.99, 1.0, 1.04]


def test_without_misses_a_target_is_a_time():
    found = to_target(SPREAD, [2.0] * 8)
    assert (found.verdict, found.ratio.p is None) == (SUPPORTED, False)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (SPREAD, [None] * 8, SUPPORTED),  # a miss is slower than any hit
        ([None] * 8, SPREAD, REFUTED),
        (SPREAD, [2.0, 2.1, None, 2.2, None, 2.0, 2.1, 2.0], SUPPORTED),
        (SPREAD, [0.5] * 4 + [None] * 4, UNDECIDED),  # four times ahead, four times behind
        (SPREAD, [None] * 4 + [1.04, 1.05, 0.9, 0.9], UNDECIDED),  # six of eight are not enough
        (SPREAD[:5], [None] * 5, UNDECIDED),
        (
            SPREAD[:6] + [None] * 3,
            [None] * 9,
            UNDECIDED,
        ),  # ahead wherever it hits, and forever where it misses
        ([*SPREAD, None], [2.0] * 9, UNDECIDED),
        ([None] * 3 + SPREAD[:6], [None] * 3 + [0.5] * 6, REFUTED),
        (SPREAD[:5] + [None] * 4, [None] * 9, UNDECIDED),  # five signs are no test
        ([None] * 8, [None] * 8, UNDECIDED),
    ],
)
def test_misses_are_slower_than_any_time_and_only_signs_count(a, b, expected):
    found = to_target(a, b)
    assert (found.verdict, found.ratio) == (expected, None)
    assert found.n == len(a)
    assert "miss" in found.reason


def test_the_sign_test_is_exact_and_takes_part_in_holm():
    records = target("a", SPREAD) + target("b", [None] * 7 + [0.5])
    of = claim(metric="target_s")
    assert verdict(of, records).p == pytest.approx(2 * (1 + 8) / 2**8)
    assert judge([of] * 2, records, "quick")[0].p == pytest.approx(4 * (1 + 8) / 2**8)
    assert verdict(of, records).reason == (
        "a against b: ahead in 7 of 8 blocks (target missed in 0 against 7; medians 1 s against a miss; "
        "sign test p = 0.07)"
    )


def test_half_of_the_blocks_missed_is_no_centre():
    a, b = [1.0] * 6 + [None] * 8, [None] * 14
    found = to_target(a, b)
    assert (found.verdict, found.p) == (UNDECIDED, pytest.approx(2 / 2**6))
    assert "a miss against a miss" in found.reason


def test_small_leads_with_a_miss_do_not_count():
    b = [1.01 * x for x in SPREAD[:-1]] + [None]
    assert to_target(SPREAD, b).verdict == UNDECIDED
    assert to_target(SPREAD, b, margin=0.0).verdict == SUPPORTED
    assert to_target(SPREAD, b, margin=0.5).verdict == UNDECIDED  # short of it in seven of eight
    assert (
        to_target(SPREAD * 2, [*(1.01 * x for x in SPREAD), *SPREAD[:-1], None], margin=0.5).verdict
        == REFUTED
    )
    assert to_target(SPREAD, [None] * 8, margin=0.5).verdict == SUPPORTED


def test_signs_never_show_an_equivalence():
    found = to_target([None, *SPREAD[1:]], [None, *SPREAD[1:]], kind="equivalent")
    assert found.verdict == UNDECIDED
    assert to_target(SPREAD, [None] * 8, kind="equivalent").verdict == UNDECIDED
    assert "could show an equivalence" in found.reason


def test_a_diverged_training_misses_its_target_and_a_crashed_one_says_nothing():
    def ended(status):
        lost = record("b", 3, status=status, config={"target_accuracy": 0.8})
        rest = [r for r in target("b", [2.0] * 8) if r.block != 3]
        return verdict(claim(metric="target_s"), [*target("a", SPREAD), *rest, lost])

    assert ended("DIVERGED").verdict == SUPPORTED
    assert "target missed in 0 against 1" in ended("DIVERGED").reason
    assert (ended("CRASH").verdict, "of b: CRASH" in ended("CRASH").reason) == (UNDECIDED, True)


def test_different_targets_do_not_compare():
    records = target("a", SPREAD) + target("b", [2.0] * 8, goal=0.9)
    found = verdict(claim(metric="target_s"), records)
    assert found.verdict == NOT_COMPARABLE
    assert "target_accuracy: 0.8 against 0.9" in found.reason


def test_an_arm_without_a_target_has_not_missed_it():
    records = target("a", SPREAD) + blocks("b", [1.0] * 8)
    assert verdict(claim(metric="target_s"), records).verdict == NOT_RUN
