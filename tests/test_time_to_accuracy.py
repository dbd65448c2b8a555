"""Seconds until a stated accuracy: means over seeds in which a miss takes forever."""

import math
from pathlib import Path

import pytest
import scipy.stats

from nnbench.catalog import load_scenarios
from nnbench.records import OK, Record
from nnbench.stats import mean_with_misses
from nnbench.summary import summarize
from nnbench.terminal import scenario_lines
from nnbench.time_to_accuracy import rows_of_times, times_to_accuracy

BENCH = Path(__file__).parents[1] / "bench" / "test_time_to_accuracy.py"
PLAN = {"name": "s", "question": "how long?", "arms": [], "claims": []}


def record(arm="a", seed=0, time=1.0, *, data="mnist", target=0.9, status=OK, block=None, quality=()):
    """A training of two epochs; it hits in the second, or not at all."""
    trained = status in (OK, "DIVERGED")
    metrics = {"target_s": time, "samples_per_s": 100.0} if trained else {}
    return Record(
        scenario="s", seed=seed, block=seed if block is None else block, status=status, quality=quality,
        reason=None if status == OK else "because", metrics=metrics,
        arm={"name": arm, "id": "0" * 16, "kind": "training", "data": data, "target_accuracy": target},
        missing={name: "not reached" for name, value in metrics.items() if value is None},
        curves={"validation_accuracy": [0.5, 0.95 if time else 0.6], "samples": [60.0, 90.0]} if trained else {},
        data={"name": data, "train": 60, "validation": 10},
    )  # fmt: skip


def arm(name, times, **values):
    return [record(name, seed, time, **values) for seed, time in enumerate(times)]


def only(records):
    (found,) = times_to_accuracy(records)
    return found


def test_the_mean_over_seeds_has_students_interval():
    found = mean_with_misses([1.0, 2.0, 4.0])
    expected = scipy.stats.ttest_1samp([1.0, 2.0, 4.0], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("times", [[1.0, None], [None], [None] * 6, [0.1] * 99 + [None]])
def test_a_single_miss_makes_the_mean_infinite(times):
    found = mean_with_misses(times)
    assert (found.centre, found.low, found.high, found.n) == (math.inf, None, None, len(times))


def test_no_times_have_no_mean():
    with pytest.raises(ValueError, match="no samples"):
        mean_with_misses([])


def test_an_arm_is_told_with_its_hits_and_epochs():
    found = only(arm("a", [1.0, 2.0, 3.0]))
    assert (found.data, found.target, found.hits, found.seeds) == ("mnist", 0.9, 3, 3)
    assert found.seconds.centre == pytest.approx(2.0)
    assert found.epochs == pytest.approx(1.5)  # counted in samples: the second epoch was half a one
    assert found.samples_per_s == 100.0


def test_a_miss_and_a_divergence_take_forever():
    found = only(arm("a", [1.0, None, 3.0]))
    assert (found.seconds.centre, found.hits, found.seeds, found.epochs) == (math.inf, 2, 3, 1.5)
    diverged = only([*arm("a", [1.0]), record("a", 1, None, status="DIVERGED")])
    assert (diverged.seconds.centre, diverged.hits, diverged.seeds) == (math.inf, 1, 2)
    assert only(arm("a", [None, None])).epochs is None


def test_a_disturbed_seed_hits_and_its_time_does_not_count():
    disturbed = record("a", 1, 50.0, quality=("INVALID",))
    found = only([*arm("a", [1.0]), disturbed, record("a", 2, 3.0)])
    assert (found.seconds.centre, found.hits, found.seeds) == (2.0, 3, 3)
    assert only([disturbed]).seconds is None
    missed = record("a", 3, None, quality=("INVALID",))
    assert only([*arm("a", [1.0]), missed]).seconds.centre == math.inf


def test_a_seed_of_several_blocks_counts_once():
    found = only(
        [record(seed=0, time=t, block=b) for b, t in enumerate((1.0, 3.0))] + [record(seed=1, time=4.0)]
    )
    assert (found.seeds, found.seconds.n, found.seconds.centre) == (2, 2, 3.0)


def test_recipes_compare_with_the_first_of_their_data_set_and_target():
    records = [*arm("slow", [8.0, 8.0]), *arm("fast", [1.0, 3.0]), *arm("other", [1.0], data="fashion-mini"),
               *arm("far", [2.0], target=0.95), *arm("lucky", [0.1, None])]  # fmt: skip
    found = {of.arm: of.speed_up for of in times_to_accuracy(records)}
    assert found == {"slow": None, "fast": 4.0, "other": None, "far": None, "lucky": None}
    worse = times_to_accuracy([*arm("slow", [8.0, None]), *arm("fast", [1.0, 3.0])])
    assert worse[1].speed_up == math.inf


def test_arms_without_a_target_are_not_told():
    aimless = record(target=None)
    assert times_to_accuracy([aimless]) == []
    assert rows_of_times([]) == []


def test_the_table_reads_as_it_should():
    records = [*arm("slow", [8.0, 9.0]), *arm("fast", [1.0, 1.5]), *arm("lucky", [0.1, None])]
    slow, fast, lucky = rows_of_times(times_to_accuracy(records))
    assert slow == {
        "data set": "mnist", "target": "90\u00a0%", "recipe": "slow", "time to target [s]": "8.5 ± 6.4",
        "hits": "2/2", "epochs": "1.5", "samples/s": "100", "times as fast": "–",
    }  # fmt: skip
    assert fast["times as fast"] == "6.8"
    assert (lucky["time to target [s]"], lucky["hits"], lucky["times as fast"]) == ("∞", "1/2", "–")


def test_what_was_not_trained_says_why():
    skipped = record("fast", status="SKIPPED")
    slow, fast = rows_of_times(times_to_accuracy([*arm("slow", [8.0]), skipped]))
    assert (slow["status"], fast["status"]) == ("OK", "SKIPPED: because")
    assert (fast["time to target [s]"], fast["hits"], fast["epochs"]) == ("–", "0/0", "–")


def test_the_summary_has_no_median_of_lucky_seeds():
    head = "time to target [s]"
    assert summarize(arm("a", [1.0, 2.0, 3.0]))[0][head] == "2"
    assert summarize(arm("a", [1.0, None, 3.0]))[0][head] == "∞ (2/3)"


def test_the_terminal_shows_the_table():
    lines = "\n".join(scenario_lines(PLAN, [*arm("slow", [8.0]), *arm("fast", [1.0])], "quick"))
    assert "times as fast" in lines
    assert "90\u00a0%" in lines
    assert "times as fast" not in "\n".join(scenario_lines(PLAN, [record(target=None)], "quick"))


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_both_recipes_have_the_same_goal_and_the_same_threads(profile):
    ((_, scenario),) = load_scenarios([BENCH])
    arms = scenario.arms[profile]
    for baseline, fastest in zip(arms[::2], arms[1::2], strict=True):
        assert (baseline.name, fastest.name) == tuple(
            f"{baseline.data} {baseline.target_accuracy:.0%}, {who}" for who in ("baseline", "fastest")
        )
        for name in ("data", "target_accuracy", "threads", "precision", "train_on", "device"):
            assert getattr(baseline, name) == getattr(fastest, name)


def test_without_real_data_everything_but_full_runs():
    ((_, scenario),) = load_scenarios([BENCH])
    assert {arm.data for profile in ("smoke", "quick") for arm in scenario.arms[profile]} == {"fashion-mini"}
    claimed = {name for claim in scenario.claims for name in claim.arms}
    assert claimed <= {arm.name for arm in scenario.arms["full"]}
