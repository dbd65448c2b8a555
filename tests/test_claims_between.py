"""Claims about a number itself: values up to their rounding, means within bounds, shares of trials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import scipy.stats

from nnbench import Scenario
from nnbench.catalog import load_scenarios
from nnbench.claims import NOT_RUN, REFUTED, SUPPORTED, UNDECIDED, Claim, judge
from nnbench.cli import main
from nnbench.config import ConfigError, Probe
from nnbench.lecture import PARTS, SLIDES
from nnbench.metrics import METRICS, TRIALS, Metric
from nnbench.records import OK, Record
from nnbench.stats import clopper_pearson, mean_interval

ACCURACY = "validation_accuracy"


@pytest.fixture
def solved(monkeypatch):
    """A metric that is a share of trials."""
    of = Metric(name="solved", label="solved", unit="%", scale=100, better="higher", nature="share")
    monkeypatch.setitem(METRICS, "solved", of)


def claim(kind, **values):
    return Claim(text="…", kind=kind, **{"metric": ACCURACY, "arms": ("a",), **values})


def record(seed=0, *, arm="a", status=OK, **metrics):
    return Record(
        scenario="s", arm={"name": arm, "id": "0" * 16}, seed=seed, status=status, metrics=metrics,
        reason=None if status == OK else "because", missing=dict.fromkeys(metrics, "because"),
    )  # fmt: skip


def seeds(*values, name=ACCURACY):
    return [record(seed, **{name: value}) for seed, value in enumerate(values)]


def verdict(of, records, k=1):
    return judge([of] * k, records, "quick")[0]


# values up to their rounding


@pytest.mark.parametrize(
    ("found", "margin", "expected"),
    [(5, None, SUPPORTED), (5.0001, None, REFUTED), (5.0004, 0.0005, SUPPORTED), (5.0006, 0.0005, REFUTED)],
)
def test_a_value_is_exact_up_to_its_margin(found, margin, expected):
    of = claim("exact", metric="layers", value=5, margin=margin)
    assert verdict(of, [record(layers=found)]).verdict == expected


def test_the_record_that_is_farthest_decides():
    of = claim("exact", metric="layers", value=5, margin=0.1)
    assert verdict(of, [record(0, layers=5.05), record(1, layers=5.2)]).verdict == REFUTED


def test_the_reason_shows_more_digits_than_the_margin():
    of = claim("exact", metric="layers", value=0.755, margin=0.0005)
    assert verdict(of, [record(layers=0.75534)]).reason == "found 0.755340, claimed 0.755 up to 0.0005"


# means within bounds


VALUES = (0.90, 0.92, 0.91, 0.93, 0.92, 0.91)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.88, 0.95, SUPPORTED), (0.95, 0.99, REFUTED), (0.915, 0.95, UNDECIDED), (None, 0.95, SUPPORTED),
     (0.88, None, SUPPORTED), (0.93, None, REFUTED)],
)  # fmt: skip
def test_a_mean_lies_within_its_bounds(low, high, expected):
    of = claim("between", low=low, high=high)
    found = verdict(of, seeds(*VALUES))
    assert found.verdict == expected
    assert found.effect == mean_interval(VALUES, 0.95)


def test_more_claims_ask_for_wider_intervals():
    of = claim("between", low=0.9, high=0.93)
    narrow, wide = verdict(of, seeds(*VALUES)).effect, verdict(of, seeds(*VALUES), k=5).effect
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide == mean_interval(VALUES, 0.99)


def test_where_chance_has_no_part_no_interval_is_needed():
    assert verdict(claim("between", low=0.9, high=0.95), seeds(0.92, 0.92, 0.92)).verdict == SUPPORTED
    assert verdict(claim("between", low=0.93, high=0.95), seeds(0.92, 0.92, 0.92)).verdict == REFUTED


def test_one_seed_and_lost_seeds_decide_nothing():
    of = claim("between", low=0.1, high=0.99)
    assert verdict(of, seeds(0.9)).verdict == UNDECIDED
    lost = [*seeds(0.9, 0.91), record(2, status="CRASH")]
    assert verdict(of, lost).verdict == UNDECIDED
    assert "1 of 3 seeds have no validation accuracy" in verdict(of, lost).reason


def test_a_diverged_seed_counts_as_nothing_learned():
    found = verdict(claim("between", low=0.85), [*seeds(0.9, 0.91), record(2, status="DIVERGED")])
    assert found.effect.centre == pytest.approx((0.9 + 0.91) / 3)


@pytest.mark.parametrize(("layers", "expected"), [((3,), SUPPORTED), ((3, 6), UNDECIDED), ((6,), REFUTED)])
def test_an_exact_number_lies_within_bounds_in_every_record(layers, expected):
    of = claim("between", metric="layers", low=1, high=5)
    found = verdict(of, [record(seed, layers=value) for seed, value in enumerate(layers)])
    assert found.verdict == expected


def test_memory_lies_within_bounds_up_to_the_reach_of_its_meter():
    of = claim("between", metric="peak_bytes", high=100 * 2**20)
    for mib, expected in ((80, SUPPORTED), (99, UNDECIDED), (130, REFUTED)):
        assert verdict(of, [record(peak_bytes=mib * 2**20)]).verdict == expected


def test_what_was_not_measured_is_not_run():
    assert verdict(claim("between", low=0.5), [record(layers=3)]).verdict == NOT_RUN
    assert verdict(claim("between", metric="layers", low=1), [record(macs=3)]).verdict == NOT_RUN


# shares of trials


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.8, None, SUPPORTED), (0.97, None, REFUTED), (0.88, 0.92, UNDECIDED)]
)
def test_the_trials_of_a_record_count_one_by_one(solved, low, high, expected):
    of = claim("rate", metric="solved", low=low, high=high)
    found = verdict(of, [record(solved=0.9, **{TRIALS: 200})])
    assert found.verdict == expected
    assert found.n == 200
    assert found.effect == clopper_pearson(180, 200, 0.95)
    exact = scipy.stats.binomtest(180, 200).proportion_ci(0.95)
    assert (found.effect.low, found.effect.high) == pytest.approx((exact.low, exact.high))


def test_trials_of_several_records_are_added(solved):
    records = [record(0, solved=0.5, **{TRIALS: 10}), record(1, solved=0.9, **{TRIALS: 30})]
    assert verdict(claim("rate", metric="solved", low=0.1), records).effect == clopper_pearson(32, 40, 0.95)


def test_a_share_without_its_number_of_trials_is_no_evidence(solved):
    assert verdict(claim("rate", metric="solved", low=0.1), [record(solved=0.9)]).verdict == NOT_RUN


# what is refused


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("exact", {"metric": "layers", "value": 3, "margin": 0}, "expected a number above 0"),
        ("between", {}, "needs low=, high= or both"),
        ("between", {"low": 0.9, "high": 0.8}, "low must be below high"),
        ("between", {"low": 0.9, "value": 0.95}, "value=0.95 means nothing"),
        ("between", {"metric": "train_s", "low": 1}, "compare it with an arm's"),
        ("rate", {"metric": "solved", "low": 0.5, "value": 0.9}, "leave value= out"),
    ],
)
def test_a_claim_that_says_nothing_is_refused(solved, kind, values, message):
    with pytest.raises(ConfigError, match=message):
        claim(kind, **values)


# the lecture's slides


def scenario(**values):
    arms = (Probe(name="a", function="m:f"),)
    own = {"name": "s", "statement": "…", "question": "?", "axis": "nothing", "repeat": "once"}
    return Scenario(**own, arms=dict.fromkeys(("smoke", "quick", "full"), arms), **values)


def test_a_claim_has_its_scenario_s_slide_and_source_unless_its_own():
    of_own = claim("between", metric="layers", low=1, slide="B5", source="Luo et al. 2016")
    claims = (claim("between", metric="layers", low=2), of_own)
    plain, own = scenario(claims=claims, slides=("A1", "A2"), source="arithmetic").claims_in("quick")
    assert (plain.slide, plain.source) == ("A1", "arithmetic")
    assert (own.slide, own.source) == ("B5", "Luo et al. 2016")


def test_the_profile_lecture_has_quick_s_arms_where_it_has_none_of_its_own():
    assert scenario().arms["lecture"] == scenario().arms["quick"]


def test_the_slides_are_numbered_through():
    assert [*dict.fromkeys(number[0] for number in SLIDES)] == list(PARTS)
    for part in PARTS:
        numbers = [int(number[1:]) for number in SLIDES if number[0] == part]
        assert numbers == list(range(1, len(numbers) + 1))


def test_every_slide_has_a_claim_in_the_main_job():
    bench = [scenario for _, scenario in load_scenarios([Path(__file__).parents[1] / "bench"])]
    told = {claim.slide for each in bench for claim in each.claims_in("quick")}
    assert told - {""} == set(SLIDES)


BENCH = """
from nnbench import Claim, Probe, Scenario
arms = (Probe(name="a", function="m:f"),)
of = Scenario(
    name="of", statement="…", question="?", axis="nothing", repeat="once", slides=("B4",), source="a paper",
    arms=dict.fromkeys(("smoke", "quick", "full"), arms),
    claims=(Claim(text="It has layers.", kind="between", metric="layers", arms="a", low=1),
            Claim(text="Of no slide of the lecture's.", kind="between", metric="layers", arms="a", low=1,
                  slide="Z1")),
)
def test_of(arm, probe_benchmark):
    probe_benchmark(arm)
"""


def test_all_claims_are_listed_by_slide(tmp_path, capsys):
    file = tmp_path / "test_of.py"
    file.write_text(BENCH)
    assert main(["list", str(file), "--claims"]) == 0
    told = capsys.readouterr().out
    assert told.index("B4 Pooling") < told.index("It has layers.") < told.index("B5 ") < told.index("Z1")
    assert "of, between of layers; a paper" in told
    assert "2 claims of 1 scenarios; 1 of 41 slides have one" in told
    assert main(["list", str(file), "--claims", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(of["slide"], of["scenario"], of["source"]) for of in found] == [
        ("B4", "of", "a paper"), ("Z1", "of", "a paper"),
    ]  # fmt: skip
