"""A model compiled by torch.compile, as training steps call it, and compiled before the first of them.

Compiling takes seconds, and happens when a batch comes whose shape was not met before. So a trial forward
and backward pass of each batch length comes first, and leaves nothing behind; the steps then only run what
is there. Each length gets code of its own (``dynamic=False``): an epoch has two of them at most.

Validation is not timed with the steps, and calls the model itself. Dropout draws other numbers than eager
execution does, since the compiler has a generator of its own; under a seed they are the same in every run.

Source: Ansel et al. 2024, "PyTorch 2", ASPLOS, doi 10.1145/3620665.3640366.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nnbench.config import ConfigError
from nnbench.deferred_compiler import defer_compiler
from nnbench.training.steps import Forward, Model, weighted

# Arms share the code of a model's class. Beyond its limit of 8 the compiler would give up, and say nothing.
_RECOMPILES_MOST = 256


class CompilerMissing(ConfigError):
    """This machine has not what torch.compile needs."""


def compiled(model: nn.Module, device: torch.device) -> Model:
    """What calls *model* compiled; a batch (0, C, H, W), as a rank may get, goes the eager way.

    Raises:
        CompilerMissing: a compiler, or what it needs, is not on this machine.
    """
    if lacking := _lacking(device):
        raise CompilerMissing(
            f"execution: 'compiled' needs {lacking}, which this machine does not have; install it, or take "
            "execution 'eager'"
        )
    # processes that compile in advance would take cores from what is timed
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    defer_compiler()
    code = torch.compile(model, dynamic=False)
    settings: Any = importlib.import_module("torch._dynamo.config")
    settings.recompile_limit = max(settings.recompile_limit, _RECOMPILES_MOST)
    settings.fail_on_recompile_limit_hit = True

    def call(x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = code(x) if len(x) else model(x)
        return outputs

    return call


def _lacking(device: torch.device) -> str:
    """What torch.compile would miss for *device*; empty where all is there."""
    cxx = os.environ.get("CXX", "g++")
    if device.type == "cpu" and shutil.which(cxx) is None:
        return f"a C++ compiler ({cxx!r}, or another that the environment variable CXX names)"
    if device.type != "cpu" and importlib.util.find_spec("triton") is None:
        return "the package triton"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "Python's headers (Python.h; on Debian the package python3-dev)"
    return ""


def try_batches(
    forward: Forward, model: nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]
) -> None:
    """Forward and backward pass of each of *batches*, x (B, C, H, W) and y (B,), without consequences.

    Args:
        model: its running statistics are put back, its gradients cleared.
    """
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    model.train()
    for x, y in batches:
        loss, outputs = forward(x, y)
        weighted(loss, outputs, float(len(y) > 0)).backward()
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        for buffer, before in buffers:
            buffer.copy_(before)
