"""Many seeds of one arm as a single batched model: the trajectories of one-by-one training, sooner."""

from nnbench.training.vectorised.chain import chain_of
from nnbench.training.vectorised.dropout_streams import give_dropout
from nnbench.training.vectorised.members import VectorisedTraining, refusal
from nnbench.training.vectorised.stacked import NotVectorisable

__all__ = ["NotVectorisable", "VectorisedTraining", "chain_of", "give_dropout", "refusal"]
