"""Equivalence, growth, rates, and memory, of which there is one pass for each run."""

import dataclasses
import math

import pytest
import scipy.stats

from nnbench.claims import NOT_COMPARABLE, NOT_RUN, REFUTED, SUPPORTED, UNDECIDED, Claim, factor_of, judge
from nnbench.claims.exact import meter_tolerance
from nnbench.config import Arm
from nnbench.records import OK, Record
from nnbench.stats import clopper_pearson

ACCURACY = "validation_accuracy"
MIB = 2**20


def claim(kind, **values):
    return Claim(text="…", kind=kind, **{"metric": ACCURACY, "arms": ("a", "b"), **values})


def record(arm, seed=0, block=0, *, status=OK, config=None, data=None, weights=None, **metrics):
    return Record(
        scenario="s", arm={"name": arm, "id": "0" * 16, **(config or {})}, seed=seed, block=block, status=status,
        reason=None if status == OK else "because", metrics=metrics, data=data or {}, weights_sha256=weights,
        missing={name: "because" for name, value in metrics.items() if value is None},
    )  # fmt: skip


def seeds(arm, values, name=ACCURACY, **more):
    return [record(arm, seed, **{name: value}, **more) for seed, value in enumerate(values)]


def verdict(of, records, k=1):
    return judge([of] * k, records, "quick")[0]


# equivalence of what is learned


def gap(differences):
    base = [0.80, 0.70, 0.75, 0.72, 0.77, 0.79][: len(differences)]
    return seeds("a", [x + d for x, d in zip(base, differences, strict=True)]) + seeds("b", base)


@pytest.mark.parametrize(
    ("differences", "margin", "expected"),
    [
        ([0.001, -0.001, 0.002, 0.0], None, SUPPORTED),  # within one point
        ([0.001, -0.001, 0.002, 0.0], 0.001, UNDECIDED),
        ([0.03, 0.031, 0.029], None, REFUTED),
        ([-0.03, -0.031, -0.029], None, REFUTED),  # either way
        ([-0.03, -0.031, -0.029], 0.05, SUPPORTED),
        ([0.009, 0.012, 0.010], None, UNDECIDED),
        ([0.0, 0.0, 0.0], None, UNDECIDED),  # no spread: two names of one thing, or a seed that is ignored
        ([0.0], None, UNDECIDED),
    ],
)
def test_two_arms_are_equivalent_if_the_interval_lies_within_the_margin(differences, margin, expected):
    found = verdict(claim("equivalent", margin=margin), gap(differences))
    assert found.verdict == expected
    assert found.reason


@pytest.mark.parametrize("k", [1, 4])
def test_the_interval_is_that_of_two_one_sided_tests(k):
    differences = [0.001, -0.001, 0.002, 0.003]
    found = verdict(claim("equivalent"), gap(differences), k).effect
    expected = scipy.stats.ttest_1samp(differences, 0).confidence_interval(1 - 2 * 0.05 / k)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_difference_is_shown_as_it_is_whatever_is_better():
    records = seeds("a", [0.30, 0.31, 0.33], "validation_loss") + seeds(
        "b", [0.5, 0.5, 0.5], "validation_loss"
    )
    found = verdict(claim("equivalent", metric="validation_loss", margin=0.1), records)
    assert (found.verdict, found.effect.centre) == (REFUTED, pytest.approx(-0.1867, abs=1e-4))
    assert "a against b: lower by 0.187 nat (90\u00a0% interval" in found.reason


@pytest.mark.parametrize(
    ("a", "b", "accuracies", "expected"),
    [
        ("uvw", "uvw", (0.7, 0.7), SUPPORTED),
        ("uvw", "uvx", (0.7, 0.7), UNDECIDED),  # one seed ended elsewhere
        ("uuu", "uuu", (0.7, 0.7), UNDECIDED),  # copies of one trial, or nothing was learned
        ("uv", "uvw", (0.7, 0.7), UNDECIDED),
        ("uvw", "uvw", (0.7, 0.9), UNDECIDED),  # the same weights cannot score differently
    ],
)
def test_arms_that_end_in_the_same_weights_under_every_seed_are_equivalent(a, b, accuracies, expected):
    records = [
        record(arm, seed, weights=weights, **{ACCURACY: accuracy})
        for arm, all_weights, accuracy in (("a", a, accuracies[0]), ("b", b, accuracies[1]))
        for seed, weights in enumerate(all_weights)
    ]
    found = verdict(claim("equivalent"), records)
    assert found.verdict == expected
    assert ("the same weights, bit for bit, under all 3 seeds" in found.reason) == (expected == SUPPORTED)
    assert verdict(claim("compare"), records).verdict == UNDECIDED  # of a difference they are no evidence


