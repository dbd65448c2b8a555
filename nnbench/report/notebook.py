"""A run to a notebook: cells of prose and short code, with ids that stay the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nnbench.efficiency import efficiencies
from nnbench.findings import ARMS_MOST, CLAIMS_MOST, in_lecture_order, slides_of, sources_of
from nnbench.lecture import PARTS
from nnbench.plots import PLOTS
from nnbench.report.cells import Part, notebook_of, part
from nnbench.results import Run
from nnbench.summary import skipped
from nnbench.tabular import escape_markdown
from nnbench.time_to_accuracy import times_to_accuracy

SMOKE_BANNER = (
    "smoke: this run proves that the code works, not what it claims. Its numbers come from a few steps "
    "of training and mean nothing."
)
# A report of more plots than these shows the first of each scenario: each costs a second or two, and 0.4 MB.
PLOTS_MOST = 48
SETUP = """\
from IPython.display import HTML, Image, Markdown

from nnbench import plots
from nnbench.report.tables import (
    axes, environment, glance, says, scaling, shown, shown_claims, slides, summary, targets, verdicts
)
from nnbench.results import read_results

run = read_results(RESULTS)


def table(frame):
    return HTML(frame.to_html(index=False, border=0))


def figure(scenario, name):
    drawing = plots.draw(run, run.scenario(scenario), name)
    png, svg = plots.save(drawing, "plots", f"{scenario}-{name}")
    return Image(png, width=860)"""


_SAVE = 'png, svg = plots.save(drawing, "plots", f"{scenario}-{name}")'
_SAVE_SMALL = '(png,) = plots.save(drawing, "plots", f"{scenario}-{name}", small=True)'


def build(run: Run, results: str) -> Any:
    """The notebook of *run*, not executed; *results* is the path of the data, seen from the notebook."""
    return notebook_of(_parts(run, results), f"nnbench report, profile {run.profile}")


def _parts(run: Run, results: str) -> Iterator[Part]:
    yield "markdown", "title", f"# nnbench report\n\nProfile **{escape_markdown(run.profile)}**.", {}
    if run.profile == "smoke":
        yield "markdown", "smoke", f"> **{SMOKE_BANNER}**", {"banner": True}
    comment = "# The results that this notebook shows: a run folder, or what pytest --benchmark-json wrote."
    yield "code", "parameters", f"{comment}\nRESULTS = {results!r}", {}
    many = sum(len(plan.get("plots", ())) for plan in run.plan["scenarios"]) > PLOTS_MOST
    yield "code", "setup", SETUP.replace(_SAVE, _SAVE_SMALL) if many else SETUP, {}
    yield "markdown", "glance-title", "## At a glance", {"anchor": "At a glance"}
    yield "code", "glance", "table(glance(run))", {}
    lecture = any(slides_of(plan) for plan in run.plan["scenarios"])
    if lecture:
        yield "markdown", "slides-title", "### The lecture, slide by slide", {}
        yield "code", "slides", "table(slides(run))", {}
    else:
        yield from _claims(run, "###")
    section = ""
    for plan in in_lecture_order(run.plan["scenarios"]):
        before, section = section, _lecture_part(plan)
        if lecture and section != before:
            yield "markdown", f"part {section}", f"# {section}", {"part": section}
        records = run.of(str(plan["name"]))
        aims = bool(times_to_accuracy(records))
        plots = plan.get("plots", ())
        shown = {**plan, "plots": plots[:1], "left_out": plots[1:]} if many else plan
        yield from _scenario(shown, skipped(records), scales=bool(efficiencies(records)), aims=aims)
    if lecture:
        yield from _claims(run, "##")
    yield "markdown", "environment-title", "## Environment", {"anchor": "Environment"}
    yield "code", "environment", "table(environment(run))", {}
    yield "markdown", "repeat", _repeat(run, results), {"anchor": "How to repeat it"}


def _claims(run: Run, level: str) -> Iterator[Part]:
    notes = {"anchor": "All claims"} if level == "##" else {}
    yield "markdown", "claims-title", f"{level} The claims and their verdicts", notes
    if any(_many_claims(plan) for plan in run.plan["scenarios"]):
        yield "code", "claims-shown", "Markdown(shown_claims(run))", {}
    yield "code", "claims", "table(verdicts(run))", {}


def _lecture_part(plan: Mapping[str, Any]) -> str:
    """'Foundations': the part of the lecture that a scenario belongs to."""
    first = next(iter(slides_of(plan)), "")
    return PARTS.get(first[:1], "Beyond the lecture")


def _scenario(plan: Mapping[str, Any], not_run: str, *, scales: bool, aims: bool) -> Iterator[Part]:
    """The parts of a scenario; of one that was not run, the question and the reason alone."""
    name = str(plan["name"])
    numbers = f"{', '.join(slides_of(plan))} · " if slides_of(plan) else ""
    prose = (
        f"## {escape_markdown(numbers + name)}\n\n"
        f"The lecture says: *{escape_markdown(plan['statement'])}*\n\n"
        f"**The question.** {escape_markdown(plan['question'])}"
    )
    if not_run:
        prose += f"\n\n**Not run here.** {escape_markdown(not_run)}"
    yield part(name, "markdown", "question", prose, anchor=name)
    if not_run:
        return
    yield from _tables(plan, scales=scales, aims=aims)
    for plot in plan.get("plots", ()):
        yield _plot(plan, str(plot))
    if left := plan.get("left_out"):
        text = (
            f"Showing 1 of {len(left) + 1} plots; all: nnbench plot RUN. To draw another here: "
            f"`figure({name!r}, {left[0]!r})`; there are {escape_markdown(', '.join(left))}."
        )
        yield part(name, "markdown", "plots-left-out", text)
    yield part(name, "markdown", "says-title", "### What the numbers say")
    yield part(name, "code", "says", f"Markdown(says(run, {name!r}))")
    if plan.get("claims"):
        yield part(name, "markdown", "verdicts-title", "### Verdicts")
        if _many_claims(plan):
            yield part(name, "code", "verdicts-shown", f"Markdown(shown_claims(run, {name!r}))")
        yield part(name, "code", "verdicts", f"table(verdicts(run, {name!r}))")
    if sources := sources_of(plan):
        text = f"What the claims expect is from: {escape_markdown('; '.join(sources))}."
        yield part(name, "markdown", "sources", text)
    if plan.get("inexact"):
        text = f"> **Where the slide is inexact.** {escape_markdown(plan['inexact'])}"
        yield part(name, "markdown", "inexact", text)
    if plan.get("remember"):
        yield part(name, "markdown", "remember", f"> **Remember.** {escape_markdown(plan['remember'])}")


def _tables(plan: Mapping[str, Any], *, scales: bool, aims: bool) -> Iterator[Part]:
    name, axis = str(plan["name"]), escape_markdown(plan["axis"])
    if len(plan["arms"]) > ARMS_MOST:
        yield part(name, "code", "shown", f"Markdown(shown(run, {name!r}))")
    yield part(name, "code", "summary", f"table(summary(run, {name!r}))")
    if scales:
        text = "**Ranks.** Speed-up over one rank of the same launch:"
        yield part(name, "markdown", "scaling-title", text)
        yield part(name, "code", "scaling-table", f"table(scaling(run, {name!r}))")
    if aims:
        text = "**Time to accuracy.** Seconds of training, mean over seeds; with a miss it is infinite:"
        yield part(name, "markdown", "targets-title", text)
        yield part(name, "code", "targets", f"table(targets(run, {name!r}))")
    equal = f"**Axis of equality: {axis}.** " if axis != "nothing" else "**Axis of equality: none.** "
    each = "each arm" if len(plan["arms"]) <= ARMS_MOST else "each of these arms"
    yield part(name, "markdown", "axes-title", f"{equal}What {each} has on every axis:")
    yield part(name, "code", "axes", f"table(axes(run, {name!r}))")


def _plot(plan: Mapping[str, Any], plot: str) -> Part:
    name = str(plan["name"])
    if plot not in PLOTS:
        text = f"This nnbench knows no plot called {escape_markdown(plot)}."
        return part(name, "markdown", f"plot {plot}", text)
    alt = f"{plot.replace('_', ' ')} of {name}: {plan['question']}"
    return part(name, "code", f"plot {plot}", f"figure({name!r}, {plot!r})", alt=alt, plot=f"{name}-{plot}")


def _many_claims(plan: Mapping[str, Any]) -> bool:
    return len(plan.get("claims", ())) > CLAIMS_MOST


def _repeat(run: Run, results: str) -> str:
    command = " ".join(str(run.plan.get("command", "")).split()) or "unknown"
    return (
        "## How to repeat it\n\nMeasure again, in a checkout of nnbench with its dependencies installed:\n\n"
        f"    {command}\n\nMake this page and its plots again, from the copy of the results beside it:\n\n"
        f"    nnbench report {results} -o report\n\n"
        f"Or change a cell of `report.ipynb` and run it: it reads `{results}` and needs nnbench, no "
        "network. Times depend on the machine and on what else it did; accuracies repeat on one machine "
        "and thread count."
    )
