"""What one more seed costs: time per seed against the number of seeds that train as one model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from nnbench.findings import Choice, whole_groups
from nnbench.metrics import metric
from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, TEXT_PT, Drawing, Look, Subject
from nnbench.records import Record

_NAME = "seed_s"
_HEIGHT_IN = 4.6


@dataclass(frozen=True)
class _Point:
    """An arm: so many *seeds* as one model, 1 for those one by one; milliseconds per seed."""

    arm: str
    seeds: int
    cost: float
    low: float | None
    high: float | None


def cost_per_seed(subject: Subject) -> Drawing:
    """Time per seed: one by one, and as one model of more and more seeds; a line for each network."""
    series = _series(subject)
    if not series:
        return style.nothing_to_draw(subject, "a time per seed")
    blocks = subject.done["block"].nunique()
    barred = any(point.low for points in series.values() for point in points)
    read = "Left: one by one. Were every further seed free, twice the seeds would halve the time of each. "
    read += f"Median of {blocks} block{'s' if blocks > 1 else ''}"
    read += "; bars: 95 % interval." if barred else ": no interval."
    shown = [point.arm for points in series.values() for point in points]
    figure = style.canvas(
        subject, _HEIGHT_IN, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, shown),
    )  # fmt: skip
    axis = figure.subplots()
    looks = style.looks(list(series))
    for name, points in series.items():
        _line(axis, points, looks[name])
    _axes(axis, [point for points in series.values() for point in points])
    end_labels(axis, [
        Label(points[-1].seeds, points[-1].cost, _end(name, points), looks[name])
        for name, points in series.items()
    ])  # fmt: skip
    figure.numbers = _numbers(series)
    return figure


def choose_networks(plan: Mapping[str, Any], records: Sequence[Record]) -> Choice | None:
    """Of very many arms, whole networks: one by one, and with every number of seeds as one model."""
    groups: dict[str, list[str]] = {}
    for arm in plan["arms"]:
        if "arm" in arm.get("args", {}):
            groups.setdefault(_network(arm), []).append(str(arm["name"]))
    return whole_groups(plan, records, groups.values())


def _network(arm: Mapping[str, Any]) -> str:
    return json.dumps(arm["args"]["arm"], sort_keys=True)


def _series(subject: Subject) -> dict[str, list[_Point]]:
    """Network -> its points by number of seeds; those one by one come first."""
    found: dict[str, list[_Point]] = {}
    for arm in subject.plan["arms"]:
        args: Mapping[str, Any] = arm.get("args", {})
        values = subject.values(str(arm["name"]), _NAME)
        if "arm" not in args or not values:
            continue
        seeds = int(args.get("seeds", 1)) if args.get("together") else 1
        of = subject.interval(str(arm["name"]), _NAME)
        ends = (of.low, of.high) if of else (None, None)
        point = _Point(str(arm["name"]), seeds, style.centre(_NAME, values), *ends)
        found.setdefault(_network(arm), []).append(point)
    return {
        points[0].arm.rpartition(", ")[0] or points[0].arm: sorted(points, key=lambda point: point.seeds)
        for points in found.values()
    }


def _line(axis: Axes, points: Sequence[_Point], look: Look) -> None:
    for point in points:
        if point.low is not None and point.high is not None:
            axis.plot([point.seeds] * 2, [point.low, point.high], color=look.colour, lw=1.6, alpha=0.8)
    axis.plot([p.seeds for p in points], [p.cost for p in points], lw=2, ls=look.dashes, **look.marked(8))


def _axes(axis: Axes, points: Sequence[_Point]) -> None:
    costs = [cost for p in points for cost in (p.cost, p.low or p.cost, p.high or p.cost)]
    style.log_axis(axis, "x", 0.85, max(p.seeds for p in points) * 1.15, most=8)
    style.log_axis(axis, "y", min(costs) / 1.4, max(costs) * 1.4, most=6)
    axis.set_xlabel("seeds that train as one model, log scale", size=TEXT_PT)
    axis.set_ylabel(style.axis_label(metric(_NAME), ", log scale"), color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)


def _end(name: str, points: Sequence[_Point]) -> str:
    """'MLP 32/32: 11.6 times as fast' where it is known what a seed costs alone."""
    if points[0].seeds != 1 or len(points) == 1:
        return name
    return f"{name}:\n{points[0].cost / points[-1].cost:.3g} times as fast"


def _numbers(series: Mapping[str, Sequence[_Point]]) -> pd.DataFrame:
    head = style.axis_label(metric(_NAME))
    return pd.DataFrame([
        {"network": name, "arm": p.arm, "seeds": p.seeds, head: p.cost, "low": p.low, "high": p.high}
        for name, points in series.items()
        for p in points
    ])  # fmt: skip
