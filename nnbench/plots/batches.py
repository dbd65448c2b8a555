"""How large a batch is of use: steps and samples to a target, and the noise of the gradient."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from nnbench.metrics import metric, number
from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Look, Subject

PANEL_IN = 4.4
_GRID = "#ececec"


@dataclass(frozen=True)
class Point:
    """An arm at its x: the mean over seeds and, where there is one, its 95 % interval."""

    arm: str
    x: float
    y: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class _Fit:
    """S = least (1 + critical / batch)."""

    least: float
    critical: float


def point_of(subject: Subject, arm: str, x: float, name: str) -> Point | None:
    """Metric *name* of *arm* at *x*; None where it was not measured."""
    values = subject.values(arm, name)
    if not values:
        return None
    of = subject.interval(arm, name)
    return Point(arm, x, style.centre(name, values), of.low if of else None, of.high if of else None)


def draw_points(axis: Axes, points: Sequence[Point], look: Look, **own: Any) -> None:
    """The points with their bars; *own* are keywords of the line through them; without, there is none."""
    for point in points:
        if point.low is not None and point.high is not None and point.low > 0:
            axis.plot([point.x] * 2, [point.low, point.high], color=look.colour, lw=1.6, alpha=0.8)
    axis.plot([p.x for p in points], [p.y for p in points], **{"lw": 0, **look.marked(8), **own})


def settle(axis: Axes) -> None:
    """A quiet grid, below what is drawn."""
    axis.grid(color=_GRID)
    axis.set_axisbelow(True)


def _spans(points: Sequence[Point]) -> list[float]:
    return [y for p in points for y in (p.y, p.low or p.y, p.high or p.y) if y > 0]


def rows_of(series: Mapping[str, Sequence[Point]], x: str, y: str) -> list[dict[str, Any]]:
    """Tidy rows of what is drawn, with columns called *x* and *y*."""
    return [
        {"line": name, "arm": p.arm, x: p.x, y: p.y, "low": p.low, "high": p.high}
        for name, points in series.items()
        for p in points
    ]


# steps to a target


def steps_against_batch(subject: Subject) -> Drawing:
    """Steps and samples to a target against the batch; perfect scaling, and the fit of one number."""
    problems = _problems(subject)
    steps = {name: _of_batches(subject, arms, "steps_to_target") for name, arms in problems.items()}
    steps = {name: points for name, points in steps.items() if points}
    if not steps:
        return style.nothing_to_draw(subject, "steps to a target")
    fits = {name: fit for name in steps if (fit := _fit(subject, problems[name]))}
    read = (
        "Dashed: twice the batch, half the steps. Line: S = S_min (1 + B_crit / batch), fitted; dotted: "
        f"B_crit. Mean of {style.seeds_text(subject)}"
    )
    read += "; bars: 95 % interval." if subject.seeds > 1 else "."
    shown = [p.arm for points in steps.values() for p in points]
    fitted = [arm for arms in problems.values() for arm in arms if "batches" in args_of(subject, arm)]
    figure = style.canvas(
        subject, PANEL_IN, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, [*shown, *fitted]),
    )  # fmt: skip
    left, right = figure.subplots(1, 2)
    looks = style.looks(list(steps))
    samples = {name: _of_batches(subject, problems[name], "samples_to_target") for name in steps}
    _steps_panel(left, steps, fits, looks)
    _samples_panel(right, samples, fits, looks)
    figure.numbers = pd.DataFrame([
        *rows_of(steps, "batch", "steps"), *rows_of(samples, "batch", "samples"),
        *({"line": name, "S_min": fit.least, "B_crit": fit.critical} for name, fit in fits.items()),
    ])  # fmt: skip
    return figure


def args_of(subject: Subject, name: str) -> Mapping[str, Any]:
    """Arguments of the probe called *name*; none where it is no probe."""
    found = (arm.get("args", {}) for arm in subject.plan["arms"] if str(arm["name"]) == name)
    args: Mapping[str, Any] = next(found, {})
    return args


def _problems(subject: Subject) -> dict[str, list[str]]:
    """What is trained to which target -> its arms; "digits, 93 %"."""
    found: dict[str, list[str]] = {}
    for arm in subject.arms:
        args = dict(args_of(subject, arm))
        if "target" in args:
            args = {key: value for key, value in args.items() if key not in ("batch", "batches", "looks")}
            found.setdefault(json.dumps(args, sort_keys=True, default=list), []).append(arm)
    read = [json.loads(key) for key in found]
    names = [f"{args['arm'].get('data', '')}, {100 * args['target']:.0f} %" for args in read]
    unique = [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]
    return dict(zip(unique, found.values(), strict=True))


def _of_batches(subject: Subject, arms: Sequence[str], name: str) -> list[Point]:
    places = {arm: float(args["batch"]) for arm in arms if "batch" in (args := args_of(subject, arm))}
    found = [point_of(subject, arm, place, name) for arm, place in places.items()]
    return sorted((point for point in found if point), key=lambda point: point.x)


def _fit(subject: Subject, arms: Sequence[str]) -> _Fit | None:
    for arm in arms:
        least, critical = (subject.values(arm, name) for name in ("least_steps", "critical_batch"))
        if least and critical:
            return _Fit(style.centre("least_steps", least), style.centre("critical_batch", critical))
    return None


def _curve(points: Sequence[Point]) -> list[float]:
    """Fifty batches, evenly spaced by their logarithms, from the least to the greatest."""
    low, high = points[0].x, points[-1].x
    return [low * (high / low) ** (i / 49) for i in range(50)]


def _steps_panel(
    axis: Axes, steps: Mapping[str, Sequence[Point]], fits: Mapping[str, _Fit], looks: Mapping[str, Look]
) -> None:
    floor = min(_spans([p for points in steps.values() for p in points])) / 2
    for name, points in steps.items():
        colour, first = looks[name].colour, points[0]
        most = min(points[-1].x, first.x * first.y / floor)
        axis.plot([first.x, most], [first.y, first.y * first.x / most], color=QUIET, lw=1.2, ls=(0, (5, 3)))
        if fit := fits.get(name):
            axis.plot(batches := _curve(points), [fit.least * (1 + fit.critical / b) for b in batches],
                      color=colour, lw=2)  # fmt: skip
            axis.axvline(fit.critical, color=colour, lw=1.4, ls=(0, (1, 1.5)))
        draw_points(axis, points, looks[name])
    _log_axes(axis, [p for points in steps.values() for p in points], floor)
    axis.set_ylabel("steps to target, log scale", color=INK)
    _name_fits(axis, steps, fits, looks)


def _name_fits(
    axis: Axes, steps: Mapping[str, Sequence[Point]], fits: Mapping[str, _Fit], looks: Mapping[str, Look]
) -> None:
    """What each colour is, and its two numbers, in the empty upper right corner."""
    for place, name in enumerate(steps):
        fit = fits.get(name)
        text = name + (f"\nS_min {number(fit.least)}, B_crit {number(fit.critical)}" if fit else "")
        axis.text(0.98, 0.98 - 0.17 * place, text, transform=axis.transAxes, ha="right", va="top",
                  size=TEXT_PT, color=looks[name].text)  # fmt: skip


def _samples_panel(
    axis: Axes, samples: Mapping[str, Sequence[Point]], fits: Mapping[str, _Fit], looks: Mapping[str, Look]
) -> None:
    for name, points in samples.items():
        if fit := fits.get(name):
            axis.plot(batches := _curve(points), [fit.least * (b + fit.critical) for b in batches],
                      color=looks[name].colour, lw=2)  # fmt: skip
            axis.axvline(fit.critical, color=looks[name].colour, lw=1.4, ls=(0, (1, 1.5)))
        axis.plot([points[0].x, points[-1].x], [points[0].y] * 2, color=QUIET, lw=1.2, ls=(0, (5, 3)))
        draw_points(axis, points, looks[name])
    every = [p for points in samples.values() for p in points]
    _log_axes(axis, every, min(_spans(every)) / 1.6)
    axis.set_ylabel("samples to target, log scale", color=INK)


def _log_axes(axis: Axes, points: Sequence[Point], floor: float) -> None:
    places = [p.x for p in points]
    limits = min(places) / 1.4, max(places) * 1.4
    style.log_axis(axis, "x", *limits)
    ticks = style.thinned(sorted(set(places)), limits, 3.6, log=True)
    axis.set_xticks(ticks, [style.short(tick) for tick in ticks])
    style.log_axis(axis, "y", floor, max(_spans(points)) * 1.6, most=6)
    axis.set_xlabel("batch [samples], log scale", size=TEXT_PT)
    settle(axis)


# the noise of the gradient

_SCALES = {
    "exact": "noise_scale",
    "two batches, averaged apart": "two_batch_noise_scale",
    "two batches, median ratio": "median_of_ratios",
}


def noise_scale_by_step(subject: Subject) -> Drawing:
    """The gradient noise scale along a training: exact, from two batches, and by the shortcut that fails."""
    found = {name: _scales(subject, arms) for name, arms in _trainings(subject).items()}
    found = {name: lines for name, lines in found.items() if any(lines.values())}
    if not found:
        return style.nothing_to_draw(subject, "a noise scale")
    read = f"Mean of {style.seeds_text(subject)}"
    read += "; bars: 95 % interval. " if subject.seeds > 1 else ". "
    read += "Exact: from the gradient of every sample. Dotted: the critical batch, from trained networks."
    shown = [p.arm for lines in found.values() for points in lines.values() for p in points]
    foretold = [arm for arm in subject.arms if subject.values(arm, "critical_batch")]
    figure = style.canvas(
        subject, PANEL_IN, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, [*shown, *foretold]),
    )  # fmt: skip
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    looks = style.looks(list(_SCALES))
    for axis, (name, lines) in zip(panels, found.items(), strict=True):
        _noise_panel(axis, name, lines, _critical(subject, foretold, name), looks)
        last = axis is panels[-1]
        ends = [
            Label(points[-1].x, points[-1].y, line, looks[line]) for line, points in lines.items() if points
        ]
        if last:
            end_labels(axis, [Label(e.x, e.y, e.text.replace(", ", ",\n"), e.look) for e in ends])
    figure.numbers = pd.DataFrame([
        {"training": name, **row} for name, lines in found.items()
        for row in rows_of(lines, "place", "noise scale [samples]")
    ])  # fmt: skip
    return figure


def _trainings(subject: Subject) -> dict[str, list[str]]:
    """Data set -> arms that look at one training of it, by step."""
    found: dict[str, list[str]] = {}
    for arm in subject.arms:
        args = args_of(subject, arm)
        if "steps" in args:
            found.setdefault(str(args["arm"].get("data", "")), []).append(arm)
    return {
        name: sorted(arms, key=lambda arm: int(args_of(subject, arm)["steps"]))
        for name, arms in found.items()
    }


def _scales(subject: Subject, arms: Sequence[str]) -> dict[str, list[Point]]:
    """Line -> its points; the x of a state is its place among the steps looked at."""
    lines: dict[str, list[Point]] = {line: [] for line in _SCALES}
    for place, arm in enumerate(arms):
        exact = point_of(subject, arm, place, "noise_scale")
        for line, name in _SCALES.items():
            aside = 0.03 * (name == "two_batch_noise_scale")  # else its bars would cover the exact ones
            point = point_of(subject, arm, place + aside, name)
            if point and exact and name == "median_of_ratios":  # as a share of the exact one
                point = Point(arm, place, point.y * exact.y, None, None)
            if point and point.y > 0:
                lines[line].append(point)
    return lines


def _critical(subject: Subject, arms: Sequence[str], data: str) -> float | None:
    own = [arm for arm in arms if args_of(subject, arm).get("arm", {}).get("data") == data]
    values = [value for arm in own for value in subject.values(arm, "critical_batch")]
    return style.centre("critical_batch", values) if values else None


def _noise_panel(
    axis: Axes, name: str, lines: Mapping[str, Sequence[Point]], critical: float | None,
    looks: Mapping[str, Look],
) -> None:  # fmt: skip
    steps = {round(p.x): p.arm.rpartition("step ")[2] for points in lines.values() for p in points}
    for line, points in lines.items():
        draw_points(axis, points, looks[line], lw=2, ls=looks[line].dashes)
    every = [p for points in lines.values() for p in points]
    heights = [*(p.y for p in every), *([critical] if critical else [])]
    style.log_axis(axis, "y", min(heights) / 2.5, max(heights) * 2.5, most=6)  # bars may leave the picture
    axis.set_xlim(-0.3, max(steps) + 0.3)
    axis.set_xticks(sorted(steps), [steps[x] for x in sorted(steps)])
    if critical:
        axis.axhline(critical, color=INK, lw=1.4, ls=(0, (1, 1.5)))
        axis.text(-0.25, critical / 1.06, f"critical batch {number(critical)}", va="top", size=TEXT_PT)
    axis.set_title(name, loc="left")
    axis.set_xlabel("training step", size=TEXT_PT)
    axis.set_ylabel(style.axis_label(metric("noise_scale"), ", log scale"), color=INK)
    settle(axis)
