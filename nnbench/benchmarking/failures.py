"""How a training that failed is told: its status and the reason."""

from __future__ import annotations

import torch

from nnbench import devices
from nnbench.config import NnbenchError
from nnbench.data import DataError, DataMissing
from nnbench.frameworks import FrameworkMissing
from nnbench.optim import OptimizerMissing
from nnbench.training.compiled import CompilerMissing

_MISSING = (devices.DeviceMissing, DataMissing, FrameworkMissing, CompilerMissing, OptimizerMissing)


def status_of(error: BaseException) -> tuple[str, str]:
    """Status and reason of a training that ended in *error*."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, _MISSING):
        return "SKIPPED", str(error)
    if isinstance(error, DataError):
        return "DATA", str(error)
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in text:
        return "OOM", text[:500]
    if isinstance(error, KeyboardInterrupt):
        return "INTERRUPTED", "interrupted"
    if "find_unused_parameters" in text:
        return "CRASH", (
            "a parameter of the model takes no part in the forward pass, and DistributedDataParallel waits "
            "for its gradient: remove it, or set its requires_grad to False"
        )
    return "CRASH", str(error) if isinstance(error, NnbenchError) else " ".join(text.split())[:500]
