"""CUDA graphs on a CPU: a capture notes each operation with its tensors, a replay does them again on these."""

from contextlib import contextmanager, nullcontext

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def tensors_in(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def storages(tensors):
    return {tensor.untyped_storage().data_ptr() for tensor in tensors}


class FakeGraph:
    """As torch.cuda.CUDAGraph: what it makes lies where it lay, what was there before is not changed by a capture.

    Attributes:
        all: every graph that was made since `install`.
        captures, replays: how often.
    """

    all = []

    def __init__(self):
        self.captures, self.replays, self.operations = 0, 0, []
        FakeGraph.all.append(self)

    def replay(self):
        self.replays += 1
        with torch.no_grad():
            for operation, args, kwargs, made in self.operations:
                again = tensors_in(operation(*args, **kwargs))
                for old, new in made(again):
                    old.copy_(new)


class _Capture(TorchDispatchMode):
    def __init__(self, graph):
        super().__init__()
        self.graph, self.before, self.own = graph, {}, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        given = tensors_in((args, kwargs))
        for tensor in given:  # batch norm changes its statistics, and its schema does not say so
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in self.own:
                self.before.setdefault(storage.data_ptr(), (storage, storage.clone()))
        result = func(*args, **kwargs)
        made = tensors_in(result)
        fresh = [place for place, tensor in enumerate(made) if not storages([tensor]) & storages(given)]
        self.own |= storages([made[place] for place in fresh])

        def pairs(again):
            return [(made[place], again[place]) for place in fresh]

        self.graph.operations.append((func, args, kwargs, pairs))
        return result


@contextmanager
def _graph(graph):
    graph.captures += 1
    with _Capture(graph) as capture:
        yield
    for storage, value in capture.before.values():
        storage.copy_(value)


class _Stream:
    def __init__(self, device=None):
        self.waited_for = []

    def wait_stream(self, other):
        self.waited_for.append(other)


def install(monkeypatch):
    """Let nnbench take the CPU for a device with CUDA graphs; the list of all graphs made from now on."""
    FakeGraph.all = []
    monkeypatch.setattr("nnbench.training.loop.check_graphs", lambda device: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", _graph)
    monkeypatch.setattr(torch.cuda, "Stream", _Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", _Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    return FakeGraph.all
