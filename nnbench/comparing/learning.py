"""Does the head still learn? Accuracies by seed, and epochs to a target, against the base's."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import replace

from nnbench.comparing.pairing import (
    ACCURACY,
    Pair,
    identical_weights,
    other_data,
    pairs_of,
    seed_pairs,
    seed_values,
)  # fmt: skip
from nnbench.comparing.verdicts import DIFFERENCE, INCONCLUSIVE, NOT_COMPARABLE, Comparison
from nnbench.metrics import metric
from nnbench.records import Record
from nnbench.stats import LEARNS_ALIKE, LEARNS_WORSE, convergence, holm, median_with_misses

CONVERGENCE = "convergence"
EPOCHS_TO_TARGET = "epochs_to_target"
_ALPHA = 0.05
_SEEDS_LEAST = 6


def compare_learning(
    a: Sequence[Record], b: Sequence[Record], *, profile: str = "quick", asked: Collection[str] = ()
) -> list[Comparison]:
    """Whether each arm of *b* learns as well as that of *a*, MLPerf's reference-convergence test.

    Where the arms have a target accuracy, the epochs to it are compared too, a miss as infinity. All tests
    share the error of 5 % (Holm), as every other arm is one more occasion for a false alarm.

    Args:
        profile: whose margin of accuracy excludes a loss.
        asked: "data" where the sides are meant to have different data: then there is nothing to test.
    """
    margin = metric(ACCURACY).margin.get(profile, 0.0)
    rows = [row for pair in pairs_of(a, b) for row in _rows(pair, margin, asked)]
    adjusted = iter(holm([row.p for row in rows if row.p is not None]))
    return [row if row.p is None else _adjusted(row, next(adjusted), margin) for row in rows]


def _rows(pair: Pair, margin: float, asked: Collection[str]) -> list[Comparison]:
    if not all(any(v is not None for v in seed_values(of, ACCURACY).values()) for of in (pair.a, pair.b)):
        return []
    row = Comparison(scenario=pair.scenario, arm=pair.arm, metric=CONVERGENCE, scale=DIFFERENCE)
    if found := other_data(pair.a, pair.b):
        return [replace(row, verdict=NOT_COMPARABLE, reason="; ".join(found), exploratory="data" in asked)]
    x, y, lost = seed_pairs(pair, ACCURACY)
    row = _tested(row, x, y, margin, same=identical_weights(pair.a, pair.b))
    if lost and row.verdict == LEARNS_ALIKE:
        reason = f"{row.reason}; {lost} of {lost + row.n} seeds have no accuracy, since a training failed"
        row = replace(row, verdict=INCONCLUSIVE, reason=reason, p=None)
    return [row, *_target_rows(pair)]


def _tested(
    row: Comparison, base: Sequence[float], head: Sequence[float], margin: float, *, same: bool
) -> Comparison:
    n, a, b = len(base), *(statistics.fmean(values) if values else None for values in (base, head))
    row = replace(row, a=a, b=b, n=n, samples=tuple(y - x for x, y in zip(base, head, strict=True)))
    if same:
        reason = f"the weights of {n} seed{'s' if n != 1 else ''} are bit-identical"
        return replace(row, verdict=LEARNS_ALIKE, reason=reason)
    if n < _SEEDS_LEAST:  # equal accuracies of a few seeds may be a coincidence of counts
        seeds = f"{n} seed{'s' if n != 1 else ''}"
        reason = f"{seeds} with an accuracy on both sides, and the test needs {_SEEDS_LEAST}"
        return replace(row, verdict=INCONCLUSIVE, reason=reason)
    found = convergence(base, head, margin=margin)
    return replace(row, verdict=found.verdict, reason=found.reason, effect=found.gain, p=found.p)


def _adjusted(row: Comparison, p: float, margin: float) -> Comparison:
    """The *row* by its adjusted p: one that is no longer below the level is ALIKE only by its interval."""
    if p == row.p or row.verdict != LEARNS_WORSE or p < _ALPHA:
        return replace(row, p=p)
    reason = f"{row.reason}; p = {p:.2g} after Holm's correction"
    if row.metric == EPOCHS_TO_TARGET:
        return replace(row, p=p, verdict="", reason=reason, exploratory=True)
    alike = row.effect is not None and row.effect.low is not None and row.effect.low > -margin
    return replace(row, p=p, verdict=LEARNS_ALIKE if alike else INCONCLUSIVE, reason=reason)


def _target_rows(pair: Pair) -> list[Comparison]:
    """Epochs until the validation accuracy is at the target; none where the sides have no common target.

    The test can tell that the head is later. That it is not cannot be shown by ranks: such a row has no
    verdict.
    """
    targets = {record.arm.get("target_accuracy") for record in (*pair.a, *pair.b)}
    target = targets.pop() if len(targets) == 1 else None
    if target is None:
        return []
    base, head = (_epochs(records, float(target)) for records in (pair.a, pair.b))
    row = Comparison(
        scenario=pair.scenario, arm=pair.arm, metric=EPOCHS_TO_TARGET, exploratory=True, scale=DIFFERENCE,
        a=_finite(median_with_misses(base)), b=_finite(median_with_misses(head)), n=min(len(base), len(head)),
    )  # fmt: skip
    reason = f"to {target:.1%}: {_told(head)} against {_told(base)}"
    if row.n < _SEEDS_LEAST:
        return [replace(row, reason=f"{reason}; a test needs {_SEEDS_LEAST} seeds a side")]
    p = _p_of_later(head, base)
    row = replace(row, p=p, reason=f"{reason}, one-sided p = {p:.2g}")
    return [replace(row, verdict=LEARNS_WORSE, exploratory=False) if p < _ALPHA else row]


def _epochs(records: Sequence[Record], target: float) -> list[float | None]:
    """Epochs to *target* of each seed; None is a miss, a failed or diverged training is one too."""
    found: dict[int, float | None] = {}
    for record in records:
        if record.status == "SKIPPED":
            continue
        reached = record.curves.get(ACCURACY, [])
        epochs = (i for i, value in enumerate(reached, 1) if value is not None and value >= target)
        found.setdefault(record.seed, next(epochs, None))
    return list(found.values())


def _told(epochs: Sequence[float | None]) -> str:
    misses = sum(each is None for each in epochs)
    centre = median_with_misses(epochs)
    median = "median beyond the last epoch" if math.isinf(centre) else f"median {centre:g} epochs"
    return f"{median} ({misses} of {len(epochs)} missed it)"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _p_of_later(head: Sequence[float | None], base: Sequence[float | None]) -> float:
    """One-sided p of Mann and Whitney's test (1947), corrected for ties: small where head is later."""
    from scipy import stats

    last = max((each for each in (*head, *base) if each is not None), default=0)
    x, y = ([last + 1 if each is None else each for each in of] for of in (head, base))
    if len({*x, *y}) == 1:
        return 1.0
    return float(stats.mannwhitneyu(x, y, alternative="greater", method="asymptotic").pvalue)
