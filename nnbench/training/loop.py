"""The lecture's control flow: for each epoch a train loop, then a validation loop.

Full batch, online and minibatch training are this one loop with different batch sizes. It announces
what happens (`nnbench.training.events`) and reads no clock. Nothing is read back from the device
within a window of steps: losses and outputs are kept there and reduced once per window.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Optimizer

from nnbench import devices, models
from nnbench.config import TUNED, Arm, ConfigError
from nnbench.data import Dataset, load
from nnbench.optim import Schedule, make_optimizer
from nnbench.training.batches import Order, Samples, batch_length, pixel_scale
from nnbench.training.events import Listener, StopTraining

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_EVALUATION_BATCH = 1000
# Steps, and samples, after which losses and outputs are read back from the device.
WINDOW = 256
_WINDOW_SAMPLES = 65536


@dataclass
class History:
    """What a training leaves behind.

    Attributes:
        curves: one value per completed epoch: train_loss, train_accuracy (both over the steps of the
            epoch, as they were when each batch was seen), validation_loss, validation_accuracy, and
            the cumulative counts steps and samples.
        model: the trained model.
        status: "OK", or "DIVERGED" when a training or validation loss was not finite.
        first_bad_step: 1, 2, …: the first whose loss, or whose weights in validation, were not finite;
            None unless diverged.
        steps, samples: counted, not planned; a diverged training counts up to its first bad step.
    """

    model: nn.Module
    curves: dict[str, list[float]] = field(default_factory=dict)
    status: str = "OK"
    first_bad_step: int | None = None
    steps: int = 0
    samples: int = 0

    def weights_sha256(self) -> str:
        """SHA-256 over name, type, shape and bytes of every parameter and buffer."""
        digest = hashlib.sha256()
        for name, tensor in self.model.state_dict().items():
            value = tensor.detach().cpu().contiguous()
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def training_step(
    model: nn.Module, loss_of: Loss, x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Forward pass and loss of one batch: x (B, C, H, W), y (B,) to a scalar loss and outputs (B, K)."""
    outputs = model(x)
    return loss_of(outputs, y), outputs


def optimize(loss: torch.Tensor, optimizer: Optimizer) -> None:
    """Gradients of *loss*, and one step of the optimizer."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def validation_step(
    model: nn.Module, loss_of: Loss, x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed loss and number of right answers of one batch, as float64 scalars on the device."""
    outputs = model(x)
    loss = loss_of(outputs, y).double() * len(y)
    return loss, (outputs.argmax(1) == y).sum().double()


def evaluate(model: nn.Module, loss_of: Loss, samples: Samples) -> tuple[float, float]:
    """Mean loss and accuracy over all *samples*: no gradients, evaluation mode, every sample equal."""
    was_training = model.training
    model.eval()
    totals = []
    with torch.no_grad():
        for images, labels in zip(
            samples.images.split(_EVALUATION_BATCH), samples.labels.split(_EVALUATION_BATCH), strict=True
        ):
            totals.append(torch.stack(validation_step(model, loss_of, samples.decode(images), labels)))
    model.train(was_training)
    loss, right = (torch.stack(totals).sum(0) / len(samples)).tolist()
    return loss, right


class Training:
    """One training of an arm under a seed, ready to run: fresh model, optimizer, order of samples.

    Making it loads the data and moves them to the device; `run` is the part worth timing.

    Raises:
        ConfigError: an argument that model, optimizer or schedule does not take; an untuned rate.
        DataError: the data set is missing or damaged.
    """

    def __init__(self, arm: Arm, seed: int = 0, data_folder: Path | None = None) -> None:
        if arm.lr == TUNED:
            raise ConfigError(f"{arm.name}: lr is 'tuned': resolve it from rates.toml, or give a number")
        self.arm, self.seed = arm, seed
        self.device = devices.choose_device(arm.device)
        self.dataset: Dataset = load(arm.data, data_folder)
        train, scored = self.dataset.split(arm.train_on)
        scale = pixel_scale(train, arm.normalize)
        self.train = Samples(train, arm, self.device, scale)
        self.scored = Samples(scored, arm, self.device, scale)
        self.batch = batch_length(arm, len(self.train))
        self.steps_per_epoch = math.ceil(len(self.train) / self.batch)
        planned = arm.epochs * self.steps_per_epoch
        self.planned_steps = planned if arm.max_steps is None else min(planned, arm.max_steps)
        with devices.seeded(_derive(seed if arm.init_seed is None else arm.init_seed, 1), self.device):
            model = models.build(arm.model, self.dataset.input_shape, self.dataset.classes, arm.model_args)
        self.model = model.to(device=self.device, dtype=self.train.dtype)
        self.loss_of: Loss = getattr(model, "loss", F.cross_entropy)
        self.optimizer = make_optimizer(arm, self.model.parameters())
        self.schedule = Schedule(arm, self.optimizer, self.planned_steps)
        self._window = _Window(self.batch)
        self._order = Order(arm.sampling, len(self.train), _derive(seed, 2))

    def run(self, listener: Listener | None = None, *, validate: bool = True) -> History:
        """Train, announcing events to *listener*; without *validate* the validation loop is left out."""
        history = History(self.model)
        listener = listener or Listener()
        with devices.seeded(_derive(self.seed, 3), self.device), devices.settings(self.arm.threads):
            try:
                for epoch in range(1, self.arm.epochs + 1):
                    self._train_epoch(epoch, history, listener)
                    if history.status != "OK":
                        break
                    if validate:
                        self._validate_epoch(epoch, history, listener)
                    if history.status != "OK" or history.steps >= self.planned_steps:
                        break
            except StopTraining:
                pass
        return history

    def _train_epoch(self, epoch: int, history: History, listener: Listener) -> None:
        tally = _Tally()
        self.model.train()
        listener.epoch_started(epoch)
        order = self._order.next_epoch()[: (self.planned_steps - history.steps) * self.batch]
        order = order.to(self.device)
        batches = self.train.batches(order, self.batch)
        while (window := self._train_window(batches, listener)).steps:
            labels = self.train.labels.index_select(0, order[tally.samples : tally.samples + window.samples])
            losses = tally.add(window, labels, history)
            listener.window_ended(losses, len(losses))
            if window.stopped:
                raise StopTraining
            if history.status != "OK":
                return
        listener.epoch_trained(epoch)
        tally.write(history)
        self.schedule.after_epoch()

    def _train_window(
        self, batches: Iterator[tuple[torch.Tensor, torch.Tensor]], listener: Listener
    ) -> _Window:
        """The next steps of an epoch; none are left when the window is empty."""
        model, loss_of, optimizer, ended = self.model, self.loss_of, self.optimizer, listener.step_ended
        after_step = self.schedule.after_step if self.schedule.moves_by_step else None
        window = self._window.emptied()
        try:
            for x, y in islice(batches, window.most_steps):
                loss, outputs = training_step(model, loss_of, x, y)
                optimize(loss, optimizer)
                if after_step is not None:
                    after_step()
                window.keep(loss.detach(), outputs.detach())
                ended()
        except StopTraining:
            window.stopped = True
        return window

    def _validate_epoch(self, epoch: int, history: History, listener: Listener) -> None:
        loss, accuracy = evaluate(self.model, self.loss_of, self.scored)
        if not math.isfinite(loss):  # the last step broke the weights, and no training step saw it
            history.status, history.first_bad_step = "DIVERGED", history.steps
            return
        _append(history.curves, validation_loss=loss, validation_accuracy=accuracy)
        listener.validated(epoch)


