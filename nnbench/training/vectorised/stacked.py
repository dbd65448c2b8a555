"""Models of one build, their weights stacked: each member's samples pass through its own weights.

M members, B samples, C channels, H height, W width, K classes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from nnbench.config import ConfigError
from nnbench.training.vectorised.chain import chain_of, through_chain
from nnbench.training.vectorised.dropout_streams import DropoutStreams, give_dropout, passage

_Tensors = dict[str, torch.Tensor]
# Rounding differs between one model and many; a member that computes something else differs by more.
_ROUNDING = 1e-3


class NotVectorisable(ConfigError):
    """The seeds of an arm cannot train as one model; the message says why."""


class StackedModel:
    """The *members* as one model, trained apart from them; `give_back` hands them their weights.

    Args:
        x: a few samples, (B, C, H, W), to be tried on it.
        dropout_seeds: of the members' streams.

    Attributes:
        parameters: name -> weights of all members, (M, …).

    Raises:
        NotVectorisable: what the models do to one sample depends on values, draws random numbers in another
            way than by one pass through each `nn.Dropout`, or is something that `vmap` cannot batch.
    """

    def __init__(self, members: Sequence[nn.Module], x: torch.Tensor, dropout_seeds: Sequence[int]) -> None:
        self._members = members
        try:
            self._model = copy.deepcopy(members[0])
            self.parameters, self._buffers = stack_module_state(list(members))
            self._streams = self._given_dropout(x, dropout_seeds)
            self._chain = chain_of(self._model)
            self._try(x)
        except NotVectorisable:
            raise
        except Exception as error:  # of a model that may be anybody's
            raise NotVectorisable(str(error).strip().splitlines()[0]) from error

    def _given_dropout(self, x: torch.Tensor, seeds: Sequence[int]) -> DropoutStreams:
        layers = give_dropout(self._model)
        passed = passage(self._model, layers, x) if layers else []
        if layers and x.device.type != "cpu":
            raise NotVectorisable(f"dropout draws its numbers on {x.device.type} in a way of its own")
        if twice := next((name for name in passed if passed.count(name) > 1), ""):
            raise NotVectorisable(f"its dropout layer {twice!r} is used twice in one pass")
        return DropoutStreams({name: layers[name] for name in passed}, seeds, x)

    def _try(self, x: torch.Tensor) -> None:
        """Passes without consequences: what cannot be stacked fails here."""
        x_MBCHW = x.expand(len(self._members), *x.shape)
        buffers, streams = self._buffers, self._streams
        self._buffers = {name: buffer.clone() for name, buffer in buffers.items()}
        self._streams = streams.rewound()
        outputs = self.train(True)(x_MBCHW)
        learning = [each for each in self.parameters.values() if each.requires_grad]
        torch.autograd.grad(outputs.sum(), learning, allow_unused=True)
        self._buffers, self._streams = buffers, streams
        with torch.no_grad():
            together = self.train(False)(x_MBCHW)
            alone = torch.stack([member.eval()(x) for member in self._members])
        for member in self._members:
            member.train()
        if not torch.allclose(together, alone, rtol=_ROUNDING, atol=_ROUNDING, equal_nan=True):
            raise NotVectorisable("its outputs depend on more than its parameters, buffers and samples")

    def train(self, mode: bool) -> StackedModel:
        """Into training or evaluation mode."""
        self._model.train(mode)
        return self

    def __call__(self, x_MBCHW: torch.Tensor) -> torch.Tensor:
        """Logits (M, B, K) of each member's own samples; while training, running statistics move."""
        masks = self._streams.masks(x_MBCHW.shape[1]) if self._model.training else {}
        if self._chain is not None:
            return through_chain(self._chain, {**self.parameters, **masks}, x_MBCHW)
        state = ({**self.parameters}, {**self._buffers, **masks})
        outputs: torch.Tensor = vmap(self._call, in_dims=((0, 0), 0))(state, x_MBCHW)
        return outputs

    def _call(self, state: tuple[_Tensors, _Tensors], x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = functional_call(self._model, state, (x,))
        return outputs

    def give_back(self) -> None:
        """Write each member's parameters and buffers into its own model."""
        stacked = {**self.parameters, **self._buffers}
        with torch.no_grad():
            for place, member in enumerate(self._members):
                for name, tensor in (*member.named_parameters(), *member.named_buffers()):
                    tensor.copy_(stacked[name][place])
