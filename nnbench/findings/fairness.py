"""On what the arms of a scenario are equal, and what else they cost."""

from __future__ import annotations

from collections.abc import Sequence

from nnbench.findings.centres import arms_of, means
from nnbench.metrics import heading, metric, number
from nnbench.records import Record

# axis of equality -> the metric that counts it
AXIS_METRICS = {
    "epochs": "epochs", "steps": "steps", "samples": "samples", "seconds": "train_s",
    "parameters": "parameters", "receptive field": "receptive_field",
}  # fmt: skip
_EQUAL = 0.02  # arms within 2 % are equal


def equality(records: Sequence[Record], axis: str) -> str:
    """On what the arms are equal, and whether they are: the first thing to ask of a comparison."""
    name = AXIS_METRICS.get(axis)
    if name is None:
        return "The arms are equal in nothing that is counted here: read the other columns too."
    found = means(records, name)
    if not found:
        return f"The arms are meant to be equal in {axis}, which was not measured."
    low, high = min(found.values()), max(found.values())
    if high <= low * (1 + _EQUAL):
        return f"The arms are equal in {axis}; in what else they differ stands beside it."
    return (
        f"The arms are meant to be equal in {axis}, but {axis} range from {number(low)} to {number(high)}: "
        "weigh the comparison accordingly."
    )


def axes_rows(records: Sequence[Record], axis: str) -> list[dict[str, str]]:
    """One row per arm: the axis of equality first, then the other axes, as text."""
    first = AXIS_METRICS.get(axis)
    names = [first] if first else []
    names += [name for name in AXIS_METRICS.values() if name != first]
    columns = {name: means(records, name) for name in names}
    rows = []
    for arm in arms_of(records):
        row = {"arm": arm}
        for name, found in columns.items():
            if found:
                row[heading(metric(name))] = _count_text(name, found[arm]) if arm in found else "–"
        rows.append(row)
    return rows


def _count_text(name: str, value: float) -> str:
    whole = metric(name).nature != "timed" and float(value).is_integer()
    return f"{value:,.0f}" if whole else number(value)
