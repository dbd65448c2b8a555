"""The control flow of a training, and what becomes of it where one of its calls is forgotten.

The loop is written out here as on the slides, on the digits, with a network in which every one of its calls
matters: batch norm and dropout. nnbench's own loop is put to the same questions.

Shapes: B samples, C channels, H height, W width, K classes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnbench.config import Arm, ConfigError, ProbeResult
from nnbench.data import Split, load
from nnbench.training import Training
from nnbench.training.loop import order_seed

# What a loop may forget; "nothing" is the right one.
FORGOTTEN = ("nothing", "zero_grad", "eval", "no_grad", "train")
# Calls, as the array ``calls`` numbers them.
CALLS = (
    "forward", "forward in evaluation mode", "backward", "optimizer step",
    "validation", "validation in training mode", "validation with gradients",
)  # fmt: skip
_BATCH = 128
_HIDDEN = 64
_KEPT = 2  # epochs whose calls are kept for a picture


def normed_network(input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """64-64-10 with batch norm and dropout, for an arm's ``model``."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(math.prod(input_shape), _HIDDEN), nn.BatchNorm1d(_HIDDEN), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(_HIDDEN, classes),
    )  # fmt: skip


class _Watch:
    """Notes what a loop calls, and what its optimizer is given beside the gradient of the batch."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.calls: list[int] = []
        self.left_over = 0.0  # share of the last step's gradient that its batch did not bring
        self.validates = False  # set by a loop that may forget no_grad
        self._brought: dict[nn.Parameter, Tensor] = {}
        self._hooks = [
            model.register_forward_hook(self._called),
            optimizer.register_step_pre_hook(self._steps),
        ]
        self._hooks += [weight.register_hook(self._note(weight)) for weight in model.parameters()]

    def _note(self, weight: nn.Parameter) -> Callable[[Tensor], None]:
        def brought(gradient: Tensor) -> None:
            self._brought[weight] = gradient.clone()

        return brought

    def _called(self, model: nn.Module, *_: object) -> None:
        if not self.validates and torch.is_grad_enabled():
            self.calls.append(0 if model.training else 1)
        else:
            self.calls.append(5 if model.training else 6 if torch.is_grad_enabled() else 4)

    def _steps(self, *_: object) -> None:
        self.calls += (2, 3)
        given = [weight.grad for weight in self._brought if weight.grad is not None]
        older = [weight.grad - own for weight, own in self._brought.items() if weight.grad is not None]
        self.left_over = _norm(older) / _norm(given)

    def end(self) -> None:
        """Leave model and optimizer as they were."""
        for hook in self._hooks:
            hook.remove()


def _norm(parts: list[Tensor]) -> float:
    return float(torch.stack([part.norm() for part in parts]).norm())


class _Loop:
    """The slides' loop, without what it is told to forget."""

    def __init__(self, forget: str, seed: int, lr: float) -> None:
        dataset = load("digits")
        self.forget = forget
        self._train, self._validation = _numbers(dataset.train), _numbers(dataset.validation)
        self.model = normed_network(dataset.input_shape, len(dataset.classes))
        self._optimizer = torch.optim.SGD(self.model.parameters(), lr=lr)
        self._draw = torch.Generator().manual_seed(order_seed(seed))
        self.watch = _Watch(self.model, self._optimizer)

    def run(self, epochs: int) -> float:
        """Accuracy of the last validation."""
        told = 0.0
        for _ in range(epochs):
            if self.forget != "train":
                self.model.train()
            for x, y in _batches(self._train, torch.randperm(len(self._train[1]), generator=self._draw)):
                if self.forget != "zero_grad":
                    self._optimizer.zero_grad()
                F.cross_entropy(self.model(x), y).backward()
                self._optimizer.step()
            _, told = self.validate()
        return told

    def validate(self) -> tuple[float, float]:
        """Mean loss and accuracy on the validation set."""
        if self.forget != "eval":
            self.model.eval()
        self.watch.validates = True
        with torch.set_grad_enabled(self.forget == "no_grad"):
            loss = right = torch.zeros(())
            for x, y in _batches(self._validation, torch.arange(len(self._validation[1]))):
                scores = self.model(x)
                loss = loss + F.cross_entropy(scores, y, reduction="sum")
                right = right + (scores.argmax(1) == y).sum()
        self.watch.validates = False
        count = len(self._validation[1])
        return float(loss.detach()) / count, float(right) / count


