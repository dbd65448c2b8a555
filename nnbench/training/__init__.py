"""The lecture's training loop, deterministic under a seed, observed from outside."""

from nnbench.training.events import Listener, StopTraining
from nnbench.training.loop import History, Training, evaluate, fit

__all__ = ["History", "Listener", "StopTraining", "Training", "evaluate", "fit"]
