"""Times that two sides took in the same blocks: the one comparison of times that gets verdicts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import replace

from nnbench.comparing.pairing import Pair, block_values, pairs_of, seed_pairs, unlike
from nnbench.comparing.verdicts import (
    DIFFERENCE,
    FASTER,
    INCONCLUSIVE,
    NOT_COMPARABLE,
    SAME,
    SLOWER,
    Comparison,
)
from nnbench.metrics import Metric, metric
from nnbench.records import OK, Record
from nnbench.stats import LESS, MARGIN, MORE, BlockRatio, block_ratio, decide, holm, paired_difference
from nnbench.stats import SAME as ALIKE

# The time of an arm, the first that it has. Throughput is time per sample: it compares trainings of unequal
# batch size or length too.
TIMES = ("samples_per_s", "command_s", "probe_s")
_WORDS = {MORE: FASTER, LESS: SLOWER, ALIKE: SAME}
_OPEN = f"neither a difference nor equality within {100 * MARGIN:g} % is shown"


def declared_metric(records: Sequence[Record]) -> str:
    """The metric on which an arm is judged where nobody names one: the first of `TIMES` that was measured."""
    names = {name for record in records for name, value in record.metrics.items() if value is not None}
    return next((name for name in TIMES if name in names), TIMES[0])


def compare_paired(
    a: Sequence[Record], b: Sequence[Record], *, name: str = "", asked: Collection[str] = ()
) -> list[Comparison]:
    """Compare the times of *a* (the base) and *b* (the head), which ran in the same blocks.

    Each arm gets one row with a verdict, on its declared metric, with Holm's correction over the arms. All
    other numbers of the table are exploratory.

    Args:
        name: the declared metric of all arms; left out, each arm's `declared_metric`.
        asked: keys of the environment in which the sides differ because that is what is compared.
    """
    rows, tests = [], []
    for pair in pairs_of(a, b):
        of = metric(name or declared_metric([*pair.a, *pair.b]))
        row, test = _timed_row(pair, of)
        if why := "" if name else _timeless(pair):
            row = replace(row, verdict="", reason=why, exploratory=True)
        elif not row.reason and (found := unlike(pair.a, pair.b, asked)):
            row, test = replace(row, verdict=NOT_COMPARABLE, reason="; ".join(found), p=None), None
        rows.append(row)
        tests.append(test)
    declared = _decided(rows, tests)
    explored = [_explored(pair, row.metric) for pair, row in zip(pairs_of(a, b), rows, strict=True)]
    return [*declared, *(row for found in explored for row in found)]


def _timeless(pair: Pair) -> str:
    """Why an arm has no time to be compared, and fails by it in nothing; empty where it should have one."""
    records = [*pair.a, *pair.b]
    if all(record.status == "SKIPPED" for record in records):
        return f"SKIPPED: {records[0].reason}"
    timed = any(record.metrics.get(each) is not None for record in records for each in TIMES)
    whole = all(record.status in (OK, "SKIPPED") for record in records)
    return "has no time of its own" if whole and not timed else ""


def _timed_row(pair: Pair, of: Metric) -> tuple[Comparison, BlockRatio | None]:
    """The row without its verdict, and the test behind it; a reason where there can be none."""
    of_a, of_b = block_values(pair.a, of.name), block_values(pair.b, of.name)
    blocks = sorted(set(of_a) & set(of_b))
    row = Comparison(scenario=pair.scenario, arm=pair.arm, metric=of.name, verdict=INCONCLUSIVE)
    if not blocks:
        return replace(row, reason=f"no block has {of.label} of both sides that can be believed"), None
    x, y = [of_a[block] for block in blocks], [of_b[block] for block in blocks]
    row = replace(row, a=statistics.median(x), b=statistics.median(y), n=len(blocks))
    if not all(math.isfinite(value) and value > 0 for value in (*x, *y)):
        return replace(row, reason=f"{of.label} is not above 0 in every block"), None
    head, base = (y, x) if of.better == "higher" else (x, y)
    test = block_ratio(head, base)
    ratios = tuple(one / other for one, other in zip(head, base, strict=True))
    return replace(row, effect=test.ratio, p=test.p, samples=ratios), test


def _decided(rows: Sequence[Comparison], tests: Sequence[BlockRatio | None]) -> list[Comparison]:
    """The *rows* with their verdicts; those that were tested share the error of 5 %."""
    values = [test.p for test in tests if test is not None and test.p is not None]
    adjusted = iter(holm(values))
    found = []
    for row, test in zip(rows, tests, strict=True):
        if test is None:
            found.append(row)
        elif test.p is None:
            found.append(replace(row, reason=test.reason))
        else:
            p = next(adjusted)
            reach = test.smallest_effect(len(values))
            verdict = _WORDS.get(decide(test, p), INCONCLUSIVE)
            reason = _OPEN if verdict == INCONCLUSIVE else ""
            found.append(replace(row, p=p, reach=reach, verdict=verdict, reason=reason))
    return found


def half_width(row: Comparison) -> float | None:
    """Half the width of the 95 % interval of a ratio, as a share; None where it has no ends."""
    if row.effect is None or row.effect.low is None or row.effect.high is None:
        return None
    return (math.log(row.effect.high) - math.log(row.effect.low)) / 2


def _explored(pair: Pair, declared: str) -> list[Comparison]:
    """Every other number that both sides have, without a verdict."""
    names = dict.fromkeys(name for record in pair.a for name in record.metrics)
    rows = []
    for name in names:
        of = metric(name)
        if name == declared or of.better is None:
            continue
        row = _timed_row(pair, of)[0] if of.nature in ("timed", "energy") else _other_row(pair, of)
        if row.n:
            rows.append(replace(row, verdict="", reason="", p=None, exploratory=True))
    return rows


def _other_row(pair: Pair, of: Metric) -> Comparison:
    """A number that is no time: centres and, of what is learned, the paired difference with its interval."""
    row = Comparison(scenario=pair.scenario, arm=pair.arm, metric=of.name, scale=DIFFERENCE)
    x, y, _ = seed_pairs(pair, of.name)
    if not x:
        return row
    row = replace(row, a=statistics.fmean(x), b=statistics.fmean(y), n=len(x))
    if of.nature != "learned":
        return row
    differences = tuple(other - one for one, other in zip(x, y, strict=True))
    return replace(row, effect=paired_difference(y, x), samples=differences)
