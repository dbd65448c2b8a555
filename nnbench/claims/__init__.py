"""Scenarios and claims: what the lecture states, made falsifiable, and the verdict from records.

A claim is data. Its verdict is computed from records and never stored in them:

* A learned metric (accuracy, loss) is compared over paired seeds: the t interval of the differences at
  level 1 - 0.05/k for the k claims of the scenario that could err. SUPPORTED if it lies wholly beyond
  the margin, REFUTED if wholly short of it, else UNDECIDED. A diverged seed counts as a loss.
* Times and energies are compared over paired blocks (`nnbench.runner`): their ratio, its test after Holm
  over the claims on one metric, and a margin of 2 %. Below 6 blocks they are UNDECIDED; those of different
  machines, versions or launchers are NOT_COMPARABLE.
* An exact metric (parameters) is compared exactly; one record suffices. Memory has one pass for each run,
  and a difference counts where it is more than the meter's own.

What is degenerate, uneven or missing decides nothing, and the reason says so.
"""

from nnbench.claims.claim import KINDS, TIMED, Claim
from nnbench.claims.evidence import Blocks, by_block, by_seed, runs_by_arm
from nnbench.claims.judging import judge
from nnbench.claims.scenario import AXES, BLOCKS, PROFILES, REPEATS, SEEDS, Scenario, run_plan
from nnbench.claims.slope import factor_of
from nnbench.claims.verdict import NOT_COMPARABLE, NOT_RUN, REFUTED, SUPPORTED, UNDECIDED, Verdict
from nnbench.claims.wording import as_told, interval_text, ratio_number, unit_of

__all__ = [
    "AXES", "BLOCKS", "KINDS", "NOT_COMPARABLE", "NOT_RUN", "PROFILES", "REFUTED", "REPEATS", "SEEDS",
    "SUPPORTED", "TIMED", "UNDECIDED", "Blocks", "Claim", "Scenario", "Verdict", "as_told", "by_block",
    "by_seed", "factor_of", "interval_text", "judge", "ratio_number", "run_plan", "runs_by_arm", "unit_of",
]  # fmt: skip
