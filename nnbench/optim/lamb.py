"""LAMB, which pytorch-optimizer brings: Adam with a rate for each layer."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from nnbench.config import ConfigError, install_line


class OptimizerMissing(ConfigError):
    """The package of an optimizer is not installed."""


def lamb(params: Iterable[torch.nn.Parameter], lr: float = 0.001, **settings: Any) -> Optimizer:
    """LAMB of the package pytorch-optimizer (You et al. 2020, arXiv 1904.00962, version 3, Algorithm 2).

    Raises:
        OptimizerMissing: the package is not installed.
        TypeError: a keyword that LAMB does not have; the package itself would pass over it.
    """
    try:
        from pytorch_optimizer import Lamb
    except ImportError as error:
        raise OptimizerMissing(f"lamb needs pytorch-optimizer: {install_line('optim')}") from error
    known = [name for name in inspect.signature(Lamb).parameters if name not in ("params", "kwargs")]
    if unknown := sorted(settings.keys() - set(known)):
        raise TypeError(f"lamb takes no {unknown[0]!r}; it takes {', '.join(known)}")
    made: Optimizer = Lamb(params, lr=lr, **settings)
    return made
