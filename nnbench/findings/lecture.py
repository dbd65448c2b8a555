"""The lecture's slides and what a run says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nnbench.claims import Verdict, judge
from nnbench.findings.verdicts import claims_of
from nnbench.lecture import SLIDES
from nnbench.records import Record

Plan = Mapping[str, Any]
SLIDE_COLUMNS = ("slide", "the lecture says", "scenarios", "verdicts")


def in_lecture_order(plans: Iterable[Plan]) -> list[Plan]:
    """Scenarios by their first slide; those of no slide last, as they were."""
    place = {number: i for i, number in enumerate(SLIDES)}
    return sorted(
        plans, key=lambda plan: min((place[s] for s in slides_of(plan) if s in place), default=len(place))
    )


def slides_of(plan: Plan) -> list[str]:
    """Numbers of the slides that a scenario measures; none where its run is older than they are."""
    return [str(number) for number in plan.get("slides", ())]


def sources_of(plan: Plan) -> list[str]:
    """Where the expectations of a scenario's claims come from, each once."""
    return list(dict.fromkeys(str(c["source"]) for c in plan.get("claims", ()) if c.get("source")))


def verdicts_by_slide(
    scenarios: Iterable[tuple[Plan, Sequence[Record]]], profile: str
) -> dict[str, list[tuple[str, Verdict]]]:
    """Slide -> scenario and verdict of each claim about it."""
    found: dict[str, list[tuple[str, Verdict]]] = {number: [] for number in SLIDES}
    for plan, records in scenarios:
        claims, _ = claims_of(plan)
        for of in judge(claims, records, profile):
            if of.claim.slide:
                found.setdefault(of.claim.slide, []).append((str(plan["name"]), of))
    return found


def slide_rows(scenarios: Iterable[tuple[Plan, Sequence[Record]]], profile: str) -> list[dict[str, str]]:
    """One row for each slide: what it says, where it is measured, and how the verdicts on it fell."""
    rows = []
    for number, of in verdicts_by_slide(scenarios, profile).items():
        slide = SLIDES.get(number)
        title, says = (f"{number} {slide.title}", slide.says) if slide else (number, "")
        names = ", ".join(dict.fromkeys(name for name, _ in of))
        rows.append(dict(zip(SLIDE_COLUMNS, (title, says, names or "–", _counted(of)), strict=True)))
    return rows


def _counted(of: Sequence[tuple[str, Verdict]]) -> str:
    """'3 SUPPORTED, 1 REFUTED'."""
    counts = Counter(verdict.verdict for _, verdict in of)
    return ", ".join(f"{n} {word}" for word, n in counts.most_common()) or "not in this run"
