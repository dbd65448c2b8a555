"""Arms side by side: what each reached, and what it cost."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from nnbench.metrics import metric
from nnbench.plots import style
from nnbench.plots.labels import Label, place_labels
from nnbench.plots.style import ALARM, TEXT_PT, Drawing, Subject
from nnbench.stats import Estimate, mean_interval

OVERVIEW = ("validation_accuracy", "train_s", "peak_bytes", "parameters")
# What a probe gives in their place: exact numbers.
EXACT = ("receptive_field", "parameters", "macs", "layers")


@dataclass(frozen=True)
class _Column:
    """One metric of every arm that has it, and the limits of its panel.

    Attributes:
        values: arm -> one number per record, in the unit of print.
        ends: arm -> 95 % interval, see `Subject.interval`; of time and memory one block gives none.
        low, high: limits; between *last*, the largest number, and *high* there is room for texts.
    """

    name: str
    values: Mapping[str, Sequence[float]]
    ends: Mapping[str, tuple[float, float]]
    log: bool
    low: float
    last: float
    high: float

    def reach(self, arm: str) -> tuple[float, float]:
        """From the smallest to the largest number that is drawn for *arm*."""
        numbers = [*self.values[arm], *self.bar(arm)]
        return min(numbers), max(numbers)

    def bar(self, arm: str) -> tuple[float, ...]:
        """The interval as drawn; nothing where there is none."""
        return _possible(self.name, *self.ends[arm]) if arm in self.ends else ()

    def text(self, arm: str) -> str:
        """The value that stands beside the point."""
        text = style.amount(self.name, style.centre(self.name, self.values[arm]))
        if arm not in self.ends:
            return text
        low, high = self.ends[arm]
        if metric(self.name).nature != "learned":
            return text  # an interval of order statistics is not symmetric: it is drawn, not written
        return f"{text} ±{style.amount(self.name, (high - low) / 2)}"


def overview(subject: Subject) -> Drawing:
    """Small multiples: one row per arm, one panel per metric, the values beside the points."""
    names = [name for name in OVERVIEW if subject.has(name)]
    if "validation_accuracy" not in names:
        names = [name for name in EXACT if subject.has(name)]
    rows = {arm: _row_text(subject, arm) for arm in subject.arms}
    lines = max(text.count("\n") + 1 for text in rows.values())
    height = len(rows) * (0.28 + 0.17 * lines) + 1.15
    read = style.seeds_text(subject) if "validation_accuracy" in names else ""
    if read and subject.seeds > 1:
        times = _of_blocks(subject.done["block"].nunique())
        read += f", a small dot each; accuracy: mean with 95 % t interval, time {times}, memory: median"
    figure = style.canvas(subject, height, title=str(subject.plan["question"]), how_to_read=read)
    shares = [1.4 if name == "validation_accuracy" else 1.0 for name in names] or [1.0]
    axes = figure.subplots(1, len(shares), sharey=True, squeeze=False, width_ratios=shares)[0]
    label_in = max(style.text_width(line, TEXT_PT) for text in rows.values() for line in text.split("\n"))
    room_in = style.WIDTH_IN - label_in - 0.35 - 0.3 * len(names)
    for axis, name, share in zip(axes, names, shares, strict=False):
        _panel(axis, subject, name, room_in * share / sum(shares))
    first: Axes = axes[0]
    first.set_yticks(range(len(rows)), list(rows.values()))
    first.set_ylim(len(rows) - 0.45, -0.55)
    for tick, arm in zip(first.get_yticklabels(), subject.arms, strict=True):
        tick.set_color(ALARM if subject.trouble(arm) else style.INK)
    for axis in axes:
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.grid(axis="y")
        axis.set_axisbelow(True)
    if not names:
        first.set_xticks([])
    _statuses(first, subject, names)
    figure.numbers = _numbers(subject, names)
    return figure


def _of_blocks(blocks: int) -> str:
    return f"(over {blocks} blocks): median with 95 % interval" if blocks > 1 else "(one block): median"


def _row_text(subject: Subject, arm: str) -> str:
    lines = style.wrap_name(arm, 2.3, TEXT_PT)
    trouble = subject.trouble(arm)
    if trouble and any(subject.values(arm, name) for name in (*OVERVIEW, *EXACT)):
        lines.extend(style.wrap(trouble, 2.3, TEXT_PT))
    return "\n".join(lines)


def _column(subject: Subject, name: str, width_in: float) -> _Column:
    """Metric *name* with limits that leave room for the texts in a panel of *width_in*."""
    values = {arm: found for arm in subject.arms if (found := subject.values(arm, name))}
    intervals = {arm: subject.interval(arm, name) for arm in values}
    ends = {
        arm: (of.low, of.high)
        for arm, of in intervals.items()
        if of and of.low is not None and of.high is not None
    }
    column = _Column(name, values, ends, False, 0.0, 0.0, 0.0)
    least = min(column.reach(arm)[0] for arm in values)
    most = max(column.reach(arm)[1] for arm in values)
    log = least > 0 and (name == "parameters" or most / least > 10)
    column = dataclasses.replace(column, log=log)
    span_least = 0.3 if log else 2.0 if metric(name).unit == "%" else 0.1 * abs(most) or 1.0
    low, high = (math.log10(least), math.log10(most)) if log else (least, most)
    span = max(high - low, span_least)
    middle = (low + high) / 2
    start, last = min(low, middle - span / 2) - 0.08 * span, max(high, middle + span / 2) + 0.04 * span
    end = last
    while not all(_fits(column, arm, (start, end), log, width_in) for arm in values):
        end += 0.05 * span
    limits = [10**place for place in (start, last, end)] if log else [start, last, end]
    return dataclasses.replace(column, low=limits[0], last=limits[1], high=limits[2])


def _possible(name: str, low: float, high: float) -> tuple[float, float]:
    """An interval as drawn: a t interval of few seeds may reach beyond 0 and 100 %."""
    return (max(low, 0.0), min(high, 100.0)) if metric(name).unit == "%" else (low, high)


def _fits(column: _Column, arm: str, limits: tuple[float, float], log: bool, width_in: float) -> bool:
    """Whether the text of *arm* finds room beside its point, right of it or left."""
    start, end = limits
    least, most = (math.log10(x) if log else x for x in column.reach(arm))
    text = style.text_width(column.text(arm), TEXT_PT) + 0.2
    right, left = (end - most) / (end - start) * width_in, (least - start) / (end - start) * width_in
    return max(right, left) >= min(text, 0.8 * width_in)


def _panel(axis: Axes, subject: Subject, name: str, width_in: float) -> None:
    column = _column(subject, name, width_in)
    exact = metric(name).nature == "exact"
    _value_axis(axis, column, width_in)
    for row, arm in enumerate(subject.arms):
        if arm not in column.values:
            continue
        look, values = subject.looks[arm], column.values[arm]
        if len(values) > 1 and not exact:
            axis.scatter(values, [row + 0.22] * len(values), s=22, color=look.colour, alpha=0.65, lw=0)
        if arm in column.ends:
            axis.plot(column.bar(arm), [row, row], color=look.colour, lw=2, solid_capstyle="butt")
        axis.plot([style.centre(name, values)], [row], **look.marked(8))
        _write_value(axis, column, arm, row, width_in)
    label = style.axis_label(metric(name), ", log" if column.log else "")
    axis.set_xlabel("\n".join(style.wrap(label, width_in, TEXT_PT)))
    axis.set_ylabel("")


def _write_value(axis: Axes, column: _Column, arm: str, row: int, width_in: float) -> None:
    """The value right of the point; left of it where the panel ends."""
    least, most = column.reach(arm)
    places = [math.log10(x) if column.log else x for x in (column.low, most, column.high)]
    room = (places[2] - places[1]) / (places[2] - places[0]) * width_in
    right = room >= style.text_width(column.text(arm), TEXT_PT) + 0.2
    axis.annotate(
        column.text(arm), (most if right else least, row), xytext=(8 if right else -8, 0),
        textcoords="offset points", va="center", ha="left" if right else "right", size=TEXT_PT,
        in_layout=False, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1}, zorder=1.9,
    )  # fmt: skip


def _value_axis(axis: Axes, column: _Column, width_in: float) -> None:
    """Ticks and axis line where the numbers are, none under the texts."""
    if column.log:
        style.log_axis(axis, "x", column.low, column.high)
        ticks = style.log_ticks(column.low, column.last * 1.001, most=3)
    else:
        axis.set_xlim(column.low, column.high)
        whole = metric(column.name).nature == "exact"
        locator = MaxNLocator(nbins=3, steps=[1, 2, 5, 10], integer=whole)
        ticks = [float(tick) for tick in locator.tick_values(column.low, column.last)]
    inside = [tick for tick in ticks if column.low <= tick <= column.last * 1.001]
    inside = style.thinned(inside, (column.low, column.high), width_in, log=column.log)
    axis.set_xticks(inside, [style.short(tick) for tick in inside])
    axis.spines["bottom"].set_bounds(column.low, column.last)


def _statuses(axis: Axes, subject: Subject, names: Sequence[str]) -> None:
    """An arm without any number keeps its row: its status stands where the number would be."""
    for row, arm in enumerate(subject.arms):
        if not any(subject.values(arm, name) for name in names):
            axis.annotate(
                subject.trouble(arm) or "not measured", (0.03, row), xycoords=("axes fraction", "data"),
                va="center", color=ALARM, weight="bold", in_layout=False,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )  # fmt: skip


def _numbers(subject: Subject, names: Sequence[str]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for arm in subject.arms:
        row: dict[str, Any] = {"arm": arm, "status": subject.trouble(arm) or "OK"}
        for name in names:
            values = subject.values(arm, name)
            if values:
                head = style.axis_label(metric(name))
                row[head] = style.centre(name, values)
                if (of := subject.interval(arm, name)) is not None:
                    row.update({f"{head} low": of.low, f"{head} high": of.high, "n": of.n})
        rows.append(row)
    return pd.DataFrame(rows)


def accuracy_against_cost(subject: Subject) -> Drawing:
    """Accuracy against training time, and against parameters where these differ."""
    shown = [
        a for a in subject.arms if subject.values(a, "validation_accuracy") and subject.values(a, "train_s")
    ]
    if not shown:
        return style.nothing_to_draw(subject, "both a validation accuracy and a training time")
    counts = {tuple(set(subject.values(arm, "parameters"))) for arm in shown}
    costs = ["train_s"] + (["parameters"] if len(counts) > 1 else [])
    longest = max(style.text_width(arm, TEXT_PT) for arm in shown)
    side_by_side = len(shown) <= 7 and longest < 1.7
    shape = (1, len(costs)) if side_by_side else (len(costs), 1)
    read = f"Up and left is better. {style.seeds_text(subject)}"
    read += "; bars: 95 % t interval of the accuracy" if subject.seeds > 1 else ""
    read += (
        ""
        if len(costs) > 1
        else f"; all arms have {int(next(iter(counts))[0]):,} parameters"
        if all(counts)
        else ""
    )
    figure = style.canvas(subject, 4.6 * shape[0], title=str(subject.plan["question"]), how_to_read=read,
                          notes=style.not_shown(subject, shown))  # fmt: skip
    panels = list(figure.subplots(*shape, sharey=side_by_side, squeeze=False).flat)
    for axis, cost in zip(panels, costs, strict=True):
        _points(axis, subject, shown, cost)
    panels[0].set_ylabel(style.axis_label(metric("validation_accuracy")))
    if not side_by_side:
        for axis in panels:
            axis.set_ylabel(style.axis_label(metric("validation_accuracy")))
    figure.draw_without_rendering()
    for axis, cost in zip(panels, costs, strict=True):
        _name_points(axis, subject, shown, cost)
    figure.numbers = _numbers(subject, ["validation_accuracy", *costs])
    return figure


def _centre(subject: Subject, arm: str, cost: str) -> tuple[float, Estimate]:
    return statistics.median(subject.values(arm, cost)), mean_interval(
        subject.values(arm, "validation_accuracy")
    )


def _bar(of: Estimate) -> tuple[float, float]:
    """The interval of an accuracy as drawn; its centre twice where there is none."""
    if of.low is None or of.high is None:
        return of.centre, of.centre
    return _possible("validation_accuracy", of.low, of.high)


def _points(axis: Axes, subject: Subject, shown: Sequence[str], cost: str) -> None:
    xs, ys = [], []
    for arm in shown:
        x, of = _centre(subject, arm, cost)
        look = subject.looks[arm]
        low, high = _bar(of)
        axis.plot([x, x], [low, high], color=look.colour, lw=1.6, alpha=0.8)
        axis.plot([x], [of.centre], **look.marked(9))
        xs.append(x)
        ys.extend([low, high])
    low, high = math.log10(min(xs)), math.log10(max(xs))
    pad = max(0.15, 0.12 * (high - low))
    style.log_axis(axis, "x", 10 ** (low - pad), 10 ** (high + pad), most=6)
    span = max(max(ys) - min(ys), 2.0)
    room = 0.12 if len(shown) <= 7 else 0.3  # many labels need somewhere to go
    axis.set_ylim(min(ys) - 0.12 * span, max(ys) + room * span)
    axis.set_xlabel(style.axis_label(metric(cost), ", log scale"))
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)


def _name_points(axis: Axes, subject: Subject, shown: Sequence[str], cost: str) -> None:
    labels, bars = [], []
    for arm in shown:
        x, of = _centre(subject, arm, cost)
        labels.append(Label(x, of.centre, arm, subject.looks[arm]))
        low, high = _bar(of)
        bars.append(Bbox(axis.transData.transform([(x, low), (x, high)])).padded(2))
    place_labels(axis, labels, bars)
