import dataclasses
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fake_runs import (
    architectures,
    batching,
    failed,
    kernels,
    lecture,
    plan_of,
    read_parts,
    receptive_field,
    write_folder,
    write_json,
)
from nnbench import findings
from nnbench.config import NnbenchError
from nnbench.plots import PLOTS
from nnbench.records import StorageError
from nnbench.report import ReportError, notebook, write_report
from nnbench.report.page import markdown
from nnbench.report.tables import axes, environment, glance, says, verdicts
from nnbench.results import read_results

REPOSITORY = Path(__file__).parents[1]
EVIL = "<script>alert(1)</script>|[x](http://evil.example/a.png)"


def test_counts_add_up():
    parts = lecture(3)
    records = [record for _, records in parts for record in records]
    count = findings.counts(plan_of([scenario for scenario, _ in parts]), records)
    assert count == {"planned": 71, "OK": 62, "expected": 3, "failed": 3, "SKIPPED": 3, "missing": 0}
    count = findings.counts(plan_of([scenario for scenario, _ in parts]), records[5:])
    assert count["missing"] == 5
    assert count["planned"] == sum(value for key, value in count.items() if key != "planned")


def test_the_best_arm_its_margin_and_its_doubt():
    _, records = architectures(6)
    text = findings.sentences(records, "quick")[0]
    found = re.fullmatch(
        r"cnn-32-64 has the highest validation accuracy: (\d\d\.\d)\s% \(mean of 6 seeds\)\. Next is "
        r"mlp-512-512, (\d\.\d) points lower \(95 % interval (\d\.\d) to (\d\.\d), paired by seed\): "
        r"more than the margin of 1\.0 point\.",
        text,
    )
    assert found, text
    accuracies = {
        name: [r.metrics["validation_accuracy"] for r in records if r.arm["name"] == name]
        for name in ("cnn-32-64", "mlp-512-512")
    }
    gaps = [a - b for a, b in zip(*accuracies.values(), strict=True)]
    assert float(found[2]) == pytest.approx(100 * sum(gaps) / 6, abs=0.051)
    assert float(found[3]) < float(found[2]) < float(found[4])


def _pair(differences):
    """Two arms whose accuracies differ by *differences*, seed by seed."""
    _, records = architectures(len(differences))
    first = [r for r in records if r.arm["name"] == "lenet5"]
    second = [r for r in records if r.arm["name"] == "logistic"]
    pairs = zip(first, second, differences, strict=True)
    made = []
    for a, b, gap in pairs:
        made.append(dataclasses.replace(a, metrics={**a.metrics, "validation_accuracy": 0.85 + gap}))
        made.append(dataclasses.replace(b, metrics={**b.metrics, "validation_accuracy": 0.85}))
    return made


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ([0.001, 0.002, 0.001], "less than the margin of 1.0 point"),
        ([0.05, 0.051, 0.049], "more than the margin of 1.0 point"),
        ([0.0, 0.04, 0.02], "is not settled"),
        ([0.05], "from one seed there is no interval"),
    ],
)
def test_the_margin_decides_what_is_said(differences, said):
    text = " ".join(findings.sentences(_pair(differences), "quick"))
    assert said in text
    assert ("One seed says nothing about chance" in text) == (len(differences) == 1)


def test_few_seeds_and_the_counting_error_are_told():
    text = " ".join(findings.sentences(architectures(3)[1], "quick"))
    assert "With 3 seeds the intervals are wide: small differences are not to be believed" in text
    assert "2,000 images: counting them has a standard error of 0.7 points at 89\u00a0%" in text
    assert "not to be believed" not in " ".join(findings.sentences(architectures(6)[1], "quick"))


def test_times_parameters_and_failures_are_told():
    text = " ".join(findings.sentences(architectures(3)[1], "quick"))
    assert re.search(
        r"logistic trains fastest: 0\.04\d+ s\. alexnet-1/8 takes 4(\.\d+)? s, \d{2,3}(\.\d)? times as long",
        text,
    )
    assert "Parameters: from 7,850 (logistic) to 998,410 (alexnet-1/8), 127 times as many." in text
    assert "alexnet: OOM in 3 of 3 (OutOfMemoryError: tried to allocate 2.1 GiB)." in text
    text = " ".join(findings.sentences(batching(3)[1], "quick", ["mlp/b64/lr 10"]))
    assert "mlp/b64/lr 10: DIVERGED in 3 of 3" in text
    assert "This was expected." in text
    assert "Parameters: 669,706 in every arm." in text


