"""XOR: how often it is learned, and what a network says of every point of the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from nnbench.metrics import TRIALS
from nnbench.plots import style
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Subject
from nnbench.stats import clopper_pearson

_EXTENT = (-0.6, 1.6, -0.6, 1.6)
_YES, _NO = "#de8f05", "#0173b2"
_BETWEEN = LinearSegmentedColormap.from_list("no to yes", ["#7fb8d8", "#ffffff", "#f2c778"])
_PANEL_IN = 1.9
_COLUMNS = 4


def solve_rate(subject: Subject) -> Drawing:
    """The share of first weights from which XOR is learned, by hidden units; a line for each activation."""
    points = [point for arm in subject.plan["arms"] if (point := _point(subject, arm)) is not None]
    if not points:
        return style.nothing_to_draw(subject, "a share of first weights")
    frame = pd.DataFrame(points)
    figure = style.canvas(
        subject, 4.4, title=str(subject.plan["question"]),
        how_to_read=f"Each dot: {int(frame['trials'].max())} networks from as many first weights. Bars: 95 % "
        "interval of the share.",
        notes=style.not_shown(subject, list(frame["arm"])),
    )  # fmt: skip
    axis = figure.subplots()
    looks = style.looks(list(dict.fromkeys(frame["activation"])))
    for i, (name, of) in enumerate(frame.groupby("activation", sort=False)):
        look, rows = looks[str(name)], of.sort_values("hidden")
        x = rows["hidden"] * (1 + 0.012 * (i - 2))  # side by side, where intervals would cover each other
        axis.vlines(x, rows["low"], rows["high"], color=look.colour, lw=1.6, alpha=0.8)
        axis.plot(x, rows["share"], lw=2, ls=look.dashes, label=str(name), **look.marked(8))
    widths = sorted(set(frame["hidden"]))
    style.log_axis(axis, "x", min(widths) / 1.15, max(widths) * 1.15)
    axis.set_xticks(widths, [str(width) for width in widths])
    axis.set_xlabel("hidden units", size=TEXT_PT)
    axis.set_ylabel("first weights that learn it [%]", color=INK)
    axis.set_ylim(-3, 103)
    axis.grid(color="#ececec")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.numbers = frame
    return figure


def _point(subject: Subject, arm: Mapping[str, Any]) -> dict[str, Any] | None:
    name, args = str(arm["name"]), arm.get("args", {})
    shares, trials = subject.values(name, "xor_solved"), subject.values(name, TRIALS)
    if not shares or not trials or "hidden" not in args or args.get("bits", 2) != 2:
        return None
    of = clopper_pearson(round(shares[0] / 100 * trials[0]), int(trials[0]), 0.95)
    return {
        "arm": name, "activation": args["activation"], "hidden": int(args["hidden"]), "share": shares[0],
        "low": 100 * (of.low or 0), "high": 100 * (of.high or 0), "trials": trials[0],
    }  # fmt: skip


def decision_regions(subject: Subject) -> Drawing:
    """What networks say of every point about the corners: one that learned XOR, and one that did not."""
    pictures = []
    for arm in subject.arms:
        arrays = subject.arrays(arm)
        pictures += [(f"{arm}: {name}", arrays[name]) for name in ("solved", "unsolved") if name in arrays]
    return _regions(subject, _few(pictures))


def linear_xor(subject: Subject) -> Drawing:
    """What logistic regression says of every point: the same everywhere."""
    pictures = [
        (arm, arrays["chance"])
        for arm in subject.arms
        if (arrays := subject.arrays(arm)).get("chance") is not None
    ]
    return _regions(subject, pictures)


def _few(pictures: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Both kinds of the narrow networks, and no more than three rows."""
    both = {name.partition(":")[0] for name, _ in pictures if name.endswith("unsolved")}
    chosen = [of for of in pictures if of[0].partition(":")[0] in both] or list(pictures)
    return chosen[: 3 * _COLUMNS]


def _regions(subject: Subject, pictures: Sequence[tuple[str, Any]]) -> Drawing:
    if not pictures:
        return style.nothing_to_draw(subject, "a picture of its decisions")
    columns = _COLUMNS if len(pictures) > 1 else 2
    rows = -(-len(pictures) // columns)
    figure = style.canvas(
        subject, rows * (_PANEL_IN + 0.45), title=str(subject.plan["question"]),
        how_to_read="Orange: 'yes, one of the two'; blue: 'no'; white: one half. Dots: the four corners, "
        "in the colour that is right.",
    )  # fmt: skip
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, (name, chance) in zip(panels, pictures, strict=False):
        _panel(panel, name, np.asarray(chance, dtype=float))
    for panel in panels[len(pictures) :]:
        panel.set_visible(False)
    figure.numbers = pd.DataFrame(
        [
            {"picture": name, "least": float(np.min(of)), "greatest": float(np.max(of))}
            for name, of in pictures
        ]
    )
    return figure


def _panel(panel: Axes, name: str, chance: Any) -> None:
    panel.imshow(chance, extent=_EXTENT, vmin=0, vmax=1, cmap=_BETWEEN, interpolation="bilinear")
    if chance.min() < 0.5 < chance.max():
        side = np.linspace(_EXTENT[0], _EXTENT[1], chance.shape[0])
        panel.contour(side, side[::-1], chance, levels=[0.5], colors=[INK], linewidths=1.2)
    for x in (0, 1):
        for y in (0, 1):
            panel.plot(x, y, "o", ms=9, color=_YES if x != y else _NO, mec="white", mew=1.2)
    panel.set_title(name, size=TEXT_PT - 1)
    panel.set_xticks([0, 1], ["plain", "pizza"], size=TEXT_PT - 2, color=QUIET)
    panel.set_yticks([0, 1], ["no", "pine-\napple"], size=TEXT_PT - 2, color=QUIET)
