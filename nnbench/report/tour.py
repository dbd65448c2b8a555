"""The whole lecture as a notebook, slide by slide: what it says, what a run found, and cells to try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nnbench.findings import slides_of
from nnbench.lecture import PARTS, SLIDES
from nnbench.plots import PLOTS
from nnbench.report.cells import Part, notebook_of, part
from nnbench.report.notebook import SETUP, SMOKE_BANNER
from nnbench.report.tries import try_code
from nnbench.results import Run
from nnbench.summary import skipped
from nnbench.tabular import escape_markdown

_WELCOME = """\
# The lecture, measured

Slide by slide: what the lecture says, what was measured of it, and how the claims came out. Below each
picture is a cell to try: **change the number in it and run it again** (Shift-Enter). It trains here and now,
within seconds, on data that come with nnbench; pictures and verdicts are of the run beside this notebook."""


def build_tour(run: Run, results: str) -> Any:
    """The tour of *run*, not executed; *results* is the path of the data, seen from the notebook."""
    return notebook_of(_parts(run, results), "nnbench: the lecture, measured")


def _parts(run: Run, results: str) -> Iterator[Part]:
    yield "markdown", "welcome", _WELCOME, {}
    if run.profile == "smoke":
        yield "markdown", "smoke", f"> **{SMOKE_BANNER}**", {"banner": True}
    yield "code", "parameters", f"# The run that is shown.\nRESULTS = {results!r}", {}
    yield "code", "setup", f"{SETUP}\n\n\nfrom nnbench.report.tables import claims_about, figures", {}
    told: set[str] = set()
    section = ""
    for number, slide in SLIDES.items():
        if section != PARTS[number[0]]:
            section = PARTS[number[0]]
            yield "markdown", f"part {section}", f"# {section}", {"part": section}
        head = f"## {number} {slide.title}\n\nThe lecture says: *{escape_markdown(slide.says)}*"
        yield "markdown", f"slide {number}", head, {"anchor": f"{number} {slide.title}"}
        yield from _slide(run, number, told)


def _slide(run: Run, number: str, told: set[str]) -> Iterator[Part]:
    """What the run has of slide *number*; scenarios that were *told* already are named."""
    plans = [plan for plan in run.plan["scenarios"] if number in slides_of(plan)]
    if not plans:
        yield "markdown", f"none {number}", "Nothing of this run is about it.", {}
        return
    for plan in plans:
        name = str(plan["name"])
        if name in told:
            yield "markdown", f"{number} {name}", f"Measured by **{escape_markdown(name)}**, above.", {}
        else:
            yield from _scenario(plan, skipped(run.of(name)))
            told.add(name)
    yield "code", f"claims {number}", f"table(claims_about(run, {number!r}))", {}
    for plan in plans:
        for key, head in (("inexact", "Where the slide is inexact."), ("remember", "Remember.")):
            if plan.get(key):
                text = f"> **{head}** {escape_markdown(plan[key])}"
                yield part(str(plan["name"]), "markdown", f"{number} {key}", text)


def _scenario(plan: Mapping[str, Any], not_run: str) -> Iterator[Part]:
    name = str(plan["name"])
    pictures = [plot for plot in plan.get("plots", ()) if plot in PLOTS and plot != "verdicts"][:1]
    if not_run or not pictures:  # a picture has the question as its title
        yield part(name, "markdown", "question", f"**{escape_markdown(plan['question'])}**")
    if not_run:
        yield part(name, "markdown", "not-run", f"Not run here: {escape_markdown(not_run)}")
    else:
        for plot in pictures:
            notes = {
                "alt": f"{plot.replace('_', ' ')} of {name}: {plan['question']}",
                "plot": f"{name}-{plot}",
            }
            yield part(name, "code", f"plot {plot}", f"figure({name!r}, {plot!r})", **notes)
    if code := try_code(plan):
        yield part(name, "code", "try", code, to_try=True)
