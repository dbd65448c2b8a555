"""One number against another on axes that are both logarithmic: a straight line is a power."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from nnbench.metrics import metric
from nnbench.plots import style
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Look, Subject

_HEIGHT_IN = 4.6
_LEAST = 1e-9  # below it an error is nothing but rounding, and has no place on a logarithmic axis


@dataclass(frozen=True)
class _Point:
    """An arm of a series: how much of what is spent, what it gives, and its interval."""

    arm: str
    x: float
    y: float
    low: float | None
    high: float | None


def _series(subject: Subject, x: str, y: str) -> dict[str, list[_Point]]:
    """'sine, 16' belongs to the series 'sine', and 'deep, 3 folds' to 'deep'."""
    found: dict[str, list[_Point]] = {}
    for arm in subject.arms:
        xs, ys = subject.values(arm, x), subject.values(arm, y)
        if not xs or not ys or max(ys) < _LEAST:
            continue
        of = subject.interval(arm, y)
        low, high = (of.low, of.high) if of else (None, None)
        point = _Point(arm, xs[0], style.centre(y, ys), low, high)
        found.setdefault(arm.rpartition(", ")[0] or arm, []).append(point)
    return {name: sorted(points, key=lambda p: p.x) for name, points in found.items()}


def power_law(subject: Subject, x: str, y: str, read: str, guide: float | None = None) -> Drawing:
    """Metric *y* against metric *x*, a line for each series, with a dotted line of the slope *guide*.

    Arms are of one series where their names agree up to the last comma.
    """
    series = _series(subject, x, y)
    if not series:
        return style.nothing_to_draw(subject, metric(y).label)
    shown = [point.arm for points in series.values() for point in points]
    bars = any(point.low is not None for points in series.values() for point in points)
    if bars:
        read += f" Mean of {style.seeds_text(subject)}; bars: 95 % interval."
    figure = style.canvas(
        subject, _HEIGHT_IN, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, shown),
    )  # fmt: skip
    axis = figure.subplots()
    looks = style.looks(list(series))
    points = [point for each in series.values() for point in each]
    _axes(axis, points, x, y)
    for name, each in series.items():
        _line(axis, each, looks[name])
    if guide is not None:
        _guide(axis, points, guide)
    for name, each in series.items():  # lines end at different places: each has its name where it ends
        axis.annotate(
            name, (each[-1].x, each[-1].y), xytext=(10, 0), textcoords="offset points", va="center",
            size=TEXT_PT, color=looks[name].text,
        )  # fmt: skip
    figure.numbers = pd.DataFrame([
        {"series": name, "arm": p.arm, x: p.x, y: p.y, "low": p.low, "high": p.high}
        for name, each in series.items() for p in each
    ])  # fmt: skip
    return figure


def _axes(axis: Axes, points: Sequence[_Point], x: str, y: str) -> None:
    ends = [end for p in points for end in (p.y, p.low, p.high) if end is not None and end > _LEAST]
    low, high = min(p.x for p in points), max(p.x for p in points)
    style.log_axis(axis, "x", low / 1.2, high * 1.2 * (high / low) ** 0.18, most=8)
    style.log_axis(axis, "y", min(ends) / 1.5, max(ends) * 1.5, most=6)
    axis.set_xlabel(f"{metric(x).label}, log scale", size=TEXT_PT)
    axis.set_ylabel(f"{metric(y).label}, log scale", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)


def _line(axis: Axes, points: Sequence[_Point], look: Look) -> None:
    for p in points:
        if p.low is not None and p.high is not None and p.high > _LEAST:
            axis.plot([p.x] * 2, [max(p.low, _LEAST), p.high], color=look.colour, lw=1.6, alpha=0.8)
    axis.plot([p.x for p in points], [p.y for p in points], lw=2, ls=look.dashes, **look.marked(8))


def _guide(axis: Axes, points: Sequence[_Point], slope: float) -> None:
    """A dotted line of that slope through the middle of the picture."""
    x, y = (
        [math.log(value) for value in values] for values in zip(*((p.x, p.y) for p in points), strict=True)
    )
    centre_x, centre_y = sum(x) / len(x), sum(y) / len(y)
    ends = [math.exp(min(x)), math.exp(max(x))]
    axis.plot(
        ends, [math.exp(centre_y + slope * (math.log(end) - centre_x)) for end in ends],
        color=QUIET, lw=1.2, ls=(0, (1, 2)), zorder=0.6, scalex=False, scaley=False,
    )  # fmt: skip
