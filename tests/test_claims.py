"""Claims and metrics: what the records say, and that too little evidence decides nothing."""

import json
import math
from pathlib import Path

import pytest
import scipy.stats

from nnbench.claims import (
    BLOCKS,
    NOT_RUN,
    PROFILES,
    REFUTED,
    SEEDS,
    SUPPORTED,
    UNDECIDED,
    Claim,
    Scenario,
    judge,
    run_plan,
)
from nnbench.config import Arm, ConfigError, Probe
from nnbench.metrics import METRICS, metric
from nnbench.records import OK, SCHEMA_VERSION, Record, RecordError

ACCURACY = "validation_accuracy"


def claim(**values):
    values = {"kind": "compare", "metric": ACCURACY, "arms": ("a", "b"), **values}
    return Claim(text="a is better than b", **values)


def record(arm, seed=0, status=OK, **metrics):
    return Record(
        scenario="s", arm={"name": arm, "id": "0" * 16}, seed=seed, status=status,
        reason=None if status == OK else "because", metrics=metrics,
        missing={name: "because" for name, value in metrics.items() if value is None},
    )  # fmt: skip


def seeds(arm, values, name=ACCURACY):
    return [record(arm, seed, **{name: value}) for seed, value in enumerate(values)]


def verdict(of, records, profile="quick", k=1):
    return judge([of] * k, records, profile)[0]


# learned metrics


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.030, 0.031, 0.032], SUPPORTED),  # wholly beyond one point
        ([0.000, 0.001, 0.002], REFUTED),  # wholly short of it: too small to matter
        ([-0.030, -0.031, -0.032], REFUTED),  # the other way round
        ([0.009, 0.012, 0.015], UNDECIDED),  # the margin lies within
        ([-0.05, 0.02, 0.09], UNDECIDED),  # nothing is known
        ([0.03], UNDECIDED),  # one seed has no interval
        ([-0.5], UNDECIDED),
    ],
)
def test_the_interval_and_the_margin_decide(differences, expected):
    base = [0.80, 0.70, 0.75][: len(differences)]
    records = seeds("a", [x + d for x, d in zip(base, differences, strict=True)]) + seeds("b", base)
    assert verdict(claim(), records).verdict == expected


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_level_is_one_minus_a_twentieth_over_the_number_of_claims(k):
    differences = [0.020, 0.024, 0.019, 0.030]
    effect = verdict(claim(), seeds("a", [0.5 + d for d in differences]) + seeds("b", [0.5] * 4), k=k).effect
    expected = scipy.stats.ttest_1samp(differences, 0).confidence_interval(1 - 0.05 / k)
    assert (effect.low, effect.high) == pytest.approx((expected.low, expected.high))
    assert (effect.centre, effect.n) == (pytest.approx(0.02325), 4)


def test_claims_that_cannot_err_do_not_raise_the_level():
    records = seeds("a", [0.820, 0.824, 0.819]) + seeds("b", [0.80, 0.80, 0.80])
    exact = claim(kind="exact", metric="parameters", arms=("a",), value=1)
    alone, among = judge([claim()], records, "quick"), judge([claim(), *[exact] * 20], records, "quick")
    assert among[0] == alone[0]


def test_more_claims_ask_for_more_evidence():
    records = seeds("a", [0.820, 0.824, 0.819]) + seeds("b", [0.80, 0.80, 0.80])
    assert verdict(claim(), records, k=1).verdict == SUPPORTED
    assert verdict(claim(), records, k=20).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("profile", "margin", "expected"),
    [
        ("quick", None, REFUTED),  # one point
        ("full", None, SUPPORTED),  # three tenths of a point
        ("quick", 0.003, SUPPORTED),
        ("full", 0.01, REFUTED),
        ("quick", 0.0, SUPPORTED),
    ],
)
def test_the_margin_is_the_claims_own_or_the_profiles(profile, margin, expected):
    records = seeds("a", [0.8050, 0.8051, 0.8052]) + seeds("b", [0.80] * 3)
    assert verdict(claim(margin=margin), records, profile).verdict == expected


