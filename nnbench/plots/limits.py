"""The roofline: what each arm computes per second, under what this device allows it at best."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from nnbench.plots import style
from nnbench.plots.labels import Label, place_labels
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Subject

_HEIGHT_IN = 5.2
_NEEDED = ("flops_per_s", "peak_flops_per_s", "moved_bytes", "bandwidth_bytes_per_s", "steps", "samples")


@dataclass(frozen=True)
class _Point:
    """An arm on the roofline; rates in GFLOP/s and GB/s.

    Attributes:
        intensity: operations for each byte that a step moves at least, FLOP/B.
        rate: reached.
        peak: of matrix products, for the arm's number format and threads.
        bandwidth: for its working set.
    """

    arm: str
    intensity: float
    rate: float
    peak: float
    bandwidth: float

    @property
    def limit(self) -> float:
        """The most that the device allows at this intensity, GFLOP/s."""
        return min(self.peak, self.intensity * self.bandwidth)


def roofline(subject: Subject) -> Drawing:
    """Arithmetic of each arm over its intensity, under the matrix-product peak and the bandwidth."""
    points = [point for arm in subject.arms if (point := _point(subject, arm))]
    if not points:
        return style.nothing_to_draw(subject, "both counted operations and a measured limit")
    read = "Each line rises from what an arm reached to the most that this device allows it: the peak of its "
    read += "matrix products (flat), or the bandwidth for what it must move (slope). Gaps are calls, copies,"
    read += " waits."
    figure = style.canvas(
        subject, _HEIGHT_IN, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, [point.arm for point in points]),
    )  # fmt: skip
    axis = figure.subplots()
    _limits(axis, points)
    _roofs(axis, points)
    for point in points:
        look = subject.looks[point.arm]
        axis.plot([point.intensity] * 2, [point.rate, point.limit], color=look.colour, lw=1.4, alpha=0.6)
        axis.plot([point.intensity], [point.limit], marker="_", ms=11, mew=2, color=look.colour)
        axis.plot([point.intensity], [point.rate], ls="", **look.marked(9))
    axis.set_xlabel("operations per byte moved [FLOP/B], log scale")
    axis.set_ylabel("arithmetic [GFLOP/s], log scale")
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    figure.draw_without_rendering()
    _name(axis, subject, points)
    figure.numbers = _numbers(points)
    return figure


def _point(subject: Subject, arm: str) -> _Point | None:
    """*arm* by the medians of its records that have all numbers; None where there is none."""
    frame = subject.done
    if any(name not in frame for name in _NEEDED):
        return None
    rows = frame.loc[frame["arm"] == arm, list(_NEEDED)].dropna()
    if not len(rows):
        return None
    of = {name: statistics.median(map(float, rows[name])) for name in _NEEDED}
    per_step = of["samples"] / of["steps"]
    each = frame.loc[rows.index, "flops_per_sample"]
    return _Point(
        arm=arm, intensity=statistics.median(map(float, each)) * per_step / of["moved_bytes"],
        rate=of["flops_per_s"] / 1e9, peak=of["peak_flops_per_s"] / 1e9,
        bandwidth=of["bandwidth_bytes_per_s"] / 1e9,
    )  # fmt: skip


def _limits(axis: Axes, points: Sequence[_Point]) -> None:
    """Axes that hold all points, with room above the roof for its names."""
    low, high = (math.log10(of(point.intensity for point in points)) for of in (min, max))
    pad = max(0.3, 0.12 * (high - low))
    style.log_axis(axis, "x", 10 ** (low - pad), 10 ** (high + pad), most=6)
    bottom = min(point.rate for point in points)
    style.log_axis(axis, "y", bottom / 2, max(point.peak for point in points) * 2, most=6)


def _roofs(axis: Axes, points: Sequence[_Point]) -> None:
    """The highest roof of all arms, solid, and the lowest where it is another."""
    low_x, high_x = axis.get_xlim()
    peaks, rates = [p.peak for p in points], [p.bandwidth for p in points]
    for peak, rate, dashes in ((max(peaks), max(rates), "-"), (min(peaks), min(rates), (0, (4, 3)))):
        ridge = min(max(peak / rate, low_x), high_x)
        axis.plot(
            [low_x, ridge, high_x], [low_x * rate if ridge > low_x else peak, peak, peak],
            color=QUIET, lw=1.2, ls=dashes, zorder=0.7,
        )  # fmt: skip
    of = f"{max(peaks):,.0f} GFLOP/s"
    of = of if min(peaks) > 0.95 * max(peaks) else f"{min(peaks):,.0f} to {of}"
    move = f"{max(rates):,.0f} GB/s"
    move = move if min(rates) > 0.95 * max(rates) else f"{min(rates):,.0f} to {move}"
    axis.annotate(
        f"matrix-product peak {of}; bandwidth {move}", (1.0, 1.0), xycoords="axes fraction",
        xytext=(0, 3), textcoords="offset points", ha="right", va="bottom", size=TEXT_PT, color=INK,
        in_layout=True,
    )  # fmt: skip


def _name(axis: Axes, subject: Subject, points: Sequence[_Point]) -> None:
    labels = [
        Label(p.intensity, p.rate, f"{p.arm}: {100 * p.rate / p.limit:.0f} %", subject.looks[p.arm])
        for p in points
    ]
    ends = ([(p.intensity, p.rate), (p.intensity, p.limit)] for p in points)
    place_labels(axis, labels, [Bbox(axis.transData.transform(both)).padded(2) for both in ends])


def _numbers(points: Sequence[_Point]) -> pd.DataFrame:
    return pd.DataFrame([
        {
            "arm": p.arm, "operations per byte [FLOP/B]": p.intensity, "arithmetic [GFLOP/s]": p.rate,
            "limit [GFLOP/s]": p.limit, "share of the limit": p.rate / p.limit,
            "matrix-product peak [GFLOP/s]": p.peak, "bandwidth [GB/s]": p.bandwidth,
        }
        for p in points
    ])  # fmt: skip
