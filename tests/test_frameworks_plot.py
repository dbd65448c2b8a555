"""The plot 'framework_tax': shares of the bare loop, paired by block, for each batch size."""

from __future__ import annotations

import dataclasses
import random

import pytest
from matplotlib.text import Text

from fake_runs import failed, read_parts, training_record
from nnbench import plots
from nnbench.claims import PROFILES, Scenario
from nnbench.config import Arm, Probe

SHARES = {"bare": 1.0, "nnbench": 1.01, "keras": 0.4}


def arms(*sizes):
    return [
        Arm(name=f"{name}, batch {size}", framework=name, batch_size=size)
        for size in sizes
        for name in SHARES
    ]


def made(sizes=(16, 1024), blocks=8, skipped=(), noise=0.02):
    """A scenario, and its records: block by block, the machine is up to twice as slow as in the first."""
    rng, records = random.Random(0), []
    for block in range(blocks):
        slow = rng.uniform(1, 2)
        for arm in arms(*sizes):
            of = training_record(arm, block, scenario="tax", accuracy=0.8, step_ms=1)
            batch = 6000 if arm.batch_size == "full" else arm.batch_size
            rate = 100 * batch * SHARES[arm.framework] / slow * rng.uniform(1 - noise, 1 + noise)
            if arm.framework in skipped:
                of = failed(arm, block, scenario="tax", status="SKIPPED", reason="not installed")
            else:
                of = dataclasses.replace(of, metrics={**of.metrics, "samples_per_s": rate})
            records.append(dataclasses.replace(of, block=block))
    scenario = Scenario(
        name="tax", statement="…", question="What does it cost?", axis="epochs", repeat="blocks",
        arms=dict.fromkeys(PROFILES, arms(*sizes)), plots=("framework_tax",),
    )  # fmt: skip
    return scenario, records


def drawn(tmp_path, parts):
    run = read_parts(tmp_path / "run.json", [parts])
    return plots.draw(run, run.plan["scenarios"][0], "framework_tax")


def read(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))


def test_shares_are_paired_by_block(tmp_path):
    """Blocks differ by a factor of two, and the interval of the shares is narrow all the same."""
    rows = drawn(tmp_path, made()).numbers.set_index("arm")
    keras = rows.loc["keras, batch 16"]
    assert keras["share of the bare loop"] == pytest.approx(0.4, rel=0.03)
    assert keras["low"] < keras["share of the bare loop"] < keras["high"]
    assert keras["high"] / keras["low"] < 1.06
    assert keras["blocks"] == 8
    assert rows.loc["bare, batch 1024", "share of the bare loop"] == 1


def test_each_framework_has_a_row_and_each_batch_size_a_mark(tmp_path):
    figure = drawn(tmp_path, made())
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["bare", "nnbench", "keras"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["batch 16", "batch 1024"]
    marks = [line for line in axis.lines if line.get_marker() not in ("", "None") and len(line.get_xdata())]
    assert len(marks) == 6
    heights = {round(float(line.get_ydata()[0]), 3) for line in marks}
    assert len(heights) == 6
    assert "8 blocks, paired; bars: 95 % interval." in read(figure)


def test_what_was_not_measured_is_named_and_the_rest_is_drawn(tmp_path):
    figure = drawn(tmp_path, made(sizes=(64,), skipped=("keras",)))
    assert "Not shown: keras, batch 64 (SKIPPED)" in read(figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["bare", "nnbench"]
    assert figure.axes[0].get_legend() is None


def test_samples_per_second_are_those_of_undisturbed_blocks(tmp_path):
    scenario, records = made(sizes=(64,))
    records = [
        dataclasses.replace(r, quality=("INVALID",), metrics={**r.metrics, "samples_per_s": 1.0})
        if r.block < 5 else r for r in records
    ]  # fmt: skip
    figure = drawn(tmp_path, (scenario, records))
    assert (figure.numbers["throughput [samples/s]"] > 100).all()


def test_few_blocks_have_no_interval(tmp_path):
    figure = drawn(tmp_path, made(blocks=2))
    assert "2 blocks, paired: no interval." in read(figure)
    assert figure.numbers["low"].isna().all()


def test_times_that_do_not_compare_are_not_drawn(tmp_path):
    scenario, records = made(sizes=(64,))
    records = [
        dataclasses.replace(r, environment={**r.environment, "torch": "9.9"})
        if r.arm["framework"] == "keras" else r for r in records
    ]  # fmt: skip
    figure = drawn(tmp_path, (scenario, records))
    assert "keras, batch 64 (NOT_COMPARABLE: torch:" in read(figure)


def test_a_full_batch_comes_after_the_numbers(tmp_path):
    figure = drawn(tmp_path, made(sizes=("full", 16)))
    shown = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert shown == ["batch 16", "batch full"]


def test_probes_have_no_bare_loop(tmp_path):
    probe = Probe(name="field", function="builtins:dict")
    scenario, _ = made()
    scenario = dataclasses.replace(scenario, repeat="once", arms={key: [probe] for key in PROFILES})
    assert "Nothing to draw" in read(drawn(tmp_path, (scenario, [])))


@pytest.mark.parametrize("skipped", [("bare",), ("nnbench", "keras")])
def test_without_a_bare_loop_or_anything_else_there_is_nothing_to_draw(tmp_path, skipped):
    assert "Nothing to draw" in read(drawn(tmp_path, made(skipped=skipped)))
