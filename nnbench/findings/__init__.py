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
from nnbench.findings.lecture import (
    SLIDE_COLUMNS,
    in_lecture_order,
    slide_rows,
    slides_of,
    sources_of,
    verdicts_by_slide,
)
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
    "SLIDE_COLUMNS",
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
    "in_lecture_order",
    "may_need",
    "of_claims",
    "sentences",
    "slide_rows",
    "slides_of",
    "sources_of",
    "values_of",
    "verdict_rows",
    "verdicts_by_slide",
    "whole_groups",
]  # fmt: skip
