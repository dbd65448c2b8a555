"""The lecture's training loop, deterministic under a seed, observed from outside."""

from nnbench.training.events import Listener, StopTraining
from nnbench.training.history import History
from nnbench.training.loop import Training, evaluate, fit

__all__ = ["History", "Listener", "StopTraining", "Training", "evaluate", "fit"]
