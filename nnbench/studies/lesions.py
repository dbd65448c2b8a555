"""Small lesions and far context: images made for the question, and networks that look at them differently.

Images are noise of mean 0 and deviation 1, 24x24. A lesion is a brighter square. A pair is a bright mark and
a dark one, far apart: which of them is at the left can only be told by who sees both. Shapes: B images, C
channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nnbench.config import ConfigError, ProbeResult

SIDE, SIZES = 24, (1, 2, 4, 8)
_BRIGHTER, _FALSE_ALARMS = 6.0, 0.05
_APART = 14  # pixels between the marks of a pair
_TRAIN, _VALIDATION, _BATCH, _RATE = 1024, 512, 32, 5e-3


def lesions(number: int, draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (number, 1, 24, 24) and the side of the lesion in each, 0 for none: half of them have one."""
    x = torch.randn(number, 1, SIDE, SIDE, generator=draw)
    sizes = torch.tensor(SIZES)[torch.randint(len(SIZES), (number,), generator=draw)]
    sizes[torch.rand(number, generator=draw) < 0.5] = 0
    places = torch.rand(number, 2, generator=draw)
    for i in sizes.nonzero()[:, 0].tolist():
        size = int(sizes[i])
        down, right = (places[i] * (SIDE - size + 1)).int().tolist()
        # as bright in all as its size allows: a lesion of 8x8 with 4 more at each pixel would be too easy
        x[i, 0, down : down + size, right : right + size] += _BRIGHTER / size**0.5
    return x, sizes


def pairs(number: int, draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Images with a bright and a dark mark of 3x3 in one row, 14 pixels apart; 1 where the bright one is
    left.
    """
    x = torch.randn(number, 1, SIDE, SIDE, generator=draw)
    bright_left = torch.randint(2, (number,), generator=draw)
    places = torch.rand(number, 2, generator=draw)
    for i in range(number):
        down, right = (int(places[i, 0] * (SIDE - 2)), int(places[i, 1] * (SIDE - 2 - _APART)))
        sign = 3.0 if bright_left[i] else -3.0
        x[i, 0, down : down + 3, right : right + 3] += sign
        x[i, 0, down : down + 3, right + _APART : right + _APART + 3] -= sign
    return x, bright_left


def _block(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation), nn.ReLU()
    )


class _Head(nn.Module):
    """The greatest value of each map, anywhere, to one logit."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to (B,)."""
        found: torch.Tensor = self.linear(maps.amax((2, 3)))[:, 0]
        return found


class _Branches(nn.Module):
    """A fine and a far look at the same image, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(_block(1, 8), _block(8, 8))
        self.far = _dilated()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, H, W) to (B, 16, H, W)."""
        return torch.cat([self.fine(x), self.far(x)], 1)


def _dilated() -> nn.Sequential:
    return nn.Sequential(*(_block(8 if i else 1, 8, dilation=d) for i, d in enumerate((1, 2, 4, 8))))


# name -> the network: how far it sees [px], and at what steps, stands in its layers
NETS: Mapping[str, Callable[[], nn.Module]] = {
    "stride 1": lambda: nn.Sequential(_block(1, 8), _block(8, 16), _Head(16)),
    "stride 2": lambda: nn.Sequential(_block(1, 8, stride=2), _block(8, 16), _Head(16)),
    "stride 4": lambda: nn.Sequential(_block(1, 8, stride=4), _block(8, 16), _Head(16)),
    "far by stride": lambda: nn.Sequential(
        _block(1, 8, stride=4), _block(8, 8), _block(8, 8), _block(8, 8), _Head(8)
    ),
    "far by dilation": lambda: nn.Sequential(_dilated(), _Head(8)),
    "two branches": lambda: nn.Sequential(_Branches(), _Head(16)),
}


def _trained(name: str, x: torch.Tensor, y: torch.Tensor, epochs: int) -> nn.Module:
    """The network called *name*, trained by Adam on whether *y* is 1."""
    if name not in NETS:
        raise ConfigError(f"net: expected one of {', '.join(NETS)}, got {name!r}")
    net = NETS[name]()
    optimizer = torch.optim.Adam(net.parameters(), lr=_RATE)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(_BATCH):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[chosen]), y[chosen].float()).backward()
            optimizer.step()
    return net.eval()


def lesion_recall(net: str, seed: int, *, epochs: int = 3, samples: int = _TRAIN) -> ProbeResult:
    """How many lesions of each size are found, where one healthy image in twenty is taken for ill.

    Trained on lesions of all sizes together; the threshold is of other healthy images than those scored.

    Returns:
        ``lesion_<side>_recall`` for sides of 1, 2, 4, 8 pixels.

    Raises:
        ConfigError: an unknown network.
    """
    draw = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        x, sizes = lesions(samples, draw)
        model = _trained(net, x, sizes > 0, epochs)
    others, other_sizes = lesions(2 * _VALIDATION, draw)
    scored, scored_sizes = lesions(4 * _VALIDATION, draw)
    with torch.no_grad():
        healthy = torch.cat([model(part) for part in others[other_sizes == 0].split(256)])
        scores = torch.cat([model(part) for part in scored.split(256)])
    threshold = healthy.quantile(1 - _FALSE_ALARMS)
    recalls = [float((scores[scored_sizes == size] > threshold).float().mean()) for size in SIZES]
    return ProbeResult(
        metrics={
            **{f"lesion_{size}_recall": recall for size, recall in zip(SIZES, recalls, strict=True)},
            "false_alarms": float((scores[scored_sizes == 0] > threshold).float().mean()),
            "parameters": sum(weight.numel() for weight in model.parameters()),
        },
        arrays={"side": np.array(SIZES), "recall": np.array(recalls)},
    )


def two_tasks(net: str, seed: int, *, epochs: int = 6, samples: int = _TRAIN) -> ProbeResult:
    """What one architecture learns of a fine task, lesions of 1 pixel to 8, and of a far one, pairs.

    Two trainings, one for each.

    Returns:
        fine_accuracy and far_accuracy, of images not trained on.
    """
    draw = torch.Generator().manual_seed(seed)
    found = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for task, make in (("fine", lesions), ("far", pairs)):
            x, y = make(samples, draw)
            model = _trained(net, x, (y > 0).long(), epochs)
            others, labels = make(_VALIDATION, draw)
            with torch.no_grad():
                right = (torch.cat([model(part) for part in others.split(256)]) > 0) == (labels > 0)
            found[f"{task}_accuracy"] = float(right.float().mean())
    return ProbeResult(metrics=found)
