"""Records to one printable row per arm: the table that terminal, command line and report share."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence

from nnbench.metrics import Metric, heading, metric, number
from nnbench.records import OK, Record, records_by_arm
from nnbench.stats import mean_interval
from nnbench.time_to_accuracy import times_to_accuracy

BUSY_LOAD = 0.5
_TINY = 1e-4  # half an interval below it is told in powers of ten
_QUARTILES_LEAST = 4
COLUMNS = (
    "validation_accuracy", "train_s", "samples_per_s", "target_s", "limit_share", "peak_bytes", "parameters",
    "receptive_field", "macs", "layers",
)  # fmt: skip


def skipped(records: Sequence[Record]) -> str:
    """Why nothing of a scenario was run: the reason that all its *records* share; else empty."""
    reasons = {str(record.reason) for record in records if record.status == "SKIPPED"}
    return reasons.pop() if len(reasons) == 1 and all(r.status == "SKIPPED" for r in records) else ""


def busy(records: Sequence[Record]) -> str:
    """A warning where something else kept the machine busy before the first record; else empty."""
    if not records:
        return ""
    first = min(records, key=lambda record: record.started_at).environment
    load, cores = first.get("load_1min"), first.get("cores")
    if not load or not cores or load <= BUSY_LOAD * cores:
        return ""
    return f"load {load:.1f} on {cores} cores at the start: others were at work too, and times are noisy"


def disturbed(records: Sequence[Record]) -> str:
    """How many of the *records* carry flags that speak against their times; empty where none does."""
    flags = Counter(flag for record in records for flag in record.quality)
    told = [f"{count} {flag}" for flag, count in flags.items()]
    return f"of {len(records)} records {', '.join(told)}: see their evidence" if told else ""


def summarize(records: Sequence[Record]) -> list[dict[str, str]]:
    """One row per arm, in the order of first appearance; keys are column heads, values are text.

    A learned metric is mean ± half its 95 % t interval over seeds, anything else the median; from four times
    on their interquartile range stands beside it. A metric that no record of the scenario has gets no column;
    blocks have one where there is more than one.
    """
    names = [name for name in COLUMNS if any(name in record.metrics for record in records)]
    # what a user's own probe returns is shown too
    own = {name: 0 for record in records if record.arm["kind"] == "probe" for name in record.metrics}
    names += [name for name in own if name not in names]
    parts = ("seed", "block") if any(record.block for record in records) else ("seed",)
    return [_row(arm, mine, names, parts) for arm, mine in records_by_arm(records).items()]


def _row(arm: str, records: Sequence[Record], names: Sequence[str], parts: Sequence[str]) -> dict[str, str]:
    done = [record for record in records if record.status == OK]
    row = {"arm": arm, **{f"{part}s": _of_all(records, part) for part in parts}}
    for name in names:
        of = metric(name)
        # a disturbed block speaks of the machine; where there is no other, it is shown all the same
        calm = [r for r in done if "INVALID" not in r.quality] if of.nature in ("timed", "energy") else done
        values = [v for v in (record.metrics.get(name) for record in calm or done) if v is not None]
        row[heading(of)] = _missed(records) if name == "target_s" else ""
        row[heading(of)] = row[heading(of)] or cell(of, values)
    failed = [record for record in records if record.status != OK]
    row["status"] = OK if not failed else f"{failed[0].status}: {failed[0].reason}"
    return row


def _missed(records: Sequence[Record]) -> str:
    """'∞ (4/6)' where some seeds of an arm miss its target: no centre of the others may stand for it."""
    missed = [of for of in times_to_accuracy(records) if of.hits < of.seeds]
    return f"∞ ({missed[0].hits}/{missed[0].seeds})" if missed else ""


def _of_all(records: Sequence[Record], part: str) -> str:
    """'5/6': how many of the seeds or blocks have ended well in all their records."""
    every = {getattr(record, part) for record in records}
    failed = {getattr(record, part) for record in records if record.status != OK}
    return f"{len(every - failed)}/{len(every)}"


def cell(of: Metric, values: Sequence[float]) -> str:
    """The values of one arm as text; a dash where there are none."""
    if not values:
        return "–"
    scaled = [value * of.scale for value in values]
    if of.nature == "exact" and float(scaled[0]).is_integer():
        return f"{scaled[0]:,.0f}"
    if of.nature in ("timed", "energy") and len(scaled) >= _QUARTILES_LEAST:
        return _median_and_range(scaled)
    if of.nature != "learned":
        return number(statistics.median(scaled))
    estimate = mean_interval(scaled)
    if estimate.low is None or estimate.high is None:
        return f"{estimate.centre:.2f}" if of.unit == "%" else number(estimate.centre)
    half = (estimate.high - estimate.low) / 2
    # two, or as many as show what is uncertain
    if of.unit != "%" and half < _TINY:
        return f"{estimate.centre:.3g} ± {half:.1g}"
    decimals = 2 if of.unit == "%" or not half else max(2, -math.floor(math.log10(half)))
    return f"{estimate.centre:.{decimals}f} ± {half:.{decimals}f}"


def _median_and_range(values: Sequence[float]) -> str:
    """'2.31 (2.28–2.40)': the median with the interquartile range, in equal decimals."""
    first, middle, third = statistics.quantiles(values, n=4, method="inclusive")
    size = math.floor(math.log10(abs(middle))) if middle else 0
    decimals = max(0, 2 - size)
    first_text, text, third_text = (f"{value:,.{decimals}f}" for value in (first, middle, third))
    return f"{text} ({first_text}–{third_text})"