def test_probes_are_told_without_accuracies():
    found = findings.sentences(receptive_field()[1], "quick")
    assert found[1] == "Receptive field: from 3 px (one 3x3) to 7 px (three 3x3, one 7x7)."
    assert findings.sentences([], "quick") == ["Nothing was measured."]
    costs = [dataclasses.replace(record, metrics={"seed_s": 0.1}) for record in receptive_field()[1]]
    assert findings.sentences(costs, "quick") == []


def test_equality_is_checked_not_believed():
    _, records = kernels(2)
    assert findings.equality(records, "epochs").startswith("The arms are equal in epochs")
    assert "parameters range from 31,562 to 46,922" in findings.equality(records, "parameters")
    assert "equal in nothing" in findings.equality(records, "nothing")
    assert "not measured" in findings.equality(records, "receptive field")


def test_the_target_is_told():
    _, records = architectures(2)
    arm = {**records[0].arm, "target_accuracy": 0.8}
    made = [dataclasses.replace(r, arm=arm, metrics={**r.metrics, "target_s": 1.25}) for r in records[:2]]
    assert (
        "logistic reaches 80% accuracy first, after 1.25 s of training, mean of 2 seeds."
        in findings.sentences(made, "quick")
    )


def test_an_unknown_claim_is_not_run(tmp_path):
    run = read_parts(tmp_path / "a.json", [receptive_field()])
    plan = {
        **run.plan["scenarios"][0],
        "claims": [{"text": "later", "kind": "slope", "metric": "macs", "arms": []}],
    }
    row = findings.verdict_rows(run.records, plan, "quick")[0]
    assert (row["claim"], row["verdict"]) == ("later", "NOT RUN")
    assert "cannot judge" in row["reason"]


def test_tables_of_the_report(tmp_path):
    run = read_parts(tmp_path / "a.json", lecture(3))
    rows = dict(glance(run).to_numpy())
    assert rows["measurements"] == "71 planned = 62 OK + 3 diverged as foretold + 3 failed + 3 SKIPPED"
    assert rows["data"] == "fashion-mini (6,000 train + 2,000 validation)"
    assert "Imaginary CPU @ 2.0 GHz, 2 cores, 1 intra-op thread, 8 GiB" in rows["machine"]
    assert rows["tests"] == "27 run, 3 failed"
    found = verdicts(run).set_index("claim")["verdict"]
    assert found["Logistic regression has 7,850 parameters"] == "SUPPORTED"
    assert found["Logistic regression is more accurate than an MLP"] == "REFUTED"
    assert found["An MLP trains faster than a CNN"] == "UNDECIDED"
    assert found["AlexNet beats the small CNN"] == "NOT RUN"
    assert list(verdicts(run, "batching")) == ["claim", "verdict", "effect", "interval", "n", "reason"]
    paid = axes(run, "batching").set_index("arm")
    assert next(iter(paid)) == "epochs"
    assert paid.loc["mlp-512-512/sgd/b1", "steps"] == "18,000"
    assert dict(environment(run).to_numpy())["torch"] == "2.10.0"
    assert says(run, "kernel-size").startswith("- The arms are equal in epochs")


def test_cells_have_fixed_ids_and_parameters_come_first(tmp_path):
    import nbformat

    every = [(dataclasses.replace(scenario, plots=tuple(PLOTS)), found) for scenario, found in lecture(1)]
    run = read_parts(tmp_path / "a.json", every, seeds=1)
    first, second = (notebook.build(run, "results.json") for _ in range(2))
    nbformat.validate(first)
    ids = [cell.id for cell in first.cells]
    assert ids == [cell.id for cell in second.cells]
    assert len(set(ids)) == len(ids)
    code = [cell for cell in first.cells if cell.cell_type == "code"]
    assert code[0].source.endswith("RESULTS = 'results.json'")
    assert first.metadata.kernelspec.name == "python3"
    assert not any("smoke" in cell.source for cell in first.cells)


def test_markdown_becomes_html_without_raw_html():
    made = markdown("a <b>b</b> *c*\n\n<script>x</script>\n\n- &lt;i&gt;")
    assert "<b>" not in made
    assert "<script>" not in made
    assert "<em>c</em>" in made
    assert "<li>&lt;i&gt;</li>" in made


class _Loads(HTMLParser):
    """Everything that a page would load or run."""

    def __init__(self):
        super().__init__()
        self.found, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "action", "poster") and not value.startswith(
                ("#", "data:")
            ):
                self.found.append(value)
            if name.startswith("on"):
                self.found.append(f"{name}={value}")


