"""Claims about what needs no repetition: exact numbers, and memory, which has one pass for each run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from itertools import pairwise

from nnbench.claims.claim import Claim
from nnbench.claims.evidence import Runs
from nnbench.claims.verdict import NOT_RUN, REFUTED, SUPPORTED, UNDECIDED, Verdict, weakest, within
from nnbench.claims.wording import bounds_text, difference_text, interval_text
from nnbench.metrics import number
from nnbench.stats import Estimate

# The meter's own repeatability: known allocations come back within 5 %, and what the interpreter and its
# libraries allocate besides moves by a few MiB from process to process.
METER_SHARE = 0.05
METER_BYTES = 6 * 2**20


def judge_exact(claim: Claim, runs: Runs) -> Verdict:
    """Whether the first arm has the value that is claimed, up to its margin, in every record that has one."""
    values = measured(runs, claim.arms[0], claim.metric)
    if not values:
        return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{claim.metric} was not measured")
    value, margin = claim.value or 0.0, claim.margin or 0.0
    found = max(values, key=lambda each: abs(each - value))  # the farthest decides
    effect = Estimate(centre=found, low=found, high=found, n=1)
    rounding = f" up to {margin:g}" if margin else ""
    return Verdict(claim=claim, verdict=SUPPORTED if abs(found - value) <= margin else REFUTED, effect=effect,
                   n=1, reason=f"found {_digits(found, margin)}, claimed {value:,}{rounding}")  # fmt: skip


def _digits(value: float, margin: float) -> str:
    """*value* with two digits more than its *margin* can tell; whole where there is none."""
    return f"{value:,.{max(0, 2 - math.floor(math.log10(margin)))}f}" if 0 < margin < 1 else f"{value:,}"


def judge_between(claim: Claim, runs: Runs) -> Verdict:
    """Whether an exact number, or memory within its meter's reach, lies within the bounds of *claim*."""
    values = measured(runs, claim.arms[0], claim.metric)
    if not values:
        return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{claim.metric} was not measured")
    low, centre, high = min(values), statistics.median(values), max(values)
    reach = meter_tolerance(high) if claim.of.nature == "memory" else 0.0
    effect = Estimate(centre=centre, low=low - reach, high=high + reach, n=1)
    of = claim.of
    reason = f"found {number(centre * of.scale)} {of.unit}".rstrip()
    reason += f" ({interval_text(effect, lambda end: number(end * of.scale))})" if low < high or reach else ""
    reason += f"; claimed {bounds_text(claim, of)}"
    return Verdict(claim=claim, verdict=within(claim, effect), reason=reason, effect=effect, n=1)


def measured(runs: Runs, arm: str, name: str) -> list[float]:
    """Metric *name* of all records of *arm* that have it."""
    return [value for record in runs[arm] if (value := record.metrics.get(name)) is not None]


def meter_tolerance(bytes_: float) -> float:
    """Bytes by which a measurement of *bytes_* may differ from its repetition."""
    return METER_SHARE * abs(bytes_) + METER_BYTES


def judge_fixed(claim: Claim, runs: Runs, profile: str) -> Verdict:
    """The verdict of a comparison, an order or an equivalence of exact numbers or of memory."""
    judge_pair: Callable[[Claim, tuple[str, str], list[float], list[float], float], Verdict]
    judge_pair = _judge_memory if claim.of.nature == "memory" else _judge_numbers
    margin = claim.of.margin.get(profile, 0.0) if claim.margin is None else claim.margin
    found = []
    for names in pairwise(claim.arms):
        a, b = (measured(runs, name, claim.metric) for name in names)
        if a and b:
            found.append(judge_pair(claim, names, a, b, margin))
        else:
            reason = f"{names[0]} against {names[1]}: {claim.metric} was not measured"
            found.append(Verdict(claim=claim, verdict=NOT_RUN, reason=reason))
    return weakest(found)


def _sign(claim: Claim) -> int:
    return 1 if claim.higher or claim.kind == "equivalent" else -1


def _judge_numbers(
    claim: Claim, names: tuple[str, str], a: list[float], b: list[float], margin: float
) -> Verdict:
    sign = _sign(claim)
    gains = [sign * (x - y) for x in a for y in b]
    same = claim.kind == "equivalent"
    gain = max(gains, key=abs) if same else min(gains)  # the worst decides
    verdict = SUPPORTED if (abs(gain) < margin if same else gain > margin) else REFUTED
    effect = Estimate(centre=gain, low=gain, high=gain, n=1)
    told = difference_text(effect, sign, claim.of, 1.0)
    reason = f"{names[0]} against {names[1]}: {told}; margin {number(margin * claim.of.scale)}"
    return Verdict(claim=claim, verdict=verdict, reason=reason, effect=effect, n=1)


def _judge_memory(
    claim: Claim, names: tuple[str, str], a: list[float], b: list[float], margin: float
) -> Verdict:
    sign, of = _sign(claim), claim.of
    x, y = statistics.median(a), statistics.median(b)
    gain, reach = sign * (x - y), meter_tolerance(max(x, y))
    effect = Estimate(centre=gain, low=gain - reach, high=gain + reach, n=1)
    told = difference_text(Estimate(centre=gain, low=None, high=None, n=1), sign, of, 1.0)
    reason = (
        f"{names[0]} against {names[1]}: {told}; the meter repeats within {number(reach * of.scale)} "
        f"{of.unit}; margin {number(margin * of.scale)}"
    )
    verdict = _memory_verdict(claim, effect, margin, reach)
    if verdict == UNDECIDED:
        reason += "; the difference is too near to it to be told, and no repetition would help"
    return Verdict(claim=claim, verdict=verdict, reason=reason, effect=effect, n=1)


def _memory_verdict(claim: Claim, effect: Estimate, margin: float, reach: float) -> str:
    if claim.kind == "equivalent":
        if not margin:  # the same, as far as the meter can tell
            return SUPPORTED if abs(effect.centre) <= reach else REFUTED
        if abs(effect.centre) + reach < margin:
            return SUPPORTED
        return REFUTED if abs(effect.centre) - reach > margin else UNDECIDED
    if effect.centre > margin + reach:
        return SUPPORTED
    return REFUTED if effect.centre < margin - reach else UNDECIDED
