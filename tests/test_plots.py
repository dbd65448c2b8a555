import dataclasses
import math

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.text import Text

from fake_runs import ALL_PLOTS, architectures, batching, grid, kernels, lecture, read_parts, receptive_field
from nnbench import plots
from nnbench.config import ConfigError
from nnbench.plots.labels import push_apart
from nnbench.plots.style import log_ticks, short, text_width, wrap, wrap_name
from nnbench.records import StorageError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return read_parts(tmp_path_factory.mktemp("run") / "a.json", lecture(3))


def draw(run, scenario, name):
    return plots.draw(run, run.scenario(scenario), name)


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def read(figure):
    return " ".join(text.replace("\n", " ") for text in texts(figure))


def test_an_unknown_plot_names_the_known_ones(run):
    with pytest.raises(ConfigError, match=r"did you mean 'overview'.*known: overview, learning_curves"):
        draw(run, "batching", "overwiev")


def test_overview_shows_every_arm_its_values_and_its_trouble(run):
    figure = draw(run, "architectures", "overview")
    panels = figure.axes
    assert [axis.get_xlabel().replace("\n", " ") for axis in panels] == [
        "validation accuracy [%]", "training time [s], log", "peak memory [MiB]", "parameters, log",
    ]  # fmt: skip
    assert [axis.get_xscale() for axis in panels] == ["linear", "log", "linear", "log"]
    arms = [label.get_text() for label in panels[0].get_yticklabels()]
    assert arms == [
        "logistic",
        "mlp-512-512",
        "lenet5",
        "cnn-32-64",
        "alexnet-1/8",
        "alexnet",
        "cnn-32-64/cuda",
    ]
    assert {"OOM", "SKIPPED", "669,706", "7,850"} <= set(texts(figure))
    numbers = figure.numbers.set_index("arm")
    accuracies = [
        r.metrics["validation_accuracy"] for r in run.of("architectures") if r.arm["name"] == "lenet5"
    ]
    assert numbers.loc["lenet5", "validation accuracy [%]"] == pytest.approx(sum(accuracies) / 3 * 100)
    assert f"{sum(accuracies) / 3 * 100:.1f} ±" in read(figure)
    assert numbers.loc["alexnet", "status"] == "OOM"


def test_overview_leaves_out_what_is_absent(run):
    figure = draw(run, "receptive-field", "overview")
    assert [axis.get_xlabel().split(",")[0] for axis in figure.axes] == [
        "receptive field [px]", "parameters", "multiply-adds per\nimage", "layers",
    ]  # fmt: skip
    assert "75,648" in texts(figure)


def test_partly_failed_arms_say_so(tmp_path):
    scenario, records = architectures(3)
    lost = dataclasses.replace(records[0], status="TIMEOUT", reason="too slow", metrics={}, missing={})
    run = read_parts(tmp_path / "a.json", [(scenario, [lost, *records[1:]])])
    labels = [label.get_text() for label in draw(run, "architectures", "overview").axes[0].get_yticklabels()]
    assert labels[0] == "logistic\n1 of 3 TIMEOUT"


def test_learning_curves_label_every_line_at_its_end_without_overlap(run):
    figure = draw(run, "architectures", "learning_curves")
    axis = figure.axes[0]
    labels = [
        text for text in axis.texts if text.get_text() in ("logistic", "lenet5", "alexnet-1/8", "mlp-512-512")
    ]
    assert len(labels) == 4
    assert figure.legends == []
    assert axis.get_legend() is None
    boxes = [Text.get_window_extent(label) for label in labels]  # without the leader
    for i, box in enumerate(boxes):
        assert box.x0 > axis.get_window_extent().x1
        assert not any(box.shrunk(1, 0.85).overlaps(other.shrunk(1, 0.85)) for other in boxes[i + 1 :])
    assert "Not shown: alexnet (OOM), cnn-32-64/cuda (SKIPPED)" in texts(figure)
    assert "cnn-32-64 ends highest" in read(figure)
    assert axis.get_ylabel() == "validation accuracy [%]"


