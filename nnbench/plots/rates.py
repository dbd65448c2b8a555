"""Learning rates: what a range test sees, the sharpness that a rate leads to, and schedules step by step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnbench.metrics import RATE_RULES
from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Subject

_COLUMNS = 4
_MARKS = {"start": "v", "least": "o", "tenth": "s", "steepest": "X"}


def range_test(subject: Subject) -> Drawing:
    """Loss against the rising rate, and the accuracy at each rate of a grid below it, with the rules' "
    "picks.
    """
    found = {arm: of for arm in subject.arms if "smoothed" in (of := subject.arrays(arm))}
    if not found:
        return style.nothing_to_draw(subject, "range tests")
    figure = style.canvas(
        subject, 6.0, title=str(subject.plan["question"]),
        how_to_read="Above: the loss while the rate rises, and its mean. Below: accuracy after whole "
                    "trainings. "
        "First seed.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    panels = figure.subplots(2, len(found), squeeze=False, sharex=True)
    rows: list[tuple[str, str, float, float]] = []
    looks = style.looks(list(RATE_RULES))
    for column, (arm, of) in enumerate(found.items()):
        above, below = panels[0][column], panels[1][column]
        above.set_title(arm, loc="left")
        _losses(above, of)
        below.plot(of["grid"], 100 * np.asarray(of["accuracy"]), lw=2, color=INK, marker="o", ms=4)
        for rule, mark in _MARKS.items():
            rate = subject.values(arm, f"{rule}_rate")[0]
            colour = looks[rule].colour
            for axis in (above, below):
                axis.axvline(rate, color=colour, lw=1.4, ls=looks[rule].dashes, zorder=1)
            below.plot([rate], [4], mark, ms=9, color=colour, clip_on=False, zorder=6,
                       label=RATE_RULES[rule])  # fmt: skip
            rows.append((arm, RATE_RULES[rule], rate, math.nan))
        rows += [(arm, "loss", *point) for point in zip(of["rates"], of["losses"], strict=True)]
        rows += [(arm, "smoothed loss", *point) for point in zip(of["rates"], of["smoothed"], strict=True)]
        rows += [
            (arm, "validation accuracy", *point) for point in zip(of["grid"], of["accuracy"], strict=True)
        ]
        style.log_axis(below, "x", min(of["rates"]), max(max(of["rates"]), max(of["grid"])), most=6)
        below.set_ylim(0, 100)
        below.set_xlabel("learning rate, log scale", size=TEXT_PT)
    panels[0][0].set_ylabel("training loss", color=INK)
    panels[1][0].set_ylabel("validation accuracy [%]", color=INK)
    panels[1][0].legend(loc="upper left", frameon=False, fontsize=TEXT_PT - 2)
    figure.numbers = pd.DataFrame(rows, columns=["arm", "what", "learning rate", "value"])
    return figure


def _losses(axis: Axes, of: Mapping[str, Any]) -> None:
    axis.plot(of["rates"], of["losses"], lw=0.8, color=QUIET, alpha=0.6)
    axis.plot(of["rates"], of["smoothed"], lw=2.2, color=INK)
    axis.set_ylim(0, 2.5 * float(of["smoothed"][0]))
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)


def sharpness_by_step(subject: Subject) -> Drawing:
    """Largest eigenvalue of the Hessian against the step, and 2 / rate, a line for each rate."""
    found = {arm: of for arm in subject.arms if "sharpness" in (of := subject.arrays(arm))}
    if not found:
        return style.nothing_to_draw(subject, "sharpness by step")
    figure = style.canvas(
        subject, 4.4, title=str(subject.plan["question"]),
        how_to_read="Dotted: 2 / rate, beyond which descent on a quadratic diverges. First seed.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    axis = figure.subplots()
    rates = {str(arm["name"]): float(arm["args"]["rate"]) for arm in subject.plan["arms"]}
    labels, rows = [], []
    for arm, of in found.items():
        look, values = subject.looks[arm], np.asarray(of["sharpness"])
        axis.plot(of["step"], values, lw=2, ls=look.dashes, color=look.colour)
        axis.axhline(2 / rates[arm], color=look.colour, lw=1.4, ls=":")
        labels.append(Label(float(of["step"][-1]), float(values[-1]), arm, look))
        rows += [(arm, 2 / rates[arm], *point) for point in zip(of["step"], values, strict=True)]
    axis.set_ylim(0, 1.15 * max(max(row[3] for row in rows), max(row[1] for row in rows)))
    axis.set_xlabel("step", size=TEXT_PT)
    axis.set_ylabel("sharpness", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    end_labels(axis, labels)
    figure.numbers = pd.DataFrame(rows, columns=["arm", "2 / rate", "step", "sharpness"])
    return figure


def rates_of_schedules(subject: Subject) -> Drawing:
    """The rate of each step, a panel for each schedule."""
    found = {arm: of["rate"] for arm in subject.arms if "rate" in (of := subject.arrays(arm))}
    if not found:
        return style.nothing_to_draw(subject, "rates by step")
    columns = min(_COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    figure = style.canvas(
        subject, rows * 1.9, title=str(subject.plan["question"]),
        how_to_read="The rate of each step, as a share of the arm's own.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for panel, (arm, rate) in zip(panels, found.items(), strict=False):
        panel.fill_between(range(len(rate)), rate, color=subject.looks[arm].colour, alpha=0.18, lw=0)
        panel.plot(rate, lw=2, color=subject.looks[arm].colour)
        panel.set_title(arm, size=TEXT_PT - 1, loc="left")
        panel.set_ylim(0, 1.08)
        panel.set_yticks([0, 0.5, 1])
    for panel in panels[len(found) :]:
        panel.set_visible(False)
    for panel in panels[max(0, len(found) - columns) : len(found)]:
        panel.set_xlabel("step", size=TEXT_PT - 1, color=QUIET)
        panel.tick_params(labelbottom=True)
    figure.numbers = pd.DataFrame(
        [(arm, step, value) for arm, rate in found.items() for step, value in enumerate(rate)],
        columns=["arm", "step", "rate"],
    )
    return figure
