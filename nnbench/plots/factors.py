"""What one factor does: batch size, depth, kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from nnbench.config import FULL_BATCH
from nnbench.findings import ARMS_MOST, Choice, whole_groups
from nnbench.metrics import METRICS, metric
from nnbench.plots import style
from nnbench.plots.labels import Label, line_boxes, place_labels
from nnbench.plots.style import Drawing, Subject, all_arms, subject_of
from nnbench.records import Record
from nnbench.results import Run
from nnbench.stats import evenly

_PANEL_IN = 4.2
LINES_MOST, PLACES_MOST = 4, 12  # of very many arms
_DULL = ("kind", "name", "id", "lr", "model_args.label")


def by_factor(subject: Subject) -> Drawing:
    """Accuracy, time, throughput and size against the scenario's factor: dots per seed, line of means."""
    factor = _column(subject, str(subject.plan.get("factor", "")))
    places = {} if factor is None else _places(subject, factor)
    names = _panels(subject, list(places))
    if factor is None or not names:
        return style.nothing_to_draw(subject, "a number against a factor")
    shown = [arm for arm in places if any(subject.values(arm, name) for name in names)]
    places = {arm: places[arm] for arm in shown}
    series = _series(subject, factor, places)
    rows = -(-len(names) // 2)
    read = (
        f"{subject.seeds} seeds, a dot each; line through the means, of time and memory the medians; bars: "
        "95 % intervals, of the accuracy over seeds, of times over blocks."
        if subject.seeds > 1
        else "1 seed."
    )
    figure = style.canvas(
        subject, 3.3 * rows, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, shown),
    )  # fmt: skip
    panels = figure.subplots(rows, min(2, len(names)), squeeze=False, sharex=True)
    for axis in panels.flat[len(names) :]:
        axis.set_axis_off()
    for i, (axis, name) in enumerate(zip(panels.flat, names, strict=False)):
        _panel(axis, subject, name, places, series)
        _factor_axis(axis, subject, factor, places)
        bottom = i + 2 >= len(names)
        axis.set_xlabel(_words(factor) if bottom else "")
        axis.tick_params(labelbottom=bottom)
    figure.draw_without_rendering()
    for axis, name in zip(panels.flat, names, strict=False):
        _name_the_doubles(axis, subject, name, places, series)
    figure.numbers = _numbers(subject, factor, names, places)
    return figure


def choose_lines(plan: Mapping[str, Any], records: Sequence[Record]) -> Choice | None:
    """Of very many arms, a few lines at a dozen places: a line through arms of several lines would lie."""
    if len(plan["arms"]) <= ARMS_MOST:
        return None
    firsts = {str(record.arm["name"]): record for record in reversed(records)}
    run = Run({"scenarios": [plan]}, list(firsts.values()), Path(), {})
    subject = subject_of(run, plan, all_arms)
    factor = _column(subject, str(plan.get("factor", "")))
    places = {} if factor is None else _places(subject, factor)
    values = sorted(set(places.values()))
    kept = {values[i] for i in evenly(len(values), PLACES_MOST)}
    lines = _series(subject, factor, places).values() if factor and places else ()
    few = [[arm for arm in line if places[arm] in kept] for line in lines]
    return whole_groups(plan, records, [line for line in few if line], LINES_MOST)


def _column(subject: Subject, factor: str) -> str | None:
    """The column of the factor: an arm's field, which wins over a metric of the same name."""
    found = [name for name in (f"arm.{factor}", factor) if factor and name in subject.frame]
    return found[0] if found else None


def _words(factor: str) -> str:
    return factor.rpartition(".")[2].replace("_", " ")


def _panels(subject: Subject, arms: Sequence[str]) -> list[str]:
    counts = {value for arm in arms for value in subject.values(arm, "parameters")}
    size = "parameters" if len(counts) > 1 else "peak_bytes"
    names = ("validation_accuracy", "train_s", "samples_per_s", size)
    if not subject.has("validation_accuracy"):
        names = ("receptive_field", "parameters", "macs", "layers")
    return [name for name in names if any(subject.values(arm, name) for arm in arms)]


