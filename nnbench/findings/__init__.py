"""What the numbers say: verdicts and plain sentences, computed from records. Pure functions."""

from nnbench.findings.centres import ACCURACY, arms_of, best_arm, values_of
from nnbench.findings.choosing import (
    ALL_ARMS,
    ALL_CLAIMS,
    ARMS_MOST,
    CLAIMS_MOST,
    Choice,
    few_efficiencies,
    few_times,
    for_plots,
    for_table,
    of_claims,
    whole_groups,
)
from nnbench.findings.counting import counts
from nnbench.findings.fairness import AXIS_METRICS, axes_rows, equality
from nnbench.findings.sentences import SEEDS_FOR_SMALL_DIFFERENCES, sentences
from nnbench.findings.verdicts import COLUMNS, claims_of, effect_text, may_need, verdict_rows

__all__ = [
    "ACCURACY",
    "ALL_ARMS",
    "ALL_CLAIMS",
    "ARMS_MOST",
    "AXIS_METRICS",
    "CLAIMS_MOST",
    "COLUMNS",
    "SEEDS_FOR_SMALL_DIFFERENCES",
    "Choice",
    "arms_of",
    "axes_rows",
    "best_arm",
    "claims_of",
    "counts",
    "effect_text",
    "equality",
    "few_efficiencies",
    "few_times",
    "for_plots",
    "for_table",
    "may_need",
    "of_claims",
    "sentences",
    "values_of",
    "verdict_rows",
    "whole_groups",
]  # fmt: skip