def _numbers(split: Split) -> tuple[Tensor, Tensor]:
    return split.images.float() / 255, split.labels


def _batches(split: tuple[Tensor, Tensor], order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    x, y = split
    for chosen in order.split(_BATCH):
        yield x[chosen], y[chosen]


def loop_without(forget: str, seed: int, *, epochs: int = 8, lr: float = 0.2) -> ProbeResult:
    """The slides' loop on the digits, in which one call is forgotten.

    Args:
        forget: one of `FORGOTTEN`.

    Returns:
        told_accuracy, what its last validation says; validation_accuracy, scored as it should be;
        left_over_gradient, the share of the last step's gradient that older batches left;
        changed_by_validation, whether weights or buffers are others after it; kept_by_validation, bytes that
        it keeps for a backward pass; tells_two_things, whether a second one says another loss. Array
        ``calls``: indices into `CALLS`, of two epochs.

    Raises:
        ConfigError: an unknown call.
    """
    if forget not in FORGOTTEN:
        raise ConfigError(f"forget: expected one of {', '.join(FORGOTTEN)}, got {forget!r}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        loop = _Loop(forget, seed, lr)
        told = loop.run(epochs)
        loop.watch.end()
        found = _of_validation(loop.model, loop.validate)
        loop.forget = "nothing"
        _, accuracy = loop.validate()
    return _told(loop.watch, epochs, {"told_accuracy": told, "validation_accuracy": accuracy, **found})


def own_loop(seed: int, *, epochs: int = 8, lr: float = 0.2) -> ProbeResult:
    """The loop of nnbench on the same network: what `loop_without` finds, and how often it calls what.

    Returns:
        As there; steps_per_epoch and validations_per_epoch, the batches of its two loops; seen_images, how
        many of the images that it is scored on it has trained on.
    """
    model = "nnbench.studies.control_flow:normed_network"
    training = Training(Arm(data="digits", model=model, batch_size=_BATCH, epochs=epochs, lr=lr), seed)
    watch = _Watch(training.model, training.optimizer)
    told = training.run().curves["validation_accuracy"][-1]
    watch.end()
    found = _of_validation(training.model, training.score)
    found |= {"told_accuracy": told, "validation_accuracy": training.score()[1]}
    trained = {image.tobytes() for image in training.train.images.numpy()}
    found["seen_images"] = sum(image.tobytes() in trained for image in training.scored.images.numpy())
    found |= {"steps_per_epoch": watch.calls.count(3) / epochs}
    found |= {"validations_per_epoch": watch.calls.count(4) / epochs}
    return _told(watch, epochs, found)


def _told(watch: _Watch, epochs: int, metrics: dict[str, float]) -> ProbeResult:
    return ProbeResult(
        metrics={**metrics, "left_over_gradient": watch.left_over},
        arrays={"calls": watch.calls[: _KEPT * len(watch.calls) // epochs]},
    )


def _of_validation(model: nn.Module, validate: Callable[[], tuple[float, float]]) -> dict[str, float]:
    """What a validation does that it should not; see `loop_without`."""
    before, kept = _hash(model), 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        first, _ = validate()
    changed = _hash(model) != before
    second, _ = validate()
    return {
        "changed_by_validation": int(changed), "kept_by_validation": kept,
        "tells_two_things": int(second != first),
    }  # fmt: skip


def _hash(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
