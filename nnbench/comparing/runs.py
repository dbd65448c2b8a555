"""Two runs of different stretches of time: what is learned, exact or memory gets verdicts, time does not."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import replace

from nnbench.comparing.learning import compare_learning
from nnbench.comparing.paired import TIMES
from nnbench.comparing.pairing import (
    ACCURACY,
    Pair,
    block_values,
    identical_weights,
    other_data,
    pairs_of,
    seed_pairs,
    unlike,
)  # fmt: skip
from nnbench.comparing.verdicts import (
    BETTER,
    DIFFERENCE,
    INCONCLUSIVE,
    NOT_COMPARABLE,
    SAME,
    WORSE,
    Comparison,
)
from nnbench.config import ConfigError, closest
from nnbench.metrics import METRICS, Metric, metric, number
from nnbench.records import OK, Record
from nnbench.stats import Estimate, paired_difference

STATUS = "status"
OTHER_TIMES = "taken at different times: use nnbench ab"
# Within this the memory pass repeats itself, as a share of the base and in bytes.
MEMORY_REPEATS = (0.05, 6 * 2**20)
_SEEDS_LEAST = 6
_TIMED = ("timed", "energy")


def compare_runs(
    base: Sequence[Record],
    head: Sequence[Record],
    *,
    metrics: Collection[str] = (),
    profile: str = "quick",
    across: bool = False,
) -> list[Comparison]:
    """Compare two runs, arm by arm.

    Args:
        metrics: the declared ones; left out: accuracy, everything exact, memory, and the time of each arm.
        profile: whose margins hold.
        across: take times of different machines or versions for comparable all the same.

    Raises:
        ConfigError: one of *metrics* is unknown.
    """
    _check(metrics, [*base, *head])
    pairs = pairs_of(base, head)
    rows = [row for pair in pairs if (row := _status_row(pair)) is not None]
    todo = [(pair, of) for pair in pairs for of in _metrics(pair, metrics)]
    learned = sum(of.nature == "learned" and _declared(of, metrics) for _, of in todo)
    level = 1 - 0.05 / max(1, learned)
    for pair, of in todo:
        row = _row(pair, of, level, of.margin.get(profile, 0.0), across=across)
        if row is not None and _declared(of, metrics):
            rows.append(row)
        elif row is not None:
            rows.append(replace(row, verdict="", exploratory=True))
    return [*rows, *(compare_learning(base, head, profile=profile) if _learning_counts(metrics) else [])]


def _check(metrics: Collection[str], records: Sequence[Record]) -> None:
    known = list(dict.fromkeys([*(name for record in records for name in record.metrics), *METRICS]))
    for name in metrics:
        if name not in known:
            hint = closest(name, known)
            raise ConfigError(f"--metric: unknown name {name!r}; {hint}known: {', '.join(known)}")


def _metrics(pair: Pair, wanted: Collection[str]) -> list[Metric]:
    """What both sides know of; a metric without a better end only where it is asked for."""
    of_b = {name for record in pair.b for name in record.metrics}
    names = dict.fromkeys(name for record in pair.a for name in record.metrics if name in of_b)
    return [metric(name) for name in names if (name in wanted if wanted else metric(name).better is not None)]


def _declared(of: Metric, wanted: Collection[str]) -> bool:
    """Whether a metric gets a verdict: the asked ones; else no time but the arm's own, no loss."""
    if wanted:
        return True
    if of.nature == "learned":
        return of.name == ACCURACY
    return of.name in TIMES if of.nature in _TIMED else True


def _learning_counts(wanted: Collection[str]) -> bool:
    """A faster arm that learns worse has to be caught, unless only counts and bytes are asked for."""
    return not wanted or any(metric(name).nature in ("learned", *_TIMED) for name in wanted)


def _status_row(pair: Pair) -> Comparison | None:
    """An arm that ended well on one side only; None where there is nothing to tell."""
    of_a, of_b = _failure(pair.a), _failure(pair.b)
    if bool(of_a) == bool(of_b):
        return None
    verdict, reason = (WORSE, f"head: {of_b}") if of_b else (BETTER, f"base: {of_a}")
    return Comparison(scenario=pair.scenario, arm=pair.arm, metric=STATUS, verdict=verdict, reason=reason)


def _failure(records: Sequence[Record]) -> str:
    """How a training of *records* failed; empty where none did. What was SKIPPED did not fail."""
    return next((f"{r.status}: {r.reason}" for r in records if r.status not in (OK, "SKIPPED")), "")


def _row(pair: Pair, of: Metric, level: float, margin: float, *, across: bool) -> Comparison | None:
    if of.nature in _TIMED:
        return _time_row(pair, of, across=across)
    row = Comparison(scenario=pair.scenario, arm=pair.arm, metric=of.name, scale=DIFFERENCE)
    if of.nature == "learned":
        return _learned_row(row, pair, of, level, margin)
    return _counted_row(row, pair, of)