@pytest.mark.parametrize(
    ("a", "b", "expected"), [(100, 104, SUPPORTED), (100, 105, REFUTED), (106, 100, REFUTED)]
)
def test_exact_numbers_are_equivalent_below_the_margin(a, b, expected):
    records = [record("a", parameters=a), record("b", parameters=b)]
    assert verdict(claim("equivalent", metric="parameters", margin=5), records).verdict == expected


def test_of_exact_numbers_that_differ_between_records_the_worst_decides():
    records = [*seeds("a", [1, 50], "parameters"), *seeds("b", [20, 20], "parameters")]
    assert verdict(claim("compare", metric="parameters"), records).verdict == REFUTED


# memory


@pytest.mark.parametrize(
    ("a", "b", "margin", "compared", "equivalent"),
    [
        (200, 300, None, SUPPORTED, REFUTED),
        (300, 200, None, REFUTED, REFUTED),
        (200, 215, None, UNDECIDED, SUPPORTED),  # 5 % and 6 MiB
        (200, 218, None, SUPPORTED, REFUTED),
        (1, 6, None, UNDECIDED, SUPPORTED),
        (200, 200, None, UNDECIDED, SUPPORTED),
        (200, 300, 50 * MIB, SUPPORTED, REFUTED),
        (200, 300, 90 * MIB, UNDECIDED, UNDECIDED),
        (200, 300, 130 * MIB, REFUTED, SUPPORTED),
    ],
)
def test_a_difference_of_memory_counts_beyond_what_the_meter_repeats(a, b, margin, compared, equivalent):
    records = [
        record("a", peak_bytes=a * MIB),
        record("b", peak_bytes=b * MIB),
        record("b", 1, peak_bytes=None),
    ]
    for kind, expected in (("compare", compared), ("equivalent", equivalent)):
        found = verdict(claim(kind, metric="peak_bytes", margin=margin), records)
        assert found.verdict == expected
        assert "the meter repeats within" in found.reason
    assert meter_tolerance(200 * MIB) == 16 * MIB


def test_memory_that_was_not_measured_is_not_run():
    records = [record("a", peak_bytes=1), record("b", peak_bytes=None)]
    found = verdict(claim("compare", metric="peak_bytes"), records)
    assert (found.verdict, found.reason) == (NOT_RUN, "a against b: peak_bytes was not measured")


def test_the_weakest_pair_of_memories_decides():
    records = [record(arm, peak_bytes=size * MIB) for arm, size in (("a", 100), ("b", 200), ("c", 205))]
    assert verdict(claim("order", metric="peak_bytes", arms=("a", "b", "c")), records).verdict == UNDECIDED
    assert verdict(claim("order", metric="peak_bytes", arms=("b", "a", "c")), records).verdict == REFUTED


# growth

SIZES = {"a": 1, "b": 4, "c": 16, "d": "full"}


def grown(power, n=6, name="step_s", unit="block", noise=0.01):
    """Arms whose metric is size to the *power*, in n blocks or seeds."""
    factors = {**SIZES, "d": 64}
    return [
        record(arm, i, i if unit == "block" else 0, config={"batch_size": SIZES[arm]}, data={"train": 64},
               **{name: 0.01 * factors[arm] ** (power + noise * math.sin(3 * i))})
        for arm in SIZES for i in range(n)
    ]  # fmt: skip


def slope(**values):
    return claim(
        "slope", **{"metric": "step_s", "arms": tuple(SIZES), "over": "batch_size", "high": 1.0, **values}
    )


@pytest.mark.parametrize(
    ("power", "bounds", "expected"),
    [
        (0.6, {}, SUPPORTED),
        (1.4, {}, REFUTED),
        (1.0, {}, UNDECIDED),
        (0.6, {"low": 0.5, "high": 0.7}, SUPPORTED),
        (0.6, {"low": 0.7, "high": None}, REFUTED),
        (0.6, {"low": 0.5, "high": None}, SUPPORTED),
        (-1.0, {"low": -1.2, "high": -0.8}, SUPPORTED),
        (0.0, {"low": -0.1, "high": 0.1}, SUPPORTED),
    ],
)
@pytest.mark.parametrize(
    ("name", "unit"), [("step_s", "block"), ("energy_j", "block"), ("validation_loss", "seed")]
)
def test_the_exponent_lies_within_the_bounds_or_not(power, bounds, expected, name, unit):
    found = verdict(slope(metric=name, **bounds), grown(power, name=name, unit=unit))
    assert (found.verdict, found.n) == (expected, 6)
    assert found.effect.centre == pytest.approx(power, abs=0.01)
    assert f"95\u00a0% interval {found.effect.low:.3g} to" in found.reason


