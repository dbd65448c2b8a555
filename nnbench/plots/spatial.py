"""Pooling, stride and dilation: what is found of small lesions, holes, and fine against far."""

from __future__ import annotations

import re
import statistics

import numpy as np
import pandas as pd

from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Subject

_RECALL = re.compile(r"lesion_(\d+)_recall")


def recall_by_size(subject: Subject) -> Drawing:
    """The share of lesions that is found against their side, a line for each network."""
    sides = sorted(int(m[1]) for name in subject.frame if (m := _RECALL.fullmatch(str(name))))
    rows = [row for arm in subject.arms for side in sides if (row := _recall(subject, arm, side))]
    if not rows:
        return style.nothing_to_draw(subject, "a share of lesions")
    frame = pd.DataFrame(rows, columns=["arm", "side [px]", "found [%]", "low", "high"])
    figure = style.canvas(
        subject, 4.4, title=str(subject.plan["question"]),
        how_to_read=f"Mean of {style.seeds_text(subject)}; bars: 95 % interval.",
        notes=style.not_shown(subject, list(frame["arm"])),
    )  # fmt: skip
    axis = figure.subplots()
    labels = []
    for name, of in frame.groupby("arm", sort=False):
        look = subject.looks[str(name)]
        shown = of.dropna(subset=["low", "high"])
        axis.vlines(shown["side [px]"], shown["low"], shown["high"], color=look.colour, lw=1.6, alpha=0.8)
        axis.plot(of["side [px]"], of["found [%]"], lw=2, ls=look.dashes, **look.marked(8))
        labels.append(Label(of["side [px]"].iloc[0], of["found [%]"].iloc[0], str(name), look))
    style.log_axis(axis, "x", max(sides) * 1.12, min(sides) / 1.12)  # the small, which matter, at the right
    axis.set_xticks(sides, [f"{side}" for side in sides])
    axis.set_ylim(-3, 103)
    axis.set_xlabel("side of the lesion [px]", size=TEXT_PT)
    axis.set_ylabel("lesions found [%]", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    end_labels(axis, labels)
    figure.numbers = frame
    return figure


def _recall(
    subject: Subject, arm: str, side: int
) -> tuple[str, int, float, float | None, float | None] | None:
    """Arm, side, mean recall and the ends of its interval."""
    values = subject.values(arm, f"lesion_{side}_recall")
    of = subject.interval(arm, f"lesion_{side}_recall")
    if not values:
        return None
    return arm, side, statistics.fmean(values), of.low if of else None, of.high if of else None


def dilation_holes(subject: Subject) -> Drawing:
    """Which pixels move the centre, a panel for each list of dilations, all at one scale."""
    found = {arm: seen for arm in subject.arms if (seen := subject.arrays(arm).get("seen")) is not None}
    if not found:
        return style.nothing_to_draw(subject, "a map of what is seen")
    figure = style.canvas(
        subject, 2.6, title=str(subject.plan["question"]),
        how_to_read="Blue: pixels that move the centre of the output; white within them: holes.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    widest = max(len(seen) for seen in found.values())
    rows = []
    for panel, (arm, seen) in zip(panels, found.items(), strict=True):
        field = np.asarray(seen, dtype=float)
        shown = np.where(field > 0, 0.35 + 0.65 * np.sqrt(field / field.max()), np.nan)
        panel.imshow(shown, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        margin = (widest - len(field)) / 2
        panel.set_xlim(-0.5 - margin, len(field) - 0.5 + margin)
        panel.set_ylim(len(field) - 0.5 + margin, -0.5 - margin)
        share = float((field > 0).mean())
        panel.set_title(f"{arm}\n{len(field)} px, {share:.0%} seen", size=TEXT_PT - 0.5)
        panel.set_xticks([])
        panel.set_yticks([])
        for spine in panel.spines.values():
            spine.set_visible(True)
            spine.set_color("#c8c8c8")
        rows.append((arm, len(field), share))
    figure.numbers = pd.DataFrame(rows, columns=["dilations", "span [px]", "share seen"])
    return figure


def fine_and_far(subject: Subject) -> Drawing:
    """Accuracy on the far task against that on the fine one: who is good at both is at the top right."""
    rows = []
    for arm in subject.arms:
        fine, far = subject.values(arm, "fine_accuracy"), subject.values(arm, "far_accuracy")
        rows += [(arm, x, y) for x, y in zip(fine, far, strict=False)]
    if not rows:
        return style.nothing_to_draw(subject, "an accuracy on both tasks")
    frame = pd.DataFrame(rows, columns=["arm", "fine [%]", "far [%]"])
    figure = style.canvas(
        subject, 4.6, title=str(subject.plan["question"]),
        how_to_read=f"Small: a seed; large: the mean of {style.seeds_text(subject)}. Chance is 50 %.",
        notes=style.not_shown(subject, list(frame["arm"])),
    )  # fmt: skip
    axis = figure.subplots()
    for name, of in frame.groupby("arm", sort=False):
        look = subject.looks[str(name)]
        axis.plot(of["fine [%]"], of["far [%]"], ls="", alpha=0.4, **look.marked(5))
        centre = (of["fine [%]"].mean(), of["far [%]"].mean())
        axis.plot(*centre, ls="", **look.marked(11))
        axis.annotate(
            str(name), centre, xytext=(10, -16), textcoords="offset points", color=look.text, size=TEXT_PT
        )
    low = min(frame["fine [%]"].min(), frame["far [%]"].min())
    axis.set_xlim(min(50.0, low) - 2, 106)
    axis.set_ylim(min(50.0, low) - 2, 103)
    axis.axvline(100, color=QUIET, lw=0.8, ls=(0, (1, 2)))
    axis.set_xlabel("fine task: a lesion of 1 to 8 pixels, or none [% right]", size=TEXT_PT)
    axis.set_ylabel("far task: which mark is left [% right]", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    figure.numbers = frame
    return figure