def _places(subject: Subject, factor: str) -> dict[str, float]:
    """Arm -> its x. 'full' is the size of the training set; a text factor gets its place in order."""
    values: dict[str, Any] = {}
    for arm in subject.arms:
        rows = subject.frame[subject.frame["arm"] == arm]
        found = rows[factor].dropna()
        if len(found):
            values[arm] = found.iloc[0]
            if values[arm] == FULL_BATCH and "data.train" in rows and rows["data.train"].notna().any():
                values[arm] = rows["data.train"].dropna().iloc[0]
    numeric = {arm: pd.to_numeric(value, errors="coerce") for arm, value in values.items()}
    if all(pd.notna(value) for value in numeric.values()):
        return {arm: float(value) for arm, value in numeric.items()}
    order = list(dict.fromkeys(str(value) for value in values.values()))
    return {arm: float(order.index(str(value)) + 1) for arm, value in values.items()}


def _series(subject: Subject, factor: str, places: Mapping[str, float]) -> dict[str, list[str]]:
    """Arms that a line may join: within a series no two arms share a place.

    Where places are shared, one other field that tells them apart names the series; where there is no
    such field, the arm that comes first is in the line, and the others stand alone under their names.
    """
    if len(set(places.values())) == len(places):
        return {"": sorted(places, key=places.__getitem__)}
    first = subject.frame.drop_duplicates("arm").set_index("arm").reindex(list(places))
    best: dict[str, list[str]] = {}
    for column in _fields(subject, factor):
        groups: dict[str, list[str]] = {}
        for arm in places:
            value = first.loc[arm, column]
            text = f"{value:g}" if isinstance(value, float) else str(value)
            groups.setdefault(f"{_words(column)} {text}", []).append(arm)
        unique = all(len({places[a] for a in arms}) == len(arms) for arms in groups.values())
        if unique and (not best or len(groups) < len(best)):
            best = groups
    if not best:
        for arm in places:
            line = best.setdefault("", [])
            if places[arm] in {places[a] for a in line}:
                best[arm] = [arm]
            else:
                line.append(arm)
    return {name: sorted(arms, key=places.__getitem__) for name, arms in best.items()}


def _fields(subject: Subject, factor: str) -> list[str]:
    """The columns of the arms' configuration, the factor and what tells nothing left out.

    A rate mostly goes with the factor; where there are very many arms it is a factor of its own.
    """
    dull = set(_DULL) - ({"lr"} if subject.choice or len(subject.arms) > ARMS_MOST else set())
    found = [f"arm.{key}" if key in METRICS else key for key in subject.plan["arms"][0]]
    found += [c for c in subject.frame if str(c).startswith(("model_args.", "optimizer_args.", "args."))]
    return [name for name in found if name in subject.frame and name not in (*dull, factor)]


def _panel(
    axis: Axes, subject: Subject, name: str, places: Mapping[str, float], series: Mapping[str, list[str]]
) -> None:
    import seaborn as sns

    everything: list[float] = []
    for look, arms in zip(style.looks(list(series)).values(), series.values(), strict=True):
        points = [(places[arm], subject.values(arm, name)) for arm in arms]
        points = [(x, values) for x, values in points if values]
        seeds = [(x, value) for x, values in points for value in values]
        everything += [value for _, value in seeds]
        if subject.seeds > 1 and metric(name).nature != "exact" and seeds:
            xs, ys = zip(*seeds, strict=True)
            sns.scatterplot(x=list(xs), y=list(ys), ax=axis, s=24, color=look.colour, alpha=0.6, linewidth=0)
        xs_mean = [x for x, _ in points]
        means = [style.centre(name, values) for _, values in points]
        for x, bar in [(places[arm], subject.interval(arm, name)) for arm in arms]:
            if bar is not None and bar.low is not None and bar.high is not None:
                axis.plot([x, x], [bar.low, bar.high], color=look.colour, lw=1.8, solid_capstyle="butt")
        axis.plot(xs_mean, means, ls=look.dashes, lw=2, **look.marked(7.5))
    of = metric(name)
    low, high = min(everything), max(everything)
    log = low > 0 and of.unit != "%" and high / low > 10
    if log:
        style.log_axis(axis, "y", low / 1.35, high * 1.35)
    else:
        pad = 0.1 * max(high - low, 2.0 if of.unit == "%" else 0.1 * abs(high), 1e-9)
        axis.set_ylim(low - pad, high + pad)
        axis.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axis.yaxis.set_major_formatter(lambda value, _: style.short(value))
    axis.set_title(style.axis_label(of, ", log scale" if log else ""), loc="left", color=style.INK)
    axis.set_ylabel("")
    axis.grid(axis="y")
    axis.set_axisbelow(True)


