"""Samples to centre, interval, test and verdict: pure functions, each with its source."""

from nnbench.stats.convergence import LEARNS_ALIKE, LEARNS_WORSE, UNSETTLED, Convergence, convergence
from nnbench.stats.intervals import (
    Estimate,
    binomial_error,
    clopper_pearson,
    interquartile_mean,
    mean_interval,
    mean_with_misses,
    median_interval,
    median_with_misses,
    paired_difference,
    paired_ratio,
    superiority,
)
from nnbench.stats.paired_blocks import (
    BLOCKS_LEAST,
    LESS,
    MARGIN,
    MORE,
    OPEN,
    SAME,
    BlockRatio,
    block_ratio,
    blocks_needed,
    decide,
    holm,
    resolution,
)
from nnbench.stats.performance_profile import R_MAX, profile_at, profile_score, time_ratios
from nnbench.stats.rate_curves import best_of, peak, plateau
from nnbench.stats.series import Outliers, drifts, evenly, outliers

__all__ = [
    "BLOCKS_LEAST", "LEARNS_ALIKE", "LEARNS_WORSE", "LESS", "MARGIN", "MORE", "OPEN", "R_MAX",
    "SAME", "UNSETTLED", "BlockRatio", "Convergence", "Estimate", "Outliers", "best_of", "binomial_error",
    "block_ratio", "blocks_needed", "clopper_pearson", "convergence", "decide", "drifts", "evenly", "holm",
    "interquartile_mean", "mean_interval", "mean_with_misses", "median_interval", "median_with_misses",
    "outliers", "paired_difference", "paired_ratio", "peak", "plateau", "profile_at", "profile_score",
    "resolution", "superiority", "time_ratios",
]  # fmt: skip
