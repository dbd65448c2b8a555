"""Cross-entropy, a layer and the memory of a tensor, as arithmetic.

Shapes: B samples, C channels, H height, W width, K classes, I inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from nnbench.config import ConfigError, ProbeResult

_TYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def cross_entropy(scores: Sequence[float], label: int, *, dtype: str = "float64") -> ProbeResult:
    """The loss of one sample: -log of softmax(scores)[label].

    Returns:
        cross_entropy, torch's; by_hand_loss, log of the sum of exponentials less the score, in float64;
        naive_loss, softmax first and its logarithm after, in *dtype*; softmax_twice_loss, where the scores
        have gone through softmax before. Arrays: the loss against the right class's lead over one other.

    Raises:
        ConfigError: a label that no score has, or an unknown number format.
    """
    if not 0 <= label < len(scores):
        raise ConfigError(f"label: expected 0 to {len(scores) - 1}, got {label}")
    if dtype not in _TYPES:
        raise ConfigError(f"dtype: expected one of {', '.join(_TYPES)}, got {dtype!r}")
    given = torch.tensor([scores], dtype=_TYPES[dtype])
    right = torch.tensor([label])
    naive = float(-torch.log(torch.exp(given) / torch.exp(given).sum())[0, label])
    highest = max(scores)
    by_hand = highest + math.log(sum(math.exp(score - highest) for score in scores)) - scores[label]
    leads = torch.linspace(-8, 8, 161, dtype=torch.float64)
    curve = F.softplus(-leads)  # of two classes: log(1 + exp(-lead))
    finite = math.isfinite(naive)
    return ProbeResult(
        metrics={
            "cross_entropy": float(F.cross_entropy(given, right)), "by_hand_loss": by_hand,
            "naive_loss": naive if finite else None, "naive_is_finite": int(finite),
            "softmax_twice_loss": float(F.cross_entropy(given.softmax(1), right)),
        },
        missing={} if finite else {"naive_loss": f"exp of {highest:g} is beyond {dtype}"},
        arrays={"lead": leads.numpy(), "loss": curve.numpy()},
    )  # fmt: skip


def linear_layer(inputs: int, outputs: int, batch: int) -> dict[str, float]:
    """`torch.nn.Linear` as sums of products.

    Returns:
        weight_rows, weight_columns, biases, output_rows, output_columns; layer_parameters; layer_error, how
        far its outputs are from sums written out.
    """
    layer = torch.nn.Linear(inputs, outputs, dtype=torch.float64)
    x = torch.randn(batch, inputs, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        out = layer(x).numpy()
        weight, bias, given = layer.weight.numpy(), layer.bias.numpy(), x.numpy()
    by_hand = [
        [math.fsum(w * value for w, value in zip(row, sample, strict=True)) + b
         for row, b in zip(weight, bias, strict=True)]
        for sample in given
    ]  # fmt: skip
    return {
        "weight_rows": weight.shape[0], "weight_columns": weight.shape[1], "biases": len(bias),
        "output_rows": out.shape[0], "output_columns": out.shape[1],
        "layer_parameters": weight.size + bias.size,
        "layer_error": float(np.abs(out - np.array(by_hand)).max()),
    }  # fmt: skip


def image_batch(shape: Sequence[int] = (8, 3, 224, 224)) -> ProbeResult:
    """A batch of images, (B, C, H, W) in float32, and what view, flatten and a memory format do to it.

    Returns:
        tensor_bytes; view_shares and flatten_shares, whether they look at the same memory;
        permuted_view_works, whether view takes what permute left; permuted_flatten_shares;
        channels_last_equal, whether its values are the same; contiguous_stride and channels_last_stride, from
        one channel to the next. Arrays: which channel each address holds, of a batch of 1 x 3 x 3 x 3, in
        both formats.
    """
    images = torch.arange(math.prod(shape), dtype=torch.float32).view(tuple(shape))
    permuted = images.permute(0, 2, 3, 1)
    try:
        permuted.view(shape[0], -1)
        works = 1
    except RuntimeError:
        works = 0
    last = images.contiguous(memory_format=torch.channels_last)
    small = torch.arange(3).view(1, 3, 1, 1).expand(1, 3, 3, 3).contiguous()
    small_last = small.contiguous(memory_format=torch.channels_last)
    return ProbeResult(
        metrics={
            "tensor_bytes": images.numel() * images.element_size(),
            "view_shares": _shares(images.view(shape[0], -1), images),
            "flatten_shares": _shares(images.flatten(1), images),
            "permuted_view_works": works,
            "permuted_flatten_shares": _shares(permuted.flatten(1), images),
            "channels_last_equal": int(torch.equal(last, images)),
            "contiguous_stride": images.stride(1),
            "channels_last_stride": last.stride(1),
        },
        arrays={"contiguous": _memory(small), "channels last": _memory(small_last)},
    )


def _shares(one: torch.Tensor, other: torch.Tensor) -> int:
    return int(one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr())


def _memory(tensor: torch.Tensor) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The values in the order of their addresses."""
    return tensor.as_strided((tensor.numel(),), (1,)).numpy()