def _factor_axis(axis: Axes, subject: Subject, factor: str, places: Mapping[str, float]) -> None:
    """Ticks at the values and nowhere else; powers of two where they span a factor of 16."""
    values = sorted(set(places.values()))
    if values[0] > 0 and values[-1] / values[0] >= 16:
        axis.set_xscale("log", base=2)
        pad = (values[-1] / values[0]) ** 0.05
        axis.set_xlim(values[0] / pad, values[-1] * pad)
    else:
        pad = 0.06 * (values[-1] - values[0]) or 0.5
        axis.set_xlim(values[0] - pad, values[-1] + pad)
    texts = _tick_texts(subject, factor, places)
    if subject.choice:  # what is left of many values may lie close together
        log = axis.get_xscale() == "log"
        values = style.thinned(values, axis.get_xlim(), _PANEL_IN, log=log)
        texts = {round(value, 9): texts[round(value, 9)] for value in values}
    axis.xaxis.set_major_locator(FixedLocator(values))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: texts.get(round(value, 9), "")))
    needed = sum(style.text_width(text, style.TEXT_PT) + 0.12 for text in texts.values())
    if needed > 3.9:
        axis.tick_params(axis="x", rotation=45)


def _tick_texts(subject: Subject, factor: str, places: Mapping[str, float]) -> dict[float, str]:
    texts: dict[float, str] = {}
    for arm, place in places.items():
        raw = subject.frame.loc[subject.frame["arm"] == arm, factor].dropna().iloc[0]
        number = pd.to_numeric(raw, errors="coerce")
        texts[round(place, 9)] = f"{float(number):g}" if pd.notna(number) else str(raw)
    return texts


def _name_the_doubles(
    axis: Axes, subject: Subject, name: str, places: Mapping[str, float], series: Mapping[str, list[str]]
) -> None:
    """Where arms share a place, every series says what it is, at its last point."""
    if len(series) < 2:
        return
    labels, taken = [], []
    for (text, arms), look in zip(series.items(), style.looks(list(series)).values(), strict=True):
        points = [(places[a], subject.values(a, name), a) for a in arms if subject.values(a, name)]
        if not points:
            continue
        x, values, arm = points[-1]
        labels.append(Label(x, style.centre(name, values), arm if len(arms) == 1 else text, look))
        taken += line_boxes(axis, [x for x, _, _ in points], [style.centre(name, v) for _, v, _ in points])
        for x, values, _ in points:
            taken += line_boxes(axis, [x, x], [min(values), max(values)])
    place_labels(axis, [label for label in labels if label.text], taken)


def _numbers(
    subject: Subject, factor: str, names: Sequence[str], places: Mapping[str, float]
) -> pd.DataFrame:
    rows = []
    for arm, place in places.items():
        row: dict[str, Any] = {"arm": arm, _words(factor): place}
        for name in names:
            values = subject.values(arm, name)
            row[style.axis_label(metric(name))] = style.centre(name, values) if values else None
        rows.append(row)
    return pd.DataFrame(rows)
