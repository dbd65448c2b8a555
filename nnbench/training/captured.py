"""A whole training step as a CUDA graph: forward, loss, gradients and optimizer, issued by one call.

A step of small kernels takes the host longer to issue than the device to do. A graph records the kernels of
one step with their addresses, and a replay issues all of them at once::

    trial steps, put back | capture | copy batch in, replay, copy loss out | … | short batch: eager

What a graph reads and writes lies where it lay: the batch is copied into tensors of its own, weights and
optimizer state change in place. Its gradients lie in memory of its own, which an eager step in between does
not touch. Random numbers of dropout move on with each replay, as torch's generators do for graphs.

Source: PyTorch, "CUDA Graphs", whole-network capture; Gray 2019, "Getting Started with CUDA Graphs" (NVIDIA).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer

from nnbench.config import ConfigError
from nnbench.devices import DeviceMissing
from nnbench.training.steps import Forward, optimize

# Libraries choose their algorithms and take their workspaces in the first steps; torch's guide takes three.
_TRIAL_STEPS = 3


def check_graphs(device: torch.device) -> None:
    """Raise `DeviceMissing` where *device* has no CUDA graphs."""
    if device.type != "cuda":
        raise DeviceMissing(
            f"execution: 'cuda-graph' needs a CUDA device, and this arm trains on {device.type}; take "
            "execution 'eager' or 'compiled'"
        )


class CapturedStep:
    """A step of *model* by *optimizer* on batches of one length, captured; weights stay as they are.

    Args:
        forward: of a batch, to loss and outputs.
        x, y: a batch (B, C, H, W) and its labels (B,), for the trial steps and as the graph's own memory.

    Attributes:
        batch: B; batches of another length cannot be replayed.
        replays: how many steps it has made.

    Raises:
        ConfigError: the step does something that no graph can hold, such as reading a number back.
    """

    def __init__(
        self, forward: Forward, model: nn.Module, optimizer: Optimizer, x: torch.Tensor, y: torch.Tensor
    ) -> None:
        self.batch, self.replays = len(y), 0
        self._x, self._y = x.clone(), y.clone()
        model.train()
        self._graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.device_of(self._x):
                self._try(forward, model, optimizer)
                self._capture(forward, optimizer)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            why = " ".join(str(error).split())[:300]
            raise ConfigError(
                f"execution: 'cuda-graph' cannot hold a step of this model: {why}; take execution 'eager'"
            ) from error

    def _capture(self, forward: Forward, optimizer: Optimizer) -> None:
        optimizer.zero_grad(set_to_none=True)  # gradients must be made in the graph's own memory
        with torch.cuda.graph(self._graph):
            loss, outputs = forward(self._x, self._y)
            loss.backward()
            optimizer.step()
        # without their history, which would bind the gradients of eager steps to the stream of the capture
        self._loss, self._outputs = loss.detach(), outputs.detach()

    def _try(self, forward: Forward, model: nn.Module, optimizer: Optimizer) -> None:
        """Steps on a stream of their own, so that nothing of theirs is in the graph; then all is put back."""
        tensors = [*model.parameters(), *model.buffers()]
        before = [tensor.detach().clone() for tensor in tensors]
        here, aside = torch.cuda.current_stream(self._x.device), torch.cuda.Stream(self._x.device)
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(_TRIAL_STEPS):
                loss, _outputs = forward(self._x, self._y)
                optimize(loss, optimizer)
        here.wait_stream(aside)
        with torch.no_grad():
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)
            for state in optimizer.state.values():
                for value in state.values():
                    if isinstance(value, torch.Tensor):
                        value.zero_()

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Make the step on a batch; its loss and outputs are overwritten by the next."""
        with torch.cuda.device_of(self._x):
            self._x.copy_(x)
            self._y.copy_(y)
            self._graph.replay()
        self.replays += 1
        return self._loss, self._outputs
