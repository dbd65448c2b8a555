"""Of very many arms or claims some are shown and the rest is told; few are shown as ever."""

import dataclasses
import json
import re

import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image, ImageChops, ImageStat

from big_runs import big_records, big_scenario
from fake_runs import ALL_PLOTS, probe_record, read_parts, scaling_run
from nnbench import findings, plots
from nnbench.__main__ import main
from nnbench.claims import Claim, Scenario
from nnbench.config import Arm, Probe
from nnbench.efficiency import efficiencies
from nnbench.findings import ARMS_MOST, CLAIMS_MOST
from nnbench.report import notebook, tables
from nnbench.results import Run
from nnbench.terminal import scenario_lines

ARMS = 60
SENTENCE = "the 10 best and the 10 worst in validation accuracy"


def grid(folder, arms=ARMS, claims=None, seeds=2):
    """A run of *arms* widths and rates; its one claim names the first and the last arm."""
    scenario = big_scenario("grid", arms)
    if claims is not None:
        scenario = dataclasses.replace(scenario, claims=claims)
    return read_parts(folder / "a.json", [(scenario, list(big_records(scenario, seeds, 1)))])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return grid(tmp_path_factory.mktemp("run"))


def ranked(run):
    """The arms of the scenario, best first, by the mean of their records."""
    accuracies = {}
    for record in run.of("grid"):
        accuracies.setdefault(record.arm["name"], []).append(record.metrics["validation_accuracy"])
    return sorted(accuracies, key=lambda arm: -sum(accuracies[arm]))


def claimed(run):
    return set(run.plan["scenarios"][0]["claims"][0]["arms"])


def read(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))


def test_the_table_has_the_best_the_worst_and_the_arms_of_claims_and_says_so(run):
    best = ranked(run)
    found = list(tables.summary(run, "grid")["arm"])
    assert found[:10] == best[:10]
    assert {*best[-10:], *claimed(run)} <= set(found)
    assert found == [arm for arm in best if arm in set(found)]  # in the order of rank
    assert len(found) <= ARMS_MOST
    assert list(tables.axes(run, "grid")["arm"]) == found
    text = tables.shown(run, "grid")
    assert text.startswith(f"Showing {len(found)} of 60 arms: {SENTENCE}")
    assert "nnbench table RUN --csv FILE" in text


def test_failed_arms_are_shown_and_counted(tmp_path):
    scenario = big_scenario("grid", 200)  # the arms 97 and 194 diverge
    run = read_parts(tmp_path / "a.json", [(scenario, list(big_records(scenario, 1, 1)))])
    table = tables.summary(run, "grid").set_index("arm")
    assert sum(status.startswith("DIVERGED") for status in table["status"]) == 2
    assert "2 of 2 without a number" in tables.shown(run, "grid")
    says = tables.says(run, "grid")
    assert says.count("DIVERGED") == 1
    assert "DIVERGED in 2 of 200 measurements" in says


def test_the_terminal_says_which_and_exports_have_all(run, tmp_path, capsys):
    lines = "\n".join(scenario_lines(run.plan["scenarios"][0], run.of("grid"), "quick"))
    assert f" of 60 arms: {SENTENCE}" in lines
    main(["table", str(run.source)])
    out = capsys.readouterr().out
    assert f" of 60 arms: {SENTENCE}" in out
    assert out.count("mlp-") <= ARMS_MOST
    for kind in ("csv", "markdown", "parquet"):
        main(["table", str(run.source), f"--{kind}", str(tmp_path / kind)])
    assert pd.read_csv(tmp_path / "csv")["arm"].nunique() == ARMS
    assert pd.read_parquet(tmp_path / "parquet")["arm"].nunique() == ARMS
    assert len((tmp_path / "markdown").read_text().splitlines()) == 2 + 2 * ARMS
    capsys.readouterr()
    main(["table", str(run.source), "--json"])
    assert len({record["arm"]["name"] for record in json.loads(capsys.readouterr().out)}) == ARMS


@pytest.mark.parametrize("name", ALL_PLOTS)
def test_each_plot_draws_some_and_says_which(run, name):
    figure = plots.draw(run, run.plan["scenarios"][0], name)
    shown = set(figure.numbers["arm"])
    assert claimed(run) & shown
    assert len(shown) <= plots.factors.LINES_MOST * plots.factors.PLACES_MOST
    assert re.search(r"Showing \d+ of 60 arms", read(figure))
    if name in ("overview", "learning_curves", "accuracy_by_budget", "accuracy_against_cost"):
        assert len(shown) == 12
        assert {ranked(run)[0], ranked(run)[-1], *claimed(run)} <= shown


