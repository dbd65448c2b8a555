"""The claims of a scenario: effect and interval of each against its margin, and the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from nnbench.claims import REFUTED, SUPPORTED, Verdict, judge
from nnbench.findings import claims_of, effect_text, of_claims
from nnbench.metrics import metric
from nnbench.plots import style
from nnbench.plots.style import ALARM, QUIET, TEXT_PT, Drawing, Subject
from nnbench.stats import MARGIN, Estimate

_COLOURS = {SUPPORTED: "#027a5b", REFUTED: ALARM}
_TEXT_IN = 4.3  # for the claims, left of the panels
_VERDICT_IN = 1.3
_TIMES = "times as good, log scale"
_ABSOLUTE = ("slope", "rate", "between")  # claims about a number itself, and not about a difference


def verdicts(subject: Subject) -> Drawing:
    """A row for each claim about a difference or a ratio: its interval, the margin as a band, the verdict."""
    claims, _ = claims_of(subject.plan)
    judged = judge(claims, subject.run.of(str(subject.plan["name"])), subject.run.profile)
    with_interval = [of for rows in _grouped(judged).values() for of in rows]
    chosen, text = of_claims([of.verdict for of in with_interval])
    text = text.replace("claims", "claims with an interval")
    subject = dataclasses.replace(subject, choice=f"Showing {text}." if text else "")
    groups = list(_grouped([with_interval[i] for i in chosen]).items())
    if not groups:
        return style.nothing_to_draw(subject, "a claim with an interval")
    texts = {id(of): style.wrap(of.claim.text, _TEXT_IN - 0.2, TEXT_PT) for of in judged}
    heights = [sum(_row_in(texts[id(of)]) for of in rows) + 0.75 for _, rows in groups]
    read = (
        "Dot and bar: effect with its interval; grey band: less than the margin, which counts as none; "
        "grey strokes: the bounds that are claimed."
    )
    figure = style.canvas(subject, sum(heights), title=str(subject.plan["question"]), how_to_read=read)
    panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (unit, rows) in zip(panels, groups, strict=True):
        _panel(axis, unit, rows, [texts[id(of)] for of in rows], subject.run.profile)
    figure.numbers = pd.DataFrame([_numbers(of) for of in judged])
    return figure


def _row_in(lines: Sequence[str]) -> float:
    return 0.24 + 0.21 * len(lines)


def _grouped(judged: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Verdicts with an interval by what their effect is counted in: 'times', or the unit of a difference."""
    groups: dict[str, list[Verdict]] = {}
    for of in judged:
        shown = _shown(of)
        if shown is not None and shown.low is not None:
            groups.setdefault(_counted_in(of), []).append(of)
    return groups


def _counted_in(of: Verdict) -> str:
    """What a verdict's effect is counted in, as the label of an axis."""
    label, unit = of.claim.of.label, of.claim.of.unit
    if of.claim.kind == "slope":
        return f"{label}: exponent"
    if of.ratio is not None:
        return _TIMES
    if of.claim.kind == "rate":
        return f"{label}: share of {'trials' if of.claim.of.nature == 'share' else 'seeds'} [%]"
    if of.claim.kind == "between":
        return f"{label} [{unit}]" if unit else label
    unit = "points" if unit == "%" else unit
    return f"{label}: difference in {unit}" if unit else f"{label}: difference"


def _shown(of: Verdict) -> Estimate | None:
    """The effect in the unit of print."""
    if of.ratio is not None:  # an equivalence is decided by the 90 % interval
        return of.ratio.inner if of.claim.kind == "equivalent" else of.ratio.ratio
    if of.effect is None or of.claim.kind == "exact" or metric(of.claim.metric).nature == "exact":
        return None
    scale = {"slope": 1.0, "rate": 100.0}.get(of.claim.kind, of.claim.of.scale)
    if of.claim.kind in ("compare", "order") and not of.claim.higher:
        scale = -scale  # the effect is how much better the first is; drawn is the difference, as it is told
    ends = sorted(end * scale for end in (of.effect.low, of.effect.high) if end is not None)
    low, high = ends if len(ends) == 2 else (None, None)
    return Estimate(centre=of.effect.centre * scale, low=low, high=high, n=of.effect.n)


