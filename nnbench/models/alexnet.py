"""AlexNet: torchvision's for images as in ImageNet, and a form for small images.

B batch, C channels, H height, W width, K classes, F features after the last pooling.

Source: Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural
networks"; torchvision follows its one-column form (Krizhevsky 2014, arXiv 1404.5997), without local
response normalization.
"""

from __future__ import annotations

import torch
from torch import nn

from nnbench.config import ConfigError
from nnbench.models.arguments import positive, share
from nnbench.models.first_weights import initialize

# Below this side torchvision's strides and poolings leave nothing of an image.
_IMAGENET_SIDE = 63
_SMALLEST_SIDE = 16


class SmallAlexNet(nn.Module):
    """AlexNet's five convolutions, three poolings and three dense layers, in strides for small images."""

    def __init__(self, input_shape: tuple[int, int, int], classes: int, width: float, dropout: float) -> None:
        super().__init__()
        channels, height, wide = input_shape
        c1, c2, c3, c4, dense = (max(1, round(width * full)) for full in (64, 192, 384, 256, 4096))
        self.features = nn.Sequential(
            nn.Conv2d(channels, c1, 5, stride=2, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(c1, c2, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(c2, c3, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(c3, c4, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(c4, c4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        )  # fmt: skip
        features = c4 * (-(-height // 2) // 8) * (-(-wide // 2) // 8)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(features, dense), nn.ReLU(inplace=True),
            nn.Dropout(dropout), nn.Linear(dense, dense), nn.ReLU(inplace=True),
            nn.Linear(dense, classes),
        )  # fmt: skip

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Images (B, C, H, W) to logits (B, K)."""
        x_BF = self.features(x_BCHW).flatten(1)
        logits_BK: torch.Tensor = self.classifier(x_BF)
        return logits_BK


def alexnet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.5,
    init: str = "torch",
) -> nn.Module:
    """AlexNet.

    Colour images of 63x63 and more at width 1 get torchvision's network: 61,100,840 parameters at 1,000
    classes. All others get the small form, which differs from it so: the first convolution is 5x5 with
    stride 2 (not 11x11 with stride 4); the three poolings are 2x2 (not 3x3 with stride 2); the features
    are flattened as they are (not averaged to 6x6 first); every number of channels and units, except
    the classes, is multiplied by *width*. It keeps five convolutions, three poolings, and three dense
    layers with dropout before the first two.

    Args:
        input_shape: (C, H, W) of one image.
        classes: their number K.
        width: factor of channels and units; 0.125 trains on a CPU in seconds.
        dropout: share of the units that is silenced while training.
        init: of the first weights, ``torch``, ``he`` or ``xavier``, see `nnbench.models.first_weights`; the
            paper's own (normal of deviation 0.01, some biases one) is neither.

    Raises:
        ConfigError: images of less than 16x16, or a value out of range.
    """
    factor, dropout = positive("width", width), share("dropout", dropout)
    channels, height, wide = input_shape
    if channels == 3 and min(height, wide) >= _IMAGENET_SIDE and factor == 1:
        from torchvision.models import alexnet as full  # here, since importing it takes seconds

        network: nn.Module = full(weights=None, num_classes=classes, dropout=dropout)
        initialize(network, init)
        return network
    if min(height, wide) < _SMALLEST_SIDE:
        raise ConfigError(f"input {height}x{wide}: a stride and three poolings need images of 16x16 or more")
    network = SmallAlexNet(input_shape, classes, factor, dropout)
    initialize(network, init)
    return network