def test_the_exponent_is_the_least_squares_line_of_each_block_and_its_t_interval():
    records = grown(0.6, noise=0.05)
    found = verdict(slope(), records).effect
    exponents = [
        scipy.stats.linregress([math.log(x) for x in (1, 4, 16, 64)], [
            math.log(r.metrics["step_s"]) for r in records if r.block == block]).slope
        for block in range(6)
    ]  # fmt: skip
    expected = scipy.stats.ttest_1samp(exponents, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def without(records, arm, block):
    return [r for r in records if (r.arm["name"], r.block) != (arm, block)]


@pytest.mark.parametrize(
    ("records", "expected", "reason"),
    [
        (grown(0.6, 5), UNDECIDED, "5 blocks, and a verdict needs 6: nnbench run --blocks 6"),
        (grown(0.6, 1), UNDECIDED, "1 block, and a verdict needs 6"),
        (grown(0.6, noise=0), UNDECIDED, "all 6 exponents are identical"),
        (without(grown(0.6, 9), "c", 2), UNDECIDED, "block 2 has no time per step of c: it was not run"),
        ([r for r in grown(0.6) if r.arm["name"] != "d"], NOT_RUN, "d: it was not run"),
        ([dataclasses.replace(r, quality=("INVALID",)) for r in grown(0.6)], UNDECIDED, "6 blocks left out"),
        ([dataclasses.replace(r, environment={"cpu": r.arm["name"]}) for r in grown(0.6)], NOT_COMPARABLE, "cpu: a"),
        ([dataclasses.replace(r, metrics={"step_s": 0.0}) for r in grown(0.6)], UNDECIDED, "has no logarithm"),
        ([dataclasses.replace(r, metrics={}) for r in grown(0.6)], NOT_RUN, "step_s was not measured in any block"),
        ([dataclasses.replace(r, data={}) for r in grown(0.6)], UNDECIDED, "d has no number above 0 in batch_size"),
        ([dataclasses.replace(r, arm={**r.arm, "batch_size": 1 + (r.arm["name"] == "a")}) for r in grown(0.6)],
         UNDECIDED, "the arms have 2 values of batch_size, and a slope needs 3"),
    ],
)  # fmt: skip
def test_what_is_degenerate_has_no_growth(records, expected, reason):
    found = verdict(slope(), records)
    assert found.verdict == expected
    assert reason in found.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "CRASH", "reason": "boom", "metrics": {}}, "1 of 6 seeds have no validation loss"),
        ({"seed": 77}, "the arms have different seeds"),
        ({"metrics": {"validation_loss": 0.0}}, "has no logarithm"),
    ],
)
def test_a_seed_that_is_lost_leaves_growth_undecided(change, reason):
    records = grown(0.6, name="validation_loss", unit="seed")
    found = verdict(
        slope(metric="validation_loss"), [dataclasses.replace(records[0], **change), *records[1:]]
    )
    assert found.verdict == UNDECIDED
    assert reason in found.reason
    one = verdict(slope(metric="validation_loss"), grown(0.6, 1, name="validation_loss", unit="seed"))
    assert (one.verdict, "one seed has no interval" in one.reason) == (UNDECIDED, True)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(2, 3, SUPPORTED), (1, 2, SUPPORTED), (2.1, 3, REFUTED)]
)
def test_an_exact_number_has_one_exponent(low, high, expected):
    records = [record(arm, config={"model_args": {"width": w}}, parameters=7 * w * w)
               for arm, w in (("a", 8), ("b", 32), ("c", 100))]  # fmt: skip
    of = slope(metric="parameters", arms=("a", "b", "c"), over="model_args.width", low=low, high=high)
    found = verdict(of, records)
    assert (found.verdict, found.effect.centre) == (expected, 2.0)
    assert found.reason == f"parameters grows with model_args.width to the power 2; claimed {low} to {high}"


@pytest.mark.parametrize(
    ("megabytes", "high", "expected"),
    [((100, 400, 1600), 1.2, SUPPORTED), ((100, 400, 1600), 1.0, UNDECIDED), ((100, 400, 1600), 0.8, REFUTED),
     ((1, 2, 4), 1.0, UNDECIDED)],
)  # fmt: skip
def test_the_growth_of_memory_is_as_sharp_as_its_meter(megabytes, high, expected):
    records = [record(arm, config={"batch_size": size}, peak_bytes=peak * MIB)
               for arm, size, peak in zip("abc", (1, 4, 16), megabytes, strict=True)]  # fmt: skip
    of = slope(metric="peak_bytes", arms=("a", "b", "c"), high=high)
    assert verdict(of, records).verdict == expected
    assert verdict(of, [*records[:2], dataclasses.replace(records[2], metrics={})]).verdict == NOT_RUN


