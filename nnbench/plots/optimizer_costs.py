"""What an optimizer's memory costs in bytes and time, and how often each is how near the fastest."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from nnbench.metrics import metric
from nnbench.plots import style
from nnbench.plots.labels import Label, end_labels, place_labels
from nnbench.plots.style import INK, TEXT_PT, Drawing, Subject
from nnbench.stats import R_MAX, Estimate, profile_at, profile_score, time_ratios

_HEIGHT_IN = 4.4
_BYTES, _TIME = "optimizer_bytes", "step_s"


def state_against_step_time(subject: Subject) -> Drawing:
    """Bytes that each optimizer remembers against the time of a step, a point for each."""
    points: dict[str, tuple[float, float, Estimate | None]] = {}
    for arm in subject.arms:
        sizes, times = subject.values(arm, _BYTES), subject.values(arm, _TIME)
        if sizes and times:
            points[arm] = sizes[0], style.centre(_TIME, times), subject.interval(arm, _TIME)
    if not points:
        return style.nothing_to_draw(subject, "both the bytes of its state and the time of a step")
    blocks = subject.done["block"].nunique()
    read = f"Further right: a slower step; further up: more to remember. Median of {blocks} "
    read += f"block{'s' if blocks > 1 else ''}"
    barred = any(of for _, _, of in points.values())
    figure = style.canvas(
        subject, _HEIGHT_IN, title=str(subject.plan["question"]),
        how_to_read=read + ("; bars: 95 % interval." if barred else ": no interval."),
        notes=style.not_shown(subject, list(points)),
    )  # fmt: skip
    axis = figure.subplots()
    looks = subject.looks
    for arm, (size, time, of) in points.items():
        if of is not None and of.low is not None and of.high is not None:
            axis.plot([of.low, of.high], [size, size], color=looks[arm].colour, lw=1.8, alpha=0.8)
        axis.plot([time], [size], ls="", **looks[arm].marked(11))
    longest, most = max(t for _, t, _ in points.values()), max(s for s, _, _ in points.values())
    axis.set_xlim(0, longest * 1.15)
    axis.set_ylim(-0.12 * max(most, 1), 1.25 * max(most, 1))
    axis.set_xlabel(style.axis_label(metric(_TIME)), size=TEXT_PT)
    axis.set_ylabel(style.axis_label(metric(_BYTES)), color=INK)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    figure.draw_without_rendering()
    place_labels(axis, [Label(t, s, f"{arm}: {t:.2f} ms", looks[arm]) for arm, (s, t, _) in points.items()])
    figure.numbers = pd.DataFrame([
        {"arm": arm, style.axis_label(metric(_BYTES)): size, style.axis_label(metric(_TIME)): time,
         "low": of.low if of else None, "high": of.high if of else None}
        for arm, (size, time, of) in points.items()
    ])  # fmt: skip
    return figure


def performance_profile(subject: Subject) -> Drawing:
    """Share of workloads on which each optimizer is within a factor of the first, by steps and by time."""
    workloads = _workloads(subject)
    panels = {
        title: found
        for title, prefix in (("counted in steps", "race_steps_"), ("counted in seconds", "race_s_"))
        if (found := _times(subject, workloads, prefix))
    }
    if not panels:
        return style.nothing_to_draw(subject, "a time to a target")
    shown = list(dict.fromkeys(arm for times in panels.values() for arm in times))
    read = f"{len(workloads)} workloads; each optimizer at the best rate of one grid, median of "
    read += (
        f"{style.seeds_text(subject).replace(': no interval', '')}. The sooner a line rises, the better; a "
    )
    read += f"missed target takes forever. Numbers: the area up to {R_MAX:.0f}, the score of AlgoPerf."
    figure = style.canvas(
        subject, _HEIGHT_IN, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, shown),
    )  # fmt: skip
    axes = list(figure.subplots(1, len(panels), squeeze=False, sharey=True).ravel())
    rows = []
    for axis, (title, times) in zip(axes, panels.items(), strict=True):
        ratios = time_ratios(times, workloads)
        _stairs(subject, axis, ratios)
        axis.set_title(title, loc="left")
        rows += [
            {"counted": title, "arm": arm, "workload": workload, "times the fastest": ratio}
            for arm, of in ratios.items() for workload, ratio in zip(workloads, of, strict=True)
        ]  # fmt: skip
    axes[0].set_ylabel("share of the workloads [%]", color=INK)
    figure.numbers = pd.DataFrame(rows)
    return figure


def _workloads(subject: Subject) -> list[str]:
    plans = [arm.get("args", {}).get("workloads") or () for arm in subject.plan["arms"]]
    return list(dict.fromkeys(str(name) for names in plans for name in names))


def _times(subject: Subject, workloads: Sequence[str], prefix: str) -> dict[str, dict[str, float]]:
    """Arm -> workload -> median over its seeds, in which a seed that missed counts as infinite."""
    found: dict[str, dict[str, float]] = {}
    for arm in subject.arms:
        seeds = int((subject.done["arm"] == arm).sum())
        of = {name: subject.values(arm, prefix + name.replace(" ", "_")) for name in workloads}
        if any(of.values()):
            found[arm] = {
                name: statistics.median([*values, *[math.inf] * (seeds - len(values))])
                for name, values in of.items()
            }
    return found


def _stairs(subject: Subject, axis: Axes, ratios: Mapping[str, Sequence[float]]) -> None:
    labels = []
    for i, (arm, of) in enumerate(ratios.items()):
        look = subject.looks[arm]
        taus = sorted({1.0, R_MAX, *(ratio for ratio in of if ratio < R_MAX)})
        shares = [100 * profile_at(of, tau) + 0.6 * (i - len(ratios) / 2) for tau in taus]  # side by side
        axis.step(taus, shares, where="post", color=look.colour, ls=look.dashes, lw=2.4)
        labels.append(Label(R_MAX, shares[-1], f"{arm}: {profile_score(of):.2f}", look))
    axis.set_xlim(1 - 0.02 * R_MAX, R_MAX * 1.01)
    axis.set_xticks(range(1, int(R_MAX) + 1))
    axis.set_ylim(-3, 105)
    axis.set_xlabel("times as long as the fastest", size=TEXT_PT)
    axis.grid(color="#ececec")
    axis.set_axisbelow(True)
    end_labels(axis, labels)
