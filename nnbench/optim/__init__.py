"""Optimizers and learning-rate schedules by name."""

from nnbench.optim.lamb import OptimizerMissing
from nnbench.optim.optimizers import make_optimizer
from nnbench.optim.schedules import Schedule

__all__ = ["OptimizerMissing", "Schedule", "make_optimizer"]
