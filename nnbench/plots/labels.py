"""Labels beside what they name, none over another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from nnbench.plots.style import QUIET, TEXT_PT, Look

_LEADER_FROM = 14  # points: a label nearer than that needs no line to its point
_DISTANCES = (9, 14, 21, 30, 42, 56, 72, 90, 110, 135, 160)  # of a label from its point, in points
_LINE = 1.22  # height of a line of text over its size in points

_Ends = tuple[float, float, float, float]  # of a box: left, bottom, right, top; plain numbers are fast


@dataclass(frozen=True)
class Label:
    """A text at a point of the data, in the colours of its arm."""

    x: float
    y: float
    text: str
    look: Look


def push_apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as can be to the *wanted* ones, at least *gap* apart, within *low* and *high*.

    Least squares under the order of the wanted places: pool adjacent violators (Ayer et al. 1955) on
    the places less their share of gaps. Where they do not all fit, the gaps shrink.
    """
    if not wanted:
        return []
    if len(wanted) > 1:
        gap = min(gap, (high - low) / (len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    pools: list[list[float]] = []
    for rank, i in enumerate(order):
        pools.append([wanted[i] - rank * gap])
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]):
            last = pools.pop()
            pools[-1].extend(last)
    flat = [_mean(pool) for pool in pools for _ in pool]
    top = high - (len(wanted) - 1) * gap
    places = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        places[i] = min(max(flat[rank], low), top) + rank * gap
    return places


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def end_labels(axes: Axes, labels: Sequence[Label]) -> None:
    """Name lines at the right edge of *axes*, each tied to the line's end by a thin leader."""
    figure: Any = axes.figure
    texts = [
        axes.annotate(
            label.text, (label.x, label.y), xytext=(1.035, 0.5), textcoords="axes fraction",
            va="center", ha="left", size=TEXT_PT, color=label.look.text, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": label.look.colour, "lw": 0.9, "alpha": 0.75,
                        "shrinkA": 1, "shrinkB": 2, "linestyle": (0, (1, 1.5)), "relpos": (0, 0.5)},
        )
        for label in labels
    ]  # fmt: skip
    figure.draw_without_rendering()  # the layout makes room for the texts; their height moves nothing
    box = axes.get_window_extent()
    wanted = [(axes.transData.transform((label.x, label.y))[1] - box.y0) / box.height for label in labels]
    lines = max(label.text.count("\n") + 1 for label in labels)
    gap = lines * TEXT_PT * _LINE / 72 * figure.dpi / box.height
    for text, place in zip(texts, push_apart(wanted, gap, 0.0, 1.0), strict=True):
        text.set_position((1.035, place))


def place_labels(axes: Axes, labels: Sequence[Label], bars: Sequence[Bbox] = ()) -> None:
    """Put each text beside its point, where it covers neither points, error *bars* nor other texts.

    Greedy: the most crowded point first, each at the nearest free one of 176 places around it; the
    layout must be done. *bars* are in pixels.
    """
    figure: Any = axes.figure
    scale = figure.dpi / 72
    inside = axes.get_window_extent().padded(-2)
    points = [_pixel(axes, label.x, label.y) for label in labels]
    taken = [Bbox.from_bounds(x - 6 * scale, y - 6 * scale, 12 * scale, 12 * scale) for x, y in points]
    taken.extend(bars)
    renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else None

    def crowd(i: int) -> float:
        return sum(1 / (1 + math.dist(points[i], other)) for other in points)

    for i in sorted(range(len(labels)), key=crowd, reverse=True):
        text = axes.annotate(
            labels[i].text, (labels[i].x, labels[i].y), xytext=(0, 0), textcoords="offset points",
            size=TEXT_PT, color=labels[i].look.text, va="center", ha="center", in_layout=False,
        )  # fmt: skip
        size = text.get_window_extent(renderer)
        box, cost = _best_place(points[i], size.width, size.height, scale, taken, inside)
        taken.append(box.padded(1.5 * scale))
        dx = (box.x0 + box.x1) / 2 - points[i][0]
        dy = (box.y0 + box.y1) / 2 - points[i][1]
        text.set_position((dx / scale, dy / scale))
        if cost > _LEADER_FROM:
            taken.extend(_along(points[i], _nearest(box, points[i])))
            _leader(axes, labels[i], box, points[i])