def test_pairs_are_made_by_seed_not_by_position():
    base = [0.5, 0.6, 0.7, 0.8]
    a = seeds("a", [x + 0.03 + i / 1000 for i, x in enumerate(base)])
    b = seeds("b", base)
    found = verdict(claim(), [*reversed(a), *b])
    assert found.verdict == SUPPORTED
    assert found.effect.centre == pytest.approx(0.0315)


def test_seeds_that_only_one_arm_has_are_left_out():
    records = seeds("a", [0.83, 0.831, 0.832, 0.1]) + seeds("b", [0.8] * 3)
    assert verdict(claim(), records).effect.n == 3


def test_the_direction_is_the_metrics_own_unless_told():
    low, high = [0.30, 0.31, 0.32], [0.50, 0.52, 0.54]
    records = seeds("a", low, "validation_loss") + seeds("b", high, "validation_loss")
    assert verdict(claim(metric="validation_loss"), records).verdict == SUPPORTED
    assert verdict(claim(metric="validation_loss", direction="higher"), records).verdict == REFUTED
    records = seeds("a", low) + seeds("b", high)
    assert verdict(claim(), records).verdict == REFUTED
    assert verdict(claim(direction="lower"), records).verdict == SUPPORTED


@pytest.mark.parametrize("margin", [0.01, 0.25, 0.4])
def test_identical_differences_fail_closed_with_the_reason(margin):
    """An interval of no width would support anything: two arms that share a fault look like this."""
    found = verdict(claim(margin=margin), seeds("a", [0.75, 0.75]) + seeds("b", [0.5, 0.5]))
    assert found.verdict == UNDECIDED
    assert "all 2 differences are identical" in found.reason


# failures


def test_a_diverged_seed_counts_as_a_loss():
    good = [0.90, 0.91, 0.92]
    lost = [*seeds("a", good[:2]), record("a", 2, "DIVERGED", **{ACCURACY: None})]
    found = verdict(claim(), lost + seeds("b", [0.8] * 3))
    assert found.effect.n == 3
    assert found.effect.centre == pytest.approx((0.10 + 0.11 - 0.80) / 3)
    assert found.verdict == UNDECIDED
    all_lost = [record("b", s, "DIVERGED", **{ACCURACY: None}) for s in range(3)]
    assert verdict(claim(), seeds("a", good) + all_lost).verdict == SUPPORTED
    assert verdict(claim(arms=("b", "a")), seeds("a", good) + all_lost).verdict == REFUTED


@pytest.mark.parametrize("status", ["DIVERGED", "CRASH", "OOM"])
def test_a_failed_seed_has_no_loss_and_leaves_the_claim_undecided(status):
    lost = [*seeds("a", [0.10, 0.11], "validation_loss"), record("a", 2, status, validation_loss=None)]
    found = verdict(claim(metric="validation_loss"), lost + seeds("b", [0.9] * 3, "validation_loss"))
    assert found.verdict == UNDECIDED
    assert "1 of 3 pairs have no validation loss" in found.reason


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "a: it was not run"),
        (seeds("a", [0.8, 0.9]), "b: it was not run"),
        ([record("a"), record("b", status="OOM")], "b: OOM: because"),
        ([*seeds("a", [0.8]), record("b", seed=7, **{ACCURACY: 0.8})], "was not measured"),
        ([record("a", **{ACCURACY: None}), *seeds("b", [0.8])], "was not measured"),
        ([record("a"), record("b")], "a against b: validation_accuracy was not measured"),
    ],
)
def test_what_is_not_there_is_not_run(records, reason):
    found = verdict(claim(), records)
    assert (found.verdict, found.effect) == (NOT_RUN, None)
    assert reason in found.reason


