"""Claims about times and energies: the block is the unit, and what counts is the ratio.

A time is compared only with one of the same block, so that whatever slows the machine down slows both. The
p values of all pairs of one scenario on one metric share an error of 5 % (Holm 1979); the slopes among
them share it with the pairs (Bonferroni), which keeps the sum of both at 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nnbench.claims.claim import Claim
from nnbench.claims.evidence import TARGET, Blocks, Runs, by_block
from nnbench.claims.slope import judge_timed_slope
from nnbench.claims.targets import Signs, signs, signs_text, verdict_of_signs
from nnbench.claims.verdict import (
    NOT_COMPARABLE,
    NOT_RUN,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Verdict,
    not_run,
    weakest,
)
from nnbench.claims.wording import (
    as_told,
    blocks_text,
    interval_text,
    left_out_text,
    p_text,
    percent,
    ratio_number,
)
from nnbench.stats import (
    BLOCKS_LEAST,
    LESS,
    MARGIN,
    MORE,
    SAME,
    BlockRatio,
    block_ratio,
    decide,
    holm,
    resolution,
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two arms of a claim, before the number of comparisons is known.

    Attributes:
        settled: a verdict that no p value can change; empty where the test decides.
        why: the reason of *settled*.
        ratio: how many times as good the first arm is; None where there is none, or misses.
        signs: where a side misses its target.
        margin: smallest share beyond the *boundary* that counts.
    """

    claim: Claim
    names: tuple[str, str]
    blocks: Blocks
    margin: float
    boundary: float
    settled: str = ""
    why: str = ""
    ratio: BlockRatio | None = None
    signs: Signs | None = None

    @property
    def p(self) -> float | None:
        """Of the test that decides, before Holm; None where there is none."""
        of = self.ratio or self.signs
        return None if self.settled or of is None else of.p


def judge_timed(claims: Sequence[Claim], runs: Runs, profile: str) -> list[Verdict]:
    """The verdict of each of *claims*, all those of one scenario on times and energies."""
    found: dict[int, Verdict] = {}
    for name in dict.fromkeys(claim.metric for claim in claims):
        mine = {i: claim for i, claim in enumerate(claims) if claim.metric == name}
        found.update(_judge_metric(mine, runs, profile))
    return [found[i] for i in range(len(claims))]


def _judge_metric(claims: dict[int, Claim], runs: Runs, profile: str) -> dict[int, Verdict]:
    found = {i: gone for i, claim in claims.items() if (gone := not_run(claim, runs))}
    slopes = {i: claim for i, claim in claims.items() if claim.kind == "slope" and i not in found}
    compared = {
        i: [compare(claim, names, runs, profile) for names in pairwise(claim.arms)]
        for i, claim in claims.items()
        if i not in found and i not in slopes
    }
    tested = [of.p for comparisons in compared.values() for of in comparisons if of.p is not None]
    tests = len(tested) + len(slopes)
    # A slope takes part as one that Holm rejects last, and is itself tested at the strictest level.
    adjusted = iter(holm([*tested, *[1.0] * len(slopes)]))
    for i, comparisons in compared.items():
        found[i] = weakest(
            [_verdict(of, None if of.p is None else next(adjusted), tests) for of in comparisons]
        )
    for i, claim in slopes.items():
        found[i] = judge_timed_slope(claim, runs, 1 - 0.05 / tests)
    return found


def compare(claim: Claim, names: tuple[str, str], runs: Runs, profile: str) -> Comparison:
    """What the blocks say of two arms."""
    blocks = by_block(names, runs, claim.metric)
    own = claim.margin is not None and claim.kind != "equivalent"
    margin = claim.of.margin.get(profile, MARGIN) if claim.margin is None else claim.margin
    boundary = 1 + margin if own else 1.0
    settled, why = _settle(claim, blocks)
    ratio = missed = None
    times = [x for row in blocks.rows for x in row]
    if times and min(times) > 0 and settled != NOT_COMPARABLE:
        if math.inf in times:
            missed = signs(blocks.rows, higher=claim.higher, boundary=boundary)
        else:
            a, b = ([row[i] for row in blocks.rows] for i in (0, 1))
            ratio = block_ratio(a, b, boundary) if claim.higher else block_ratio(b, a, boundary)
            if not settled and _has_no_width(ratio):
                settled, why = UNDECIDED, "most ratios are identical, so their interval means nothing"
    return Comparison(
        claim=claim, names=names, blocks=blocks, margin=0.0 if own else margin, boundary=boundary,
        settled=settled, why=why, ratio=ratio, signs=missed,
    )  # fmt: skip


