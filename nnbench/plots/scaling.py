"""More ranks: throughput and efficiency against their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator
from matplotlib.transforms import ScaledTranslation

from nnbench.efficiency import Efficiency, efficiencies
from nnbench.findings import Choice, whole_groups
from nnbench.plots import style
from nnbench.plots.labels import push_apart
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Look, Subject
from nnbench.records import Record

_NAME = "samples_per_s"
# About what the layout leaves of the figure's 10 inches for a panel, and takes of the height for its head
# and foot.
_PANEL_IN, _AROUND_IN = 4.3, 0.8
_LINE_IN = 1.25 * TEXT_PT / 72
_LABEL_IN = 1.35
_IDEAL: dict[str, Any] = {"ls": (0, (4, 3)), "lw": 1.2, "color": QUIET}
_Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Series:
    """Arms that scale the arm *one* up in one way, by number of ranks; all of them have a speed-up."""

    one: str
    lines: Sequence[str]  # of its label
    look: Look
    found: Sequence[Efficiency]

    def throughput(self, subject: Subject) -> _Points:
        """(ranks, median), from one rank on."""
        arms = [(1, self.one), *((of.ranks, of.arm) for of in self.found)]
        return [(n, style.centre(_NAME, subject.values(arm, _NAME))) for n, arm in arms]

    def efficiency(self, aside: float) -> _Points:
        """(ranks + *aside*, percent), from one rank on."""
        rest = [(of.ranks + aside, 100 * of.efficiency.centre) for of in self.found if of.efficiency]
        return [(1.0, 100.0), *rest]

    def bars(self, aside: float) -> list[tuple[float, float, float]]:
        """(ranks + *aside*, low, high) in percent, where there is an interval."""
        shares = [(of.ranks + aside, of.efficiency) for of in self.found]
        return [
            (x, 100 * share.low, 100 * share.high)
            for x, share in shares
            if share and share.low is not None and share.high is not None
        ]


def scaling(subject: Subject) -> Drawing:
    """Throughput against ranks with the ideal line, and what share of it is reached."""
    found = efficiencies(subject.run.of(str(subject.plan["name"])))
    series, notes, title = _series(found), _notes(subject, found), str(subject.plan["question"])
    if not series:
        why = "Nothing to draw: no arm of several ranks has a throughput to compare with that of one rank."
        figure = style.canvas(subject, 0.1, title=title, how_to_read=why, notes=notes)
        figure.numbers = _numbers(subject, found)
        return figure
    read = "strong: ranks share the batch of one; weak: each has a batch of that size. Dashed: N ranks are N "
    read += f"times as fast as one. {style.seeds_text(subject)}"
    read += (
        ", a small dot each, and their median; bars: 95 % t interval over pairs of one seed."
        if subject.seeds > 1
        else "."
    )
    high = max(3.4, _LINE_IN * sum(len(each.lines) for each in series))
    figure = style.canvas(subject, high + _AROUND_IN, title=title, how_to_read=read, notes=notes)
    left, right = figure.subplots(1, 2)
    ranks = sorted({1, *(of.ranks for each in series for of in each.found)})
    room_in = 0.45 + max(style.text_width(line, TEXT_PT) for each in series for line in each.lines)
    for axis in (left, right):
        _rank_axis(axis, ranks, room_in)
    _throughput_panel(left, subject, series, high)
    _efficiency_panel(right, series, ranks[-1], high)
    figure.numbers = _numbers(subject, found)
    return figure


def choose_series(plan: Mapping[str, Any], records: Sequence[Record]) -> Choice | None:
    """Of very many arms, whole series: an arm of one rank with all that scale it up in one way."""
    groups: dict[tuple[str, str], list[str]] = {}
    for of in efficiencies(records):
        groups.setdefault((of.one, of.kind), [of.one]).append(of.arm)
    return whole_groups(plan, records, groups.values())


def _series(found: Sequence[Efficiency]) -> list[_Series]:
    """One for each arm of one rank and kind; its look does not depend on what of it could be measured."""
    groups: dict[tuple[str, str], list[Efficiency]] = {}
    for of in found:
        groups.setdefault((of.one, of.kind), []).append(of)
    named = len({one for one, _ in groups}) > 1
    looks = style.looks([" ".join(key) for key in groups]).values()
    made = []
    for ((one, kind), group), look in zip(groups.items(), looks, strict=True):
        text = f"{one.removesuffix(', 1 rank')}, {kind}" if named else kind
        drawn = sorted((of for of in group if of.speed_up), key=lambda of: of.ranks)
        if drawn:
            made.append(_Series(one, style.wrap_name(text, _LABEL_IN, TEXT_PT), look, drawn))
    return made


def _notes(subject: Subject, found: Sequence[Efficiency]) -> list[str]:
    """The arms that are not shown, with the reason, and those that lost seeds."""
    shown = {name for of in found if of.speed_up for name in (of.one, of.arm)}
    unlike = {of.arm: of.reason for of in found if of.reason.startswith("NOT_COMPARABLE")}
    missing = [
        f"{arm} ({unlike.get(arm) or subject.trouble(arm) or 'nothing to compare it with'})"
        for arm in subject.arms
        if arm not in shown
    ]
    fewer = [
        f"{arm} ({subject.trouble(arm)})" for arm in subject.arms if arm in shown and subject.trouble(arm)
    ]
    notes = (("Not shown", missing), ("With fewer seeds", fewer))
    return [f"{head}: {', '.join(arms)}" for head, arms in notes if arms]


def _throughput_panel(axis: Axes, subject: Subject, series: Sequence[_Series], high_in: float) -> None:
    most = 0.0
    for one in dict.fromkeys(each.one for each in series):
        last = max(of.ranks for each in series if each.one == one for of in each.found)
        rate = style.centre(_NAME, subject.values(one, _NAME))
        axis.plot([1, last], [rate, rate * last], **_IDEAL)
        most = max(most, rate * last, *_dots(axis, subject, one, 1, INK))
    lines = [each.throughput(subject) for each in series]
    for each, points in zip(series, lines, strict=True):
        for of in each.found:
            most = max(most, *_dots(axis, subject, of.arm, of.ranks, each.look.colour))
        _line(axis, each, points)
    axis.set_ylim(0, most * 1.06)
    axis.yaxis.set_major_formatter(lambda value, _: style.short(value))
    axis.set_title("throughput [samples/s]", loc="left", color=INK)
    _name_lines(axis, series, [points[-1] for points in lines], high_in)


def _dots(axis: Axes, subject: Subject, arm: str, ranks: int, colour: str) -> list[float]:
    """Draw the seeds of *arm*, right of where its median stands; gives their values."""
    values = subject.values(arm, _NAME)
    if len(values) > 1:
        beside = axis.transData + ScaledTranslation(9 / 72, 0, axis.figure.dpi_scale_trans)
        axis.scatter([ranks] * len(values), values, s=16, color=colour, alpha=0.6, lw=0, transform=beside)
    return values


def _efficiency_panel(axis: Axes, series: Sequence[_Series], last: int, high_in: float) -> None:
    axis.plot([1, last], [100, 100], **_IDEAL)
    points: list[tuple[float, float]] = []
    tops = [105.0]
    for i, each in enumerate(series):
        # bars of one number of ranks stand side by side
        aside = (i - (len(series) - 1) / 2) * 0.015 * (last - 1)
        points += each.efficiency(aside)
        for x, low, high in each.bars(aside):
            axis.plot([x, x], [low, high], lw=2, color=each.look.colour, solid_capstyle="butt")
            tops.append(high)
        _line(axis, each, each.efficiency(aside))
    # No point is cut off; the interval of two pairs may reach far, and then leaves the panel.
    highest = 1.05 * max(y for _, y in points)
    axis.set_ylim(0, 1.03 * max(highest, min(max(tops), 150)))
    axis.set_title("efficiency [% of N times one rank]", loc="left", color=INK)
    _name_lines(axis, series, [each.efficiency(0)[-1] for each in series], high_in)


def _line(axis: Axes, series: _Series, points: _Points) -> None:
    """A line from one rank on; that first point is of no series alone."""
    xs, ys = zip(*points, strict=True)
    axis.plot(xs, ys, lw=2, markevery=slice(1, None), **series.look.marked(7.5))
    axis.plot(xs[:1], ys[:1], marker="o", ms=7, mec="white", mew=0.7, color=INK, zorder=2.5)


def _rank_axis(axis: Axes, ranks: Sequence[int], room_in: float) -> None:
    """Ticks at the numbers that were measured, and *room_in* inches right of the last one."""
    span = ranks[-1] - 1
    axis.set_xlim(1 - 0.06 * span, ranks[-1] + span * room_in / (_PANEL_IN - room_in))
    axis.xaxis.set_major_locator(FixedLocator(list(ranks)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("ranks")
    axis.grid(axis="y")
    axis.set_axisbelow(True)


def _name_lines(axis: Axes, series: Sequence[_Series], ends: _Points, high_in: float) -> None:
    """Each series says what it is, right of where it ends; names keep their distance."""
    low, high = axis.get_ylim()
    line = (high - low) * _LINE_IN / high_in
    gap = line * max(len(each.lines) for each in series)
    order = sorted(range(len(series)), key=lambda i: ends[i][1])
    places = push_apart([ends[i][1] for i in order], gap, low + gap / 2, high - gap / 2)
    for i, y in zip(order, places, strict=True):
        axis.annotate(
            "\n".join(series[i].lines), (ends[i][0], y), xytext=(22, 0), textcoords="offset points",
            va="center", color=series[i].look.text, size=TEXT_PT, in_layout=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip


def _numbers(subject: Subject, found: Sequence[Efficiency]) -> pd.DataFrame:
    rows = []
    for of in found:
        share, rates = of.efficiency, subject.values(of.arm, _NAME)
        ones = subject.values(of.one, _NAME)
        rows.append({
            "arm": of.arm, "against": of.one, "ranks": of.ranks, "scaling": of.kind,
            "throughput [samples/s]": style.centre(_NAME, rates) if rates else None,
            "throughput of one rank [samples/s]": style.centre(_NAME, ones) if ones else None,
            "speed-up": of.speed_up.centre if of.speed_up else None,
            "efficiency": share.centre if share else None,
            "efficiency low": share.low if share else None,
            "efficiency high": share.high if share else None,
            "pairs": of.speed_up.n if of.speed_up else 0, "reason": of.reason,
        })  # fmt: skip
    return pd.DataFrame(rows)