# orders and exact metrics


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ({"a": 0.9, "b": 0.8, "c": 0.7}, SUPPORTED),
        ({"a": 0.9, "b": 0.7, "c": 0.8}, REFUTED),
        ({"a": 0.7, "b": 0.8, "c": 0.6}, REFUTED),
        ({"a": 0.9, "b": 0.8}, NOT_RUN),
    ],
)
def test_the_weakest_pair_decides_about_an_order(means, expected):
    noise = {"a": (0, 0.001, 0.003), "b": (0.002, 0, 0.001), "c": (0.001, 0.003, 0)}
    records = [r for arm, mean in means.items() for r in seeds(arm, [mean + e for e in noise[arm]])]
    assert verdict(claim(kind="order", arms=("a", "b", "c")), records).verdict == expected


def test_one_undecided_pair_leaves_an_order_undecided():
    records = seeds("a", [0.9, 0.91]) + seeds("b", [0.7, 0.9]) + seeds("c", [0.1, 0.1])
    assert verdict(claim(kind="order", arms=("a", "b", "c")), records).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("a", "b", "margin", "expected"),
    [(99, 100, None, SUPPORTED), (100, 100, None, REFUTED), (101, 100, None, REFUTED), (99, 100, 5, REFUTED)],
)
def test_an_exact_metric_is_compared_exactly_and_one_record_suffices(a, b, margin, expected):
    records = [record("a", parameters=a), record("b", parameters=b)]
    found = verdict(claim(metric="parameters", margin=margin), records)
    assert found.verdict == expected
    assert found.effect.centre == b - a


def test_a_failed_seed_takes_nothing_from_an_exact_metric():
    records = [record(arm, seed, parameters=n) for arm, n in (("a", 1), ("b", 2)) for seed in (0, 1)]
    crashed = [record("a", 2, "CRASH"), record("b", 2, parameters=2)]
    assert verdict(claim(metric="parameters"), crashed + records).verdict == SUPPORTED


def test_several_blocks_of_a_seed_are_one_value():
    """A seed that is trained again in another block is the same training: it is no further evidence."""

    def run(arm, seed, block, accuracy):
        return Record(scenario="s", arm={"name": arm, "id": "0" * 16}, seed=seed, block=block,
                      metrics={ACCURACY: accuracy})  # fmt: skip

    runs = [(seed, block) for seed in (0, 1) for block in (0, 1)]
    records = [run("a", s, b, 0.9 + 0.01 * (2 * s + b)) for s, b in runs] + [
        run("b", s, b, 0.8) for s, b in runs
    ]
    found = verdict(claim(), records)
    assert (found.effect.n, found.n) == (2, 2)
    assert found.effect.centre == pytest.approx(0.115)
    expected = scipy.stats.ttest_1samp([0.105, 0.125], 0).confidence_interval(0.95)
    assert found.effect.low == pytest.approx(expected.low)


def test_a_seed_of_which_a_block_failed_leaves_the_claim_undecided():
    records = [*seeds("a", [0.9, 0.91, 0.92]), *seeds("b", [0.5, 0.51, 0.53])]
    again = Record(scenario="s", arm=dict(records[0].arm), seed=1, block=1, status="CRASH", reason="boom")
    assert verdict(claim(), records).verdict == SUPPORTED
    found = verdict(claim(), [*records, again])
    assert found.verdict == UNDECIDED
    assert "1 of 3 pairs have no validation accuracy" in found.reason


def test_a_seed_that_one_arm_lacks_leaves_the_claim_undecided():
    records = [*seeds("a", [0.9, 0.91, 0.92]), *seeds("b", [0.5, 0.52])]
    found = verdict(claim(), records)
    assert (found.verdict, found.n) == (UNDECIDED, 2)
    assert "only one of the two has seed 2: finish the run with nnbench run --resume" in found.reason