def test_accuracy_by_budget_has_four_budgets(run):
    figure = draw(run, "batching", "accuracy_by_budget")
    assert [axis.get_xscale() for axis in figure.axes] == ["linear", "log", "log", "log"]
    assert [axis.get_xlabel() for axis in figure.axes] == [
        "epochs", "steps, log scale", "samples seen, log scale", "training time [s], log scale",
    ]  # fmt: skip
    last = [text.get_text() for text in figure.axes[3].texts]
    assert "mlp-512-512/sgd/full" in last
    assert "mlp/b64/lr 10 (DIVERGED)" in last
    assert set(figure.numbers["arm"]) == {record.arm["name"] for record in run.of("batching")}


def test_loss_by_step_chooses_six_arms_and_says_so(run):
    figure = draw(run, "batching", "loss_by_step")
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles[0] == "mlp-512-512/sgd/b1"
    assert titles[-1] == "mlp/b64/lr 10"
    assert len(titles) == 6
    assert "Showing 6 of 8 arms." in read(figure)
    assert len({axis.get_ylim() for axis in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[1] < 10  # a diverged arm does not set the scale
    assert len(figure.axes[0].lines) == 3
    assert "DIVERGED" in texts(figure)


def test_by_factor_ticks_at_the_values_and_nowhere_else(run):
    figure = draw(run, "batching", "by_factor")
    axis = figure.axes[-1]
    assert axis.get_xscale() == "log"
    assert axis.get_xticks().tolist() == [1, 4, 16, 64, 256, 1024, 6000]
    assert [label.get_text() for label in axis.get_xticklabels()][-1] == "full"
    heads = [axis.get_title(loc="left") for axis in figure.axes]
    assert heads[0] == "validation accuracy [%]"
    assert heads[3] == "peak memory [MiB]"  # the parameters are equal
    assert "Not shown: mlp/b64/lr 10 (DIVERGED)" in texts(figure)


def test_by_factor_tells_arms_of_one_value_apart(run):
    figure = draw(run, "kernel-size", "by_factor")
    first = figure.axes[0]
    assert first.get_xscale() == "linear"
    assert {text.get_text() for text in first.texts} == {"depth 1", "2 times 3x3", "3 times 3x3"}
    assert [axis.get_title(loc="left") for axis in figure.axes][3].startswith("parameters")
    assert figure.axes[2].get_xlabel() == "kernel"


def test_a_factor_of_words_keeps_their_order(tmp_path):
    scenario, records = architectures(2)
    run = read_parts(
        tmp_path / "a.json", [(dataclasses.replace(scenario, factor="model_args.label"), records)]
    )
    labels = [
        label.get_text() for label in draw(run, "architectures", "by_factor").axes[-1].get_xticklabels()
    ]
    assert labels == ["logistic", "mlp-512-512", "lenet5", "cnn-32-64", "alexnet-1/8"]


def test_accuracy_against_cost_labels_its_points_without_overlap(run):
    figure = draw(run, "architectures", "accuracy_against_cost")
    assert [axis.get_xscale() for axis in figure.axes] == ["log", "log"]
    for axis in figure.axes:
        labels = [text for text in axis.texts if text.get_text()]
        assert len(labels) == 5
        boxes = [label.get_window_extent() for label in labels]
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[i + 1 :])
            assert axis.get_window_extent().padded(2).contains(box.x0, box.y0)


def test_equal_parameters_need_no_panel(run):
    figure = draw(run, "batching", "accuracy_against_cost")
    assert len(figure.axes) == 1
    assert "all arms have 669,706 parameters" in read(figure)


@pytest.mark.parametrize("name", ALL_PLOTS[1:])
def test_nothing_to_draw_is_said(run, name):
    assert "Nothing to draw" in read(draw(run, "receptive-field", name))


@pytest.mark.parametrize(("arms", "seeds"), [(2, 1), (12, 10)])
@pytest.mark.parametrize("name", ALL_PLOTS)
def test_no_text_is_cut_off(tmp_path, arms, seeds, name):
    run = read_parts(tmp_path / "a.json", [grid(arms, seeds, long_names=arms > 2)], seeds=seeds)
    figure = draw(run, "grid", name)
    page = figure.bbox.padded(2)
    visible = [text for text in figure.findobj(Text) if text.get_text()]
    ticks = {label for axis in figure.axes for label in (*axis.get_xticklabels(), *axis.get_yticklabels())}
    for text in visible:
        box = text.get_window_extent()
        if text not in ticks:  # ticks beyond the limits are kept, and not drawn
            assert page.contains(box.x0, box.y0), text.get_text()
            assert page.contains(box.x1, box.y1), text.get_text()
        assert text.get_fontsize() >= 12


@pytest.mark.parametrize("name", ALL_PLOTS)
def test_a_smoke_figure_says_so(tmp_path, name):
    run = read_parts(tmp_path / "a.json", [batching(1)], seeds=1, profile="smoke")
    assert "smoke: proves the code, not the claim" in texts(draw(run, "batching", name))


def test_a_run_without_any_result_is_drawn(tmp_path):
    scenario, _ = architectures(1)
    run = read_parts(tmp_path / "a.json", [(scenario, [])], seeds=1)
    for name in ALL_PLOTS:
        figure = draw(run, "architectures", name)
        assert figure.get_figwidth() == 10
    assert texts(draw(run, "architectures", "overview")).count("NOT RUN") == 7


def test_names_with_signs_of_mathematics_are_printed_as_they_are(tmp_path):
    scenario, records = kernels(1)
    arms = scenario.arms["quick"]
    arm = dataclasses.replace(arms[0], name="$\\alpha$ = $x")
    record = dataclasses.replace(records[0], arm={**records[0].arm, "name": arm.name})
    parts = [(dataclasses.replace(scenario, arms={key: [arm] for key in scenario.arms}, claims=()), [record])]
    assert "$\\alpha$ = $x" in read(
        draw(read_parts(tmp_path / "a.json", parts, seeds=1), "kernel-size", "overview")
    )


def test_the_style_of_others_is_left_alone(run):
    import matplotlib.pyplot as plt

    before, open_figures = dict(mpl.rcParams), plt.get_fignums()
    draw(run, "batching", "overview")
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == open_figures


def test_save_writes_png_svg_and_csv(run, tmp_path):
    figure = draw(run, "architectures", "overview")
    paths = plots.save(figure, tmp_path / "plots", "../a/b c")
    assert [path.name for path in paths] == ["a-b-c.png", "a-b-c.svg"]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        "a-b-c.csv",
        "a-b-c.png",
        "a-b-c.svg",
    ]
    from PIL import Image

    with Image.open(paths[0]) as picture:
        assert picture.size[0] == 1600
    table = pd.read_csv(tmp_path / "plots" / "a-b-c.csv")
    assert table["arm"].tolist()[:2] == ["logistic", "mlp-512-512"]
    before = paths[1].read_bytes()
    plots.save(draw(run, "architectures", "overview"), tmp_path / "plots", "../a/b c")
    assert paths[1].read_bytes() == before  # the same run gives the same picture
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        plots.save(figure, tmp_path / "file" / "x", "a")


