"""More ranks: throughput and efficiency against their number."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from nnbench.efficiency import Efficiency, efficiencies
from nnbench.plots import style
from nnbench.plots.style import Drawing, Look, Subject

_NAME = "samples_per_s"
# About what the layout leaves of the figure's 10 inches, and of the height asked for.
_PANEL_IN, _PANEL_HIGH_IN = 4.3, 3.4


class _Series:
    """Arms that scale one arm up in one way, by number of ranks; the arm of one is its first point."""

    def __init__(self, subject: Subject, found: Sequence[Efficiency], look: Look, *, named: bool) -> None:
        first = found[0]
        self.text = f"{first.one.removesuffix(', 1 rank')}, {first.kind}" if named else first.kind
        self.look = look
        self.found = sorted(found, key=lambda of: of.ranks)
        arms = [(1, first.one), *((of.ranks, of.arm) for of in self.found)]
        self.throughput = [(x, values) for x, arm in arms if (values := subject.values(arm, _NAME))]


def scaling(subject: Subject) -> Drawing:
    """Throughput against ranks with the ideal line, and what share of it is reached."""
    found = [of for of in efficiencies(subject.run.of(str(subject.plan["name"]))) if of.speed_up]
    if not found:
        return style.nothing_to_draw(subject, "a throughput with one rank and with several, to be compared")
    groups: dict[tuple[str, str], list[Efficiency]] = {}
    for of in found:
        groups.setdefault((of.one, of.kind), []).append(of)
    named = len({one for one, _ in groups}) > 1
    looks = style.looks([" ".join(key) for key in groups]).values()
    series = [
        _Series(subject, group, look, named=named) for group, look in zip(groups.values(), looks, strict=True)
    ]
    shown = {of.one for of in found} | {of.arm for of in found}
    read = "strong: ranks share the batch of one; weak: each has a batch of that size. Dashed: N ranks are N "
    read += f"times as fast as one. {style.seeds_text(subject)}"
    read += ", a small dot each; bars: 95 % t interval over pairs of one seed." if subject.seeds > 1 else "."
    figure = style.canvas(
        subject, 4.2, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, [arm for arm in subject.arms if arm in shown]),
    )  # fmt: skip
    left, right = figure.subplots(1, 2)
    _throughput_panel(left, series)
    _efficiency_panel(right, series)
    ranks = sorted({1, *(of.ranks for of in found)})
    _rank_axis(left, ranks)
    _rank_axis(right, ranks, 0.45 + max(style.text_width(each.text, style.TEXT_PT) for each in series))
    _name_series(right, series)
    figure.numbers = _numbers(subject, found)
    return figure


def _throughput_panel(axis: Axes, series: Sequence[_Series]) -> None:
    most = 0.0
    for each in series:
        points = [(x, style.centre(_NAME, values)) for x, values in each.throughput]
        one = points[0][1]
        last = points[-1][0]
        axis.plot([1, last], [one, one * last], ls=(0, (4, 3)), lw=1.2, color=each.look.colour, alpha=0.7)
        dots = [(x, value) for x, values in each.throughput for value in values]
        ranks, rates = zip(*dots, strict=True)
        axis.scatter(ranks, rates, s=20, color=each.look.colour, alpha=0.5, linewidth=0)
        xs, ys = zip(*points, strict=True)
        axis.plot(xs, ys, lw=2, **each.look.marked(7.5))
        most = max(most, one * last, *(value for _, value in dots))
    axis.set_ylim(0, most * 1.06)
    axis.yaxis.set_major_formatter(lambda value, _: style.short(value))
    axis.set_title("throughput [samples/s]", loc="left", color=style.INK)


def _efficiency_panel(axis: Axes, series: Sequence[_Series]) -> None:
    most = 105.0
    spread = 0.02 * max(of.ranks for each in series for of in each.found)
    axis.axhline(100, ls=(0, (4, 3)), lw=1.2, color=style.QUIET)
    for i, each in enumerate(series):
        aside = (i - (len(series) - 1) / 2) * spread  # bars of one number of ranks stand side by side
        axis.plot(_xs(each, aside), _ys(each), lw=2, **each.look.marked(7.5))
        for of in each.found:
            share = of.efficiency
            if share is not None and share.low is not None and share.high is not None:
                ends = [100 * share.low, 100 * share.high]
                axis.plot([of.ranks + aside] * 2, ends, lw=2, color=each.look.colour, solid_capstyle="butt")
                most = max(most, ends[1])
    axis.set_ylim(0, min(most * 1.03, 160))
    axis.set_title("efficiency [% of N times one rank]", loc="left", color=style.INK)


def _xs(series: _Series, aside: float) -> list[float]:
    return [1.0, *(of.ranks + aside for of in series.found)]


def _ys(series: _Series) -> list[float]:
    return [100.0, *(100 * of.efficiency.centre for of in series.found if of.efficiency is not None)]


def _rank_axis(axis: Axes, ranks: Sequence[int], room_in: float = 0.15) -> None:
    """Ticks at the numbers that were measured, and *room_in* inches right of the last one."""
    span = ranks[-1] - 1
    pad = 0.06 * span
    axis.set_xlim(1 - pad, ranks[-1] + span * room_in / (_PANEL_IN - room_in))
    axis.xaxis.set_major_locator(FixedLocator(list(ranks)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("ranks")
    axis.grid(axis="y")
    axis.set_axisbelow(True)


def _name_series(axis: Axes, series: Sequence[_Series]) -> None:
    """Each series says what it is, right of the last number of ranks; names keep a line's distance."""
    low, high = axis.get_ylim()
    line = (high - low) * style.TEXT_PT * 1.25 / 72 / _PANEL_HIGH_IN
    last = max(of.ranks for each in series for of in each.found)
    free = -line
    for each in sorted(series, key=lambda each: _ys(each)[-1]):
        y = max(_ys(each)[-1], free)
        free = y + line
        axis.annotate(
            each.text, (last, y), xytext=(22, 0), textcoords="offset points", va="center",
            color=each.look.text, size=style.TEXT_PT, in_layout=False,
        )  # fmt: skip


def _numbers(subject: Subject, found: Sequence[Efficiency]) -> pd.DataFrame:
    rows = []
    for of in found:
        share = of.efficiency
        rows.append({
            "arm": of.arm, "against": of.one, "ranks": of.ranks, "scaling": of.kind,
            "throughput [samples/s]": style.centre(_NAME, subject.values(of.arm, _NAME)),
            "speed-up": of.speed_up.centre if of.speed_up else None,
            "efficiency": share.centre if share else None,
            "efficiency low": share.low if share else None,
            "efficiency high": share.high if share else None,
            "pairs": of.speed_up.n if of.speed_up else 0,
        })  # fmt: skip
    return pd.DataFrame(rows)
