"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch.optim import Optimizer

from nnbench.config import CAPTURABLE, CUDA_GRAPH, OPTIMIZERS, Arm, ConfigError, load_object, plain
from nnbench.deferred_compiler import defer_compiler
from nnbench.optim.lamb import OptimizerMissing

# What torch does not take together with fused=True.
_NOT_FUSED = frozenset({"foreach", "differentiable"})


def make_optimizer(arm: Arm, parameters: Iterable[Any]) -> Optimizer:
    """The arm's optimizer over *parameters*; ``momentum`` and ``nesterov`` are SGD with 0.9.

    Args:
        parameters: them, or groups of them as torch takes them, each with a rate ``lr`` of its own.

    Raises:
        ConfigError: an argument that the optimizer does not take.
        OptimizerMissing: the optimizer's package is not installed.
    """
    defer_compiler()
    path, defaults = OPTIMIZERS.get(arm.optimizer, (arm.optimizer, {}))
    chosen = plain(arm.optimizer_args)
    if arm.execution == CUDA_GRAPH:
        defaults = {**defaults, **CAPTURABLE[arm.optimizer]}
    if not _NOT_FUSED.isdisjoint(chosen):
        defaults = {key: value for key, value in defaults.items() if key != "fused"}
    arguments = {**defaults, **chosen}
    try:
        optimizer: Optimizer = load_object(path)(parameters, lr=arm.lr, **arguments)
    except OptimizerMissing:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"optimizer_args: {arm.optimizer} with {arguments}: {error}") from error
    return optimizer