def test_a_seed_that_is_used_twice_is_refused():
    records = [*seeds("a", [0.9, 0.91]), record("a", 1, **{ACCURACY: 0.95}), *seeds("b", [0.5, 0.51])]
    with pytest.raises(RecordError, match="seed reuse: arm 'a' has two records of seed 1 in block 0"):
        verdict(claim(), records)
    other = Record(scenario="s", arm={"name": "a", "id": "1" * 16}, seed=7, metrics={ACCURACY: 0.9})
    with pytest.raises(RecordError, match="two different arms are named 'a'"):
        verdict(claim(), [*seeds("a", [0.9]), other])


def test_the_chance_to_be_better_is_printed_and_decides_nothing():
    found = verdict(claim(), seeds("a", [0.803, 0.801, 0.8, 0.804]) + seeds("b", [0.80] * 4))
    assert found.verdict == REFUTED
    assert found.details == ("P(a is better) = 0.88 (95\u00a0% interval 0.19 to 1.00)",)
    lower = seeds("a", [0.1, 0.2], "validation_loss") + seeds("b", [0.3, 0.5], "validation_loss")
    assert verdict(claim(metric="validation_loss"), lower).details[0].startswith("P(a is better) = 1.00")


@pytest.mark.parametrize(("n", "lines"), [(19, 1), (20, 2)])
def test_interquartile_means_are_printed_from_20_seeds_on(n, lines):
    a, b = [0.9 + 0.001 * i for i in range(n)], [0.8 + 0.001 * (i * 7 % n) for i in range(n)]
    found = verdict(claim(), seeds("a", a) + seeds("b", b)).details
    assert len(found) == lines
    if lines == 2:
        assert found[1].startswith("interquartile means: a 90.9 (")
        assert found[1].endswith(" %")


@pytest.mark.parametrize(("found", "expected"), [(7850, SUPPORTED), (7851, REFUTED), (7849, REFUTED)])
def test_an_exact_claim_takes_the_very_value(found, expected):
    of = claim(kind="exact", metric="parameters", arms=("a",), value=7850)
    result = verdict(of, [record("a", parameters=found)])
    assert result.verdict == expected
    assert result.reason == f"found {found:,}, claimed 7,850"


def test_an_exact_claim_needs_a_measured_record_and_every_one_of_them():
    of = claim(kind="exact", metric="parameters", arms=("a",), value=7850)
    assert verdict(of, []).verdict == NOT_RUN
    assert verdict(of, [record("a")]).verdict == NOT_RUN
    crashed_first = [record("a", 0, "CRASH"), record("a", 1, parameters=7850)]
    assert verdict(of, crashed_first).verdict == SUPPORTED
    differ = [record("a", 0, parameters=7850), record("a", 1, parameters=7000)]
    assert verdict(of, differ).verdict == REFUTED


def test_the_reason_is_in_printed_units():
    found = verdict(claim(), seeds("a", [0.83, 0.84]) + seeds("b", [0.8, 0.8]))
    assert found.reason.startswith("a against b: higher by 3.5 points (")
    assert found.reason.endswith("n = 2); margin 1")
    worse = verdict(claim(), seeds("a", [0.8, 0.8]) + seeds("b", [0.83, 0.84]))
    assert worse.reason.startswith("a against b: lower by 3.5 points (")
    lower = verdict(claim(metric="parameters"), [record("a", parameters=1), record("b", parameters=2001)])
    assert lower.reason == "a against b: lower by 2,000; margin 0"


def test_one_seed_says_what_it_lacks():
    found = verdict(claim(), seeds("a", [0.9]) + seeds("b", [0.5]))
    assert (found.verdict, found.n) == (UNDECIDED, 1)
    assert (
        found.reason == "a against b: higher by 40 points; margin 1; one seed has no interval: take 6 or more"
    )