def _time_row(pair: Pair, of: Metric, *, across: bool) -> Comparison | None:
    """Ratio and interval, and no verdict ever: between two runs machines drift by more than code does."""
    x, y = ([v for v in block_values(records, of.name).values() if v > 0] for records in (pair.a, pair.b))
    if not x or not y:
        return None
    row = Comparison(
        scenario=pair.scenario, arm=pair.arm, metric=of.name, a=statistics.median(x), b=statistics.median(y),
        n=min(len(x), len(y)), verdict=INCONCLUSIVE, reason=OTHER_TIMES,
        effect=_ratio(y, x) if of.better == "higher" else _ratio(x, y),
    )  # fmt: skip
    found = [] if across else [*unlike(pair.a, pair.b), *other_data(pair.a, pair.b)]
    return replace(row, verdict=NOT_COMPARABLE, reason="; ".join(found)) if found else row


def _ratio(x: Sequence[float], y: Sequence[float]) -> Estimate:
    """Geometric mean of *x* over that of *y*, with the interval of Welch's t test (1947) on logarithms."""
    logs = [[math.log(value) for value in values] for values in (x, y)]
    centre = statistics.fmean(logs[0]) - statistics.fmean(logs[1])
    n = min(len(x), len(y))
    parts = [statistics.variance(of) / len(of) for of in logs] if n > 1 else [0.0, 0.0]
    if sum(parts) == 0:
        return Estimate(centre=math.exp(centre), low=None, high=None, n=n)
    from scipy.special import stdtrit

    freedom = sum(parts) ** 2 / sum(part**2 / (len(of) - 1) for part, of in zip(parts, logs, strict=True))
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(sum(parts))
    return Estimate(centre=math.exp(centre), low=math.exp(centre - half), high=math.exp(centre + half), n=n)


def _learned_row(row: Comparison, pair: Pair, of: Metric, level: float, margin: float) -> Comparison | None:
    """The t interval of head - base, paired by seed, against the margin."""
    x, y, lost = seed_pairs(pair, of.name)
    if not x:
        return None
    row = replace(
        row, a=statistics.fmean(x), b=statistics.fmean(y), effect=paired_difference(y, x, level), n=len(x),
        samples=tuple(other - one for one, other in zip(x, y, strict=True)),
    )  # fmt: skip
    if data := other_data(pair.a, pair.b):
        return replace(row, verdict=NOT_COMPARABLE, reason="; ".join(data))
    if identical_weights(pair.a, pair.b):
        return replace(row, verdict=SAME, reason="the weights are bit-identical")
    if why := _no_verdict(row, lost):
        return replace(row, verdict=INCONCLUSIVE, reason=why)
    verdict, reason = _by_margin(row, of, margin, level)
    return replace(row, verdict=verdict, reason=reason)


def _no_verdict(row: Comparison, lost: int) -> str:
    """Why the seeds allow no verdict; empty where they do."""
    if lost:
        return f"{lost} of {row.n + lost} seeds have no value, since a training failed"
    if row.n < _SEEDS_LEAST:
        return f"{row.n} seed{'s' if row.n != 1 else ''} in common, and a verdict needs {_SEEDS_LEAST}"
    if any(row.samples) and max(row.samples) == min(row.samples):
        return f"all {row.n} differences are identical, so their interval means nothing"
    return ""


def _by_margin(row: Comparison, of: Metric, margin: float, level: float) -> tuple[str, str]:
    reason = f"margin {number(margin * of.scale)}, {100 * level:.4g} % interval"
    low, high = (row.effect.low, row.effect.high) if row.effect is not None else (None, None)
    if low is None or high is None:
        return INCONCLUSIVE, reason
    if of.better == "lower":
        low, high = -high, -low
    if low == high == 0 or -margin < low <= high < margin:
        return SAME, reason
    beyond = BETTER if low > margin else WORSE if high < -margin else INCONCLUSIVE
    return beyond, reason


def _counted_row(row: Comparison, pair: Pair, of: Metric) -> Comparison | None:
    """What is exact is compared exactly; memory within what its meter repeats."""
    x, y = (_values(records, of.name) for records in (pair.a, pair.b))
    if not x or not y:
        return None
    row = replace(row, a=statistics.median(x), b=statistics.median(y), n=1)
    if of.nature == "exact" and (len({*x}) > 1 or len({*y}) > 1):
        return replace(row, verdict=INCONCLUSIVE, reason="one side has several values of it")
    if data := other_data(pair.a, pair.b):
        return replace(row, verdict=NOT_COMPARABLE, reason="; ".join(data))
    gain = statistics.median(y) - statistics.median(x)
    repeats = max(0.0, MEMORY_REPEATS[0] * statistics.median(x) + MEMORY_REPEATS[1])
    reason = f"the meter repeats within {repeats * of.scale:.0f} {of.unit}" if of.nature == "memory" else ""
    if abs(gain) <= (repeats if of.nature == "memory" else 0):
        return replace(row, verdict=SAME, reason=reason)
    if of.better is None:
        return replace(row, verdict=INCONCLUSIVE, reason=f"differs, and {of.label} has no better end")
    return replace(row, verdict=BETTER if (gain > 0) == (of.better == "higher") else WORSE, reason=reason)


def _values(records: Sequence[Record], name: str) -> list[float]:
    return [float(v) for r in records if r.status == OK and (v := r.metrics.get(name)) is not None]
