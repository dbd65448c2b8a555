"""Descent: where runs end in a double well, losses at the edge of divergence, by order, and floors by
rate.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.power_laws import power_law
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Subject

_COLUMNS = 5


def well_ends(subject: Subject) -> Drawing:
    """Where runs end that start in the shallow well, a panel for each rate and batch, over the landscape."""
    found = {arm: ends for arm in subject.arms if (ends := subject.arrays(arm).get("ends")) is not None}
    if not found:
        return style.nothing_to_draw(subject, "ends of runs")
    columns = min(_COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    figure = style.canvas(
        subject, rows * 1.75, title=str(subject.plan["question"]),
        how_to_read="Grey: the landscape; all start in the well at the right. Bars: where they end.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    x = np.linspace(-2, 2, 200)
    records = []
    for panel, (arm, ends) in zip(panels, found.items(), strict=False):
        share = subject.values(arm, "in_deep_well")[0]
        counts, edges = np.histogram(np.clip(ends, -2, 2), bins=32, range=(-2, 2))
        panel.bar(
            edges[:-1],
            counts / max(1, counts.max()),
            np.diff(edges),
            align="edge",
            color="#0173b2",
            alpha=0.75,
        )
        landscape = x**4 / 4 - x**2 / 2 + 0.15 * x
        panel.plot(x, 0.35 + landscape / 1.6, color="#9a9a9a", lw=1.6)
        panel.set_title(f"{arm}\n{share:.3g} % in the deep well", size=TEXT_PT - 2.5)
        panel.set_ylim(0, 1.08)
        panel.set_yticks([])
        panel.set_xticks([-1, 1], ["deep", "shallow"], size=TEXT_PT - 2)
        panel.spines["left"].set_visible(False)
        records.append((arm, share))
    for panel in panels[len(found) :]:
        panel.set_visible(False)
    figure.numbers = pd.DataFrame(records, columns=["arm", "in the deep well [%]"])
    return figure


def losses_at_the_edge(subject: Subject) -> Drawing:
    """Loss against step below and beyond the edge of divergence."""
    found = {arm: loss for arm in subject.arms if (loss := subject.arrays(arm).get("loss")) is not None}
    if not found:
        return style.nothing_to_draw(subject, "losses")
    figure = style.canvas(
        subject, 4.4, title=str(subject.plan["question"]),
        how_to_read="Loss of the first 200 steps, log scale; what grows in a straight line blows up.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    axis = figure.subplots()
    labels, height = [], 1e7
    for arm, loss in found.items():
        look, values = subject.looks[arm], np.asarray(loss, dtype=float)
        shown = values[values < 1e8]
        axis.plot(shown, lw=2, ls=look.dashes, color=look.colour)
        if len(shown) == len(values):
            labels.append(Label(len(shown) - 1, float(shown[-1]), arm, look))
            continue
        place = int(np.argmax(values > height))  # beside its line, each lower than the one before
        axis.annotate(
            arm, (place, height), xytext=(-8, 0), textcoords="offset points", va="center", ha="right",
            color=look.text, size=TEXT_PT,
        )  # fmt: skip
        height /= 100
    style.log_axis(axis, "y", min(float(min(loss)) for loss in found.values()) / 3, 1e8, most=5)
    axis.set_xlabel("step", size=TEXT_PT)
    axis.set_ylabel("loss, log scale", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    end_labels(axis, labels)
    figure.numbers = pd.DataFrame(
        [(arm, step, value) for arm, loss in found.items() for step, value in enumerate(loss)],
        columns=["arm", "step", "loss"],
    )
    return figure


def losses_by_order(subject: Subject) -> Drawing:
    """Training loss of each order of the samples, a panel for each batch size."""
    found = {
        arm: np.asarray(loss) for arm in subject.arms if (loss := subject.arrays(arm).get("loss")) is not None
    }
    if not found:
        return style.nothing_to_draw(subject, "losses")
    figure = style.canvas(
        subject, 2.9, title=str(subject.plan["question"]),
        how_to_read="Five orders of the samples, the same first weights; training loss over equal epochs.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    panels = figure.subplots(1, len(found), squeeze=False, sharey=True)[0]
    rows = []
    for panel, (arm, losses) in zip(panels, found.items(), strict=True):
        steps = subject.values(arm, "steps")[0]
        x = np.linspace(1, steps, losses.shape[1])
        for loss in losses:
            panel.plot(x, loss, lw=0.7, color=subject.looks[arm].colour, alpha=0.6)
        spread = subject.values(arm, "accuracy_spread")[0]
        panel.set_title(f"{arm}\nspread of accuracy {spread:.2g}", size=TEXT_PT - 1)
        panel.set_xlabel("step", size=TEXT_PT - 1, color=QUIET)
        rows.append((arm, steps, spread))
    panels[0].set_ylabel("training loss", color=INK)
    panels[0].set_ylim(0, 3)
    figure.numbers = pd.DataFrame(rows, columns=["arm", "steps", "spread of accuracy"])
    return figure


def floor_by_rate(subject: Subject) -> Drawing:
    """Excess loss against the rate, a line for each order."""
    read = "As steep as the dotted line: the floor falls as the square of the rate."
    return power_law(subject, "step_rate", "excess_loss", read, guide=2.0)
