"""Claims about what is learned: the seed is the unit, and arms are paired by seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nnbench.claims.claim import Claim
from nnbench.claims.evidence import Runs, by_seed
from nnbench.claims.verdict import NOT_RUN, REFUTED, SUPPORTED, UNDECIDED, Verdict, alike, weakest, within
from nnbench.claims.wording import bounds_text, difference_text, interval_text, percent
from nnbench.metrics import Metric, number
from nnbench.records import Record
from nnbench.stats import Estimate, interquartile_mean, mean_interval, superiority

# Differences of accuracies and losses that are nearer to each other are one number, rounded differently.
ALIKE = 1e-9
_SEEDS_FOR_IQM = 20


def judge_learned(claim: Claim, runs: Runs, profile: str, level: float) -> Verdict:
    """The verdict of a comparison, an order or an equivalence, from intervals at *level*."""
    return weakest(
        [_judge_pair(claim, (a, b), runs, profile, level) for a, b in pairwise(claim.arms)]
    )  # fmt: skip


def _judge_pair(claim: Claim, names: tuple[str, str], runs: Runs, profile: str, level: float) -> Verdict:
    of, versus = claim.of, f"{names[0]} against {names[1]}"
    a, b = (by_seed(runs[name], claim.metric) for name in names)
    pairs = [(x, y) for seed in sorted(a.keys() & b.keys()) if (x := a[seed]) is not None
             and (y := b[seed]) is not None]  # fmt: skip
    if not pairs:
        return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{versus}: {claim.metric} was not measured")
    # an equivalence has no better end: how much higher the first is
    sign = 1 if claim.higher or claim.kind == "equivalent" else -1
    gains = [sign * (x - y) for x, y in pairs]
    margin = of.margin.get(profile, 0.0) if claim.margin is None else claim.margin
    level = 2 * level - 1 if claim.kind == "equivalent" else level  # two one-sided tests
    effect = mean_interval(gains, level)
    told = f"{versus}: {difference_text(effect, sign, of, level)}; margin {number(margin * of.scale)}"
    same = claim.kind == "equivalent" and max(map(abs, gains)) < ALIKE
    if same and (n := _same_trainings(runs[names[0]], runs[names[1]])):
        reason = f"{versus}: the same weights, bit for bit, under all {n} seeds"
        return Verdict(claim=claim, verdict=SUPPORTED, reason=reason, effect=effect, n=n)
    why = _undecidable(a, b, gains, of)
    verdict = UNDECIDED if why else _verdict(claim, effect, margin)
    reason = f"{told}; {why}" if why else told
    details = _details(names, pairs, 1 if claim.higher else -1, of)
    return Verdict(claim=claim, verdict=verdict, reason=reason, effect=effect, n=effect.n, details=details)


def judge_mean(claim: Claim, runs: Runs, level: float) -> Verdict:
    """Whether the mean over seeds of the first arm lies within the bounds: its t interval at *level*.

    Where every seed gives the same number there is no interval, and none is needed: chance has no part in it.
    """
    name, of = claim.arms[0], claim.of
    of_seeds = by_seed(runs[name], claim.metric)
    values = [value for value in of_seeds.values() if value is not None]
    if not values:
        return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{name}: {claim.metric} was not measured")
    found = mean_interval(values, level)
    if len(values) > 1 and max(values) - min(values) <= ALIKE * max(map(abs, values)):
        found = Estimate(centre=found.centre, low=values[0], high=values[0], n=found.n)
    ends = interval_text(found, lambda end: number(end * of.scale))
    interval = f"{percent(level)} interval {ends}, " if ends else ""
    reason = (
        f"{name}: {of.label} {number(found.centre * of.scale)} {of.unit}".rstrip()
        + f" ({interval}n = {found.n}); claimed {bounds_text(claim, of)}"
    )
    why = "" if len(values) > 1 else "one seed has no interval: take 6 or more"
    if lost := len(of_seeds) - len(values):
        why = f"{lost} of {len(of_seeds)} seeds have no {of.label}, since they failed"
    verdict = UNDECIDED if why else within(claim, found)
    return Verdict(claim=claim, verdict=verdict, reason=f"{reason}; {why}" if why else reason,
                   effect=found, n=found.n)  # fmt: skip


def _same_trainings(a: Sequence[Record], b: Sequence[Record]) -> int:
    """Seeds of two arms that ended in the same weights under each of them; 0 where they did not.

    Two seeds must have ended in different ones: arms that share a fault, and learn nothing, look alike too.
    """
    of_a, of_b = ({record.seed: record.weights_sha256 for record in arm} for arm in (a, b))
    found = set(of_a.values())
    told_apart = len(found) == len(of_a) > 1 and None not in found
    return len(of_a) if of_a == of_b and told_apart else 0


def _undecidable(
    a: dict[int, float | None], b: dict[int, float | None], gains: Sequence[float], of: Metric
) -> str:
    """Why these seeds decide nothing, whatever their interval; empty where they may."""
    both = a.keys() & b.keys()
    if lost := len(both) - len(gains):
        return f"{lost} of {len(both)} pairs have no {of.label}, since one of the two failed"
    if len(gains) > 1 and max(gains) - min(gains) < ALIKE:
        return f"all {len(gains)} differences are identical, so their interval means nothing"
    if loose := sorted(a.keys() ^ b.keys()):
        seeds = f"seed{'s' if len(loose) > 1 else ''} {', '.join(map(str, loose))}"
        return f"only one of the two has {seeds}: finish the run with nnbench run --resume"
    return "" if len(gains) > 1 else "one seed has no interval: take 6 or more"


def _verdict(claim: Claim, effect: Estimate, margin: float) -> str:
    if claim.kind == "equivalent":
        return alike(effect, margin)
    if effect.low is None or effect.high is None:
        return UNDECIDED
    if effect.low > margin:
        return SUPPORTED
    return REFUTED if effect.high < margin else UNDECIDED


def _details(
    names: tuple[str, str], pairs: Sequence[tuple[float, float]], sign: int, of: Metric
) -> tuple[str, ...]:
    """P(A>B) and, from 20 seeds, the interquartile means: printed, they decide nothing."""
    a, b = ([pair[i] for pair in pairs] for i in (0, 1))
    chance = superiority([sign * x for x in a], [sign * y for y in b])
    found = [
        f"P({names[0]} is better) = {chance.centre:.2f} ({percent(0.95)} interval "
        f"{chance.low or 0:.2f} to {chance.high or 0:.2f})"
    ]
    if len(pairs) >= _SEEDS_FOR_IQM:
        means = "; ".join(
            f"{name} {_mean_text(side, of)}" for name, side in zip(names, (a, b), strict=True)
        )  # fmt: skip
        found.append(f"interquartile means: {means}")
    return tuple(found)


def _mean_text(values: Sequence[float], of: Metric) -> str:
    mean = interquartile_mean([value * of.scale for value in values])
    unit = f" {of.unit}".rstrip()
    if mean.low is None or mean.high is None:
        return f"{number(mean.centre)}{unit}"
    return f"{number(mean.centre)} ({number(mean.low)} to {number(mean.high)}){unit}"
