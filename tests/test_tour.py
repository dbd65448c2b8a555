"""The tour: every slide in the lecture's order, and cells to try that run as they stand."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from fake_runs import probe_record, read_parts, write_json
from nnbench import Arm, Claim, Probe, Scenario, plots
from nnbench.cli import main
from nnbench.config import ConfigError
from nnbench.lecture import SLIDES
from nnbench.records import Record
from nnbench.report.page import render
from nnbench.report.tables import claims_about, figures
from nnbench.report.tour import build_tour
from nnbench.report.tries import try_code

FUNCTION = "nnbench.analysis.receptive_field:conv_stack"
PROBES = tuple(
    Probe(name=f"{n}", function=FUNCTION, args={"kernel_sizes": [n], "channels": 4, "image": 20 + n})
    for n in (3, 5)
)
ARMS = tuple(
    Arm(name=f"depth {depth}", data="digits", lr=0.1 * depth, max_steps=5, threads=1,
        model_args={"depth": depth, "width": 4})
    for depth in (1, 2)
)  # fmt: skip


def scenario(name, arms, slide, **values):
    own = {"name": name, "statement": "…", "question": f"What of {name}?", "axis": "nothing"}
    claims = (Claim(text=f"{name} has layers.", kind="between", metric="layers", arms=arms[0].name, low=1),)
    return Scenario(**own, arms=dict.fromkeys(("smoke", "quick", "full"), arms), claims=claims,
                    slides=slide, **values)  # fmt: skip


STACK = scenario("stack", PROBES, ("B9", "B10"), repeat="once", plots=("overview",), remember="It grows.",
                 inexact="Not quite.")  # fmt: skip
DEPTH = scenario("depth", ARMS, ("A4",), factor="model_args.depth")


@pytest.fixture
def parts():
    records = [
        probe_record(arm, scenario="stack", receptive_field=3, layers=1, parameters=4) for arm in PROBES
    ]
    return [(STACK, records), (DEPTH, [])]


@pytest.fixture
def run(parts, tmp_path):
    return read_parts(tmp_path / "run.json", parts)


def planned(of):
    return of.plan(of.arms["quick"], "quick")


def test_every_slide_has_its_place_in_the_lecture_s_order(run):
    cells = build_tour(run, "run.json").cells
    titles = [cell.source.split("\n")[0] for cell in cells if cell.source.startswith("## ")]
    assert titles == [f"## {number} {slide.title}" for number, slide in SLIDES.items()]
    parts = [cell.source for cell in cells if cell.source.startswith("# ") and "part" in cell.id]
    assert parts == ["# Foundations", "# Convolutional networks", "# Optimization", "# Practice"]


def test_a_scenario_of_two_slides_is_told_once_and_named_at_the_other(run):
    sources = [cell.source for cell in build_tour(run, "run.json").cells]
    assert sum("figure('stack', 'overview')" in source for source in sources) == 1
    assert sources.count("Measured by **stack**, above.") == 1
    assert sources.count("> **Remember.** It grows.") == 2
    assert "> **Where the slide is inexact.** Not quite." in sources


def test_what_differs_is_a_variable_to_change():
    code = try_code(planned(STACK))
    assert "The scenario has 23, 25." in code
    assert "\nimage = 23\n" in code
    assert "'image': image" in code
    assert "depth = 1" in try_code(planned(DEPTH))  # its factor, before the rate


def test_rates_are_changed_last():
    arms = tuple(Arm(name=f"{lr}", data="digits", lr=lr, batch_size=int(100 * lr)) for lr in (0.1, 0.2))
    assert "batch_size = 10" in try_code(planned(scenario("rates", arms, ("C1",))))


@pytest.mark.parametrize("of", [STACK, DEPTH], ids=["probe", "training"])
def test_a_cell_to_try_runs_as_it_stands(of):
    shown = []
    exec(try_code(planned(of)), {"figures": figures, "table": shown.append})
    ((_, status), *rows) = shown[0].itertuples(index=False)
    assert status == "OK"
    assert len(rows) >= 3


@pytest.mark.parametrize("own", [{"data": "mednist"}, {"data": "nnbench.studies.permuted:mnist"}])
def test_what_needs_data_to_be_fetched_is_not_tried(own):
    fetched, embedded = Arm(name="fetched", lr=0.5, **own), Arm(name="embedded", data="digits", lr=0.25)
    assert try_code(planned(scenario("s", (fetched,), ("D2",)))) == ""
    code = try_code(planned(scenario("s", (fetched, embedded), ("D2",))))
    assert "0.5" not in code
    assert "lr=0.25" in code
    assert "data='digits'" in code


def test_claims_about_a_slide_are_those_of_all_scenarios(run):
    assert list(claims_about(run, "B9")["claim"]) == ["stack has layers."]
    assert list(claims_about(run, "A4")["verdict"]) == ["NOT RUN"]
    assert not len(claims_about(run, "C7"))


def test_what_was_not_measured_is_told_with_the_reason():
    record = Record(scenario=None, arm={"name": "a", "id": "0" * 16}, seed=0,
                    metrics={"layers": 3, "energy_j": None}, missing={"energy_j": "no counter"})  # fmt: skip
    rows = dict(figures(record).itertuples(index=False))
    assert rows == {"status": "OK", "layers": "3", "energy [J]": "no counter"}


def test_the_page_has_its_contents_below_the_title_and_code_to_try_in_the_open(run):
    text = render(build_tour(run, "run.json"))
    assert text.index("The lecture, measured") < text.index("<nav") < text.index("Foundations</h1>")
    assert "<pre><code>from nnbench import Arm, Probe, measure" in text
    assert "<details><summary>code</summary><pre><code>figure(" in text


def test_the_command_writes_and_executes_it(parts, tmp_path, capsys):
    source = write_json(tmp_path / "out.json", parts)
    assert main(["report", str(source), "--tour", "-o", str(tmp_path / "tour")]) == 0
    content = json.loads((tmp_path / "tour" / "tour.ipynb").read_text())
    outputs = ["".join(o.get("data", {}).get("text/html", "")) for c in content["cells"]
               for o in c.get("outputs", ())]  # fmt: skip
    assert any("receptive field" in text and "OK" in text for text in outputs)
    assert (tmp_path / "tour" / "tour.html").exists()
    assert "stack-overview.png" in capsys.readouterr().out
    assert "overview" in plots.PLOTS


def test_the_contact_sheet_has_the_first_plot_of_each_scenario(parts, tmp_path, capsys):
    source = write_json(tmp_path / "out.json", parts)
    assert main(["plot", str(source), "--sheet", "-o", str(tmp_path / "plots")]) == 0
    sheet = tmp_path / "plots" / "contact-sheet.png"
    assert capsys.readouterr().out.splitlines()[-1] == str(sheet)
    with Image.open(sheet) as image:
        assert image.width == 3 * 480 + 4 * 14
        assert image.convert("L").getextrema() != (255, 255)


def test_a_contact_sheet_of_nothing_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected pictures"):
        plots.contact_sheet([], tmp_path / "sheet.png")
