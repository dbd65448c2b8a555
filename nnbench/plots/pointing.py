"""Grad-CAM over the pictures that it was asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnbench.plots import style
from nnbench.plots.style import QUIET, TEXT_PT, Drawing, Subject

_NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
_PICTURES = 2


def pointing_maps(subject: Subject) -> Drawing:
    """Two pictures, each asked for both of its garments: a row of maps for each state of the network."""
    found = {arm: arrays for arm in subject.arms if "canvas" in (arrays := subject.arrays(arm))}
    if not found:
        return style.nothing_to_draw(subject, "a map")
    figure = style.canvas(
        subject, 1.2 * len(found) + 0.4, title=str(subject.plan["question"]),
        how_to_read="Orange: what speaks for the garment asked for, named above. At the left: how often the "
        "map's greatest value lies in its half.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    panels = figure.subplots(len(found), 2 * _PICTURES, squeeze=False)
    rows = []
    for number, (row, (arm, arrays)) in enumerate(zip(panels, found.items(), strict=True)):
        shares = subject.values(arm, "pointing_share")
        share = sum(shares) / len(shares) if shares else float("nan")
        row[0].set_ylabel(f"{arm}\n{share:.0f} %", rotation=0, ha="right", va="center", size=TEXT_PT)
        for i, panel in enumerate(row):
            _overlay(panel, arrays, i // 2, ("left_map", "right_map")[i % 2], first=not number)
        rows.append((arm, share))
    figure.numbers = pd.DataFrame(rows, columns=["arm", "points at it [%]"])
    return figure


def _overlay(panel: Axes, arrays: Mapping[str, Any], picture: int, name: str, *, first: bool) -> None:
    """One picture with one map over it, as large as the picture."""
    canvas = np.asarray(arrays["canvas"])[picture]
    heat = np.asarray(arrays[name], dtype=float)[picture]
    extent = (0.0, float(canvas.shape[1]), float(canvas.shape[0]), 0.0)
    panel.imshow(255 - canvas, cmap="gray", vmin=0, vmax=255, extent=extent)
    colours = np.zeros((*heat.shape, 4))
    colours[..., :3] = (0.87, 0.45, 0.0)
    colours[..., 3] = 0.75 * np.clip(heat, 0, 1)
    panel.imshow(colours, extent=extent, interpolation="bilinear")
    panel.set_xticks([])
    panel.set_yticks([])
    for spine in panel.spines.values():
        spine.set_visible(True)
        spine.set_color("#c8c8c8")
    if first:
        asked = int(np.asarray(arrays["classes"])[picture][int(name == "right_map")])
        panel.set_title(_NAMES[asked], size=TEXT_PT, color=QUIET)
