"""Seconds of training until a validation accuracy, from records: a table as DAWNBench has it.

Coleman et al. 2019 ("Analysis of DAWNBench, a Time-to-Accuracy Machine Learning Performance Benchmark",
arXiv 1806.01427). The target is stated before the run; validation is not counted. The mean is over seeds, and
a seed that misses takes forever: a recipe that is fast when it is lucky must not win.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nnbench.metrics import number
from nnbench.records import OK, Record, records_by_arm
from nnbench.stats import Estimate, mean_with_misses

_ACCURACY = "validation_accuracy"
_USELESS_TIMES = ("INVALID", "CLOCK")


@dataclass(frozen=True, kw_only=True)
class TimeToAccuracy:
    """How one recipe, an arm with a target, fares on one data set.

    Attributes:
        target: validation accuracy, 0 to 1.
        seconds: of training until the first validation at the target, mean over seeds; infinite where one of
            them missed it, None where no time can be believed.
        hits, seeds: how many of those that were trained reached it.
        epochs: passes over the training set until then, mean over the hits; None without any.
        samples_per_s: median over the seeds.
        speed_up: mean of the first recipe of this data set and target over the own; None where there is none.
        reason: why some were not trained; empty where all were.
    """

    arm: str
    data: str
    target: float
    seconds: Estimate | None
    hits: int
    seeds: int
    epochs: float | None
    samples_per_s: float | None
    speed_up: float | None = None
    reason: str = ""


def times_to_accuracy(records: Sequence[Record]) -> list[TimeToAccuracy]:
    """One for each arm that has a target, in the order of first appearance.

    A diverged seed is a miss; one whose time is disturbed still hits or misses. A seed that was measured in
    several blocks counts once, with its mean time.
    """
    aimed = [record for record in records if record.arm.get("target_accuracy") is not None]
    found: list[TimeToAccuracy] = []
    for arm, mine in records_by_arm(aimed).items():
        own = _of_arm(arm, mine)
        first = next((of for of in found if (of.data, of.target) == (own.data, own.target)), None)
        found.append(own if first is None else replace(own, speed_up=_ratio(first, own)))
    return found


def _of_arm(arm: str, records: Sequence[Record]) -> TimeToAccuracy:
    trained = [record for record in records if record.status in (OK, "DIVERGED")]
    by_seed = [[r for r in trained if r.seed == seed] for seed in dict.fromkeys(r.seed for r in trained)]
    hits = [seed for seed in by_seed if all(_hit(record) for record in seed)]
    rates = [rate for record in trained if (rate := record.metrics.get("samples_per_s")) and _calm(record)]
    lost = [record for record in records if record not in trained]
    return TimeToAccuracy(
        arm=arm,
        data=str(records[0].arm.get("data", "")),
        target=float(records[0].arm["target_accuracy"]),
        seconds=_seconds(by_seed),
        hits=len(hits),
        seeds=len(by_seed),
        epochs=statistics.fmean(_epochs(seed[0]) for seed in hits) if hits else None,
        samples_per_s=statistics.median(rates) if rates else None,
        reason=f"{lost[0].status}: {lost[0].reason}" if lost else "",
    )


def _hit(record: Record) -> bool:
    return record.status == OK and record.metrics.get("target_s") is not None


def _calm(record: Record) -> bool:
    return not any(flag in record.quality for flag in _USELESS_TIMES)


def _seconds(by_seed: Sequence[Sequence[Record]]) -> Estimate | None:
    """A miss counts whatever the machine did; a hit's time only where nothing disturbed it."""
    times: list[float | None] = []
    for seed in by_seed:
        if not all(_hit(record) for record in seed):
            times.append(None)
        elif calm := [float(record.metrics["target_s"] or 0) for record in seed if _calm(record)]:
            times.append(statistics.fmean(calm))
    return mean_with_misses(times) if times else None


def _epochs(record: Record) -> float:
    """Passes over the training set at the first validation at the target."""
    curve, target = record.curves.get(_ACCURACY, []), record.arm["target_accuracy"]
    reached = next((i for i, value in enumerate(curve) if value is not None and value >= target), -1)
    samples = record.curves.get("samples", [])
    return (samples[reached] or 0.0) / record.data["train"] if samples else math.nan


def _ratio(first: TimeToAccuracy, own: TimeToAccuracy) -> float | None:
    if first.seconds is None or own.seconds is None or own.seconds.centre in (0, math.inf):
        return None
    return first.seconds.centre / own.seconds.centre


def rows_of_times(found: Sequence[TimeToAccuracy]) -> list[dict[str, str]]:
    """One printable row for each; keys are column heads.

    Where something was not trained there is a last column, ``status``, that says why.
    """
    rows = [
        {
            "data set": of.data,
            "target": f"{of.target * 100:.4g}\u00a0%",
            "recipe": of.arm,
            "time to target [s]": _time_text(of.seconds),
            "hits": f"{of.hits}/{of.seeds}",
            "epochs": "–" if of.epochs is None else number(of.epochs),
            "samples/s": "–" if of.samples_per_s is None else number(of.samples_per_s),
            "times as fast": "–" if of.speed_up is None else _times_text(of.speed_up),
        }
        for of in found
    ]
    if any(of.reason for of in found):
        rows = [{**row, "status": of.reason or OK} for row, of in zip(rows, found, strict=True)]
    return rows


def _time_text(of: Estimate | None) -> str:
    """'8.3 ± 0.2', half the 95 % interval of the mean; '∞' with a miss, a dash without a time."""
    if of is None:
        return "–"
    if math.isinf(of.centre):
        return "∞"
    if of.low is None or of.high is None:
        return number(of.centre)
    decimals = max(0, 1 - math.floor(math.log10(max(1e-9, (of.high - of.low) / 2))))
    return f"{of.centre:.{decimals}f} ± {(of.high - of.low) / 2:.{decimals}f}"


def _times_text(ratio: float) -> str:
    return "∞" if math.isinf(ratio) else number(ratio)
