"""Models by name, one family per file; your own comes in as ``package.module:factory``.

Importing this package does not import torchvision, which costs seconds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from nnbench.config import MODELS, ConfigError, closest, known_or_path, load_object, plain

__all__ = ["build", "parameter_count", "shape_trace"]

_FROM_DATA = ("input_shape", "classes")


def build(
    name: str,
    input_shape: Sequence[int],
    classes: int | Sequence[str],
    model_args: Mapping[str, Any] | None = None,
) -> nn.Module:
    """A fresh model; its first weights are drawn from torch's global random numbers.

    Args:
        name: a key of `nnbench.config.MODELS`, or your own ``package.module:factory``, which is called
            as ``factory(input_shape=(C, H, W), classes=K, **model_args)`` and returns a module that
            maps images (B, C, H, W) to logits (B, K).
        input_shape: (C, H, W) of one image.
        classes: their number K, or their names.
        model_args: arguments of the model.

    Raises:
        ConfigError: an unknown name or argument, a bad value, or an image that the model cannot take.
    """
    known_or_path("model", name, MODELS)
    shape = tuple(input_shape)
    count = classes if isinstance(classes, int) else len(classes)
    if len(shape) != 3 or any(size < 1 for size in shape) or count < 2:
        raise ConfigError(f"model {name}: expected (C, H, W) and 2 or more classes, got {shape}, {count}")
    factory = load_object(MODELS.get(name, name))
    arguments: dict[str, Any] = plain(model_args or {})
    _check_arguments(name, factory, arguments)
    try:
        model = factory(input_shape=shape, classes=count, **arguments)
    except ConfigError as error:
        raise ConfigError(f"model {name}: {error}") from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model {name}: returned {type(model).__name__}, expected a torch.nn.Module")
    return model


def _check_arguments(name: str, factory: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    signature = inspect.signature(factory)
    accepted = {key: item for key, item in signature.parameters.items() if key not in _FROM_DATA}
    takes_any = any(item.kind is item.VAR_KEYWORD for item in accepted.values())
    for key in arguments:
        if key in _FROM_DATA:
            raise ConfigError(f"model_args: {key!r} comes from the data set and cannot be given")
        if key not in accepted and not takes_any:
            listed = ", ".join(item.name + _default(item) for item in accepted.values())
            raise ConfigError(
                f"model_args: unknown key {key!r}; {closest(key, list(accepted))}"
                f"{name} takes: {listed or 'no arguments'}"
            )
    try:
        signature.bind(input_shape=(1, 1, 1), classes=2, **arguments)
    except TypeError as error:
        raise ConfigError(
            f"model {name}: {error}; it is called as factory(input_shape=…, classes=…)"
        ) from error


def _default(item: inspect.Parameter) -> str:
    return "" if item.default is item.empty else f"={item.default!r}"


def parameter_count(model: nn.Module) -> int:
    """Number of weights and biases; a shared one counts once, buffers (running means) do not count."""
    return sum(parameter.numel() for parameter in model.parameters())


def shape_trace(model: nn.Module, input_shape: Sequence[int]) -> list[tuple[str, tuple[int, ...]]]:
    """What each layer makes of one image: (dotted name of the layer, its output shape without batch axis).

    Runs one black image through *model* in evaluation mode, where its weights lie: on the meta device
    nothing is computed. Only layers that contain no other layers are listed, in the order of the calls.
    """
    shapes: list[tuple[str, tuple[int, ...]]] = []

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_layer: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                shapes.append((name, tuple(output.shape[1:])))

        return hook

    modes = {module: module.training for module in model.modules()}
    leaves = {name: module for name, module in model.named_modules() if not [*module.children()]}
    handles = [module.register_forward_hook(note(name)) for name, module in leaves.items()]
    first = next(model.parameters(), torch.empty(0))
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros((1, *input_shape), dtype=first.dtype, device=first.device))
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    return shapes
