"""What is told of a claim, and of what has no evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnbench.claims.claim import Claim
from nnbench.claims.evidence import Runs, why_not_run
from nnbench.stats import BlockRatio, Estimate

SUPPORTED, REFUTED, UNDECIDED, NOT_RUN = "SUPPORTED", "REFUTED", "UNDECIDED", "NOT RUN"
NOT_COMPARABLE = "NOT_COMPARABLE"
# One refuted pair refutes an order, whatever the others say; else a pair without evidence, or with
# evidence that does not count, leaves more open than one that more seeds or blocks would decide.
_WEAKEST_FIRST = (REFUTED, NOT_RUN, NOT_COMPARABLE, UNDECIDED, SUPPORTED)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the records say of a claim: the weakest pair of arms decides.

    Attributes:
        effect: how much better the first arm is, in the metric's recorded unit; of an equivalence, how much
            higher; of a slope the exponent, of a rate the share, of an exact claim what was found; None
            where there is none, and for times.
        reason: the sentence that explains the verdict.
        ratio: of times and energies: how many times as good the first arm is, over blocks; above 1 it is
            ahead in the direction of the claim.
        p: of the test behind a ratio, adjusted by Holm; None where there is no test.
        n: seeds or blocks that count.
        details: sentences that are printed and decide nothing.
    """

    claim: Claim
    verdict: str
    reason: str
    effect: Estimate | None = None
    ratio: BlockRatio | None = None
    p: float | None = None
    n: int = 0
    details: tuple[str, ...] = ()


def weakest(verdicts: Sequence[Verdict]) -> Verdict:
    """The one that decides about an order."""
    return min(verdicts, key=lambda verdict: _WEAKEST_FIRST.index(verdict.verdict))


def not_run(claim: Claim, runs: Runs) -> Verdict | None:
    """NOT RUN where an arm of *claim* has nothing to show; else None."""
    for name in claim.arms:
        if why := why_not_run(runs.get(name, ())):
            return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{name}: {why}")
    return None


def within(claim: Claim, found: Estimate) -> str:
    """Whether the interval of *found* lies within the bounds of *claim*: SUPPORTED, REFUTED or UNDECIDED."""
    if found.low is None or found.high is None:
        return UNDECIDED
    if (claim.low is not None and found.high < claim.low) or (
        claim.high is not None and found.low > claim.high
    ):
        return REFUTED
    above = claim.low is None or found.low >= claim.low
    return SUPPORTED if above and (claim.high is None or found.high <= claim.high) else UNDECIDED


def alike(found: Estimate, margin: float) -> str:
    """Whether a difference lies within +-*margin* (two one-sided tests, Schuirmann 1987)."""
    if found.low is None or found.high is None:
        return UNDECIDED
    if -margin < found.low and found.high < margin:
        return SUPPORTED
    return REFUTED if found.low > margin or found.high < -margin else UNDECIDED
