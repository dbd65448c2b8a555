"""Records to printable rows."""

import dataclasses

import pytest
import scipy.stats

from nnbench.metrics import METRICS, Metric, heading, number
from nnbench.records import OK, Record
from nnbench.summary import cell, summarize

ACCURACY = "validation accuracy [%]"


def record(arm="a", seed=0, status=OK, reason=None, kind="training", **metrics):
    return Record(
        scenario="s", arm={"name": arm, "id": "0" * 16, "kind": kind}, seed=seed, status=status, reason=reason,
        metrics=metrics, missing={name: "because" for name, value in metrics.items() if value is None},
    )  # fmt: skip


def test_one_row_per_arm_in_the_order_of_first_appearance():
    rows = summarize([record("z", 0), record("a", 0), record("z", 1)])
    assert rows == [
        {"arm": "z", "seeds": "2/2", "status": "OK"},
        {"arm": "a", "seeds": "1/1", "status": "OK"},
    ]
    assert summarize([]) == []


def test_accuracy_is_mean_and_half_its_interval_over_seeds():
    values = [0.80, 0.84, 0.83]
    interval = scipy.stats.ttest_1samp([100 * v for v in values], 0).confidence_interval(0.95)
    half = (interval.high - interval.low) / 2
    row = summarize([record(seed=s, validation_accuracy=v) for s, v in enumerate(values)])[0]
    assert row[ACCURACY] == f"82.33 ± {half:.2f}"


def test_one_seed_has_no_plus_minus():
    assert summarize([record(validation_accuracy=0.8125)])[0][ACCURACY] == "81.25"


def test_time_is_the_median_so_that_one_hiccup_does_not_count():
    rows = summarize([record(seed=s, train_s=v) for s, v in enumerate([1.0, 99.0, 1.5])])
    assert rows[0]["training time [s]"] == "1.5"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        ([2.28, 2.31, 2.40], "2.31"),  # three have no quartiles
        ([2.28, 2.31, 2.31, 2.40], "2.31 (2.30–2.33)"),
        ([2.0, 2.0, 2.0, 2.0], "2.00 (2.00–2.00)"),
        ([1200.0, 1300.0, 1400.0, 1500.0], "1,350 (1,275–1,425)"),
        ([0.0, 0.0, 0.0, 0.0], "0.00 (0.00–0.00)"),
        ([0.0021, 0.0022, 0.0023, 0.0024], "0.00225 (0.00217–0.00232)"),
    ],
)
def test_from_four_times_on_the_interquartile_range_stands_beside_the_median(seconds, text):
    row = summarize([record(seed=s, train_s=v, peak_bytes=2**20) for s, v in enumerate(seconds)])[0]
    assert row["training time [s]"] == text
    assert row["peak memory [MiB]"] == "1"


def test_blocks_have_a_column_where_there_is_more_than_one():
    made = [dataclasses.replace(record(seed=b), block=b) for b in range(3)]
    lost = dataclasses.replace(record(seed=3, status="CRASH", reason="boom"), block=3)
    assert "blocks" not in summarize(made[:1])[0]
    assert summarize([*made, lost])[0] == {
        "arm": "a", "seeds": "3/4", "blocks": "3/4", "status": "CRASH: boom",
    }  # fmt: skip
    probe = [dataclasses.replace(record("p", kind="probe"), block=b) for b in range(3)]
    assert [(row["seeds"], row["blocks"]) for row in summarize([*made, *probe])] == [
        ("3/3", "3/3"),
        ("1/1", "3/3"),
    ]


def test_exact_numbers_are_whole_with_thousands():
    assert summarize([record(parameters=669_706)])[0]["parameters"] == "669,706"


def test_memory_is_in_mebibytes():
    assert summarize([record(peak_bytes=3 * 2**20)])[0]["peak memory [MiB]"] == "3"


def test_a_column_is_there_if_any_arm_has_it_and_its_holes_are_dashes():
    rows = summarize([record("a", parameters=5), record("b", peak_bytes=None)])
    assert [row["parameters"] for row in rows] == ["5", "–"]
    assert [row["peak memory [MiB]"] for row in rows] == ["–", "–"]
    assert all(list(row) == list(rows[0]) for row in rows)
    assert ACCURACY not in rows[0]


def test_only_ok_records_count_and_the_first_failure_is_told():
    rows = summarize([
        record(seed=0, validation_accuracy=0.5, train_s=1.0),
        record(seed=1, status="DIVERGED", reason="at step 7", validation_accuracy=None, train_s=88.0),
        record(seed=2, status="CRASH", reason="boom"),
    ])  # fmt: skip
    assert rows[0]["seeds"] == "1/3"
    assert rows[0][ACCURACY] == "50.00"
    assert rows[0]["training time [s]"] == "1"
    assert rows[0]["status"] == "DIVERGED: at step 7"


def test_a_probes_own_numbers_are_shown_and_a_trainings_are_not():
    rows = summarize([record("p", kind="probe", holes=3, spread=0.25), record("t", warmup_s=0.5)])
    assert rows == [
        {"arm": "p", "seeds": "1/1", "holes": "3", "spread": "0.25", "status": "OK"},
        {"arm": "t", "seeds": "1/1", "holes": "–", "spread": "–", "status": "OK"},
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("step_s", "time per step [ms]"),
        ("parameters", "parameters"),
        ("validation_loss", "validation loss [nat]"),
    ],
)
def test_a_heading_is_label_and_unit(name, expected):
    assert heading(METRICS[name]) == expected


def test_a_cell_is_scaled_to_its_unit():
    assert cell(METRICS["step_s"], [0.0021, 0.0021]) == "2.1"
    assert cell(METRICS["train_accuracy"], [0.5, 0.5]) == "50.00 ± 0.00"
    assert cell(METRICS["steps"], []) == "–"
    assert cell(Metric(name="share", label="share"), [0.5]) == "0.5"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.012345, "0.0123"), (1.5, "1.5"), (12.345, "12.3"), (99.96, "100"), (123.4, "123"),
     (1234567.8, "1,234,568"), (-2500, "-2,500")],
)  # fmt: skip
def test_numbers_have_three_digits_or_thousands(value, text):
    assert number(value) == text
