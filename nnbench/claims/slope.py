"""Claims about growth: the exponent of a metric against a factor, on axes that are both logarithmic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from nnbench.claims.claim import Claim
from nnbench.claims.evidence import Runs, by_block, by_seed
from nnbench.claims.exact import measured, meter_tolerance
from nnbench.claims.verdict import NOT_COMPARABLE, NOT_RUN, UNDECIDED, Verdict, within
from nnbench.claims.wording import blocks_text, bounds_text, interval_text, left_out_text, percent
from nnbench.metrics import number
from nnbench.stats import BLOCKS_LEAST, Estimate, mean_interval

_ALIKE = 1e-9  # exponents nearer to each other are one number, rounded differently
_FACTORS_LEAST = 3


def factor_of(config: Mapping[str, Any], over: str, data: Mapping[str, Any]) -> float | None:
    """Field *over* of an arm's *config*, such as ``model_args.depth``; None where it is no number above 0.

    Args:
        data: what a record says of its data set: a full batch has as many samples as ``data["train"]``.
    """
    value: Any = config
    for key in over.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if over == "batch_size" and value == "full":
        value = data.get("train")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value) if value > 0 else None


def judge_slope(claim: Claim, runs: Runs, level: float) -> Verdict:
    """Whether the exponent lies within the bounds of *claim*: its t interval over seeds, at *level*.

    Each seed gives one exponent, by least squares over the arms. An exact number gives one; memory gives one
    with the reach of its meter.
    """
    weights, why = _weights(claim, runs)
    if why:
        return Verdict(claim=claim, verdict=UNDECIDED, reason=why)
    if claim.of.nature != "learned":
        return _of_one_pass(claim, runs, weights)
    arms = [by_seed(runs[name], claim.metric) for name in claim.arms]
    seeds = sorted(set.intersection(*(set(arm) for arm in arms)))
    rows = [[arm[seed] for arm in arms] for seed in seeds]
    whole = [[value for value in row if value is not None] for row in rows]
    whole = [row for row in whole if len(row) == len(arms)]
    why = ""
    if lost := len(rows) - len(whole):
        why = f"{lost} of {len(rows)} seeds have no {claim.of.label} in one of the arms, which failed"
    elif any(len(arm) != len(seeds) for arm in arms):
        why = "the arms have different seeds: finish the run with nnbench run --resume"
    return _judge(claim, whole, weights, level, unit="seed", why=why)


def judge_timed_slope(claim: Claim, runs: Runs, level: float) -> Verdict:
    """As `judge_slope`, over blocks: each block that has all arms gives one exponent."""
    weights, why = _weights(claim, runs)
    if why:
        return Verdict(claim=claim, verdict=UNDECIDED, reason=why)
    blocks = by_block(claim.arms, runs, claim.metric)
    if blocks.unlike:
        return Verdict(claim=claim, verdict=NOT_COMPARABLE, reason=blocks.unlike)
    why = blocks.uneven
    n = len(blocks.rows)
    if not why and n < BLOCKS_LEAST:
        why = f"{blocks_text(n)}, and a verdict needs {BLOCKS_LEAST}: nnbench run --blocks {BLOCKS_LEAST}"
    return _judge(claim, blocks.rows, weights, level, unit="block", why=why, left_out=blocks.left_out)


def _weights(claim: Claim, runs: Runs) -> tuple[list[float], str]:
    """What each arm's logarithm weighs in the exponent, or why there is none."""
    factors = []
    for name in claim.arms:
        record = runs[name][0]
        factor = next((f for r in runs[name] if (f := factor_of(r.arm, claim.over, r.data))), None)
        if factor is None:
            return [], f"{name} has no number above 0 in {claim.over}, but {record.arm.get(claim.over)!r}"
        factors.append(math.log(factor))
    if len(set(factors)) < _FACTORS_LEAST:
        return [], f"the arms have {len(set(factors))} values of {claim.over}, and a slope needs 3"
    centre = statistics.fmean(factors)
    total = sum((x - centre) ** 2 for x in factors)
    return [(x - centre) / total for x in factors], ""


def _exponent(row: Sequence[float], weights: Sequence[float]) -> float:
    return sum(weight * math.log(y) for weight, y in zip(weights, row, strict=True))


def _judge(
    claim: Claim, rows: Sequence[Sequence[float]], weights: Sequence[float], level: float, *,
    unit: str, why: str, left_out: int = 0,
) -> Verdict:  # fmt: skip
    if not rows:
        reason = _joined(f"{claim.metric} was not measured in any {unit} of all arms", why)
        verdict = UNDECIDED if left_out else NOT_RUN
        return Verdict(claim=claim, verdict=verdict, reason=_joined(reason, left_out_text(left_out)))
    if not all(0 < y < math.inf for row in rows for y in row):
        reason = f"a {claim.of.label} that is 0 or a miss has no logarithm, so there is no exponent"
        return Verdict(claim=claim, verdict=UNDECIDED, reason=reason)
    found = [_exponent(row, weights) for row in rows]
    n = len(found)
    effect = mean_interval(found, level)
    if not why and n < 2:
        why = f"one {unit} has no interval"
    elif not why and max(found) - min(found) < _ALIKE:
        why = f"all {n} exponents are identical, so their interval means nothing"
    if why:
        effect = Estimate(centre=effect.centre, low=None, high=None, n=n)
    counted = f"{n} {unit}{'s' if n != 1 else ''}"
    interval = f"{percent(level)} interval {interval_text(effect)}, " if effect.low is not None else ""
    reason = f"{_head(claim, effect)} ({interval}{counted}); claimed {bounds_text(claim)}"
    reason = _joined(reason, why, left_out_text(left_out))
    verdict = UNDECIDED if why else within(claim, effect)
    return Verdict(claim=claim, verdict=verdict, reason=reason, effect=effect, n=n)


def _of_one_pass(claim: Claim, runs: Runs, weights: Sequence[float]) -> Verdict:
    columns = [measured(runs, name, claim.metric) for name in claim.arms]
    if not all(columns):
        return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{claim.metric} was not measured in every arm")
    row = [statistics.median(column) for column in columns]
    memory = claim.of.nature == "memory"
    # beyond rounding, an exact number has no reach; where records disagree, from the least to the greatest
    spans = [
        (min(column) - slack, max(column) + slack)
        for column in columns
        for slack in [meter_tolerance(max(column)) if memory else 0.0]
    ]
    if min(low for low, _ in spans) <= 0:
        reason = f"a {claim.of.label} is too small for a logarithm of what the meter can tell"
        return Verdict(claim=claim, verdict=UNDECIDED, reason=reason)
    ends = [
        _exponent([span[(weight > 0) == high] for span, weight in zip(spans, weights, strict=True)], weights)
        for high in (False, True)
    ]
    low, centre, high = (round(x, 9) for x in (ends[0], _exponent(row, weights), ends[1]))
    effect = Estimate(centre=centre, low=low, high=high, n=1)
    reach = f" (the meter leaves {interval_text(effect)} open)" if memory else ""
    reason = f"{_head(claim, effect)}{reach}; claimed {bounds_text(claim)}"
    return Verdict(claim=claim, verdict=within(claim, effect), reason=reason, effect=effect, n=1)


def _head(claim: Claim, effect: Estimate) -> str:
    return f"{claim.of.label} grows with {claim.over} to the power {number(effect.centre)}"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
