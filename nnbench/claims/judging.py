"""The verdicts of a scenario's claims, from its records."""

from __future__ import annotations

from collections.abc import Sequence

from nnbench.claims.claim import Claim
from nnbench.claims.evidence import Runs, runs_by_arm
from nnbench.claims.exact import judge_between, judge_exact, judge_fixed
from nnbench.claims.learned import judge_learned, judge_mean
from nnbench.claims.rate import judge_rate
from nnbench.claims.slope import judge_slope
from nnbench.claims.timed import judge_timed
from nnbench.claims.verdict import Verdict, not_run
from nnbench.records import Record


def judge(claims: Sequence[Claim], records: Sequence[Record], profile: str) -> list[Verdict]:
    """The verdict of each claim of one scenario, from that scenario's *records*.

    Raises:
        RecordError: an arm has two records of one seed and block, or two arms have one name.
    """
    runs = runs_by_arm(records)
    level = 1 - 0.05 / max(1, sum(_sampled(claim) for claim in claims))
    timed = iter(judge_timed([claim for claim in claims if claim.timed], runs, profile))
    return [next(timed) if claim.timed else _judge(claim, runs, profile, level) for claim in claims]


def _sampled(claim: Claim) -> bool:
    """Whether chance in the choice of seeds could make the verdict err."""
    return claim.of.nature in ("learned", "share") and claim.kind != "exact"


def _judge(claim: Claim, runs: Runs, profile: str, level: float) -> Verdict:
    if gone := not_run(claim, runs):
        return gone
    if claim.kind == "exact":
        return judge_exact(claim, runs)
    if claim.kind == "between":
        return judge_mean(claim, runs, level) if claim.of.nature == "learned" else judge_between(claim, runs)
    if claim.kind == "slope":
        return judge_slope(claim, runs, level)
    if claim.kind == "rate":
        return judge_rate(claim, runs, level)
    if claim.of.nature in ("learned", "share"):
        return judge_learned(claim, runs, profile, level)
    return judge_fixed(claim, runs, profile)
