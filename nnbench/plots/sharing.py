"""Shared weights: accuracy as the images move, and what becomes of an image layer by layer."""

from __future__ import annotations

import math
import re
import statistics

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Look, Subject

_HEIGHT_IN = 4.4
_SHIFT = re.compile(r"shifted_(\d+)_accuracy")


def accuracy_by_shift(subject: Subject) -> Drawing:
    """Accuracy against the distance by which all images have moved, a line for each network."""
    pixels = sorted(int(m[1]) for name in subject.frame if (m := _SHIFT.fullmatch(str(name))))
    points = {arm: found for arm in subject.arms if (found := _points(subject, arm, pixels))}
    if not points:
        return style.nothing_to_draw(subject, "an accuracy on images that have moved")
    figure = style.canvas(
        subject, _HEIGHT_IN, title=str(subject.plan["question"]),
        how_to_read="Learned from images where they are; scored on images that have moved: the mean over "
        f"four directions and {style.seeds_text(subject)}. Bars: 95 % interval.",
        notes=style.not_shown(subject, list(points)),
    )  # fmt: skip
    axis = figure.subplots()
    looks = subject.looks
    for arm, found in points.items():
        _line(axis, found, looks[arm])
    axis.set_xlabel("images moved by [pixels]", size=TEXT_PT)
    axis.set_ylabel("accuracy [%]", color=INK)
    axis.set_xticks(pixels)
    axis.set_ylim(0, 100)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    end_labels(axis, [Label(of[-1][0], of[-1][1], arm, looks[arm]) for arm, of in points.items()])
    columns = ["arm", "moved by [px]", "accuracy [%]", "low", "high"]
    figure.numbers = pd.DataFrame([(arm, *p) for arm, of in points.items() for p in of], columns=columns)
    return figure


_Point = tuple[int, float, float | None, float | None]


def _points(subject: Subject, arm: str, pixels: list[int]) -> list[_Point]:
    found = []
    for shift in pixels:
        name = f"shifted_{shift}_accuracy"
        if values := subject.values(arm, name):
            of = subject.interval(arm, name)
            found.append((shift, statistics.fmean(values), of.low if of else None, of.high if of else None))
    return found


def _line(axis: Axes, points: list[_Point], look: Look) -> None:
    for x, _, low, high in points:
        if low is not None and high is not None:
            axis.plot([x, x], [low, high], color=look.colour, lw=1.6, alpha=0.8)
    axis.plot([p[0] for p in points], [p[1] for p in points], lw=2, ls=look.dashes, **look.marked(8))


def encoding_stages(subject: Subject) -> Drawing:
    """The stages of an encoder to scale: as tall as the image's side, as wide as the root of the channels."""
    whole = [(arm, *sizes) for arm in subject.arms if (sizes := _sizes(subject, arm))]
    if not whole:
        return style.nothing_to_draw(subject, "the size of a stage")
    figure = style.canvas(
        subject, 3.6, title=str(subject.plan["question"]),
        how_to_read="As tall as the side of the output, as wide as the root of its channels. Below: "
        "channels x side x side, the bytes of a batch, the parameters of the convolution before it.",
        notes=style.not_shown(subject, [arm for arm, *_ in whole]),
    )  # fmt: skip
    axis = figure.subplots()
    _boxes(axis, whole, [subject.looks[arm].colour for arm, *_ in whole])
    figure.numbers = pd.DataFrame(
        whole, columns=["arm", "channels", "side [px]", "bytes [MiB]", "parameters"]
    )
    return figure


def _sizes(subject: Subject, arm: str) -> tuple[float, float, float, float] | None:
    """Channels, side, MiB and parameters of a stage."""
    names = ("stage_channels", "stage_side", "stage_bytes", "parameters")
    channels, side, mib, parameters = (subject.values(arm, name) for name in names)
    return (channels[0], side[0], mib[0], parameters[0]) if channels and side and mib and parameters else None


def _boxes(axis: Axes, rows: list[tuple[str, float, float, float, float]], colours: list[str]) -> None:
    tallest = max(side for _, _, side, _, _ in rows)
    widest = math.sqrt(max(channels for _, channels, _, _, _ in rows))
    for i, ((arm, channels, side, mib, parameters), colour) in enumerate(zip(rows, colours, strict=True)):
        height, width = side / tallest, 0.7 * math.sqrt(channels) / widest
        axis.add_patch(Rectangle((i - width / 2, -height / 2), width, height, color=colour, alpha=0.85, lw=0))
        lines = f"{channels:.0f} x {side:.0f} x {side:.0f}\n{mib:.3g} MiB\n{parameters:,.0f} parameters"
        axis.text(i, 0.58, arm, ha="center", va="bottom", size=TEXT_PT, weight="bold")
        axis.text(i, -0.58, lines, ha="center", va="top", size=TEXT_PT, color=QUIET, linespacing=1.35)
    axis.set_xlim(-0.6, len(rows) - 0.4)
    axis.set_ylim(-1.15, 0.75)
    axis.set_axis_off()
