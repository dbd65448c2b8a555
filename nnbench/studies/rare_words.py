"""Texts as sets of words, of which a few are common and most are rare: where Adagrad is at home.

Each text is a row of 300 pixels, 255 where it has the word. Its label is the sign of a sum over its words, in
which each word, however rare, counts as much over all texts as any other.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nnbench.data import Dataset, Split, content_sha256

_WORDS, _TRAIN, _VALIDATION, _SEED = 300, 6000, 2000, 11


def rare_words(folder: Path | None = None) -> Dataset:
    """Word n is in one of n + 1 texts (Zipf's law); *folder* is not needed."""
    return texts("rare words", 1 / (torch.arange(_WORDS, dtype=torch.float64) + 2))


def even_words(folder: Path | None = None) -> Dataset:
    """As many words in a text on average, but each of them as common as any other."""
    mean = float((1 / (torch.arange(_WORDS, dtype=torch.float64) + 2)).mean())
    return texts("even words", torch.full((_WORDS,), mean, dtype=torch.float64))


def texts(name: str, shares: Tensor) -> Dataset:
    """6,000 texts to learn from and 2,000 to score; word j is in the share *shares* (D,) of them."""
    draw = torch.Generator().manual_seed(_SEED)
    signs = torch.randint(2, (len(shares),), generator=draw) * 2 - 1
    weights = signs / (shares * (1 - shares)).sqrt()
    has = torch.rand(_TRAIN + _VALIDATION, len(shares), generator=draw, dtype=torch.float64) < shares
    labels = ((has.double() - shares) @ weights > 0).long()
    pixels = (has * 255).to(torch.uint8)[:, None, None]
    train, validation = (Split(pixels[part], labels[part]) for part in (slice(_TRAIN), slice(_TRAIN, None)))
    return Dataset(
        name=name,
        train=train,
        validation=validation,
        classes=("no", "yes"),
        source=f"synthetic: words of nnbench, seed {_SEED}",
        licence="CC0-1.0",
        sha256=content_sha256(train, validation),
    )
