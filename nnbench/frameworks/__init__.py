"""The same training by other hands: a bare loop, the lecture's, Lightning, skorch, Keras, scikit-learn.

One module for each, with one function ``train(job, epochs)``: plain SGD from the same first weights, on the
same arrays, for as many epochs. Each in the fastest settings that its documentation has, none compiled. What
is timed are the epochs, as the `nnbench.training.Listener` hears of them: neither imports nor the building of
models and trainers, nor a warm-up of ten steps, nor validation, which is ours for all of them.
"""

from nnbench.frameworks.training import FrameworkMissing, FrameworkTraining, training_of

__all__ = ["FrameworkMissing", "FrameworkTraining", "training_of"]
