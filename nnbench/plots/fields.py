"""Receptive fields: maps of what a network uses, in the frame of what it could see, and how both grow."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pandas as pd

from nnbench.plots import style
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Subject

_COLUMNS, _PANEL_IN = 4, 2.25


def effective_fields(subject: Subject) -> Drawing:
    """A map for each arm: how much each pixel moves the centre; the panel's edge is the theoretical field."""
    found = {arm: field for arm in subject.arms if (field := subject.arrays(arm).get("field")) is not None}
    if not found:
        return style.nothing_to_draw(subject, "a map of its field")
    columns = min(_COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    figure = style.canvas(
        subject, rows * (_PANEL_IN + 0.5), title=str(subject.plan["question"]),
        how_to_read="Dark: pixels that move the centre of the output most (root of the share, first seed). "
        "Above: the width of the effective field, and that of the theoretical one.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    records = []
    for panel, (arm, field) in zip(panels, found.items(), strict=False):
        size, whole = _sizes(subject, arm)
        side = len(field)
        panel.imshow(np.sqrt(np.asarray(field, dtype=float)), cmap="Blues", interpolation="nearest")
        margin = (side - whole) / 2  # a map may be larger than the field
        panel.set_xlim(margin - 0.5, side - margin - 0.5)
        panel.set_ylim(side - margin - 0.5, margin - 0.5)
        panel.set_title(f"{arm}\n{size:.3g} of {whole:.0f} px", size=TEXT_PT - 0.5)
        panel.set_xticks([])
        panel.set_yticks([])
        for spine in panel.spines.values():
            spine.set_visible(True)
            spine.set_color(QUIET)
        records.append({"arm": arm, "effective [px]": size, "theoretical [px]": whole})
    for panel in panels[len(found) :]:
        panel.set_visible(False)
    figure.numbers = pd.DataFrame(records)
    return figure


def _sizes(subject: Subject, arm: str) -> tuple[float, float]:
    """Effective and theoretical width of *arm*, in pixels."""
    sizes = subject.values(arm, "effective_field") or subject.values(arm, "drawn_effective_field")
    return statistics.fmean(sizes), subject.values(arm, "receptive_field")[0]


def field_growth(subject: Subject) -> Drawing:
    """Theoretical and effective width against the layers, on axes that are both logarithmic."""
    series: dict[str, list[tuple[float, float, float]]] = {}
    for arm in subject.arms:
        layers = subject.values(arm, "layers")
        if layers and subject.arrays(arm).get("field") is not None:
            size, whole = _sizes(subject, arm)
            series.setdefault(arm.rpartition(", ")[0] or arm, []).append((layers[0], size, whole))
    lines = {name: sorted(points) for name, points in series.items() if len(points) > 1}
    if not lines:
        return style.nothing_to_draw(subject, "fields of several depths")
    figure = style.canvas(
        subject, 4.4, title=str(subject.plan["question"]),
        how_to_read="The theoretical field grows with the layers, the effective one with about their root.",
    )  # fmt: skip
    axis = figure.subplots()
    looks = style.looks(list(lines))
    reach = sorted({(x, of) for points in lines.values() for x, _, of in points})
    axis.plot(*zip(*reach, strict=True), color=QUIET, lw=1.6, ls=(0, (4, 3)))
    ends: list[tuple[str, tuple[float, float], Any]] = [("theoretical", reach[-1], QUIET)]
    for name, points in lines.items():
        axis.plot(
            [p[0] for p in points],
            [p[1] for p in points],
            lw=2,
            ls=looks[name].dashes,
            **looks[name].marked(8),
        )
        ends.append((name, (points[-1][0], points[-1][1]), looks[name].text))
    xs, ys = [p[0] for p in reach], [y for points in lines.values() for p in points for y in p[1:]]
    style.log_axis(axis, "x", min(xs) / 1.15, max(xs) * 1.6, most=8)
    axis.set_xticks(xs, [f"{x:.0f}" for x in xs])
    style.log_axis(axis, "y", min(ys) / 1.3, max(ys) * 1.3, most=6)
    axis.set_xlabel("layers of 3x3, log scale", size=TEXT_PT)
    axis.set_ylabel("width [px], log scale", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    low = -math.inf
    for name, (x, y), colour in sorted(ends, key=lambda end: end[1][1]):
        place = max(math.log(y), low)
        axis.annotate(name, (x, math.exp(place)), xytext=(12, 0), textcoords="offset points", va="center",
                      size=TEXT_PT, color=colour)  # fmt: skip
        low = place + 0.16
    figure.numbers = pd.DataFrame(
        [(name, *point) for name, points in lines.items() for point in points],
        columns=["series", "layers", "effective [px]", "theoretical [px]"],
    )
    return figure