def test_each_claim_gets_its_verdict_in_order():
    claims = [claim(), claim(arms=("b", "a")), claim(arms=("a", "z"))]
    records = seeds("a", [0.9, 0.902, 0.903]) + seeds("b", [0.5, 0.501, 0.502])
    assert [v.verdict for v in judge(claims, records, "quick")] == [SUPPORTED, REFUTED, NOT_RUN]
    assert judge([], records, "quick") == []


# what a claim and a scenario refuse


SLOPE = {"kind": "slope", "metric": "step_s", "arms": ("a", "b", "c"), "over": "batch_size", "high": 1.0}
RATE = {"kind": "rate", "arms": ("a",), "value": 0.8, "low": 0.5}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "slopes"}, "claim kind: unknown 'slopes'; did you mean 'slope'. known: compare, order"),
        ({"metric": "validation_acuracy"}, "did you mean 'validation_accuracy'"),
        ({"direction": "up"}, "expected higher or lower, got 'up'"),
        ({"arms": ("a",)}, "compare needs more arms than 1"),
        ({"kind": "order", "arms": ()}, "order needs more arms than 0"),
        ({"kind": "exact", "arms": ("a",)}, "an exact claim needs a value"),
        ({"kind": "exact", "value": 1, "arms": ()}, "exact needs more arms than 0"),
        ({"kind": "exact", "arms": ("a",), "value": "7"}, "value: expected a finite number, got '7'"),
        ({"kind": "exact", "arms": ("a",), "value": math.inf}, "value: expected a finite number, got inf"),
        ({"kind": "exact", "value": 1}, "exact takes 1 arm, got 2"),
        ({"arms": ("a", "b", "c")}, "compare takes 2 arms, got 3; for more, take kind order"),
        ({"arms": ("a", "a")}, "expected names, each once, got 'a'"),
        ({"arms": ("a", 1)}, "expected names, each once, got 1"),
        ({"arms": "ab"}, "compare needs more arms than 1: 2 arms"),
        ({"metric": "layers"}, "layers has no better end; name a direction"),
        ({"margin": math.nan}, "margin: expected a finite number, got nan"),
        ({"margin": True}, "margin: expected a finite number, got True"),
        ({"metric": "train_s", "margin": -1}, "expected a share such as 0.5 .half., got -1"),
        ({"low": 1}, "low=1 means nothing to a claim of kind compare, which takes direction, margin"),
        ({"value": 0}, "value=0 means nothing to a claim of kind compare"),
        ({"kind": "equivalent", "direction": "lower"}, "direction='lower' means nothing"),
        ({"kind": "equivalent", "margin": 0}, "expected a number above 0, got 0"),
        ({"kind": "equivalent", "metric": "train_s", "margin": 1}, "expected a share between 0 and 1"),
        ({"kind": "equivalent", "metric": "validation_loss"}, "has no margin of its own; give margin="),
        ({"kind": "equivalent", "metric": "parameters"}, "has no margin of its own; give margin="),
        ({**SLOPE, "arms": ("a", "b")}, "slope needs more arms than 2: 3 or more"),
        ({**SLOPE, "high": None}, "needs low=, high= or both"),
        ({**SLOPE, "low": 2}, "low must be below high, got 2 and 1"),
        ({**SLOPE, "low": math.nan}, "low: expected a finite number, got nan"),
        ({**SLOPE, "over": ""}, "over: expected a field of an arm such as batch_size"),
        ({**SLOPE, "over": "batchsize"}, "did you mean 'batch_size'"),
        ({**RATE, "value": None}, "a rate needs a value: give value="),
        ({**RATE, "low": None}, "needs low=, high= or both"),
        ({**RATE, "low": 1}, "bounds of 1 to inf could not be shown"),
        ({**RATE, "low": 0}, "could not be shown or not be refuted"),
        ({**RATE, "low": 0, "high": 1}, "could not be shown or not be refuted"),
        ({**RATE, "low": None, "high": 0}, "give low= below 1, high= above 0"),
        ({**RATE, "metric": "train_s"}, "counts seeds, and train_s is timed; take a learned metric"),
    ],
    ids=str,
)
def test_a_bad_claim_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        claim(**values)