def _has_no_width(of: BlockRatio) -> bool:
    """Whether ties, as of a clock that is too coarse, have shrunk an interval to a point."""
    return of.p is not None and (of.inner.low or 0) * (1 + 1e-9) >= (of.inner.high or 0)


def _settle(claim: Claim, blocks: Blocks) -> tuple[str, str]:
    """A verdict that holds whatever a test would say, and its reason; else two empty strings."""
    if blocks.unlike:
        return NOT_COMPARABLE, blocks.unlike
    if not blocks.rows:
        if blocks.left_out:
            return UNDECIDED, f"no block is left to compare {claim.of.label}"
        return NOT_RUN, blocks.uneven or f"{claim.metric} was not measured"
    if claim.metric == TARGET and all(math.isinf(x) for row in blocks.rows for x in row):
        return UNDECIDED, "both miss the target in every block"
    if not all(x > 0 for row in blocks.rows for x in row):
        return UNDECIDED, f"a {claim.of.label} of 0 has no ratio"
    return (UNDECIDED, blocks.uneven) if blocks.uneven else ("", "")


def _verdict(of: Comparison, p: float | None, tests: int) -> Verdict:
    verdict = of.settled or _decide(of, p)
    n = len(of.blocks.rows)
    parts = [part for part in (_told(of, p, tests), of.why, _notes(of, p, tests)) if part]
    if of.blocks.left_out:
        parts.append(left_out_text(of.blocks.left_out))
    reason = f"{of.names[0]} against {of.names[1]}: {'; '.join(parts)}"
    return Verdict(claim=of.claim, verdict=verdict, reason=reason, ratio=of.ratio, p=p, n=n)


def _decide(of: Comparison, p: float | None) -> str:
    if p is None or (of.ratio is None and of.signs is None):
        return UNDECIDED
    if of.signs is not None:
        return verdict_of_signs(of.claim, of.signs, p, margin=of.margin, boundary=of.boundary)
    assert of.ratio is not None
    found = decide(of.ratio, p, margin=of.margin, boundary=of.boundary)
    if of.claim.kind != "equivalent":
        return {MORE: SUPPORTED, LESS: REFUTED, SAME: REFUTED}.get(found, UNDECIDED)
    if found == SAME:
        return SUPPORTED
    # A centre beyond the margin is not enough: the whole interval must be, as of what is learned.
    low, high = of.ratio.inner.low, of.ratio.inner.high
    outside = low is not None and high is not None and (low > 1 + of.margin or high < 1 - of.margin)
    return REFUTED if found in (LESS, MORE) and outside else UNDECIDED


def _told(of: Comparison, p: float | None, tests: int) -> str:
    """'1.32 times as fast (95 % interval 1.28 to 1.36, 6 blocks; p = 0.002 after Holm over 3)'."""
    if of.signs is not None:
        return signs_text(of.claim, of.signs, p, tests)
    if of.ratio is None:
        return ""
    told, words = as_told(of.claim, of.ratio.ratio)
    text = f"{ratio_number(told.centre)} {words}"
    if not (ends := interval_text(told, ratio_number)):
        return text
    counted = f"{percent(0.95)} interval {ends}, {blocks_text(told.n)}"
    return f"{text} ({counted}; {p_text(p, tests)})" if p is not None else f"{text} ({counted})"


def _notes(of: Comparison, p: float | None, tests: int) -> str:
    """Why there is no test; else what was asked for, and the smallest effect that would have been found."""
    if of.signs is not None and of.claim.kind == "equivalent":
        return "with misses there is no interval that could show an equivalence"
    if of.ratio is None or of.settled:
        return ""
    n = of.ratio.ratio.n
    if of.ratio.p is None:
        return of.ratio.reason + (f": nnbench run --blocks {BLOCKS_LEAST}" if n < BLOCKS_LEAST else "")
    if of.claim.kind == "equivalent" or decide(of.ratio, p, margin=of.margin, boundary=of.boundary) == SAME:
        inner = interval_text(as_told(of.claim, of.ratio.inner)[0], ratio_number)
        return f"{percent(0.9)} interval {inner} against a margin of {percent(of.margin)}"
    least = resolution(of.ratio.spread, n, tests, margin=of.margin)
    asked = f"margin {percent(of.margin)}"
    if of.boundary != 1:
        asked = f"asked for more than {ratio_number(of.boundary)} times as good"
    return f"{asked}; would have found {percent(round(least, 3))}{' beyond' if of.boundary != 1 else ''}"