def _evil(tmp_path):
    """A run whose names come from somebody who means harm."""
    scenario, records = receptive_field()
    probes = list(scenario.arms["quick"])
    evil = dataclasses.replace(probes[0], name=EVIL)
    arms = [evil, *probes[1:]]
    made = [dataclasses.replace(records[0], arm={**records[0].arm, "name": EVIL}), *records[1:]]
    texts = dict.fromkeys(("statement", "question", "remember"), f"Is {EVIL} *evil*?")
    scenario = dataclasses.replace(
        scenario, name="<b>evil</b>/../x", arms=dict.fromkeys(scenario.arms, arms), claims=(), **texts,
        plots=("overview", "no <such> plot"),
    )  # fmt: skip
    return [(scenario, [dataclasses.replace(r, scenario=scenario.name) for r in made])]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a smoke run, and how far it said that it was."""
    folder, steps = tmp_path_factory.mktemp("report"), []
    source = write_folder(folder / "run", lecture(1), seeds=1, profile="smoke")
    paths = write_report(source, folder / "report", progress=lambda *step: steps.append(step))
    return folder / "report", paths, steps


def test_the_words_of_tables_are_wrapped_and_the_numbers_are_not(report):
    page = (report[0] / "report.html").read_text()
    kinds = dict.fromkeys(("claim", "verdict"), "prose") | {"parameters": "numbers"}
    for column, kind in kinds.items():
        table = page[: page.index(f"<th>{column}</th>")].rpartition('<div class="scroll ')[2]
        assert table.startswith(f'{kind}"'), column


def test_the_report_holds_notebook_page_plots_and_results(report):
    folder, paths, steps = report
    assert paths[:2] == [folder / "report.ipynb", folder / "report.html"]
    assert folder / "plots" / "batching-by-factor.csv" in paths
    assert len(paths) == 2 + 3 * 11
    assert len(read_results(folder / "report-data").records) == 27
    assert steps[-1][0] == steps[-1][1]


def test_the_notebook_ran_and_carries_no_times(report):
    import nbformat

    folder, _, _ = report
    found = nbformat.read(folder / "report.ipynb", as_version=4)
    nbformat.validate(found)
    code = [cell for cell in found.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any("execution" in cell.metadata for cell in code)
    pictures = [o for cell in code for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == 11
    assert not [o for cell in code for o in cell.outputs if o.output_type == "stream"]
    assert "proves that the code works" in found.cells[1].source


def test_the_page_stands_alone(report):
    folder, _, _ = report
    text = (folder / "report.html").read_text(encoding="utf-8")
    loads = _Loads()
    loads.feed(text)
    assert loads.found == []
    assert not loads.tags & {"script", "link", "iframe", "object"}
    assert "@import" not in text
    assert "url(" not in text
    assert text.count('src="data:image/png;base64,') == 11
    assert '<div class="banner" role="note">' in text
    assert '<span class="verdict supported">SUPPORTED</span>' in text
    assert "Weight sharing buys accuracy, and costs time." in text
    assert "27 planned = 24 OK + 1 diverged as foretold + 1 failed + 1 SKIPPED" in text
    assert 'alt="by factor of batching: Which batch size' in text


def test_the_moved_report_still_runs_without_torch_and_bench(tmp_path):
    blocked = tmp_path / "blocked"
    for name in ("torch", "bench"):
        (blocked / name).mkdir(parents=True)
        (blocked / name / "__init__.py").write_text(f"raise ImportError('{name} is blocked')\n")
    source = write_json(tmp_path / "out.json", _evil(tmp_path), seeds=1)
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['bench'] = None\n"
        "from nnbench.report import write_report\n"
        "print(*write_report(sys.argv[1], sys.argv[2]), sep='\\n')"
    )
    path = os.pathsep.join([str(blocked), str(REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(tmp_path / "report")], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "report"
    text = (folder / "report.html").read_text(encoding="utf-8")
    loads = _Loads()
    loads.feed(text)
    assert loads.found == []
    assert not loads.tags & {"script", "b"}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "This nnbench knows no plot called no &lt;such&gt; plot." in text
    assert [path.name for path in sorted((folder / "plots").iterdir())] == [
        "b-evil-b-..-x-overview.csv", "b-evil-b-..-x-overview.png", "b-evil-b-..-x-overview.svg",
    ]  # fmt: skip


def test_without_running_only_the_notebook_is_written(tmp_path):
    source = write_json(tmp_path / "out.json", [receptive_field()])
    assert write_report(source, tmp_path / "r", execute=False) == [tmp_path / "r" / "report.ipynb"]
    again = write_report(tmp_path / "r" / "report-data.json", tmp_path / "r", execute=False)
    assert again == [tmp_path / "r" / "report.ipynb"]
    assert read_results(tmp_path / "r" / "report-data.json").profile == "quick"


def test_a_failing_cell_leaves_the_notebook_so_far(tmp_path, monkeypatch):
    source = write_json(tmp_path / "out.json", [receptive_field()])
    monkeypatch.setattr(notebook, "SETUP", "1 / 0")
    with pytest.raises(ReportError, match=r"a cell failed: ZeroDivisionError.*report\.ipynb") as caught:
        write_report(source, tmp_path / "r")
    assert caught.value.exit_code == 5
    assert "ZeroDivisionError" in (tmp_path / "r" / "report.ipynb").read_text()
    assert not (tmp_path / "r" / "report.html").exists()


def test_a_dead_kernel_is_told(tmp_path, monkeypatch):
    source = write_json(tmp_path / "out.json", [receptive_field()])
    monkeypatch.setattr(notebook, "SETUP", "import os; os._exit(1)")
    with pytest.raises(ReportError, match="kernel died"):
        write_report(source, tmp_path / "r")
    assert (tmp_path / "r" / "report.ipynb").exists()


def test_a_slow_cell_is_stopped(tmp_path, monkeypatch):
    import nnbench.report as module

    source = write_json(tmp_path / "out.json", [receptive_field()])
    monkeypatch.setattr(module, "CELL_TIMEOUT_S", 1)
    monkeypatch.setattr(notebook, "SETUP", "import time; time.sleep(30)")
    with pytest.raises(ReportError, match="took more than 1 s"):
        write_report(source, tmp_path / "r")


@pytest.mark.parametrize("name", ["nbformat", "nbclient", "ipykernel", "mistune"])
def test_a_missing_extra_names_the_install_line(tmp_path, monkeypatch, name):
    source = write_json(tmp_path / "out.json", [receptive_field()])
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NnbenchError, match=rf"needs {name}.*pip install -e '.\[report\]'"):
        write_report(source, tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_no_results_no_report(tmp_path):
    with pytest.raises(StorageError, match="no such file"):
        write_report(tmp_path / "nothing.json", tmp_path / "r")
    source = write_json(tmp_path / "out.json", [receptive_field()])
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_report(source, tmp_path / "file" / "r")


def test_old_results_are_replaced(tmp_path):
    write_report(write_folder(tmp_path / "a", [receptive_field()]), tmp_path / "r", execute=False)
    scenario, _ = receptive_field()
    lost = failed(scenario.arms["quick"][0], 0, scenario=scenario.name, status="CRASH", reason="x")
    write_report(write_folder(tmp_path / "b", [(scenario, [lost])]), tmp_path / "r", execute=False)
    assert [record.status for record in read_results(tmp_path / "r" / "report-data").records] == ["CRASH"]


def test_a_report_into_a_project_touches_nothing_but_its_own_names(tmp_path):
    """`nnbench report RUN -o .` in a checkout: results/ is the user's, and stays."""
    source = tmp_path / "run"
    write_folder(source, lecture(1), seeds=1)
    precious = tmp_path / "results" / "precious.json"
    precious.parent.mkdir()
    precious.write_text("{}")
    write_report(source, tmp_path, execute=False)
    write_report(source, tmp_path, execute=False)
    assert precious.read_text() == "{}"
    assert len(read_results(tmp_path / "report-data").records) == len(read_results(source).records)


def test_a_scenario_of_which_nothing_ran_is_its_question_and_the_reason(tmp_path):
    scenario, records = kernels(2)
    lost = [dataclasses.replace(record, status="SKIPPED", reason="'nnbench data fetch x' brings it", metrics={},
                                missing={}, curves={}, samples={}, weights_sha256=None)
            for record in records]  # fmt: skip
    run = read_parts(tmp_path / "out.json", [(scenario, lost)])
    texts = [cell.source for cell in notebook.build(run, "out.json").cells]
    assert any("**Not run here.** 'nnbench data fetch x' brings it" in text for text in texts)
    assert not [text for text in texts if "figure('kernel" in text or "says(" in text]
    half = read_parts(tmp_path / "half.json", [(scenario, [*lost[:1], *records[1:]])])
    assert any("figure('" in cell.source for cell in notebook.build(half, "half.json").cells)