def test_by_factor_draws_whole_lines_of_one_rate_each(run):
    figure = plots.draw(run, run.plan["scenarios"][0], "by_factor")
    widths = {}
    for arm in figure.numbers["arm"]:
        width, rate = arm.split("/lr ")
        widths.setdefault(rate, set()).add(width)
    assert len(widths) == 4
    assert all(found == {f"mlp-{16 + 8 * i}" for i in range(6)} for found in widths.values())
    assert "from 4 of 10 groups that belong together" in read(figure)


def test_the_claims_are_judged_from_all_arms(run):
    few = run.only("grid", ranked(run)[:5])
    assert {record.arm["name"] for record in few.records} == set(ranked(run)[:5])
    figure = plots.draw(run, run.plan["scenarios"][0], "verdicts")
    assert "SUPPORTED" in read(figure)
    assert "Showing" not in read(figure)
    assert list(tables.verdicts(run, "grid")["verdict"]) == ["SUPPORTED"]


def test_a_report_of_many_says_so_and_one_of_few_has_no_such_cell(run, tmp_path):
    sources = [cell.source for cell in notebook.build(run, "report-data.json").cells]
    assert "Markdown(shown(run, 'grid'))" in sources
    (tmp_path / "few").mkdir()
    few = [cell.source for cell in notebook.build(grid(tmp_path / "few", ARMS_MOST), "a.json").cells]
    assert not any("shown" in source for source in few[4:])


def test_up_to_the_limit_nothing_is_chosen(tmp_path):
    run = grid(tmp_path, ARMS_MOST)
    plan = run.plan["scenarios"][0]
    names = [arm["name"] for arm in plan["arms"]]
    assert list(tables.summary(run, "grid")["arm"]) == names
    assert tables.shown(run, "grid") == tables.shown_claims(run) == ""
    assert "of 24 arms" not in "\n".join(scenario_lines(plan, run.of("grid"), "quick"))
    for name in ("overview", "learning_curves"):
        figure = plots.draw(run, plan, name)
        assert set(figure.numbers["arm"]) == set(names)
        assert "Showing" not in read(figure)


def many_claims(count):
    """Claims that hold and, every tenth, one that does not."""
    ends = ("mlp-40/lr 0.01", "mlp-16/lr 0.01")
    return tuple(
        Claim(text=f"Claim {i}.", kind="compare", metric="validation_accuracy",
              arms=ends[::-1] if i % 10 == 9 else ends)
        for i in range(count)
    )  # fmt: skip


def test_of_very_many_claims_the_refuted_come_first_and_all_can_be_had(tmp_path, capsys):
    run = grid(tmp_path, 32, many_claims(100), seeds=6)
    every = tables.verdicts(run, "grid", most=None)
    refuted = list(every.loc[every["verdict"] == "REFUTED", "claim"])
    assert len(every) == 100
    assert refuted == [f"Claim {i}." for i in range(9, 100, 10)]
    few = tables.verdicts(run, "grid")
    assert len(few) == CLAIMS_MOST
    assert set(refuted) <= set(few["claim"])
    told = "24 of 100 claims: 10 of 10 REFUTED, 14 of 90 SUPPORTED"
    assert told in tables.shown_claims(run)
    assert told in "\n".join(scenario_lines(run.plan["scenarios"][0], run.of("grid"), "quick"))
    figure = plots.draw(run, run.plan["scenarios"][0], "verdicts")
    assert told.replace("claims", "claims with an interval") in read(figure)
    assert len(figure.numbers) == 100
    sources = [cell.source for cell in notebook.build(run, "a.json").cells]
    assert "Markdown(shown_claims(run, 'grid'))" in sources
    assert "Markdown(shown_claims(run))" in sources