@pytest.mark.parametrize(
    "values",
    [{}, SLOPE, RATE, {"kind": "equivalent", "margin": 0.02}, {"kind": "equivalent", "metric": "layers", "margin": 1},
     {"kind": "exact", "arms": ("a",), "value": 7850}, {"kind": "order", "arms": ("a", "b", "c", "d")},
     {"margin": -0.01}, {**SLOPE, "low": -1, "high": None}, {**RATE, "low": None, "high": 0.9}],
    ids=str,
)  # fmt: skip
def test_a_claim_survives_json(values):
    made = claim(**values)
    again = Claim(**json.loads(json.dumps(made.to_json(), allow_nan=False)))
    assert again == made
    assert isinstance(again.arms, tuple)


def test_a_claim_of_an_old_plan_is_still_a_claim():
    old = {"text": "…", "kind": "compare", "metric": ACCURACY, "arms": ["a", "b"], "direction": "", "margin": None,
           "value": None}  # fmt: skip
    assert Claim(**old) == Claim(text="…", kind="compare", metric=ACCURACY, arms=("a", "b"))


def test_the_curated_run_is_still_judged():
    run = json.loads((Path(__file__).parents[1] / "results/cpu-2-cores/run.json").read_text(encoding="utf-8"))
    claims = [Claim(**values) for plan in run["run"]["scenarios"] for values in plan["claims"]]
    assert len(claims) > 10


def test_a_metric_without_a_better_end_may_be_compared_in_a_named_direction():
    records = [record("a", layers=5), record("b", layers=3)]
    assert verdict(claim(metric="layers", direction="higher"), records).verdict == SUPPORTED
    assert verdict(claim(metric="layers", direction="lower"), records).verdict == REFUTED


def scenario(**values):
    arms = dict.fromkeys(PROFILES, (Arm(name="a"), Probe(name="b", function="m:f")))
    return Scenario(
        **{"name": "s", "statement": "…", "question": "…?", "axis": "epochs", "arms": arms, **values}
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"axis": "epoch"}, "s: axis 'epoch'; expected one of epochs, steps"),
        ({"repeat": "often"}, "s: repeat 'often'"),
        ({"arms": {"smoke": [Arm()], "quick": [Arm()]}}, "s: no arms for the profile 'full'"),
        ({"arms": dict.fromkeys(PROFILES, ())}, "s: no arms for the profile 'smoke'"),
        ({"arms": dict.fromkeys(PROFILES, Arm().vary(lr=(0.1, 0.2)))}, "are named 'mlp/sgd/b64'"),
    ],
)
def test_a_bad_scenario_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        scenario(**values)


def test_the_plan_is_json_and_enough_to_judge_without_the_bench_file():
    of = scenario(claims=[claim(margin=0.02)], plots=("overview",), factor="epochs", may_diverge=["a"])
    plan = of.plan([Arm(name="a", lr=0.5)], "quick")
    again = json.loads(json.dumps(plan, allow_nan=False))
    assert again == plan
    assert Claim(**again["claims"][0]) == of.claims[0]
    assert again["arms"] == [{"name": "a", "id": Arm(lr=0.5).id, **Arm(lr=0.5).config()}]
    assert {key: again[key] for key in ("name", "axis", "plots", "factor", "repeat", "may_diverge")} == {
        "name": "s", "axis": "epochs", "plots": ["overview"], "factor": "epochs", "repeat": "seeds",
        "may_diverge": ["a"],
    }  # fmt: skip


def test_a_run_is_asked_nothing_about_arms_of_another_profile():
    small, large = (Arm(name=name, batch_size=size) for name, size in (("a", 16), ("b", 64)))
    of = Scenario(
        name="s", statement="s", question="q", axis="epochs",
        arms={"smoke": [small], "quick": [small], "full": [small, large]},
        claims=[claim(arms=("a", "b")), claim(kind="exact", value=1, arms=("a",))],
    )  # fmt: skip
    assert [each["kind"] for each in of.plan([small], "quick")["claims"]] == ["exact"]
    assert len(of.plan([small], "full")["claims"]) == 2  # one that -k leaves out is NOT RUN


