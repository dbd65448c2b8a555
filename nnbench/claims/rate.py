"""Claims about how often something is reached: a share of seeds, with its exact interval."""

from __future__ import annotations

from collections.abc import Sequence

from nnbench.claims.claim import Claim
from nnbench.claims.evidence import Runs, by_seed
from nnbench.claims.verdict import NOT_RUN, UNDECIDED, Verdict, within
from nnbench.claims.wording import percent
from nnbench.metrics import TRIALS, number
from nnbench.records import Record
from nnbench.stats import clopper_pearson


def judge_rate(claim: Claim, runs: Runs, level: float) -> Verdict:
    """Whether the share of seeds that reach ``claim.value`` lies within the bounds.

    A diverged seed has not reached it. Shares get the interval of Clopper and Pearson (1934) at *level*.
    """
    name, records = claim.arms[0], runs[claim.arms[0]]
    if claim.of.nature == "share":
        return _of_trials(claim, records, level)
    diverged = {record.seed for record in records if record.status == "DIVERGED"}
    values = by_seed(records, claim.metric)
    counted = {seed: value for seed, value in values.items() if value is not None or seed in diverged}
    if not counted:
        return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{name}: {claim.metric} was not measured")
    reached = [s for s, v in counted.items() if s not in diverged and v is not None and _reaches(claim, v)]
    share = clopper_pearson(len(reached), len(counted), level)
    bar = f"{number((claim.value or 0.0) * claim.of.scale)} {claim.of.unit}".rstrip()
    reason = (
        f"{name}: {len(reached)} of {len(counted)} seeds reach a {claim.of.label} of at "
        f"{'least' if claim.higher else 'most'} {bar}: {percent(share.centre)} ({percent(level)} interval "
        f"{100 * (share.low or 0):.3g} to {100 * (share.high or 0):.3g}); claimed {_bounds(claim)}"
    )
    why = _undecidable(records, len(values) - len(counted), len(values))
    verdict = UNDECIDED if why else within(claim, share)
    return Verdict(claim=claim, verdict=verdict, reason=f"{reason}; {why}" if why else reason,
                   effect=share, n=share.n)  # fmt: skip


def _of_trials(claim: Claim, records: Sequence[Record], level: float) -> Verdict:
    """The same where each record tells a share of trials of its own; those of all records count."""
    name, metric = claim.arms[0], claim.metric
    counts = [
        (float(value), int(record.metrics.get(TRIALS) or 0))
        for record in records
        if (value := record.metrics.get(metric)) is not None
    ]
    trials = sum(n for _, n in counts)
    if not trials:
        return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{name}: {metric} was not measured")
    reached = sum(round(value * n) for value, n in counts)
    share = clopper_pearson(reached, trials, level)
    reason = (
        f"{name}: {claim.of.label} in {reached:,} of {trials:,} trials: {percent(share.centre)} "
        f"({percent(level)} interval {100 * (share.low or 0):.3g} to {100 * (share.high or 0):.3g}); "
        f"claimed {_bounds(claim)}"
    )
    return Verdict(claim=claim, verdict=within(claim, share), reason=reason, effect=share, n=trials)


def _reaches(claim: Claim, value: float) -> bool:
    bar = claim.value or 0.0
    return value >= bar if claim.higher else value <= bar


def _bounds(claim: Claim) -> str:
    if claim.low is None:
        return f"at most {percent(claim.high or 0)}"
    return f"at least {percent(claim.low)}" + (f", at most {percent(claim.high)}" if claim.high else "")


def _undecidable(records: Sequence[Record], lost: int, seeds: int) -> str:
    if lost:
        return f"{lost} of {seeds} seeds failed before anything could be counted"
    # Trials that are copies of one another are one trial, however many there are.
    hashes = {record.seed: record.weights_sha256 for record in records if record.weights_sha256}
    if len(set(hashes.values())) < len(hashes):
        return "seeds ended at the same weights, so they are no independent trials"
    return ""
