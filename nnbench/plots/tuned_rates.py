"""Optimizers over a grid of rates: accuracy by rate, with the rates that are good."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, TEXT_PT, Drawing, Look, Subject
from nnbench.records import OK
from nnbench.stats import best_of, plateau

_HEIGHT_IN = 4.6
_GOOD = 2.0  # points below the best: as the records count good rates


@dataclass(frozen=True)
class _Curve:
    """Of an arm the mean over seeds of the accuracy at each rate, in percent, and the good rates."""

    arm: str
    name: str
    rates: tuple[float, ...]
    accuracies: tuple[float, ...]
    good: tuple[float, float]

    @property
    def best(self) -> tuple[float, float]:
        at = best_of(self.accuracies)
        return self.rates[at], self.accuracies[at]


def accuracy_by_rate(subject: Subject) -> Drawing:
    """Validation accuracy against the learning rate, a panel for each data set, a line for each optimizer."""
    panels = _panels(subject)
    if not panels:
        return style.nothing_to_draw(subject, "accuracies over a grid of rates")
    curves = [curve for each in panels.values() for curve in each]
    read = f"Mean of {style.seeds_text(subject)}. Thick: rates within {_GOOD:.0f} points of the best. "
    read += "Marker: the best one."
    read += "" if len(panels) > 1 else " Numbers: at the rates that were chosen without the validation set."
    figure = style.canvas(
        subject, _HEIGHT_IN, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, [curve.arm for curve in curves]),
    )  # fmt: skip
    looks = style.looks(list(dict.fromkeys(curve.name for curve in curves)))
    axes = list(figure.subplots(1, len(panels), squeeze=False, sharey=True).ravel())
    low, high = min(min(c.accuracies) for c in curves), max(max(c.accuracies) for c in curves)
    for axis, (title, each) in zip(axes, panels.items(), strict=True):
        for curve in each:
            _draw(axis, curve, looks[curve.name])
        rates = [rate for curve in each for rate in curve.rates]
        style.log_axis(axis, "x", min(rates) / 1.3, max(rates) * 1.3, most=4 if len(panels) > 1 else 7)
        axis.set_ylim(max(0.0, low - 4), min(100.0, high + 4))
        axis.set_title(title, loc="left")
        axis.set_xlabel("learning rate, log scale", size=TEXT_PT)
        axis.grid(color="#ececec")
        axis.set_axisbelow(True)
    axes[0].set_ylabel("validation accuracy [%]", color=INK)
    last = list(panels.values())[-1]
    told = {c.name: c.name if len(panels) > 1 else _told(subject, c) for c in last}
    # at the best of each, where they differ: far beyond it all lines lie at chance
    end_labels(axes[-1], [Label(*c.best, told[c.name], looks[c.name]) for c in last])
    figure.numbers = pd.DataFrame([
        {"arm": c.arm, "learning rate": rate, "validation accuracy [%]": accuracy,
         "good": c.good[0] <= rate <= c.good[1]}
        for c in curves for rate, accuracy in zip(c.rates, c.accuracies, strict=True)
    ])  # fmt: skip
    return figure


def _panels(subject: Subject) -> dict[str, list[_Curve]]:
    """Data set -> the curves on it."""
    found: dict[str, list[_Curve]] = {}
    for plan in subject.plan["arms"]:
        of = plan.get("args", {}).get("arm")
        curve = _curve(subject, str(plan["name"]), of) if isinstance(of, Mapping) else None
        if curve is not None:
            title = str(of.get("data", "fashion-mini")).rpartition(":")[2].replace("_", " ")
            found.setdefault(title, []).append(curve)
    return found


def _curve(subject: Subject, arm: str, of: Mapping[str, Any]) -> _Curve | None:
    records = subject.run.of(str(subject.plan["name"]))
    done = [r.arrays for r in records if r.arm["name"] == arm and r.status == OK and r.arrays]
    done = [arrays for arrays in done if "validation_accuracy" in arrays]
    if not done:
        return None
    rates = tuple(float(rate) for rate in done[0]["rates"])
    means = tuple(
        100 * math.fsum(float(arrays["validation_accuracy"][i]) for arrays in done) / len(done)
        for i in range(len(rates))
    )
    return _Curve(arm, arm.partition(", ")[0], rates, means, plateau(rates, means, _GOOD))


def _told(subject: Subject, curve: _Curve) -> str:
    """'adam: 83.9 %': where the rate is chosen without the validation set."""
    chosen = subject.values(curve.arm, "validation_accuracy")
    return f"{curve.name}: {math.fsum(chosen) / len(chosen):.1f} %" if chosen else curve.name


def _draw(axis: Axes, curve: _Curve, look: Look) -> None:
    axis.plot(curve.rates, curve.accuracies, color=look.colour, ls=look.dashes, lw=1.6)
    low, high = curve.good
    at = dict(zip(curve.rates, curve.accuracies, strict=True))
    bar = curve.best[1] - _GOOD  # met between two rates, unless the grid ends before
    inner = [(rate, accuracy) for rate, accuracy in at.items() if low < rate < high]
    thick = [(low, at.get(low, bar)), *inner, (high, at.get(high, bar))]
    axis.plot([r for r, _ in thick], [a for _, a in thick], color=look.colour, lw=5.5, alpha=0.55,
              solid_capstyle="round")  # fmt: skip
    axis.plot(*[[value] for value in curve.best], zorder=5, **look.marked(9))
