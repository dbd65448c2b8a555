"""Learning over time: accuracy against what is paid, and the loss of single steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nnbench.findings import best_arm
from nnbench.metrics import metric
from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import ALARM, QUIET, Drawing, Subject
from nnbench.records import OK
from nnbench.results import curves, step_samples
from nnbench.stats import evenly

ACCURACY = metric("validation_accuracy")
# column of `nnbench.results.curves` -> label, and whether the axis is logarithmic
BUDGETS = {
    "epoch": ("epochs", False),
    "steps": ("steps, log scale", True),
    "samples": ("samples seen, log scale", True),
    "train_s": ("training time [s], log scale", True),
}
PANELS_MOST = 6


def learning_curves(subject: Subject) -> Drawing:
    """Validation accuracy against epochs: a line per arm, a band from the worst to the best seed."""
    frame = _accuracies(subject)
    if frame.empty:
        return style.nothing_to_draw(subject, "a validation accuracy per epoch")
    shown = [arm for arm in subject.arms if arm in set(frame["arm"])]
    height = max(4.6, 0.26 * len(shown) + 1)
    figure = style.canvas(
        subject, height, title=_ends_highest(subject) or str(subject.plan["question"]),
        how_to_read=_band_text(subject), notes=style.not_shown(subject, shown),
    )  # fmt: skip
    axis = figure.subplots()
    labels = _lines(axis, subject, frame, "epoch")
    axis.set_xlabel("epochs")
    axis.set_ylabel(style.axis_label(ACCURACY))
    end_labels(axis, labels)
    figure.numbers = frame
    return figure


def accuracy_by_budget(subject: Subject) -> Drawing:
    """The same accuracies four times: against epochs, steps, samples and seconds."""
    frame = _accuracies(subject)
    if frame.empty:
        return style.nothing_to_draw(subject, "a validation accuracy per epoch")
    shown = [arm for arm in subject.arms if arm in set(frame["arm"])]
    panel = max(3.3, 0.26 * len(shown) + 0.7)
    figure = style.canvas(
        subject, 2 * panel, title=str(subject.plan["question"]),
        how_to_read=f"The same accuracies against four budgets. {_band_text(subject)}",
        notes=style.not_shown(subject, shown),
    )  # fmt: skip
    panels = figure.subplots(2, 2, sharey=True)
    labels: list[list[Label]] = []
    for axis, (column, (label, log)) in zip(panels.flat, BUDGETS.items(), strict=True):
        labels.append(_lines(axis, subject, frame, column, log=log))
        axis.set_xlabel(label)
    for i in (0, 2):
        panels.flat[i].set_ylabel(style.axis_label(ACCURACY))
        end_labels(panels.flat[i + 1], labels[i + 1])
    figure.numbers = frame
    return figure


def _band_text(subject: Subject) -> str:
    if subject.seeds == 1:
        return "A line per arm, 1 seed."
    return f"Line: mean of {subject.seeds} seeds; band: from the worst to the best seed."


def _ends_highest(subject: Subject) -> str:
    best = best_arm(subject.run.of(str(subject.plan["name"])))
    if best is None:
        return ""
    arm, accuracy = best
    return f"{arm} ends highest: {accuracy * 100:.1f} % of the validation images are right"


def _accuracies(subject: Subject) -> pd.DataFrame:
    """Accuracy in percent at the end of each epoch, of the arms that learned or began to."""
    run = dataclasses.replace(subject.run, records=subject.run.of(str(subject.plan["name"])))
    frame = curves(run).dropna(subset=["validation_accuracy"])
    frame["validation_accuracy"] *= ACCURACY.scale
    return frame[["arm", "seed", "block", "status", *BUDGETS, "validation_accuracy"]]


def _lines(
    axis: Axes, subject: Subject, frame: pd.DataFrame, column: str, *, log: bool = False
) -> list[Label]:
    """A line per arm through the means over its seeds; returns what to write at their ends."""
    labels = []
    for arm in subject.arms:
        of_arm = frame[frame["arm"] == arm]
        of_arm = of_arm.dropna(subset=[column])
        if of_arm.empty:
            continue
        look = subject.looks[arm]
        grouped = of_arm.groupby("epoch").agg(
            x=(column, "mean"), y=("validation_accuracy", "mean"),
            low=("validation_accuracy", "min"), high=("validation_accuracy", "max"),
        )  # fmt: skip
        every = max(1, len(grouped) // 12)
        axis.plot(grouped["x"], grouped["y"], ls=look.dashes, lw=2, markevery=every, **look.marked(6.5))
        if len(grouped) > 1:
            alpha = 0.16 if len(subject.arms) <= 6 else 0.08
            axis.fill_between(grouped["x"], grouped["low"], grouped["high"], color=look.colour, alpha=alpha,
                              linewidth=0)  # fmt: skip
        trouble = subject.trouble(arm)
        text = _shortened(f"{arm} ({trouble})" if trouble else arm)
        labels.append(Label(grouped["x"].iloc[-1], grouped["y"].iloc[-1], text, look))
    _budget_axis(axis, frame[column].dropna(), log=log)
    axis.grid(axis="y")
    axis.set_axisbelow(True)
    return labels


def _shortened(text: str, most: int = 32) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 + 1 :]}"


def _budget_axis(axis: Axes, values: pd.Series[Any], *, log: bool) -> None:
    low, high = float(values.min()), float(values.max())
    if log and low > 0:
        pad = (high / low) ** 0.05 if high > low else 2.0
        style.log_axis(axis, "x", low / pad, high * pad, most=5)
        return
    pad = 0.04 * (high - low) or 0.5
    axis.set_xlim(low - pad, high + pad)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]))


def loss_by_step(subject: Subject) -> Drawing:
    """Training loss of single steps: one panel per arm, one thin line per seed, one scale for all."""
    run = dataclasses.replace(subject.run, records=subject.run.of(str(subject.plan["name"])))
    frame = step_samples(run, "step_loss").dropna(subset=["step_loss"])
    shown = [arm for arm in subject.arms if arm in set(frame["arm"])]
    if not shown:
        return style.nothing_to_draw(subject, "a loss per step")
    chosen = [shown[i] for i in evenly(len(shown), PANELS_MOST)]
    frame = frame[frame["arm"].isin(chosen)]
    top, cut = _loss_limit(frame)
    read = "Training loss of single steps; one line per seed, the same scale in all panels."
    of = "of these" if subject.choice else "of"
    read += f" Showing {len(chosen)} {of} {len(shown)} arms." if len(chosen) < len(shown) else ""
    read += f" Losses above {top:.3g} nat are cut off." if cut else ""
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = style.canvas(
        subject, 2.75 * rows + 0.3, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, shown),
    )  # fmt: skip
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axis in panels.flat[len(chosen) :]:
        axis.set_axis_off()
    for i, (axis, arm) in enumerate(zip(panels.flat, chosen, strict=False)):
        _losses(axis, subject, frame[frame["arm"] == arm], arm, 0.78 * style.WIDTH_IN / columns)
        axis.set_ylabel("training loss [nat]" if i % columns == 0 else "")
        axis.set_xlabel("step" if i + columns >= len(chosen) else "")
    panels.flat[0].set_ylim(0, top)
    figure.numbers = frame
    return figure


def _loss_limit(frame: pd.DataFrame) -> tuple[float, bool]:
    """A scale that shows what is typical of every arm; and whether it cuts anything off."""
    steady = frame[frame["status"] == OK]
    steady = steady if len(steady) else frame
    typical = steady.groupby("arm")["step_loss"].quantile(0.985).max()
    first = steady[steady["step"] == 1].groupby("arm")["step_loss"].median().max()
    top = float(np.nanmax([typical * 1.1, first * 1.15, 1e-3]))
    return top, bool((frame["step_loss"] > top).any())


def _losses(axis: Axes, subject: Subject, frame: pd.DataFrame, arm: str, width_in: float) -> None:
    import seaborn as sns

    look = subject.looks[arm]
    seeds = frame["seed"].nunique()
    marker = {"marker": "o", "markersize": 4} if frame.groupby("seed").size().max() <= 30 else {}
    clipped = frame.assign(step_loss=np.minimum(frame["step_loss"], 1e6))  # Agg overflows beyond
    sns.lineplot(
        clipped, x="step", y="step_loss", units="seed", estimator=None, ax=axis, color=look.colour,
        linewidth=0.9, alpha=max(0.3, 0.85 - 0.06 * seeds), **marker,
    )  # fmt: skip
    last = int(frame["step"].max())
    title = style.wrap_name(arm, width_in, style.TEXT_PT + 0.5, bold=True)
    axis.set_title("\n".join(title), loc="left", weight="bold", color=look.text)
    axis.set_xlim(min(0.5, 1 - 0.02 * last), max(last * 1.02, 1.5))
    axis.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axis.xaxis.set_major_formatter(lambda value, _: style.short(value))
    axis.grid(axis="y")
    trouble = subject.trouble(arm)
    if trouble:
        axis.text(0.04, 0.05, trouble, transform=axis.transAxes, color=ALARM, weight="bold")
    elif last <= 30:
        axis.text(0.97, 0.95, f"{last} steps", transform=axis.transAxes, ha="right", va="top",
                  color=QUIET)  # fmt: skip


__all__: Sequence[str] = ["accuracy_by_budget", "learning_curves", "loss_by_step"]
