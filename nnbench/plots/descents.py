"""Optimizers where all is exact: on a slope that never changes, down narrow valleys, over surfaces."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, TEXT_PT, Drawing, Look, Subject

_HEIGHT_IN = 4.4
_PANEL_IN = 3.6
_BOTTOM = 1e-12  # what is lower is the bottom
_Arrays = Mapping[str, Any]


def _args(subject: Subject) -> dict[str, Mapping[str, Any]]:
    """Arm -> the arguments of its probe, for those with an optimizer."""
    plans = {str(arm["name"]): arm.get("args", {}) for arm in subject.plan["arms"]}
    return {name: args for name, args in plans.items() if "optimizer" in args}


def _panels(figure: Drawing, rows: int, columns: int, shown: int, **how: Any) -> list[Axes]:
    panels = list(figure.subplots(rows, columns, squeeze=False, **how).ravel())
    for panel in panels[shown:]:
        panel.set_visible(False)
    return panels[:shown]


def _title(subject: Subject, height_in: float, read: str, shown: Sequence[str]) -> Drawing:
    return style.canvas(
        subject, height_in, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, shown),
    )  # fmt: skip


def gradient_walks(subject: Subject) -> Drawing:
    """Distance walked against steps on constant gradients: a panel for each, a line for each optimizer."""
    args = _args(subject)
    usual = min((int(of["steps"]) for of in args.values() if "steps" in of), default=0)
    walks: dict[float, dict[str, Sequence[float]]] = {}
    for arm, of in args.items():
        arrays = subject.arrays(arm) if of.get("steps") == usual else {}
        if "walked" in arrays:
            walks.setdefault(float(of["gradient"]), {})[str(of["optimizer"])] = arrays["walked"]
    if not walks:
        return style.nothing_to_draw(subject, "a walk")
    looks = style.looks(list(dict.fromkeys(str(of["optimizer"]) for of in args.values())))
    read = "Both axes are logarithmic. A line at the same height in all panels does not care how steep it is."
    figure = _title(subject, _HEIGHT_IN, read, [a for a in subject.arms if subject.arrays(a)])
    panels = _panels(figure, 1, len(walks), len(walks), sharex=True, sharey=True)
    for panel, (gradient, lines) in zip(panels, sorted(walks.items()), strict=True):
        for name, places in lines.items():
            steps = range(1, len(places))
            panel.plot(steps, places[1:], color=looks[name].colour, ls=looks[name].dashes, lw=2.2)
        panel.set_title(f"gradient {style.short(gradient)}", loc="left")
    _walk_axes(panels, [float(p) for of in walks.values() for line in of.values() for p in line[1:]], usual)
    last = walks[max(walks)]
    end_labels(panels[-1], [Label(usual, of[-1], name, looks[name]) for name, of in last.items()])
    rows = [
        {"gradient": gradient, "optimizer": name, "step": step, "distance": place}
        for gradient, lines in walks.items() for name, line in lines.items()
        for step, place in enumerate(line)
    ]  # fmt: skip
    figure.numbers = pd.DataFrame(rows)
    return figure


def _walk_axes(panels: Sequence[Axes], places: Sequence[float], steps: int) -> None:
    for panel in panels:
        style.log_axis(panel, "x", 1, steps * 1.15, most=3)
        style.log_axis(panel, "y", min(places) / 2, max(places) * 2, most=6)
        panel.grid(color="#ececec")
        panel.set_axisbelow(True)
    panels[len(panels) // 2].set_xlabel("steps, log scale", size=TEXT_PT)
    panels[0].set_ylabel("distance walked, log scale", color=INK)


def steps_by_kappa(subject: Subject) -> Drawing:
    """Steps to the bottom against how narrow the valley is: a line for each optimizer and each lie."""
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for arm, of in _args(subject).items():
        if steps := subject.values(arm, "steps_to_bottom"):
            turned = f",\nacross the weights ({of['degrees']:.0f}°)" if of.get("degrees") else ""
            lines.setdefault(f"{of['optimizer']}{turned}", []).append((float(of["kappa"]), steps[0], arm))
    if not lines:
        return style.nothing_to_draw(subject, "a number of steps to the bottom")
    read = "Flat: the narrowness costs nothing. As steep as the upper dotted line: ten times as narrow takes "
    read += "ten times the steps; as the lower one: 3.2 times."
    shown = [arm for points in lines.values() for _, _, arm in points]
    figure = _title(subject, _HEIGHT_IN, read, shown)
    axis = figure.subplots()
    looks = style.looks(list(lines))
    points = [point for each in lines.values() for point in each]
    low, high = min(x for x, _, _ in points), max(x for x, _, _ in points)
    style.log_axis(axis, "x", low / 1.15, high * 1.15, most=8)
    style.log_axis(axis, "y", min(y for _, y, _ in points) / 1.6, max(y for _, y, _ in points) * 1.6, most=6)
    for name, each in lines.items():
        _series(axis, each, looks[name])
    for power in (1.0, 0.5):
        axis.plot([low, high], [2.3 * low, 2.3 * low * (high / low) ** power], color="#909090", lw=1.2,
                  ls=(0, (1, 2)), zorder=0.6, scaley=False)  # fmt: skip
    axis.set_xlabel("kappa: times that the valley is steeper across than along, log scale", size=TEXT_PT)
    axis.set_ylabel("steps to the bottom, log scale", color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    end_labels(axis, [Label(e[-1][0], e[-1][1], name, looks[name]) for name, e in lines.items()])
    figure.numbers = pd.DataFrame(
        [{"line": name.replace("\n", " "), "arm": arm, "kappa": x, "steps": y}
         for name, each in lines.items() for x, y, arm in each]
    )  # fmt: skip
    return figure


def _series(axis: Axes, points: Sequence[tuple[float, float, str]], look: Look) -> None:
    axis.plot([x for x, _, _ in points], [y for _, y, _ in points], lw=2, ls=look.dashes, **look.marked(8))


def descent_on_surfaces(subject: Subject) -> Drawing:
    """The paths over contours of each surface, a line for each optimizer."""
    found: dict[str, dict[str, _Arrays]] = {}
    heights: dict[tuple[str, str], float] = {}
    for arm, of in _args(subject).items():
        arrays, height = subject.arrays(arm), subject.values(arm, "surface_height")
        if "path" in arrays and height:
            found.setdefault(str(of["surface"]), {})[str(of["optimizer"])] = arrays
            heights[str(of["surface"]), str(of["optimizer"])] = height[0]
    if not found:
        return style.nothing_to_draw(subject, "a path")
    rows = math.ceil(len(found) / 2)
    read = "Dark is low. Black dot: where all paths begin; marker: where one ends, with its height in "
    read += "brackets. Each optimizer takes the rate of one grid that gets lowest without climbing."
    shown = [arm for arm in subject.arms if "path" in subject.arrays(arm)]
    figure = _title(subject, rows * _PANEL_IN, read, shown)
    looks = style.looks(list(dict.fromkeys(str(of["optimizer"]) for of in _args(subject).values())))
    for panel, (surface, paths) in zip(
        _panels(figure, rows, min(2, len(found)), len(found)), found.items(), strict=True
    ):
        _contours(panel, next(iter(paths.values())))
        for name, arrays in paths.items():
            label = f"{name} ({_height(heights[surface, name])})"
            _path(panel, arrays["path"], looks[name], label)
        panel.set_title(surface, loc="left")
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=TEXT_PT - 1,
                     handlelength=1.4, handletextpad=0.5, borderpad=0.2)  # fmt: skip
    figure.numbers = pd.concat([
        pd.DataFrame({"surface": surface, "optimizer": name, "step": range(len(arrays["path"])),
                      "x": arrays["path"][:, 0], "y": arrays["path"][:, 1]})
        for surface, paths in found.items() for name, arrays in paths.items()
    ])  # fmt: skip
    return figure


def _height(value: float) -> str:
    return "0" if value < _BOTTOM else f"{value:.0e}" if value < 0.01 else f"{value:.2g}"


def _contours(panel: Axes, arrays: _Arrays) -> None:
    """Levels that are a constant factor apart, since surfaces fall over many of them."""
    heights = arrays["map_height"]
    top = float(heights.max())
    levels = [top / 4**k for k in range(8, -1, -1)]
    panel.contourf(
        arrays["map_x"], arrays["map_y"], heights.clip(levels[0] / 4), levels=[levels[0] / 4, *levels],
        cmap="Greys_r", alpha=0.45, norm="log",
    )  # fmt: skip
    panel.set_xlim(arrays["map_x"][0], arrays["map_x"][-1])
    panel.set_ylim(arrays["map_y"][0], arrays["map_y"][-1])
    panel.set_autoscale_on(False)


def _path(panel: Axes, path: Any, look: Look, label: str) -> None:
    panel.plot(path[:, 0], path[:, 1], color=look.colour, lw=1.7, label=label)
    panel.plot(path[:1, 0], path[:1, 1], "o", color=INK, ms=6, zorder=4)
    panel.plot(path[-1:, 0], path[-1:, 1], zorder=5, **look.marked(8))
