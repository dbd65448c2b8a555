"""Large batches: accuracy by rule for the rate, and the arithmetic of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from nnbench.metrics import metric
from nnbench.plots import style
from nnbench.plots.batches import PANEL_IN, Point, args_of, draw_points, point_of, rows_of, settle
from nnbench.plots.labels import Label, end_labels
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Look, Subject


def accuracy_by_rate_rule(subject: Subject) -> Drawing:
    """Validation accuracy against the batch at equal epochs, a line for each rule for the rate."""
    found = _rule_lines(subject)
    if not found:
        return style.nothing_to_draw(subject, "a validation accuracy")
    read = f"Mean of {style.seeds_text(subject)}"
    read += "; bars: 95 % interval. " if subject.seeds > 1 else ". "
    read += "Every batch has seen as many samples, in fewer steps. Tuned and LARS had equally many tries."
    shown = [p.arm for lines in found.values() for points in lines.values() for p in points]
    figure = style.canvas(
        subject, PANEL_IN, title=str(subject.plan["question"]), how_to_read=read,
        notes=style.not_shown(subject, shown),
    )  # fmt: skip
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    looks = style.looks(list(dict.fromkeys(rule for lines in found.values() for rule in lines)))
    for axis, (data, lines) in zip(panels, found.items(), strict=True):
        _rule_panel(axis, data, lines, looks)
    figure.numbers = pd.DataFrame([
        {"data": data, **row} for data, lines in found.items()
        for row in rows_of(lines, "batch", "validation accuracy [%]")
    ])  # fmt: skip
    return figure


def _rule_lines(subject: Subject) -> dict[str, dict[str, list[Point]]]:
    """Data set -> rule -> its points; the rules that scale one rate start from the same arm."""
    found: dict[str, dict[str, list[Point]]] = {}
    for arm in subject.plan["arms"]:
        name, size = str(arm["name"]), arm.get("batch_size")
        rule = name.rpartition(", ")[0].rpartition(", ")[2]
        if rule and isinstance(size, int):
            point = point_of(subject, name, float(size), "validation_accuracy")
            if point:
                found.setdefault(str(arm["data"]), {}).setdefault(rule, []).append(point)
    for lines in found.values():
        first = lines.get("fixed", [])[:1]
        for rule in ("sqrt", "linear", "warm-up"):
            if rule in lines and first and first[0].x < lines[rule][0].x:
                lines[rule].insert(0, first[0])
    return found


def _rule_panel(
    axis: Axes, data: str, lines: Mapping[str, Sequence[Point]], looks: Mapping[str, Look]
) -> None:
    for rule, points in lines.items():
        draw_points(axis, points, looks[rule], lw=2, ls=looks[rule].dashes)
    places = sorted({p.x for points in lines.values() for p in points})
    style.log_axis(axis, "x", places[0] / 1.4, places[-1] * 1.4)
    axis.set_xticks(places, [style.short(place) for place in places])
    axis.set_xlabel("batch [samples], log scale", size=TEXT_PT)
    axis.set_ylabel(style.axis_label(metric("validation_accuracy")), color=INK)
    axis.set_title(data, loc="left")
    settle(axis)
    end_labels(axis, [
        Label(points[-1].x, points[-1].y, f"{rule} {points[-1].y:.1f}", looks[rule])
        for rule, points in lines.items()
    ])  # fmt: skip


def large_batch_table(subject: Subject) -> Drawing:
    """The rows of a table of large-batch trainings, and the arithmetic on them."""
    rows = _table(subject)
    if not rows:
        return style.nothing_to_draw(subject, "arithmetic on a table")
    source = str(subject.plan.get("inexact", ""))
    figure = style.canvas(
        subject, 0.5 * (len(rows) + 1), title=str(subject.plan["statement"]),
        how_to_read="Quoted, not reproduced; what nnbench computed from it stands in bold.",
        notes=[source] if source else [],
    )  # fmt: skip
    axis = figure.subplots()
    axis.set_axis_off()
    table = axis.table([list(row.values()) for row in rows], colLabels=list(rows[0]), cellLoc="right",
                       loc="upper center", bbox=Bbox.unit())  # fmt: skip
    table.auto_set_font_size(False)
    for (row, column), cell in table.get_celld().items():
        cell.set_edgecolor("#d0d0d0")
        computed = row > 0 and column >= 3
        cell.set_text_props(size=TEXT_PT, color=QUIET if row == 0 else INK,
                            weight="bold" if computed else "normal")  # fmt: skip
    figure.numbers = pd.DataFrame(rows)
    return figure


def _table(subject: Subject) -> list[dict[str, str]]:
    rows: dict[int, dict[str, str]] = {}
    for arm in subject.arms:
        args, per_chip = args_of(subject, arm), subject.values(arm, "chip_samples")
        if not per_chip:
            continue
        speedup, share = (subject.values(arm, name) for name in ("chip_speedup", "chip_efficiency"))
        if args.get("base_chips"):
            rows[args["base_chips"]] = _row(args["base_chips"], None, args["base_minutes"])
        rows[args["chips"]] = _row(
            args["chips"], args["batch"], args.get("minutes"), f"{per_chip[0]:g}",
            *(f"{values[0]:.1f}{unit}" if values else "" for values, unit in ((speedup, ""), (share, " %"))),
        )  # fmt: skip
    return [rows[chips] for chips in sorted(rows)]


def _row(
    chips: int, batch: int | None, minutes: float | None, per_chip: str = "", speedup: str = "",
    share: str = "",
) -> dict[str, str]:  # fmt: skip
    time = "" if minutes is None else f"{minutes / 60:.1f} h" if minutes >= 60 else f"{minutes:.1f} min"
    return {
        "chips": f"{chips:,}", "batch": "" if batch is None else f"{batch:,}", "time": time,
        "samples per chip": per_chip, "times as fast": speedup, "per chip": share,
    }  # fmt: skip
