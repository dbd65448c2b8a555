"""How far gradients reach, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, TEXT_PT, Drawing, Subject


def gradient_by_layer(subject: Subject) -> Drawing:
    """Norm of the gradient by layer, beside the last one's: the deepest network of each activation."""
    deepest: dict[str, Mapping[str, Any]] = {}
    for arm in subject.plan["arms"]:
        args, arrays = arm.get("args", {}), subject.arrays(str(arm["name"]))
        before = deepest.get(str(args.get("activation")), {"norms": ()})
        if "norms" in arrays and len(arrays["norms"]) > len(before["norms"]):
            deepest[str(args["activation"])] = arrays
    if not deepest:
        return style.nothing_to_draw(subject, "norms of gradients")
    figure = style.canvas(
        subject, 4.4, title=str(subject.plan["question"]),
        how_to_read="From the last hidden layer, at the left, it is carried back to the first. First seed.",
    )  # fmt: skip
    axis = figure.subplots()
    looks = style.looks(list(deepest))
    rows, ends = [], []
    for name, arrays in deepest.items():
        shares = np.asarray(arrays["norms"]) / arrays["norms"][-1]
        layers = np.arange(1, len(shares) + 1)
        axis.plot(layers, shares, lw=2, ls=looks[name].dashes, **looks[name].marked(6))
        rows += [
            {"activation": name, "layer": i, "share": share} for i, share in zip(layers, shares, strict=True)
        ]
        ends.append((name, shares))
    least = min(float(shares.min()) for _, shares in ends)
    greatest = max(float(shares.max()) for _, shares in ends)
    style.log_axis(axis, "y", least / 3, greatest * 3, most=7)
    axis.invert_xaxis()
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("hidden layer, last to first", size=TEXT_PT)
    axis.set_ylabel("gradient, as a share of the last layer's, log", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    end_labels(axis, [Label(1, float(shares[0]), name, looks[name]) for name, shares in ends])
    figure.numbers = pd.DataFrame(rows)
    return figure
