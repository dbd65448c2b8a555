"""The lecture's control flow: for each epoch a train loop, then a validation loop.

Full batch, online and minibatch training are this one loop with different batch sizes. It announces
what happens (`nnbench.training.events`) and reads no clock. Nothing is read back from the device
within a window of steps: losses and outputs are kept there and reduced once per window.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from nnbench import devices, models
from nnbench.config import COMPILED, CUDA_GRAPH, OWN_LOOP, TUNED, Arm, ConfigError
from nnbench.data import Dataset, Split, load
from nnbench.distributed import ALONE, Group
from nnbench.optim import Schedule, make_optimizer
from nnbench.training.batches import Order, Samples, batch_length, pixel_scale
from nnbench.training.captured import CapturedStep, check_graphs
from nnbench.training.compiled import compiled, try_batches
from nnbench.training.events import Listener, StopTraining
from nnbench.training.history import History
from nnbench.training.in_backward import update_in_backward
from nnbench.training.loaders import samples_of
from nnbench.training.shares import share_of
from nnbench.training.steps import Forward, Loss, Model, forward_of, optimize, validation_step, weighted
from nnbench.training.tally import Tally, Window

Step = tuple[tuple[torch.Tensor, torch.Tensor], float | None]


def evaluate(model: nn.Module, loss_of: Loss, samples: Samples, group: Group = ALONE) -> tuple[float, float]:
    """Mean loss and accuracy over the *samples* of all ranks: no gradients, evaluation mode, all equal.

    Each rank brings its own part; sums and numbers of samples are added up, so that none counts twice.
    """
    was_training = model.training
    model.eval()
    totals = [torch.zeros(2, dtype=torch.float64, device=samples.labels.device)]
    with torch.no_grad():
        for x, y in samples.scoring_batches():
            totals.append(torch.stack(validation_step(model, loss_of, x, y)))
    model.train(was_training)
    total = torch.stack(totals).sum(0)
    loss, right, count = group.sum(torch.cat([total, total.new_tensor([len(samples)])])).tolist()
    return loss / count, right / count


class Training:
    """One training of an arm under a seed, ready to run: fresh model, optimizer, order of samples.

    Making it loads the data and moves them to the device; `run` is the part worth timing.

    Args:
        group: the ranks that train the arm together, as many as it asks for; each makes its own Training.

    Raises:
        ConfigError: an argument that model, optimizer or schedule does not take; an untuned rate; another
            number of ranks than the arm's; another framework than nnbench.
        DataError: the data set is missing or damaged.
        DeviceMissing, CompilerMissing: this machine has not what the arm's execution needs.
    """

    def __init__(
        self, arm: Arm, seed: int = 0, data_folder: Path | None = None, group: Group = ALONE
    ) -> None:
        if arm.lr == TUNED:
            raise ConfigError(f"{arm.name}: lr is 'tuned': resolve it from rates.toml, or give a number")
        if arm.framework != OWN_LOOP:
            raise ConfigError(f"framework: {arm.framework!r} has a loop of its own, and this is nnbench's")
        _check_ranks(arm, group)
        self.arm, self.seed, self.group = arm, seed, group
        self.device = group.device or devices.choose_device(arm.device)
        self.dataset: Dataset = load(arm.data, data_folder)
        train, scored = self.dataset.split(arm.train_on, arm.train_samples)
        scale = pixel_scale(train, arm.normalize)
        self.batch = batch_length(arm, len(train))
        self.scored_samples = len(scored)
        own_batch = -(-self.batch // group.size)
        self.train = samples_of(train, arm, self.device, scale, own_batch)
        self.scored = samples_of(_every(scored, group), arm, self.device, scale, own_batch)
        self.steps_per_epoch = math.ceil(len(self.train) / self.batch)
        planned = arm.epochs * self.steps_per_epoch
        self.planned_steps = planned if arm.max_steps is None else min(planned, arm.max_steps)
        model = fresh_model(arm, seed, self.dataset, self.device)
        self.model = group.normalized(model, arm.batch_norm)
        self.validation_loss_of: Loss = getattr(model, "loss", F.cross_entropy)
        self.loss_of = _smoothed(self.validation_loss_of, arm)
        self.optimizer = make_optimizer(arm, self.model.parameters())
        if arm.execution == "in-backward":
            update_in_backward(self.model, self.optimizer, arm)
        # schedules count the optimizer's steps, also where none of the weights is left to it
        self._optimizes = arm.schedule != "constant" or any(
            group["params"] for group in self.optimizer.param_groups
        )
        self.schedule = Schedule(arm, self.optimizer, self.planned_steps)
        self._parallel = group.parallel(self.model)
        self._called = self._called_model()
        self._captured: CapturedStep | None = None
        self._ready = arm.execution not in (COMPILED, CUDA_GRAPH)
        self._window = Window(own_batch)
        self._order = order_of(arm, seed, len(self.train))

    def _called_model(self) -> Model:
        """What a training step calls as the model."""
        if self.arm.execution == CUDA_GRAPH:
            check_graphs(self.device)
        return compiled(self._parallel, self.device) if self.arm.execution == COMPILED else self._parallel

    def _forward(self) -> Forward:
        return forward_of(self._called, self.loss_of, self.device, self.arm.precision)

    def make_ready(self) -> bool:
        """Compile, or capture, what the steps will run, weights left as they are; whether there was any.

        `run` does so where nobody did; every rank of the group does it together.
        """
        if self._ready:
            return False
        # under the settings and in the modes of the steps, or these would compile anew
        with devices.seeded(0, self.device), devices.settings(self.arm.threads):
            if self.arm.execution == COMPILED:
                try_batches(self._forward(), self.model, map(self._trial_batch, self._batch_lengths()))
            else:
                x, y = self._trial_batch(self.batch)
                self._captured = CapturedStep(self._forward(), self.model, self.optimizer, x, y)
        self._ready = True
        return True

    def _batch_lengths(self) -> list[int]:
        """Samples of this rank in a full step, and in the last one of an epoch where that is met."""
        shares = share_of(torch.arange(len(self.train)), self.batch, self.group.rank, self.group.size)
        steps = min(self.planned_steps, self.steps_per_epoch)
        short = shares.sizes[steps - 1] < self.batch
        return [int(shares.own[0]), *([int(shares.own[steps - 1])] if short else [])]

    def _trial_batch(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.train.placed(self.train.decode(self.train.images[:length]).to(self.device))
        return x, self.train.labels[:length]

    def score(self) -> tuple[float, float]:
        """Mean loss and accuracy of the model over the scored samples of all ranks, see `evaluate`."""
        with devices.autocast(self.device, self.arm.precision):
            return evaluate(self.model, self.validation_loss_of, self.scored, self.group)

    def run(self, listener: Listener | None = None, *, validate: bool = True) -> History:
        """Train, announcing events to *listener*; without *validate* the validation loop is left out."""
        history = History(self.model)
        listener = listener or Listener()
        self.make_ready()
        with (
            devices.seeded(dropout_seed(self.seed, self.group.rank), self.device),
            devices.settings(self.arm.threads),
        ):
            try:
                for epoch in range(1, self.arm.epochs + 1):
                    self._train_epoch(epoch, history, listener)
                    if history.status != "OK":
                        break
                    if validate:
                        self._validate_epoch(epoch, history, listener)
                    if (
                        history.status != "OK"
                        or history.steps >= self.planned_steps
                        or self._arrived(history)
                    ):
                        break
            except StopTraining:
                pass
        return history

    def _train_epoch(self, epoch: int, history: History, listener: Listener) -> None:
        tally = Tally(self.group)
        self.model.train()
        self.group.wait()
        listener.epoch_started(epoch)
        order = self._order.next_epoch()[: (self.planned_steps - history.steps) * self.batch]
        share = share_of(order.to(self.device), self.batch, self.group.rank, self.group.size)
        steps = zip(self.train.batches(share), share.weights(), strict=False)
        while (window := self._train_window(steps, listener)).steps:
            chosen = share.order[tally.own_samples : tally.own_samples + window.samples]
            losses = tally.add(window, self.train.labels.index_select(0, chosen), share, history)
            listener.window_ended(losses, len(losses))
            if window.stopped:
                raise StopTraining
            if history.status != "OK":
                return
        listener.epoch_trained(epoch)
        tally.write(history)
        self.schedule.after_epoch()

    def _train_window(self, steps: Iterator[Step], listener: Listener) -> Window:
        """The next steps of an epoch; none are left when the window is empty."""
        forward, captured, ended = self._forward(), self._captured, listener.step_ended
        optimizer = self.optimizer if self._optimizes else None
        after_step = self.schedule.after_step if self.schedule.moves_by_step else None
        window = self._window.emptied()
        try:
            for (x, y), weight in islice(steps, window.most_steps):
                if captured is not None and len(y) == captured.batch:
                    loss, outputs = captured(x, y)
                else:
                    loss, outputs = forward(x, y)
                    optimize(loss if weight is None else weighted(loss, outputs, weight), optimizer)
                if after_step is not None:
                    after_step()
                window.keep(loss, outputs)
                ended()
        except StopTraining:
            window.stopped = True
        return window

    def _validate_epoch(self, epoch: int, history: History, listener: Listener) -> None:
        self.group.send_buffers(self.model)
        loss, accuracy = self.score()
        if not math.isfinite(loss):  # the last step broke the weights, and no training step saw it
            history.status, history.first_bad_step = "DIVERGED", history.steps
            return
        history.append(validation_loss=loss, validation_accuracy=accuracy)
        listener.validated(epoch)

    def _arrived(self, history: History) -> bool:
        """Whether the arm's target is reached: nothing that comes after it is asked for."""
        target, reached = self.arm.target_accuracy, history.curves.get("validation_accuracy", [])
        return target is not None and bool(reached) and reached[-1] >= target


