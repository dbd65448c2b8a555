"""The practice slides: calls of a loop, cross-entropy, memory formats, embeddings."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from nnbench.plots import style
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Subject

# In the order of `nnbench.studies.control_flow.CALLS`, and what is wrong with those that should not be.
_CALLS = {
    "forward": "#0173b2",
    "forward in evaluation mode": "#d55e00",
    "backward": "#56b4e9",
    "optimizer step": "#029e73",
    "validation": "#cccccc",
    "validation in training mode": "#cc78bc",
    "validation with gradients": "#ece133",
}
_CHANNELS = ("#d55e00", "#029e73", "#0173b2")
_SLIDES_LEADS = {"[5, 1, -2]": 4.0, "[1, 5, -2]": -4.0}


def call_trace(subject: Subject) -> Drawing:
    """Which calls two epochs are made of, a row for each loop."""
    found = {arm: of["calls"] for arm in subject.arms if "calls" in (of := subject.arrays(arm))}
    if not found:
        return style.nothing_to_draw(subject, "calls")
    figure = style.canvas(
        subject, 0.42 * len(found) + 1.5, title=str(subject.plan["question"]),
        how_to_read="Two epochs, from left to right, a stroke for each call. First seed.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    axis = figure.subplots()
    length = max(len(calls) for calls in found.values())
    rows = np.full((len(found), length), np.nan)
    for row, calls in zip(rows, found.values(), strict=True):
        row[: len(calls)] = calls
    colours = ListedColormap(list(_CALLS.values()))
    axis.pcolormesh(rows, cmap=colours, vmin=-0.5, vmax=len(_CALLS) - 0.5, edgecolors="white", lw=0.8)
    axis.set_yticks(np.arange(len(found)) + 0.5, list(found), size=TEXT_PT)
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel("call", size=TEXT_PT)
    axis.spines["left"].set_visible(False)
    seen = {int(call) for calls in found.values() for call in calls}
    handles = [
        Patch(color=colour, label=name) for i, (name, colour) in enumerate(_CALLS.items()) if i in seen
    ]
    axis.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.45, -0.28), ncols=3, frameon=False,
                fontsize=TEXT_PT - 1)  # fmt: skip
    names = list(_CALLS)
    figure.numbers = pd.DataFrame(
        [(arm, place, names[int(call)]) for arm, calls in found.items() for place, call in enumerate(calls)],
        columns=["loop", "place", "call"],
    )
    return figure


def cross_entropy_curve(subject: Subject) -> Drawing:
    """The loss against the lead of the right class, with the slide's two samples."""
    arrays = next((of for arm in subject.arms if "lead" in (of := subject.arrays(arm))), None)
    if arrays is None:
        return style.nothing_to_draw(subject, "a curve of the loss")
    figure = style.canvas(
        subject, 4.2, title=str(subject.plan["question"]),
        how_to_read="Line: of two classes, log(1 + exp(-lead)). Markers: the slide's samples, of three.",
    )  # fmt: skip
    axis = figure.subplots()
    axis.plot(arrays["lead"], arrays["loss"], lw=2.5, color=INK)
    rows = [("of two classes", *point) for point in zip(arrays["lead"], arrays["loss"], strict=True)]
    for arm, lead in _SLIDES_LEADS.items():
        if values := subject.values(arm, "cross_entropy"):
            look = subject.looks[arm]
            axis.plot([lead], values[:1], zorder=5, **look.marked(10))
            axis.annotate(f"{arm}, label 0: {values[0]:.4f}", (lead, values[0]), xytext=(12, 10),
                          textcoords="offset points", color=look.text, size=TEXT_PT)  # fmt: skip
            rows.append((arm, lead, values[0]))
    axis.axhline(0, color=QUIET, lw=0.8)
    axis.set_xlabel("score of the right class less that of the highest other", size=TEXT_PT)
    axis.set_ylabel("cross-entropy [nat]", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    figure.numbers = pd.DataFrame(rows, columns=["sample", "lead", "cross-entropy [nat]"])
    return figure


def memory_formats(subject: Subject) -> Drawing:
    """Which channel lies at each address, in both memory formats."""
    arrays = next((of for arm in subject.arms if "channels last" in (of := subject.arrays(arm))), None)
    if arrays is None:
        return style.nothing_to_draw(subject, "memory formats")
    figure = style.canvas(
        subject, 2.6, title=str(subject.plan["question"]),
        how_to_read="An image of 3 x 3 pixels and three channels, address by address; colour: the channel.",
    )  # fmt: skip
    panels = figure.subplots(2, 1, sharex=True)
    rows = []
    for panel, name in zip(panels, ("contiguous", "channels last"), strict=True):
        order = np.asarray(arrays[name])
        panel.imshow(order[None], cmap=ListedColormap(list(_CHANNELS)), aspect="auto")
        for address, channel in enumerate(order):
            pixel = int((order[:address] == channel).sum())
            panel.text(address, 0, f"{'RGB'[channel]}{pixel}", ha="center", va="center", color="white",
                       size=TEXT_PT - 2.5, fontweight="bold")  # fmt: skip
            rows.append((name, address, "RGB"[channel], pixel))
        panel.set_title(name, loc="left", size=TEXT_PT)
        panel.set_yticks([])
        for side in panel.spines.values():
            side.set_visible(False)
    panels[1].set_xlabel("address", size=TEXT_PT)
    figure.numbers = pd.DataFrame(rows, columns=["format", "address", "channel", "pixel"])
    return figure


def embeddings(subject: Subject) -> Drawing:
    """Held-out points in the plane, a panel for each space and method, coloured by class."""
    found = {arm: of for arm in subject.arms if "positions" in (of := subject.arrays(arm))}
    if not found:
        return style.nothing_to_draw(subject, "positions of points")
    columns = min(2, len(found))
    rows = math.ceil(len(found) / columns)
    figure = style.canvas(
        subject, rows * 3.2, title=str(subject.plan["question"]),
        how_to_read="Points that nobody trained on, a colour for each class. Sizes and distances of clusters "
        "mean nothing. First seed.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    numbers = []
    for panel, (arm, of) in zip(panels, found.items(), strict=False):
        positions, labels = np.asarray(of["positions"]), np.asarray(of["labels"])
        panel.scatter(*positions.T, c=labels, cmap="tab10", vmin=-0.5, vmax=9.5, s=9, lw=0, alpha=0.8)
        for label in np.unique(labels):
            centre = np.median(positions[labels == label], axis=0)
            box = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.75}
            panel.text(*centre, str(label), size=TEXT_PT - 1, fontweight="bold", ha="center", va="center",
                       bbox=box)  # fmt: skip
        told = subject.values(arm, "silhouette")[0], subject.values(arm, "neighbour_accuracy")[0]
        panel.set_title(f"{arm}\nsilhouette {told[0]:.2f}, neighbours {told[1]:.0f} %", size=TEXT_PT - 2)
        panel.set_xticks([])
        panel.set_yticks([])
        numbers += [(arm, int(label), *place) for label, place in zip(labels, positions, strict=True)]
    for panel in panels[len(found) :]:
        panel.set_visible(False)
    figure.numbers = pd.DataFrame(numbers, columns=["arm", "class", "x", "y"])
    return figure
