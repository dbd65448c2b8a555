"""One arm under many seeds, trained as one model.

Each member keeps what its seed gives it: first weights, order of samples, dropout stream, optimizer state and
divergence. Parameters lie stacked, and one backward pass of all losses gives each member its own gradients,
since no member sees another's weights. The optimizers work number by number, so that one step over the stack
is a step of each.

M members, B samples of a step, N samples of an epoch, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F

from nnbench import devices
from nnbench.config import BF16_MIXED, COMPILED, CUDA_GRAPH, MODELS, OWN_LOOP, Arm
from nnbench.optim import Schedule, make_optimizer
from nnbench.training.history import History
from nnbench.training.loop import Training, dropout_seed, fresh_model, order_of
from nnbench.training.steps import zero_grad
from nnbench.training.vectorised.stacked import NotVectorisable, StackedModel
from nnbench.training.vectorised.tally import MembersTally

# Samples scored at once, and gathered at once, over all members.
_SCORED = 8192
_GATHERED = 2048
# How each member would make its steps alone is not how they are made here.
_OWN_WAY = {"execution": "eager", "memory_format": "contiguous"}
# What reads more than one number of a parameter, as a norm does, would mix the members.
_BY_ELEMENT = frozenset({"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"})


def refusal(arm: Arm) -> str:
    """Why the seeds of *arm* cannot train as one model, as far as its fields tell; empty where they may."""
    if arm.ranks > 1:
        return f"it trains in {arm.ranks} ranks"
    if arm.loader != "tensors":
        return f"its samples come through the loader {arm.loader!r}"
    if arm.framework != OWN_LOOP:
        return f"{arm.framework} trains it"
    if arm.target_accuracy is not None:
        return "each ends when it has reached its target"
    if arm.label_smoothing:
        return "its labels are smoothed"
    if arm.execution in (COMPILED, CUDA_GRAPH):
        return f"the execution {arm.execution!r} makes the steps of one model"
    if arm.precision == BF16_MIXED:
        return f"the precision {arm.precision!r} rounds otherwise where many models share a product"
    if arm.optimizer not in _BY_ELEMENT:
        return f"the optimizer {arm.optimizer} may look at more than one weight at a time"
    return ""


class VectorisedTraining:
    """One training of an arm under many seeds, ready to run: fresh models, one optimizer, their orders.

    Args:
        seeds: each once; the members, in this order.

    Attributes:
        first: the first member as it would train alone; its data and its counts are those of all.

    Raises:
        NotVectorisable: see `refusal` and `StackedModel`; or the model brings a loss of its own.
        ConfigError, DataError: see `Training`.
    """

    def __init__(self, arm: Arm, seeds: Sequence[int], data_folder: Path | None = None) -> None:
        if why := refusal(arm):
            raise _not_vectorisable(arm, why)
        self.arm, self.seeds = arm, tuple(seeds)
        self.first = first = Training(arm.replace(**_OWN_WAY), self.seeds[0], data_folder)
        if first.loss_of is not F.cross_entropy and arm.model not in MODELS:
            raise _not_vectorisable(arm, "its model brings a loss of its own")
        self.models = [first.model]
        self.models += [fresh_model(first.arm, seed, first.dataset, first.device) for seed in self.seeds[1:]]
        self.tally = MembersTally(len(self.seeds))
        self._orders = [order_of(arm, seed, len(first.train)) for seed in self.seeds]
        try:
            tried = first.train.decode(first.train.images[:2])
            with devices.seeded(0, first.device), devices.settings(arm.threads):
                self._model = StackedModel(self.models, tried, [dropout_seed(seed) for seed in self.seeds])
        except NotVectorisable as error:
            raise _not_vectorisable(arm, str(error)) from error
        self._optimizer = make_optimizer(arm, self._model.parameters.values())
        self._schedule = Schedule(arm, self._optimizer, first.planned_steps)

    def run(self) -> list[History]:
        """Train all members; a history each, in the order of the seeds."""
        with devices.settings(self.arm.threads):
            for _ in range(self.arm.epochs):
                self._train_epoch()
                if not self.tally.all_diverged:
                    self._validate()
                if self.tally.steps >= self.first.planned_steps or self.tally.all_diverged:
                    break
        self._model.give_back()
        return self.tally.histories(self.models)

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        """Name -> weights of all members, (M, …)."""
        return self._model.parameters

    def step_losses(self, place: int) -> torch.Tensor:
        """Losses of the steps of a member, up to the first that is not finite, on the CPU."""
        return self.tally.step_losses(place)

    def _train_epoch(self) -> None:
        self._model.train(True)
        batch = self.first.batch
        left = (self.first.planned_steps - self.tally.steps) * batch
        orders_MN = torch.stack([order.next_epoch() for order in self._orders])[:, :left]
        members, samples = orders_MN.shape
        losses: list[torch.Tensor] = []
        right_M = torch.zeros(members, dtype=torch.int64, device=self.first.device)
        together = max(1, _GATHERED // (members * batch)) * batch
        for order_MN in orders_MN.to(self.first.device).split(together, 1):
            right_M += self._train_batches(order_MN, losses)
        sizes_S = torch.full((len(losses),), batch)
        sizes_S[-1] = samples - batch * (len(losses) - 1)
        self.tally.add_epoch(torch.stack(losses, 1).cpu(), right_M.cpu(), sizes_S)
        self._schedule.after_epoch()

    def _train_batches(self, order_MN: torch.Tensor, losses: list[torch.Tensor]) -> torch.Tensor:
        """Train on some batches, gathered at once, adding to *losses*; right answers of each member, (M,)."""
        samples, batch = self.first.train, self.first.batch
        order = order_MN.reshape(-1)
        x = samples.decode(samples.images.index_select(0, order))
        x_MNCHW = x.view(*order_MN.shape, *x.shape[1:])
        y_MN = samples.labels.index_select(0, order).view(order_MN.shape)
        outputs = []
        for x_MBCHW, y_MB in zip(x_MNCHW.split(batch, 1), y_MN.split(batch, 1), strict=True):
            losses_M, outputs_MBK = self._step(x_MBCHW, y_MB)
            losses.append(losses_M)
            outputs.append(outputs_MBK)
        return (torch.cat(outputs, 1).argmax(2) == y_MN).sum(1)

    def _step(self, x_MBCHW: torch.Tensor, y_MB: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        outputs_MBK = self._model(x_MBCHW)
        losses_M = self._losses(outputs_MBK, y_MB)
        zero_grad(self._optimizer)
        losses_M.sum().backward()  # each member its own gradients: none sees another's weights
        self._optimizer.step()
        if self._schedule.moves_by_step:
            self._schedule.after_step()
        return losses_M.detach(), outputs_MBK.detach()

    def _losses(self, outputs_MBK: torch.Tensor, y_MB: torch.Tensor) -> torch.Tensor:
        """Mean loss of each member, (M,)."""
        if self.first.loss_of is not F.cross_entropy:
            losses_M: torch.Tensor = torch.func.vmap(self.first.loss_of)(outputs_MBK, y_MB)
            return losses_M
        losses = F.cross_entropy(outputs_MBK.flatten(0, 1), y_MB.flatten(), reduction="none")
        return losses.view(y_MB.shape).mean(1)

    def _validate(self) -> None:
        scored, members = self.first.scored, len(self.seeds)
        at_once = max(1, _SCORED // members)
        total_2M = torch.zeros(2, members, dtype=torch.float64, device=self.first.device)
        self._model.train(False)
        with torch.no_grad():
            for images, labels in zip(
                scored.images.split(at_once), scored.labels.split(at_once), strict=True
            ):
                x = scored.decode(images)
                outputs_MBK = self._model(x.expand(members, *x.shape))
                y_MB = labels.expand(members, len(labels))
                loss_M = self._losses(outputs_MBK, y_MB).double() * len(labels)
                total_2M += torch.stack([loss_M, (outputs_MBK.argmax(2) == y_MB).sum(1)])
        self.tally.add_validation(*(total_2M / len(scored)).cpu())


def _not_vectorisable(arm: Arm, why: str) -> NotVectorisable:
    return NotVectorisable(f"{arm.name}: its seeds cannot train as one model: {why}")
