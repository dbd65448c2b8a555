"""The batch beyond which more samples hardly save a step, from steps to a target at several batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from nnbench.config import ConfigError

# Natural logarithms of the critical batches that are tried: from a millionth to a trillion samples.
_LEAST, _MOST = math.log(1e-6), math.log(1e12)


@dataclass(frozen=True, kw_only=True)
class CriticalBatch:
    """A fit of steps = steps_least (1 + critical_batch / batch).

    Attributes:
        steps_least: steps that a batch without end would take.
        critical_batch: samples; at this batch it takes twice the fewest steps and twice the fewest samples.
        largest_error: of the fit at the worst point, as a share of what was measured there.
    """

    steps_least: float
    critical_batch: float
    largest_error: float

    def steps(self, batch: float) -> float:
        """Steps to the target at *batch*, by the fit."""
        return self.steps_least * (1 + self.critical_batch / batch)


def fit_critical_batch(batches: Sequence[float], steps: Sequence[float]) -> CriticalBatch:
    """Fit S = S_min (1 + B_crit / B) to *steps* S at *batches* B, by least squares of logarithms.

    McCandlish, Kaplan, Amodei et al. 2018 ("An Empirical Model of Large-Batch Training", arXiv 1812.06162),
    eq. 2.7. For a given B_crit the best S_min is a mean, so only one number is searched for.

    Raises:
        ConfigError: fewer than three different batches, numbers of unequal length, or one not above 0.
    """
    if len(batches) != len(steps) or len(set(batches)) < 3:
        raise ConfigError(
            f"batches: expected 3 or more different ones with steps for each, got {list(batches)} and "
            f"{list(steps)}"
        )
    if not all(0 < value < math.inf for value in (*batches, *steps)):
        raise ConfigError(f"batches and steps: expected finite numbers above 0, got {batches} and {steps}")
    b, log_s = np.asarray(batches, float), np.log(np.asarray(steps, float))

    def offsets(log_critical: float) -> np.ndarray:
        return np.asarray(log_s - np.log1p(math.exp(log_critical) / b))

    found = minimize_scalar(
        lambda log_critical: float(np.var(offsets(log_critical))), bounds=(_LEAST, _MOST), method="bounded",
        options={"xatol": 1e-9},
    )  # fmt: skip
    left = offsets(found.x)
    errors = np.abs(np.expm1(left.mean() - left))
    return CriticalBatch(
        steps_least=float(np.exp(left.mean())), critical_batch=math.exp(found.x),
        largest_error=float(errors.max()),
    )  # fmt: skip