def _panel(
    axis: Axes, unit: str, rows: Sequence[Verdict], texts: Sequence[Sequence[str]], profile: str
) -> None:
    places, y = [], 0.0
    for lines in texts:
        y += _row_in(lines) / 2
        places.append(y)
        y += _row_in(lines) / 2
    log, absolute = unit == _TIMES, rows[0].claim.kind in _ABSOLUTE
    zero = 1.0 if log else 0.0
    ends: list[float] = [] if absolute else [zero]
    for of, place in zip(rows, places, strict=True):
        shown = _shown(of)
        if shown is None or shown.low is None or shown.high is None:
            continue
        colour = _COLOURS.get(of.verdict, QUIET)
        band = _claimed(of) if absolute else _band(of, profile)
        if absolute:
            axis.vlines(band, place - 0.2, place + 0.2, color="#9a9a9a", lw=1.6, zorder=0.5)
        else:
            axis.fill_betweenx([place - 0.2, place + 0.2], *band, color="#e9e9e9", lw=0, zorder=0.5)
        axis.plot([shown.low, shown.high], [place, place], color=colour, lw=2.4, solid_capstyle="butt")
        axis.plot([shown.centre], [place], "o", ms=8, mec="white", mew=0.8, color=colour)
        axis.annotate(
            f"{of.verdict}\n{effect_text(of)[0]}", (1.0, place), xycoords=("axes fraction", "data"),
            xytext=(8, 0), textcoords="offset points", va="center", color=colour, size=TEXT_PT, weight="bold",
        )  # fmt: skip
        ends += [shown.low, shown.high, *band]
    _scale(axis, ends, log=log)
    if not absolute:
        axis.axvline(zero, color="#9a9a9a", lw=1, zorder=0.6)
    axis.set_ylim(y, 0)
    axis.set_yticks(places, ["\n".join(lines) for lines in texts])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(unit)


def _claimed(of: Verdict) -> list[float]:
    """The bounds of a claim about a value, a share or an exponent, in the unit of print."""
    scale = {"slope": 1.0, "rate": 100.0}.get(of.claim.kind, of.claim.of.scale)
    return [end * scale for end in (of.claim.low, of.claim.high) if end is not None]


def _band(of: Verdict, profile: str) -> tuple[float, float]:
    """From where to where an effect counts as none."""
    own, found = of.claim.margin, metric(of.claim.metric)
    if of.ratio is not None:
        return 1 - MARGIN, 1 + (MARGIN if own is None else own)
    margin = (found.margin.get(profile, 0.0) if own is None else own) * found.scale
    return -margin, margin


def _scale(axis: Axes, ends: Sequence[float], *, log: bool) -> None:
    low, high = min(ends), max(ends)
    if log:
        factor = (high / low) ** 0.06
        axis.set_xscale("log")
        axis.set_xlim(low / factor, high * factor)
        ticks = [
            tick
            for tick in (0.1, 0.2, 0.5, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100)
            if low <= tick <= high
        ]
        ticks = ticks if high / low < 4 else [tick for tick in ticks if tick not in (0.8, 1.25, 1.5)]
        axis.xaxis.set_major_locator(FixedLocator(ticks))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        pad = 0.06 * (high - low or 1.0)
        axis.set_xlim(low - pad, high + pad)


def _numbers(of: Verdict) -> dict[str, Any]:
    shown = _shown(of)
    ends = (None, None, None) if shown is None else (shown.centre, shown.low, shown.high)
    names = ("effect", "low", "high")
    return {"claim": of.claim.text, "verdict": of.verdict, **dict(zip(names, ends, strict=True)), "n": of.n,
            "p": of.p, "unit": "times" if of.ratio is not None else metric(of.claim.metric).unit}  # fmt: skip