def test_an_exponent_of_memory_has_no_few_factors():
    records = [
        record(arm, config={"batch_size": size}, peak_bytes=MIB)
        for arm, size in zip("abc", (1, 1, 2), strict=True)
    ]
    found = verdict(slope(metric="peak_bytes", arms=("a", "b", "c")), records)
    assert (found.verdict, "2 values of batch_size" in found.reason) == (UNDECIDED, True)


@pytest.mark.parametrize(
    ("over", "factor"),
    [("batch_size", 6000.0), ("model_args.depth", 3.0), ("lr", 0.5), ("model_args.name", None), ("model_args", None),
     ("optimizer.lr", None), ("normalize", None), ("epochs", None)],
)  # fmt: skip
def test_a_factor_is_a_number_above_0(over, factor):
    config = {"batch_size": "full", "model_args": {"depth": 3, "name": "x"}, "lr": 0.5, "optimizer": "sgd",
              "normalize": True, "epochs": 0}  # fmt: skip
    assert factor_of(config, over, {"train": 6000}) == factor
    assert factor_of(Arm(batch_size="full").config(), "batch_size", {}) is None


# rates


def rate(**values):
    return claim("rate", **{"arms": ("a",), "value": 0.8, "low": 0.5, **values})


@pytest.mark.parametrize(
    ("reached", "n", "bounds", "expected"),
    [
        (10, 10, {}, SUPPORTED),
        (5, 5, {}, UNDECIDED),  # 48 to 100 %
        (0, 10, {}, REFUTED),
        (6, 10, {}, UNDECIDED),
        (0, 10, {"low": None, "high": 0.5}, SUPPORTED),
        (10, 10, {"low": None, "high": 0.5}, REFUTED),
        (50, 100, {"low": 0.3, "high": 0.7}, SUPPORTED),
        (1, 1, {}, UNDECIDED),
    ],
)
def test_the_share_of_seeds_lies_within_the_bounds_or_not(reached, n, bounds, expected):
    records = seeds("a", [0.8] * reached + [0.79] * (n - reached))
    found = verdict(rate(**bounds), records)
    assert (found.verdict, found.n, found.effect) == (expected, n, clopper_pearson(reached, n))


def test_the_level_of_a_rate_shares_the_error_with_the_other_claims():
    assert verdict(rate(), seeds("a", [0.9] * 8), k=4).effect == clopper_pearson(8, 8, 1 - 0.05 / 4)


def test_lower_is_reached_from_above():
    records = seeds("a", [0.5, 0.4, 0.6], "validation_loss")
    assert verdict(rate(metric="validation_loss", value=0.5), records).effect.centre == pytest.approx(2 / 3)
    assert verdict(rate(value=0.5, direction="lower"), seeds("a", [0.4, 0.9])).effect.centre == 0.5


def test_a_diverged_seed_has_not_reached_it_in_either_direction():
    records = [*seeds("a", [0.9, 0.9, 0.9]), record("a", 3, status="DIVERGED", **{ACCURACY: None})]
    found = verdict(rate(), records)
    assert found.effect == clopper_pearson(3, 4)
    assert found.reason == (
        "a: 3 of 4 seeds reach a validation accuracy of at least 80 %: 75\u00a0% (95\u00a0% interval 19.4 to 99.4); "
        "claimed at least 50\u00a0%"
    )
    low = verdict(rate(direction="lower", value=0.95), records)
    assert low.effect == clopper_pearson(3, 4)
    lost = [
        *seeds("a", [0.1, 0.1], "validation_loss"),
        record("a", 2, status="DIVERGED", validation_loss=None),
    ]
    assert verdict(rate(metric="validation_loss", value=0.5), lost).effect == clopper_pearson(2, 3)


def test_a_seed_in_two_blocks_is_one_trial():
    records = [record("a", seed, block, **{ACCURACY: 0.9}) for seed in range(5) for block in range(2)]
    assert verdict(rate(), records).n == 5


def test_copies_and_crashes_are_no_trials():
    assert verdict(rate(), seeds("a", [0.9] * 10)).verdict == SUPPORTED
    same = verdict(rate(), seeds("a", [0.9] * 10, weights="ab" * 32))
    assert (same.verdict, "ended at the same weights" in same.reason) == (UNDECIDED, True)
    crashed = verdict(rate(), [*seeds("a", [0.9] * 10), record("a", 10, status="CRASH")])
    assert (crashed.verdict, "1 of 11 seeds failed" in crashed.reason) == (UNDECIDED, True)
    assert verdict(rate(), [record("a")]).verdict == NOT_RUN
    assert verdict(rate(), []).reason == "a: it was not run"
