"""Many seeds of one arm as a single batched model: the trajectories of one-by-one training, sooner."""

from nnbench.training.vectorised.members import VectorisedTraining, refusal
from nnbench.training.vectorised.stacked import NotVectorisable

__all__ = ["NotVectorisable", "VectorisedTraining", "refusal"]
