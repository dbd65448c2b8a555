"""A stack of convolutions whose every size can be chosen.

B batch, C channels, H height, W width, K classes, F features after the last block; images are H x W.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from nnbench.config import ConfigError
from nnbench.models.activations import activation_class
from nnbench.models.arguments import choice, count, counts, flag, one_per
from nnbench.models.first_weights import initialize
from nnbench.models.ghost_norm import GhostBatchNorm2d

_POOLS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d, "none": None}
_POOL_SIZE = 2
SAME = "same"


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block: *convs* times convolution [+ batch norm] + activation, then pooling.

    Attributes:
        channels: of each convolution's output.
        kernel: side of the square kernel, in pixels.
        stride: of the first convolution; the others have 1.
        padding: zeros on each side, in pixels.
        norm_part: samples that batch norm normalizes together; None for the whole batch.
    """

    channels: int
    convs: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    pool: str
    activation: type[nn.Module]
    batch_norm: bool
    norm_part: int | None


class CNN(nn.Module):
    """Blocks of convolutions, flattened into dense layers."""

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, blocks: Sequence[Block], hidden: Sequence[int]
    ) -> None:
        super().__init__()
        shape = input_shape
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, block in enumerate(blocks, 1):
            shape = _add_block(layers, number, block, shape)
        self.features = nn.Sequential(layers)
        head: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = shape[0] * shape[1] * shape[2]
        for index, units in enumerate(hidden, 1):
            head[f"linear{index}"] = nn.Linear(inputs, units)
            head[f"activation{index}"] = blocks[-1].activation()
            inputs = units
        head["output"] = nn.Linear(inputs, classes)
        self.head = nn.Sequential(head)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Images (B, C, H, W) to logits (B, K)."""
        x_BF = self.features(x_BCHW).flatten(1)
        logits_BK: torch.Tensor = self.head(x_BF)
        return logits_BK


def _add_block(
    layers: OrderedDict[str, nn.Module], number: int, block: Block, shape: tuple[int, int, int]
) -> tuple[int, int, int]:
    """Append the layers of *block* to *layers*; (C, H, W) in, (C, H, W) out."""
    channels, height, width = shape
    reach = block.dilation * (block.kernel - 1) + 1
    for index in range(1, block.convs + 1):
        stride = block.stride if index == 1 else 1
        where = f"block {number}, convolution {index}"
        height, width = _shrunk(where, (height, width), reach, stride, block.padding)
        # Batch norm takes the mean away, and with it any bias before it.
        layers[f"conv{number}_{index}"] = nn.Conv2d(
            channels,
            block.channels,
            block.kernel,
            stride,
            block.padding,
            block.dilation,
            bias=not block.batch_norm,
        )
        if block.batch_norm:
            layers[f"norm{number}_{index}"] = _batch_norm(block)
        layers[f"activation{number}_{index}"] = block.activation()
        channels = block.channels
    pooling = _POOLS[block.pool]
    if pooling is not None:
        height, width = _shrunk(f"block {number}, pooling", (height, width), _POOL_SIZE, _POOL_SIZE, 0)
        layers[f"pool{number}"] = pooling(_POOL_SIZE)
    return channels, height, width


def _batch_norm(block: Block) -> nn.Module:
    if block.norm_part is None:
        return nn.BatchNorm2d(block.channels)
    return GhostBatchNorm2d(block.channels, block.norm_part)


def _padding(padding: int | str, kernel: int, dilation: int) -> int:
    """Zeros on each side, in pixels; ``same`` needs as many on the left as on the right."""
    if not isinstance(padding, str):
        return count("padding", padding, 0)
    choice("padding", padding, (SAME,))
    reach = dilation * (kernel - 1)
    if reach % 2:
        raise ConfigError(f"padding: 'same' needs odd kernels, got kernel_size {kernel}; give it in pixels")
    return reach // 2


def _norm_part(part: int | None, batch_norm: bool) -> int | None:
    if part is None:
        return None
    if not batch_norm:
        raise ConfigError(f"norm_part: {part!r} without batch_norm means nothing; give batch_norm=true too")
    return count("norm_part", part)


def _shrunk(where: str, sides: tuple[int, int], reach: int, stride: int, padding: int) -> tuple[int, int]:
    """Height and width after a window of *reach* pixels; floor((side + 2 padding - reach) / stride) + 1."""
    height, width = ((side + 2 * padding - reach) // stride + 1 for side in sides)
    if min(height, width) < 1:
        raise ConfigError(
            f"{where}: the image is {sides[0]}x{sides[1]} there, and a window of {reach}x{reach} "
            f"with padding {padding} leaves nothing of it; take fewer blocks, smaller kernels or pool='none'"
        )
    return height, width


def cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    channels: Sequence[int] = (16, 32),
    kernel_size: int | Sequence[int] = 3,
    convs_per_block: int = 1,
    stride: int | Sequence[int] = 1,
    padding: int | str = SAME,
    dilation: int | Sequence[int] = 1,
    pool: str = "max",
    activation: str = "relu",
    batch_norm: bool = False,
    norm_part: int | None = None,
    hidden: Sequence[int] = (),
    init: str = "torch",
) -> CNN:
    """A stack of convolutions, then dense layers.

    Args:
        input_shape: (C, H, W) of one image.
        classes: their number K.
        channels: one block for each number, of so many output channels.
        kernel_size: side in pixels, one for all blocks or one for each.
        convs_per_block: convolutions before each pooling.
        stride: of the first convolution of a block, one for all or one for each.
        padding: ``same`` keeps the size (divided by the stride, rounded up), or zeros on each side in pixels.
        dilation: distance between the pixels that a kernel sees, one for all or one for each.
        pool: ``max``, ``average`` (both 2x2) or ``none``.
        activation: a name of `nnbench.models.activations`.
        batch_norm: between convolution and activation; the convolution then has no bias.
        norm_part: samples that batch norm normalizes together, as a worker would that holds so many of a
            batch; None for the whole batch. See `nnbench.models.ghost_norm`.
        hidden: units of dense layers between the flattened features and the output.
        init: of the first weights, ``torch``, ``he`` or ``xavier``, see `nnbench.models.first_weights`.

    Raises:
        ConfigError: a value out of range, or an image that gets smaller than one pixel (names the block).
    """
    widths = counts("channels", channels)
    if not widths:
        raise ConfigError("channels: expected one number or more, got none")
    kernels = one_per("kernel_size", kernel_size, len(widths), "blocks")
    strides = one_per("stride", stride, len(widths), "blocks")
    dilations = one_per("dilation", dilation, len(widths), "blocks")
    blocks = [
        Block(
            channels=widths[index],
            convs=count("convs_per_block", convs_per_block),
            kernel=kernels[index],
            stride=strides[index],
            padding=_padding(padding, kernels[index], dilations[index]),
            dilation=dilations[index],
            pool=choice("pool", pool, tuple(_POOLS)),
            activation=activation_class(activation),
            batch_norm=flag("batch_norm", batch_norm),
            norm_part=_norm_part(norm_part, batch_norm),
        )
        for index in range(len(widths))
    ]
    model = CNN(input_shape, classes, blocks, counts("hidden", hidden))
    initialize(model, init)
    return model