def _smoothed(loss_of: Loss, arm: Arm) -> Loss:
    """The loss of training steps: targets that give each class its part of `label_smoothing`.

    Szegedy et al. 2016 ("Rethinking the Inception Architecture", arXiv 1512.00567), section 7. Validation
    keeps the plain loss, so that arms with and without compare.
    """
    if not arm.label_smoothing:
        return loss_of
    if loss_of is not F.cross_entropy:
        raise ConfigError(
            f"label_smoothing: {arm.label_smoothing} is for cross-entropy, and the model {arm.model} brings "
            "a loss of its own; take 0"
        )
    return functools.partial(F.cross_entropy, label_smoothing=arm.label_smoothing)


def _check_ranks(arm: Arm, group: Group) -> None:
    if arm.ranks != group.size:
        raise ConfigError(
            f"{arm.name}: an arm of {arm.ranks} ranks cannot train in {group.size}; start it with "
            f"'torchrun --standalone --nproc-per-node={arm.ranks} -m nnbench.scaling', or under pytest"
        )


def _every(split: Split, group: Group) -> Split:
    """This rank's part of *split*: every size-th sample, so that none is scored twice."""
    if group.size == 1:
        return split
    return Split(split.images[group.rank :: group.size], split.labels[group.rank :: group.size])


