"""What the numbers say: verdicts and plain sentences, computed from records. Pure functions."""

from nnbench.findings.centres import ACCURACY, arms_of, best_arm, values_of
from nnbench.findings.counting import counts
from nnbench.findings.fairness import AXIS_METRICS, axes_rows, equality
from nnbench.findings.sentences import SEEDS_FOR_SMALL_DIFFERENCES, sentences
from nnbench.findings.verdicts import COLUMNS, claims_of, effect_text, may_need, verdict_rows

__all__ = [
    "ACCURACY", "AXIS_METRICS", "COLUMNS", "SEEDS_FOR_SMALL_DIFFERENCES", "arms_of", "axes_rows", "best_arm",
    "claims_of", "counts", "effect_text", "equality", "may_need", "sentences", "values_of", "verdict_rows",
]  # fmt: skip
