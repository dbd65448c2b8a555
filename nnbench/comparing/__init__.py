"""Verdicts of a comparison of two sides, computed from their records: pure functions, no torch.

* `compare_paired`: times taken in the same blocks, which is what `nnbench ab` does. They get verdicts.
* `compare_runs`: two runs of different stretches of time. What is learned, exact or memory gets verdicts;
  time gets a ratio and INCONCLUSIVE, since two runs of equal code differ more often than not.
* `compare_learning`: does the one that may be faster still learn? Part of both.

The base is side A, the head side B; a ratio of times says how many times as fast the head is.
"""

from nnbench.comparing.learning import CONVERGENCE, EPOCHS_TO_TARGET, compare_learning
from nnbench.comparing.paired import compare_paired, declared_metric, half_width
from nnbench.comparing.pairing import arm_differences, environment_differences, only_one_side
from nnbench.comparing.runs import compare_runs
from nnbench.comparing.verdicts import (
    BETTER,
    FASTER,
    INCONCLUSIVE,
    NOT_COMPARABLE,
    SAME,
    SLOWER,
    WORSE,
    Comparison,
    exit_code,
)

__all__ = [
    "BETTER", "CONVERGENCE", "EPOCHS_TO_TARGET", "FASTER", "INCONCLUSIVE", "NOT_COMPARABLE", "SAME", "SLOWER",
    "WORSE", "Comparison", "arm_differences", "compare_learning", "compare_paired", "compare_runs",
    "declared_metric", "environment_differences", "exit_code", "half_width", "only_one_side",
]  # fmt: skip
