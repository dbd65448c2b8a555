"""Two garments in one picture: does Grad-CAM point at the one that it is asked for?

Canvases are 28x56 pixels: two cells of 28x28. A network learns single garments, a trouser or a boot, beside a
cell of scattered pixels of another; it is then asked about pairs. Shapes: B canvases, K classes.
"""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from nnbench.analysis.grad_cam import grad_cam, raw_maps
from nnbench.config import ConfigError, ProbeResult
from nnbench.data import Split, load
from nnbench.models.first_weights import initialize

STATES = ("trained", "untrained", "head randomized", "all randomized")
_LAYER = "features"
_SHOWN = 4
_ASKED, _SCORED = 400, 400
_KINDS = (1, 9)  # trouser and boot, as the lecture has cat and dog


class PointNet(nn.Module):
    """Three convolutions, the mean of each map, one linear layer: (B, 1, H, W) to (B, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(32, 10)
        initialize(self, "he")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Canvases to logits."""
        logits: torch.Tensor = self.head(self.features(x).mean((2, 3)))
        return logits


def two_kinds(split: Split) -> Split:
    """The trousers and boots of *split*."""
    chosen = torch.isin(split.labels, torch.tensor(_KINDS))
    return Split(split.images[chosen], split.labels[chosen])


def single(split: Split, draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Each garment once, left or right, beside the scattered pixels of another; its class."""
    count = len(split)
    images = split.images[:, 0].float() / 255
    others = images[torch.randperm(count, generator=draw)].flatten(1)
    scattered = others.gather(1, torch.rand(others.shape, generator=draw).argsort(1)).view_as(images)
    left = torch.rand(count, generator=draw) < 0.5
    canvas = torch.where(
        left[:, None, None], torch.cat([images, scattered], 2), torch.cat([scattered, images], 2)
    )
    return canvas[:, None], split.labels


def pairs(split: Split, number: int, draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Canvases of two garments of different classes, (number, 1, 28, 56), and both classes, (number, 2)."""
    first = torch.randint(len(split), (number,), generator=draw)
    second = torch.randint(len(split), (number,), generator=draw)
    differ = split.labels[first] != split.labels[second]
    first, second = first[differ], second[differ]
    images = split.images[:, 0].float() / 255
    canvas = torch.cat([images[first], images[second]], 2)[:, None]
    return canvas, torch.stack([split.labels[first], split.labels[second]], 1)


@functools.lru_cache(maxsize=16)
def _networks(
    seed: int, epochs: int, samples: int | None, data: str, folder: Path | None
) -> tuple[nn.Module, nn.Module]:
    """The network of *seed* before and after training; kept, since several arms ask for it."""
    train = two_kinds(load(data, folder).split("train", samples)[0])
    draw = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = PointNet()
        before = copy.deepcopy(net)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        for _ in range(epochs):
            x, y = single(train, draw)
            for chosen in torch.randperm(len(x)).split(16):
                optimizer.zero_grad()
                F.cross_entropy(net(x[chosen]), y[chosen]).backward()
                optimizer.step()
    return before.eval(), net.eval()


def _of_state(state: str, before: nn.Module, after: nn.Module, seed: int) -> nn.Module:
    """The network in one of `STATES`; what is randomized is drawn anew, as another seed would."""
    if state not in STATES:
        raise ConfigError(f"state: expected one of {', '.join(STATES)}, got {state!r}")
    if state in ("trained", "untrained"):
        return after if state == "trained" else before
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1000)
        fresh = PointNet()
    if state == "head randomized":
        fresh.features.load_state_dict(after.get_submodule("features").state_dict())
    return fresh.eval()


def pointing_game(
    state: str,
    seed: int,
    *,
    epochs: int = 3,
    samples: int | None = None,
    data: str = "fashion-mini",
    data_folder: Path | None = None,
) -> ProbeResult:
    """Of pairs of garments, asked for each: how often the map's greatest value lies in its cell.

    Returns:
        pointing_share, where half is chance; empty_maps, those that are 0 everywhere, which miss;
        canvas_accuracy on single garments; like_trained, the rank correlation of the raw maps with those of
        the trained network (Adebayo et al. 2018, "Sanity Checks for Saliency Maps"); completeness_error, how
        far the sum of a raw map is from logit less bias, which it is after a mean and a linear layer.

    Raises:
        ConfigError: an unknown state.
    """
    before, after = _networks(seed, epochs, samples, data, data_folder)
    net = _of_state(state, before, after, seed)
    validation = two_kinds(load(data, data_folder).validation)
    draw = torch.Generator().manual_seed(10_000 + seed)
    x, classes = pairs(validation, _ASKED, draw)
    maps = [raw_maps(net, _LAYER, x, classes[:, side]) for side in (0, 1)]
    hits, empty = zip(*(_hits(of.relu(), side) for side, of in enumerate(maps)), strict=True)
    y, labels = single(validation, draw)
    with torch.no_grad():
        accuracy = float((net(y[:_SCORED]).argmax(1) == labels[:_SCORED]).float().mean())
        logits = net(x).gather(1, classes[:, :1])[:, 0] - net.get_parameter("head.bias")[classes[:, 0]]
    error = (maps[0].sum((1, 2)) - logits).abs().max() / logits.abs().max()
    trained = raw_maps(after, _LAYER, x, classes[:, 0])
    return ProbeResult(
        metrics={
            "pointing_share": sum(hits) / 2,
            "empty_maps": sum(empty) / 2,
            "canvas_accuracy": accuracy,
            "like_trained": _rank_correlation(maps[0], trained),
            "completeness_error": float(error),
        },
        arrays=_shown(net, x, classes),
    )


def _hits(maps: torch.Tensor, side: int) -> tuple[float, float]:
    """The share of *maps* whose greatest value is in the cell of *side*, and of those that are 0."""
    places = maps.flatten(1).argmax(1) % maps.shape[2]
    found = (places >= maps.shape[2] // 2) == bool(side)
    empty = maps.flatten(1).amax(1) <= 0
    return float((found & ~empty).float().mean()), float(empty.float().mean())


def _rank_correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean over the canvases of Spearman's correlation of two maps, pixel by pixel."""
    ranks = [of.flatten(1).argsort(1).argsort(1).double() for of in (a, b)]
    centred = [rank - rank.mean(1, keepdim=True) for rank in ranks]
    norms = centred[0].norm(dim=1) * centred[1].norm(dim=1)
    return float(((centred[0] * centred[1]).sum(1) / norms).mean())


def _shown(net: nn.Module, x: torch.Tensor, classes: torch.Tensor) -> dict[str, Any]:
    """A few canvases with the maps for both of their classes, for a picture."""
    few = slice(0, _SHOWN)
    found = {"canvas": (255 * x[few, 0]).to(torch.uint8), "classes": classes[few]}
    for side, name in ((0, "left_map"), (1, "right_map")):
        maps = grad_cam(net, _LAYER, x[few], classes[few, side])
        found[name] = maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-12)
    return {name: of.numpy() for name, of in found.items()}