def test_a_slope_needs_arms_that_have_its_factor():
    arms = tuple(Arm(name=f"b{size}", batch_size=size) for size in (1, 4, "full"))
    names = tuple(arm.name for arm in arms)
    fine = claim(kind="slope", metric="step_s", arms=names, over="batch_size", high=1)
    assert scenario(arms=dict.fromkeys(PROFILES, arms), claims=[fine]).claims == [fine]
    for over in ("model_args.depth", "optimizer", "model_args"):
        wrong = claim(kind="slope", metric="step_s", arms=names, over=over, high=1)
        with pytest.raises(ConfigError, match=f"needs a number above 0 in {over}, and arm 'b1' has none"):
            scenario(arms=dict.fromkeys(PROFILES, arms), claims=[wrong])


@pytest.mark.parametrize("values", [{"claims": [claim(arms=("a", "bb"))]}, {"may_diverge": ["bb"]}])
def test_an_arm_that_no_profile_has_is_refused(values):
    with pytest.raises(ConfigError, match="s: no arm is named 'bb'; "):
        scenario(**values)


def test_profiles_have_their_seeds_and_blocks():
    assert SEEDS == {"smoke": 1, "quick": 6, "lecture": 10, "full": 10}
    assert BLOCKS == {"smoke": 1, "quick": 6, "lecture": 10, "full": 15}


@pytest.mark.parametrize(("seeds", "planned"), [(None, SEEDS["full"]), (4, 4)])
def test_the_plan_of_a_run_says_schema_profile_and_seeds(seeds, planned):
    plan = run_plan([{"name": "s"}], profile="full", command="c", version="1", seeds=seeds)
    assert plan == {
        "schema_version": SCHEMA_VERSION, "nnbench_version": "1", "command": "c", "profile": "full",
        "seeds": planned, "first_seed": 0, "blocks": 1, "scenarios": [{"name": "s"}],
    }  # fmt: skip
    again = run_plan([], profile="quick", command="c", version="1", seeds=None, blocks=6)
    assert (again["seeds"], again["blocks"]) == (6, 6)


# metrics


@pytest.mark.parametrize("of", METRICS.values(), ids=list(METRICS))
def test_each_metric_is_complete(of):
    assert METRICS[of.name] is of
    assert of.label
    assert of.better in ("higher", "lower", None)
    assert of.nature in ("exact", "learned", "share", "timed", "energy", "memory")
    assert of.scale > 0
    assert set(of.margin) in (set(), set(PROFILES))


def test_units_in_names_and_natures_agree():
    assert {name for name in METRICS if name.endswith("_s")} == {
        name
        for name, of in METRICS.items()
        if of.nature == "timed" and name not in ("mfu", "limit_share", "observing_share")  # shares
    }
    # what tensors hold is arithmetic; what the process needs beside them is measured
    measured = {name for name, of in METRICS.items() if of.nature == "memory"}
    assert {name for name in METRICS if name.endswith("_bytes")} >= measured >= {"peak_bytes"}
    assert all(METRICS[name].unit == "%" for name in METRICS if name.endswith("_accuracy"))


def test_accuracy_margins_are_a_point_in_quick_and_three_tenths_in_full():
    assert METRICS[ACCURACY].margin["quick"] == 0.01
    assert METRICS[ACCURACY].margin["full"] == 0.003


def test_a_probes_own_number_is_a_bare_metric():
    of = metric("number_of_holes")
    assert (of.label, of.unit, of.scale, of.better, of.nature) == ("number of holes", "", 1.0, None, "exact")
    assert metric("train_s") is METRICS["train_s"]