def test_push_apart_keeps_order_gap_and_room():
    assert push_apart([], 1, 0, 10) == []
    assert push_apart([5.0, 5.0], 1, 0, 10) == [4.5, 5.5]
    assert push_apart([1.0, 9.0], 1, 0, 10) == [1.0, 9.0]
    assert push_apart([0.0, 0.1, 9.9], 1, 0, 10) == pytest.approx([0.0, 1.0, 9.9])
    places = push_apart([3.0] * 5, 4, 0, 10)  # they do not fit: the gaps shrink
    assert places == pytest.approx([0, 2.5, 5, 7.5, 10])


@pytest.mark.parametrize(("low", "high"), [(1, 1.5), (3, 8), (0.02, 5), (1, 1e6), (1e3, 7e8)])
def test_log_ticks_are_few_round_and_inside(low, high):
    ticks = log_ticks(low, high, 4)
    assert 1 <= len(ticks) <= 5
    assert all(low <= tick <= high and not math.isnan(tick) for tick in ticks)


def test_texts_of_ticks():
    assert [short(x) for x in (0.05, 20, 1500, 20_000, 3e6, 61_100_840)] == [
        "0.05",
        "20",
        "1500",
        "20k",
        "3M",
        "61.1M",
    ]


def test_wrapped_lines_fit():
    lines = wrap("What a long question, W" + "W" * 90 + " and so on?", 3.0, 16, bold=True)
    assert all(text_width(line, 16, bold=True) <= 3.0 for line in lines)
    assert " ".join(lines).endswith("so on?")
    assert wrap_name("mlp-512/momentum/b64", 1.4, 12) == ["mlp-512/", "momentum/b64"]


def test_receptive_field_is_no_percentage(tmp_path):
    figure = draw(read_parts(tmp_path / "a.json", [receptive_field()]), "receptive-field", "overview")
    assert figure.axes[0].get_xlim()[0] > 0
