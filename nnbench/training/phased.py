"""The training loop with its borders told: the same training, bit for bit, which also says where a step is.

A loop of its own, so that the ordinary one stays as it is and pays nothing. The order of a step::

    load | copy | forward | optimizer | backward | communication | optimizer | other
         |      | +  loss | zero_grad |          |               | step, schedule | losses kept

- load: gathering on the device and decoding, or waiting for the DataLoader. An epoch begins with drawing its
  order, a load of its own for sliced tensors and part of the first wait for a DataLoader.
- copy: moving a DataLoader's batch to the device. Sliced tensors are there already: nothing is announced.
- backward: gradients, with as much of their averaging over ranks as is hidden behind it.
- communication: what is left of the averaging when a rank's own gradients are all there; waiting for a slower
  rank too. One rank alone has none: nothing is announced. Batch norm over all ranks talks inside of forward.
- other: the losses kept and read back, right answers counted, listeners.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from nnbench.config import CUDA_GRAPH, Arm, ConfigError
from nnbench.distributed import ALONE, Group
from nnbench.training.events import (
    BACKWARD,
    COMMUNICATION,
    COPY,
    FORWARD,
    LOAD,
    OPTIMIZER,
    OTHER,
    Listener,
    StopTraining,
)
from nnbench.training.history import History
from nnbench.training.loaders import Batch, LoadedSamples
from nnbench.training.loop import Step, Training
from nnbench.training.steps import weighted, zero_grad
from nnbench.training.tally import Window

if TYPE_CHECKING:
    from torch._C._distributed_c10d import GradBucket


class PhasedTraining(Training):
    """A `Training` that announces `Listener.phase_ended` at each border.

    Raises:
        ConfigError, DataError: see `Training`; or steps that are replayed as a whole, without borders.
    """

    def __init__(
        self, arm: Arm, seed: int = 0, data_folder: Path | None = None, group: Group = ALONE
    ) -> None:
        if arm.execution == CUDA_GRAPH:
            raise ConfigError("execution: 'cuda-graph' replays whole steps, without phases; take 'eager'")
        super().__init__(arm, seed, data_folder, group)
        self._listener = Listener()
        self._gathered, self._averaged = LOAD, BACKWARD
        self._order_drawn = False
        if isinstance(self.train, LoadedSamples):
            self._gathered = COPY
            told = _Told(self.train.loader, self)
            self.train.loader = cast("DataLoader[Batch]", told)
        if isinstance(self._parallel, DistributedDataParallel):
            self._averaged = COMMUNICATION
            # torch compares annotations, and takes none for right and those of this file for text
            self._parallel.register_comm_hook(None, lambda state, bucket: self._average(bucket))

    def run(self, listener: Listener | None = None, *, validate: bool = True) -> History:
        self._listener = listener or Listener()
        return super().run(self._listener, validate=validate)

    @property
    def window_steps(self) -> int:
        """Steps after which losses are read back, at most."""
        return self._window.most_steps

    def tell(self, phase: str) -> None:
        """Announce the end of *phase* to whoever listens to this run."""
        self._listener.phase_ended(phase)

    def _train_epoch(self, epoch: int, history: History, listener: Listener) -> None:
        self._order_drawn = self._gathered == LOAD
        super()._train_epoch(epoch, history, listener)

    def _train_window(self, steps: Iterator[Step], listener: Listener) -> Window:
        forward, optimizer, tell = self._forward(), self.optimizer, listener.phase_ended
        gathered, averaged = self._gathered, self._averaged
        after_step = self.schedule.after_step if self.schedule.moves_by_step else None
        window = self._window.emptied()
        if self._order_drawn:
            self._order_drawn = False
            tell(LOAD)
        try:
            for (x, y), weight in islice(steps, window.most_steps):
                tell(gathered)
                loss, outputs = forward(x, y)
                total = loss if weight is None else weighted(loss, outputs, weight)
                tell(FORWARD)
                if self._optimizes:
                    zero_grad(optimizer)
                tell(OPTIMIZER)
                total.backward()
                tell(averaged)
                if self._optimizes:
                    optimizer.step()
                if after_step is not None:
                    after_step()
                tell(OPTIMIZER)
                window.keep(loss, outputs)
                listener.step_ended()
                tell(OTHER)
        except StopTraining:
            window.stopped = True
        return window

    def _average(self, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        """What DDP does by itself with a bucket of gradients: divide, and start their sum over the ranks.

        The last bucket is full when the last of this rank's gradients is there: from then on the backward
        pass does nothing but wait. A product with 1/size, as DDP has it: a quotient can differ in a bit.
        """
        if bucket.is_last():
            self.tell(BACKWARD)
        work = dist.all_reduce(
            bucket.buffer().mul_(1 / self.group.size), group=self.group.handle, async_op=True
        )
        return cast("torch.futures.Future[torch.Tensor]", work.get_future().then(_first))


def _first(future: torch.futures.Future[list[torch.Tensor]]) -> torch.Tensor:
    return future.value()[0]


class _Told:
    """A DataLoader whose batches are announced as they come; what its user does with them then is copying."""

    def __init__(self, loader: DataLoader[Batch], training: PhasedTraining) -> None:
        self._loader, self._training = loader, training

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            self._training.tell(LOAD)
            yield batch