def test_a_plot_of_ranks_keeps_whole_series(tmp_path):
    parts = []
    for i in range(20):
        scenario, records = scaling_run(2, (1, 2, 4))
        rename = {arm.name: f"net {i:02d}, {arm.name}" for arm in scenario.arms["quick"]}
        arms = [arm.replace(name=rename[arm.name], lr=0.01 * (i + 1)) for arm in scenario.arms["quick"]]
        arms = [arm.replace(model_args={"hidden": (8 + i,)}) for arm in arms]
        by_name = {arm.name: {"name": arm.name, "id": arm.id, **arm.config()} for arm in arms}
        parts.append((arms, [dataclasses.replace(r, arm=by_name[rename[r.arm["name"]]]) for r in records]))
    arms = [arm for found, _ in parts for arm in found]
    whole = dataclasses.replace(scenario, arms=dict.fromkeys(("smoke", "quick", "full"), arms), claims=())
    run = read_parts(tmp_path / "a.json", [(whole, [r for _, found in parts for r in found])])
    figure = plots.draw(run, run.plan["scenarios"][0], "scaling")
    assert "Showing 36 of 100 arms, from 12 of 40 groups that belong together." in read(figure)
    assert set(figure.numbers["pairs"]) == {2}
    assert len(efficiencies(run.of("scaling"))) == 80
    table = tables.scaling(run, "scaling")
    assert len(table) == 20
    assert "20 of 80: the 10 best and the 10 worst in efficiency" in tables.shown(run, "scaling")


def test_probes_without_any_direction_are_taken_evenly(tmp_path):
    probes = [Probe(function="math:sqrt", args={"x": i}, name=f"p{i:02d}") for i in range(40)]
    scenario = Scenario(
        name="probes", arms=dict.fromkeys(("smoke", "quick", "full"), probes), axis="nothing",
        statement="It depends.", question="On what?", plots=("overview",),
    )  # fmt: skip
    records = [probe_record(probe, scenario="probes", odd=float(i)) for i, probe in enumerate(probes)]
    run = read_parts(tmp_path / "a.json", [(scenario, records)])
    choice = findings.for_table(run.plan["scenarios"][0], run.of("probes"))
    assert choice is not None
    assert choice.text == "24 of 40 arms: 24 evenly in the order of the plan"
    assert (choice.arms[0], choice.arms[-1]) == ("p00", "p39")


def test_a_claim_of_all_arms_leaves_room_for_the_best(tmp_path):
    arms = tuple(arm.name for arm in big_scenario("grid", ARMS).arms["quick"] if isinstance(arm, Arm))
    claim = Claim(text="All.", kind="order", metric="validation_accuracy", arms=arms)
    run = grid(tmp_path, ARMS, (claim,))
    choice = findings.for_table(run.plan["scenarios"][0], run.of("grid"))
    assert choice is not None
    assert len(choice.arms) <= ARMS_MOST
    assert choice.arms[0] == ranked(run)[0]
    assert "8 of 60 that claims name" in choice.text


def test_a_report_of_very_many_plots_draws_one_of_each_scenario_and_names_the_others(tmp_path):
    made = [dataclasses.replace(big_scenario("grid", 2), name=f"grid-{i}") for i in range(9)]  # 54 plots
    parts = [(of, [dataclasses.replace(r, scenario=of.name) for r in big_records(of, 1, 1)]) for of in made]
    sources = [c.source for c in notebook.build(read_parts(tmp_path / "a.json", parts), "a.json").cells]
    assert sum(source.startswith("figure(") for source in sources) == 9
    told = [source for source in sources if source.startswith("Showing 1 of 6 plots; all: nnbench plot RUN")]
    assert len(told) == 9
    assert "figure('grid-0', 'learning_curves')" in told[0]
    assert any("small=True" in source for source in sources)
    few = read_parts(tmp_path / "b.json", parts[:8])
    sources = [c.source for c in notebook.build(few, "b.json").cells]
    assert sum(source.startswith("figure(") for source in sources) == 48
    assert not any("small=True" in source or source.startswith("Showing") for source in sources)


def test_a_picture_of_256_colours_is_smaller_and_looks_alike(run, tmp_path):
    figure = plots.draw(run, run.plan["scenarios"][0], "learning_curves")
    whole, _ = plots.save(figure, tmp_path, "whole")
    (few,) = plots.save(figure, tmp_path, "few", small=True)
    assert few.stat().st_size < whole.stat().st_size / 2
    with Image.open(whole) as a, Image.open(few) as b:
        gap = ImageStat.Stat(ImageChops.difference(a.convert("RGB"), b.convert("RGB")))
    assert max(gap.mean) < 1  # of 255