class _Window:
    """Losses and outputs of some steps, on the device until they are read back once for all of them.

    They are copied into buffers made once. Kept as they are, these small tensors would lie between the
    gradients that every step frees and takes again; in some processes, by the luck of the heap, glibc then
    gave those pages back to the kernel each time: 176 page faults a step, at two thirds of the speed.
    """

    def __init__(self, batch: int) -> None:
        self.most_steps = max(1, min(WINDOW, _WINDOW_SAMPLES // batch))
        self.steps, self.samples, self.stopped = 0, 0, False
        self.batch = batch
        self._losses: torch.Tensor | None = None
        self._outputs: torch.Tensor | None = None
        self._slots: list[tuple[torch.Tensor, torch.Tensor]] = []

    def emptied(self) -> _Window:
        """This window, to be filled anew."""
        self.steps, self.samples, self.stopped = 0, 0, False
        return self

    def keep(self, loss: torch.Tensor, outputs: torch.Tensor) -> None:
        """Copy what a step left: its loss, a scalar, and its outputs, (B, K)."""
        if self._losses is None:
            self._make_buffers(loss, outputs)
        loss_slot, output_slot = self._slots[self.steps]
        loss_slot.copy_(loss)
        count = len(outputs)
        (output_slot if count == self.batch else output_slot[:count]).copy_(outputs)
        self.steps += 1
        self.samples += count

    def _make_buffers(self, loss: torch.Tensor, outputs: torch.Tensor) -> None:
        self._losses = loss.new_empty(self.most_steps)
        self._outputs = outputs.new_empty(self.most_steps * self.batch, *outputs.shape[1:])
        self._slots = list(zip(self._losses.unbind(), self._outputs.split(self.batch), strict=True))

    def read(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses, (steps,), on the CPU, and outputs, (samples, K), where they are."""
        assert self._losses is not None
        assert self._outputs is not None
        return self._losses[: self.steps].cpu(), self._outputs[: self.samples]


class _Tally:
    """Training loss and accuracy of an epoch, each batch weighing what it holds."""

    def __init__(self) -> None:
        self.loss, self.right, self.samples = 0.0, 0, 0

    def add(self, window: _Window, labels: torch.Tensor, history: History) -> torch.Tensor:
        """Count *window*, note a divergence, and return its losses on the CPU up to the first bad one."""
        losses, outputs = window.read()
        losses = losses.clone()  # on a CPU these are the buffer itself, and listeners keep them
        sizes = torch.full((window.steps,), window.batch)
        sizes[-1] = window.samples - window.batch * (window.steps - 1)
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            upto = int(bad[0]) + 1
            history.status, history.first_bad_step = "DIVERGED", history.steps + upto
            losses, sizes = losses[:upto], sizes[:upto]
        history.steps += len(sizes)
        history.samples += int(sizes.sum())
        self.loss += float((losses.double() * sizes).sum())
        self.samples += int(sizes.sum())
        self.right += int((outputs.argmax(1) == labels).sum())
        return losses

    def write(self, history: History) -> None:
        _append(
            history.curves,
            train_loss=self.loss / self.samples,
            train_accuracy=self.right / self.samples,
            steps=history.steps,
            samples=history.samples,
        )


def _append(curves: dict[str, list[float]], **values: float) -> None:
    for name, value in values.items():
        curves.setdefault(name, []).append(value)


def _derive(seed: int, stream: int) -> int:
    """A seed of its own for each use, so that weights, order and dropout do not share their numbers."""
    digest = hashlib.sha256(f"nnbench {stream} {seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def fit(arm: Arm, seed: int = 0, data_folder: Path | None = None) -> History:
    """Train *arm* under *seed* and return its history. Reads no clock.

    Example:
        >>> fit(Arm(data="xor", model_args={"hidden": (8,)}, batch_size="full", epochs=5)).steps
        5

    Raises:
        ConfigError, DataError: see `Training`.
    """
    return Training(arm, seed, data_folder).run()