def _pixel(axes: Axes, x: float, y: float) -> tuple[float, float]:
    right, up = axes.transData.transform((x, y))
    return float(right), float(up)


def line_boxes(axes: Axes, xs: Sequence[float], ys: Sequence[float]) -> list[Bbox]:
    """Small boxes along a drawn line, in pixels: what no label should cover."""
    points = [_pixel(axes, x, y) for x, y in zip(xs, ys, strict=True)]
    return [box for start, end in itertools.pairwise(points) for box in _along(start, end)]


def _along(start: Sequence[float], end: Sequence[float]) -> list[Bbox]:
    steps = max(1, int(math.dist(start, end) // 8))
    places = [[a + (b - a) * i / steps for a, b in zip(start, end, strict=True)] for i in range(steps + 1)]
    return [Bbox.from_bounds(x - 2.5, y - 2.5, 5, 5) for x, y in places]


def _nearest(box: Bbox, point: Sequence[float]) -> tuple[float, float]:
    return min(max(point[0], box.x0), box.x1), min(max(point[1], box.y0), box.y1)


def _best_place(
    point: Sequence[float], width: float, height: float, scale: float, taken: Sequence[Bbox], inside: Bbox
) -> tuple[Bbox, float]:
    """The box with the least overlap, and of these the nearest; with its distance in points."""
    reach = _DISTANCES[-1] * scale
    around = _ends(Bbox.from_bounds(point[0], point[1], 0, 0).padded(reach + width + height))
    near = [ends for ends in map(_ends, taken) if _overlap(ends, around)]  # the others change no sum
    thick = [ends for ends in near if ends[2] - ends[0] > 6]
    room = _ends(inside)
    best: tuple[float, float, Bbox] | None = None
    for distance in _DISTANCES:
        for sixteenth in (0, 8, 4, 12, 2, 14, 6, 10, 3, 5, 11, 13, 1, 7, 9, 15):
            angle = sixteenth * math.pi / 8
            right, up = math.cos(angle), math.sin(angle)
            x = point[0] + right * (distance * scale + width / 2)
            y = point[1] + up * (distance * scale + height / 2)
            box = Bbox.from_bounds(x - width / 2, y - height / 2, width, height)
            own = _ends(box)
            clash = sum(_overlap(own, other) for other in near) + 3 * (
                box.width * box.height - _overlap(own, room)
            )
            if distance > _LEADER_FROM:
                far = map(_ends, _along(point, _nearest(box, point))[2:])  # its own marker is not in the way
                clash += sum(_overlap(leg, other) for leg in far for other in thick)
            if best is None or clash < best[0] - 0.5:
                best = (clash, distance, box)
        if best is not None and best[0] <= 0.5:
            break
    assert best is not None
    return best[2], best[1]


def _ends(of: Bbox) -> _Ends:
    (x0, y0), (x1, y1) = of.get_points().tolist()
    return x0, y0, x1, y1


def _overlap(a: _Ends, b: _Ends) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def _leader(axes: Axes, label: Label, box: Bbox, point: Sequence[float]) -> None:
    """A thin line from a far label to its point."""
    start = axes.transData.inverted().transform(_nearest(box, point))
    axes.annotate(
        "", (label.x, label.y), xytext=tuple(start), textcoords="data", in_layout=False,
        arrowprops={"arrowstyle": "-", "color": QUIET, "lw": 0.8, "shrinkA": 1, "shrinkB": 5},
    )  # fmt: skip
