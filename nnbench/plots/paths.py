"""Where trainings go: paths over a loss surface, and how much is learned how soon."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, TEXT_PT, Drawing, Subject

_PATHS = {"full": "full batch", "64": "minibatches of 64", "1": "online"}


def loss_surface_paths(subject: Subject) -> Drawing:
    """Three trainings over the loss of a network, in the plane in which they move most."""
    arrays = next((of for arm in subject.arms if "surface" in (of := subject.arrays(arm))), None)
    if arrays is None:
        return style.nothing_to_draw(subject, "paths over a surface")
    arm = next(arm for arm in subject.arms if "surface" in subject.arrays(arm))
    share = subject.values(arm, "plane_share")[0]
    figure = style.canvas(
        subject, 4.6, title=str(subject.plan["question"]),
        how_to_read="Contours: loss of all training samples in the plane of the first two principal "
        f"components ({share:.0f} % of the variance). Dot: the first weights, the same for all. First seed.",
    )  # fmt: skip
    panels = figure.subplots(1, len(_PATHS), sharex=True, sharey=True)
    looks = style.looks(list(_PATHS))
    rows = []
    for panel, (name, words) in zip(panels, _PATHS.items(), strict=True):
        surface = np.asarray(arrays["surface"])
        levels = np.geomspace(max(1e-3, float(surface.min())), float(surface.max()), 16)
        panel.contour(arrays["x"], arrays["y"], surface, levels=levels, colors="#b8b8b8", linewidths=0.8)
        path = np.asarray(arrays[f"path_{name}"])
        panel.plot(*path.T, lw=1.8, color=looks[name].colour)
        panel.plot(*path[0], "o", ms=7, color=INK)
        panel.plot(*path[-1], "X", ms=9, color=looks[name].colour)
        panel.set_title(f"{words}\n{subject.values(arm, f'detour_{name}')[0]:.3g} times the distance",
                        size=TEXT_PT - 1)  # fmt: skip
        panel.set_xticks([])
        panel.set_yticks([])
        rows += [(words, step, *place) for step, place in enumerate(path)]
    figure.numbers = pd.DataFrame(rows, columns=["training", "place", "x", "y"])
    return figure


def progress_by_epoch(subject: Subject) -> Drawing:
    """Validation accuracy by epoch, with the first tenth marked."""
    found = {arm: of["accuracy"] for arm in subject.arms if "accuracy" in (of := subject.arrays(arm))}
    if not found:
        return style.nothing_to_draw(subject, "accuracies by epoch")
    figure = style.canvas(
        subject, 4.2, title=str(subject.plan["question"]),
        how_to_read="Grey: the first tenth of the epochs. First seed.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    axis = figure.subplots()
    labels, rows = [], []
    for arm, accuracy in found.items():
        look, epochs = subject.looks[arm], np.arange(1, len(accuracy) + 1)
        axis.plot(epochs, accuracy, lw=2, ls=look.dashes, color=look.colour)
        labels.append(Label(float(epochs[-1]), float(accuracy[-1]), arm, look))
        rows += [(arm, int(epoch), float(value)) for epoch, value in zip(epochs, accuracy, strict=True)]
    axis.axvspan(0, max(row[1] for row in rows) / 10, color="#e6e6e6", zorder=0)
    axis.set_xlim(left=0)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.set_xlabel("epoch", size=TEXT_PT)
    axis.set_ylabel("validation accuracy", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    end_labels(axis, labels)
    figure.numbers = pd.DataFrame(rows, columns=["arm", "epoch", "validation accuracy"])
    return figure
