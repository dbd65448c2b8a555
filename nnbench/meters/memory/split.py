"""The parts of a training's memory, counted from its tensors after some steps.

Exact, and not disturbed by anything: a tensor's storage has the size that it has. Storages are counted, not
tensors, so that views of one storage count once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from nnbench import devices
from nnbench.config import COMPILED
from nnbench.meters.memory.peak import Split
from nnbench.training import Training
from nnbench.training.steps import Loss, training_step

Storages = dict[int, int]


def split_of(training: Training) -> Split | str:
    """The parts of a *training* that has run some steps, or why they could not be counted.

    Runs one more forward pass, on a batch of its own.
    """
    model, batch, device = training.model, training.batch, training.device
    arm, samples = training.arm, training.train
    if arm.execution == COMPILED:
        return "what a compiled step keeps is its compiler's choice, and not seen by autograd"
    try:
        with (
            devices.seeded(0, device),
            devices.settings(arm.threads),
            devices.autocast(device, arm.precision),
        ):
            x = samples.decode(samples.images[:batch]).to(device)
            y = samples.labels[:batch].clone()
            activation_bytes = saved_bytes(model, training.loss_of, x, y)
        return Split(
            parameter_bytes=_bytes(model.parameters()),
            gradient_bytes=_bytes(weight.grad for weight in model.parameters()),
            optimizer_bytes=state_bytes(training.optimizer),
            activation_bytes=activation_bytes,
        )
    except Exception as error:  # the model may be the user's
        return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def saved_bytes(model: nn.Module, loss_of: Loss, x: torch.Tensor, y: torch.Tensor) -> int:
    """Bytes that autograd keeps from a forward pass of the batch x (B, C, H, W), y (B,), and the batch's own.

    What is a parameter or a buffer of *model* is kept anyway and does not count.

    Source: torch.autograd.graph.saved_tensors_hooks.
    """
    own = _storages([*model.parameters(), *model.buffers()])
    kept = _storages([x, y])

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.update(_storages([tensor]))
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss, _ = training_step(model, loss_of, x, y)
    del loss  # until here nothing of what it kept could be freed, and no address be used twice
    return sum(size for address, size in kept.items() if address not in own)


def state_bytes(optimizer: Optimizer) -> int:
    """Bytes of what *optimizer* keeps beside weights and gradients: momenta, squares, step counters."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    own = _storages([*weights, *(weight.grad for weight in weights)])
    state = _storages(tree_leaves([dict(each) for each in optimizer.state.values()]))
    return sum(size for address, size in state.items() if address not in own)


def _bytes(tensors: Iterable[Any]) -> int:
    return sum(_storages(tensors).values())


def _storages(tensors: Iterable[Any]) -> Storages:
    """Address -> bytes of each storage behind *tensors*; what is no tensor is passed over."""
    found: Storages = {}
    for tensor in tensors:
        if not isinstance(tensor, torch.Tensor):
            continue
        for part in (tensor._indices(), tensor._values()) if tensor.is_sparse else (tensor,):
            storage = part.untyped_storage()
            if storage.nbytes():
                found[storage.data_ptr()] = storage.nbytes()
    return found
