"""The plot 'scaling': what it shows, what it names, and that it is readable for any number of ranks."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from matplotlib.text import Text

from fake_runs import arm_json, read_parts, receptive_field, scaling_run
from nnbench import plots
from nnbench.plots.style import QUIET


def drawn(tmp_path, parts, **plan):
    run = read_parts(tmp_path / "run.json", [parts], **plan)
    return plots.draw(run, run.plan["scenarios"][0], "scaling")


def read(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))


def networks(*labels, ranks=(1, 2)):
    """A scaling run of several networks: arms 'cnn, 1 rank', 'cnn, 2 ranks, weak', …"""
    scenario, records = scaling_run(ranks=ranks)
    arms, found = [], []
    for i, label in enumerate(labels):
        made = {
            arm.name: arm.replace(name=f"{label}, {arm.name}", model_args={"network": i})
            for arm in scenario.arms["quick"]
        }
        arms += made.values()
        found += [dataclasses.replace(r, arm=arm_json(made[r.arm["name"]])) for r in records]
    profiles = dict.fromkeys(scenario.arms, arms)
    return dataclasses.replace(scenario, arms=profiles, claims=()), found


def changed(records, name, **values):
    return [dataclasses.replace(r, **values) if r.arm["name"] == name else r for r in records]


@pytest.mark.parametrize("ranks", [(1, 2), (1, 4), (1, 2, 4, 8)])
def test_throughput_and_efficiency_against_the_ranks_that_were_measured(tmp_path, ranks):
    figure = drawn(tmp_path, scaling_run(ranks=ranks))
    left, right = figure.axes
    for axis in (left, right):
        assert list(axis.get_xticks()) == list(ranks)
        assert axis.get_ylim()[0] == 0
        assert {text.get_text() for text in axis.texts} == {"strong", "weak"}
        assert axis.get_xlabel() == "ranks"
    assert left.get_title(loc="left") == "throughput [samples/s]"
    numbers = figure.numbers
    assert len(numbers) == 2 * (len(ranks) - 1)
    assert numbers["efficiency"].between(0.1, 1.1).all()
    assert (numbers["efficiency low"] < numbers["efficiency"]).all()
    assert (numbers["efficiency"] < numbers["efficiency high"]).all()


def test_the_ideal_lines_are_n_times_one_and_a_hundred_percent(tmp_path):
    figure = drawn(tmp_path, scaling_run(ranks=(1, 2, 4)))
    left, right = ([line for line in axis.lines if line.get_color() == QUIET] for axis in figure.axes)
    one = figure.numbers["throughput of one rank [samples/s]"][0]
    assert [list(line.get_ydata()) for line in left] == [[one, pytest.approx(4 * one)]]
    assert [list(line.get_ydata()) for line in right] == [[100, 100]]


def test_every_seed_is_a_dot_and_the_line_is_their_median(tmp_path):
    scenario, records = scaling_run(seeds=4)
    left = drawn(tmp_path, (scenario, records), seeds=4).axes[0]
    dots = sorted(y for group in left.collections for _, y in group.get_offsets())
    assert dots == pytest.approx(sorted(r.metrics["samples_per_s"] for r in records))
    weak = pd.Series([r.metrics["samples_per_s"] for r in records if r.arm["name"] == "2 ranks, weak"])
    assert any(line.get_ydata()[-1] == pytest.approx(weak.median()) for line in left.lines)


def test_one_seed_has_neither_dots_nor_bars(tmp_path):
    figure = drawn(tmp_path, scaling_run(seeds=1), seeds=1)
    assert "1 seed: no interval." in read(figure)
    assert not figure.axes[0].collections
    assert figure.numbers["efficiency low"].isna().all()


def test_a_smoke_figure_says_so(tmp_path):
    figure = drawn(tmp_path, scaling_run(seeds=1), seeds=1, profile="smoke")
    assert "smoke: proves the code, not the claim" in read(figure)


def test_arms_that_failed_are_named_and_a_series_is_named_where_it_ends(tmp_path):
    scenario, records = scaling_run(ranks=(1, 2, 4))
    why = {"reason": "needs 4 ranks", "metrics": {}, "curves": {}, "samples": {}}
    records = changed(records, "4 ranks, weak", status="SKIPPED", **why)
    lost = next(i for i, r in enumerate(records) if r.arm["name"] == "2 ranks, weak")
    records[lost] = dataclasses.replace(records[lost], status="RANK_FAILED", **why)
    figure = drawn(tmp_path, (scenario, records))
    assert "Not shown: 4 ranks, weak (SKIPPED)" in read(figure)
    assert "With fewer seeds: 2 ranks, weak (1 of 3 RANK_FAILED)" in read(figure)
    ends = {text.get_text(): text.xy[0] for text in figure.axes[1].texts}
    assert ends == {"strong": 4, "weak": 2}


def test_arms_that_do_not_compare_are_named_with_the_reason(tmp_path):
    scenario, records = scaling_run(ranks=(1, 2, 4))
    whole = {t.get_text(): t.get_color() for t in drawn(tmp_path, (scenario, records)).axes[1].texts}
    environment = {**records[0].environment, "torch": "9.9"}
    for name in ("2 ranks, strong", "4 ranks, strong"):
        records = changed(records, name, environment=environment)
    figure = drawn(tmp_path, (scenario, records))
    assert "2 ranks, strong (NOT_COMPARABLE: torch: 9.9 against 2.10.0)" in read(figure)
    left = {t.get_text(): t.get_color() for t in figure.axes[1].texts}
    assert left == {"weak": whole["weak"]}  # what is lost changes no colour
    assert figure.numbers["efficiency"].isna().sum() == 2
    assert set(figure.numbers["reason"]) == {"", "NOT_COMPARABLE: torch: 9.9 against 2.10.0"}


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (scaling_run(ranks=(1,)), "1 rank (nothing to compare it with)"),
        (scaling_run(launcher="python"), "(NOT_COMPARABLE: launcher: torchrun against python)"),
        ((scaling_run()[0], []), "2 ranks, weak (NOT RUN)"),
        (receptive_field(), "one 3x3 (nothing to compare it with)"),
    ],
    ids=["one rank", "launchers", "no records", "probes"],
)
def test_nothing_to_draw_is_said_with_the_reason(tmp_path, parts, why):
    figure = drawn(tmp_path, parts)
    assert figure.axes == []
    assert "Nothing to draw: no arm of several ranks" in read(figure)
    assert why in read(figure)
    assert plots.save(figure, tmp_path, "scaling")[0].stat().st_size


def test_no_point_is_cut_off_and_no_long_interval_flattens_the_rest(tmp_path):
    scenario, records = scaling_run(seeds=2)
    wild = [
        dataclasses.replace(r, metrics={**r.metrics, "samples_per_s": 20_000 * (3 if r.seed else 6)})
        if r.arm["name"] == "2 ranks, weak" else r for r in records
    ]  # fmt: skip
    figure = drawn(tmp_path, (scenario, wild), seeds=2)
    assert figure.numbers["efficiency high"].max() > 10
    highest = 100 * figure.numbers["efficiency"].max()
    assert highest < figure.axes[1].get_ylim()[1] < 1.2 * highest


@pytest.mark.parametrize(
    "labels", [("cnn", "mlp"), tuple(f"package.model:network-{i}-512-512/momentum/b64" for i in range(4))]
)
def test_labels_neither_overlap_nor_leave_the_page(tmp_path, labels):
    figure = drawn(tmp_path, networks(*labels, ranks=(1, 2, 4, 8)))
    page = figure.bbox.padded(2)
    for axis in figure.axes:
        boxes = [Text.get_window_extent(text) for text in axis.texts]
        assert len(boxes) == 2 * len(labels)
        for i, box in enumerate(boxes):
            assert page.contains(box.x0, box.y0)
            assert page.contains(box.x1, box.y1)
            assert not any(box.shrunk(1, 0.85).overlaps(each.shrunk(1, 0.85)) for each in boxes[i + 1 :])
    right = figure.axes[1].get_window_extent().x0
    assert all(Text.get_window_extent(text).x1 < right for text in figure.axes[0].texts)