def _derive(seed: int, stream: int) -> int:
    """A seed of its own for each use, so that weights, order and dropout do not share their numbers."""
    digest = hashlib.sha256(f"nnbench {stream} {seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def fresh_model(arm: Arm, seed: int, dataset: Dataset, device: torch.device) -> nn.Module:
    """The arm's model with the first weights of *seed*, or those of the arm's own, on *device*.

    Channels-last weights make convolutions write, and pooling read, the channels of a pixel side by side
    (PyTorch, "Channels Last Memory Format"): the same sums in another order.
    """
    with devices.seeded(_derive(seed if arm.init_seed is None else arm.init_seed, 1), device):
        model = models.build(arm.model, dataset.input_shape, dataset.classes, arm.model_args)
    model = model.to(device=device, dtype=devices.weight_type(arm.precision))
    return model.to(memory_format=torch.channels_last) if arm.memory_format == "channels_last" else model


def order_of(arm: Arm, seed: int, count: int) -> Order:
    """The order of *count* training samples under *seed*."""
    return Order(arm.sampling, count, order_seed(seed))


def order_seed(seed: int) -> int:
    """Of the order of the samples."""
    return _derive(seed, 2)


def dropout_seed(seed: int, rank: int = 0) -> int:
    """Of the numbers drawn while training; ranks see other samples: other units fall silent."""
    return _derive(seed, 3 + rank)


def fit(arm: Arm, seed: int = 0, data_folder: Path | None = None) -> History:
    """Train *arm* under *seed* and return its history. Reads no clock.

    Example:
        >>> fit(Arm(data="xor", model_args={"hidden": (8,)}, batch_size="full", epochs=5)).steps
        5

    Raises:
        ConfigError, DataError: see `Training`.
    """
    return Training(arm, seed, data_folder).run()
