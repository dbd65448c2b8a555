"""Grad-CAM: which places of the last maps speak for a class.

Selvaraju et al. 2017 ("Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization"),
eqs. 1 and 2: alpha_k is the spatial mean of the gradient of the class's logit by map k, and the picture is
ReLU(sum_k alpha_k A_k).

Shapes: B images, C channels, K classes, h x w places of the maps.
"""

from __future__ import annotations

import torch
from torch import nn

from nnbench.config import ConfigError


def raw_maps(model: nn.Module, layer: str, x: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """sum_k alpha_k A_k before the ReLU, (B, h, w).

    Args:
        model: images (B, C, H, W) to logits (B, K).
        layer: name of the module whose output the maps are, as `torch.nn.Module.get_submodule` takes it.
        x: images.
        classes: the class asked for of each image, (B,).

    Raises:
        ConfigError: no module of that name, one whose output is no map, or classes that do not fit.
    """
    if len(classes) != len(x):
        raise ConfigError(f"classes: expected one for each of {len(x)} images, got {len(classes)}")
    try:
        watched = model.get_submodule(layer)
    except AttributeError as error:
        names = ", ".join(name for name, _ in model.named_modules() if name)
        raise ConfigError(f"layer: no module {layer!r}; there are {names}") from error
    kept: list[torch.Tensor] = []
    handle = watched.register_forward_hook(lambda module, inputs, output: kept.append(output))
    with torch.enable_grad():
        try:
            logits = model(x)
        finally:
            handle.remove()
        (maps,) = kept
        if maps.ndim != 4:
            raise ConfigError(f"layer: {layer!r} gives {tuple(maps.shape)}, expected maps (B, C, h, w)")
        chosen = logits.gather(1, classes[:, None]).sum()  # no image's logit depends on another's maps
        (gradient,) = torch.autograd.grad(chosen, maps)
    return (gradient.mean((2, 3), keepdim=True) * maps).sum(1).detach()


def grad_cam(model: nn.Module, layer: str, x: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The picture, (B, h, w), 0 or more everywhere; see `raw_maps`."""
    return raw_maps(model, layer, x, classes).relu()
