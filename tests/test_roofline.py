"""The plot 'roofline': every arm under the most that its device allows it."""

from __future__ import annotations

import dataclasses

import pytest
from matplotlib.text import Text

from fake_runs import failed, read_parts, training_record
from nnbench import plots
from nnbench.claims import PROFILES, Scenario
from nnbench.config import Arm

# 64 samples a step of 1 MFLOP each; slow moves so many bytes that its bandwidth is the limit.
FAST, SLOW = Arm(name="fast"), Arm(name="slow")
KNOWN = {"flops_per_sample": 1_000_000, "peak_flops_per_s": 100e9, "bandwidth_bytes_per_s": 20e9}
MOVED = {"fast": 2_000_000, "slow": 64_000_000}


def record(arm, seed, **changes):
    of = training_record(arm, seed, scenario="roof", accuracy=0.8, step_ms=1)
    own = {**KNOWN, "moved_bytes": MOVED[arm.name], "flops_per_s": 10e9, "steps": 10, "samples": 640}
    missing = {name: "not measured" for name, value in changes.items() if value is None}
    return dataclasses.replace(of, metrics={**of.metrics, **own, **changes}, missing=missing)


def drawn(tmp_path, records):
    scenario = Scenario(
        name="roof", statement="…", question="How near to the limit?", axis="epochs",
        arms=dict.fromkeys(PROFILES, (FAST, SLOW)), plots=("roofline",),
    )  # fmt: skip
    run = read_parts(tmp_path / "run.json", [(scenario, records)])
    return plots.draw(run, run.plan["scenarios"][0], "roofline")


def read(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))


def test_the_lower_of_both_roofs_is_the_limit(tmp_path):
    rows = drawn(tmp_path, [record(FAST, 0), record(SLOW, 0)]).numbers.set_index("arm")
    assert rows.loc["fast", "operations per byte [FLOP/B]"] == 32
    assert rows.loc["fast", "limit [GFLOP/s]"] == 100  # 32 x 20 would be more
    assert rows.loc["fast", "share of the limit"] == pytest.approx(0.1)
    assert rows.loc["slow", "limit [GFLOP/s]"] == 20
    assert rows.loc["slow", "share of the limit"] == pytest.approx(0.5)


def test_every_arm_is_named_with_its_share(tmp_path):
    text = read(drawn(tmp_path, [record(FAST, 0), record(SLOW, 0)]))
    assert "fast: 10 %" in text
    assert "slow: 50 %" in text
    assert "matrix-product peak 100 GFLOP/s; bandwidth 20 GB/s" in text


def test_records_without_limits_do_not_count_and_arms_without_any_are_named(tmp_path):
    """Later blocks measure no limits; a failed arm has none."""
    unknown = record(FAST, 1, flops_per_s=1e9, moved_bytes=None)
    missing = failed(SLOW, 0, scenario="roof", status="SKIPPED", reason="not here")
    figure = drawn(tmp_path, [record(FAST, 0), unknown, missing])
    assert figure.numbers.set_index("arm").loc["fast", "arithmetic [GFLOP/s]"] == 10
    assert "Not shown: slow (SKIPPED)" in read(figure)


def test_without_any_limit_there_is_nothing_to_draw(tmp_path):
    assert "Nothing to draw" in read(drawn(tmp_path, [record(FAST, 0, peak_flops_per_s=None)]))
