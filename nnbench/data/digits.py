"""digits: scikit-learn's 1,797 handwritten digits, 8x8 grey, 10 classes. Small and quick, for tests.

The 17 grey levels 0 … 16 are stretched to 0 … 255 as round(level * 255 / 16). The set has no split of
its own: 1,400 train and 397 validation images are drawn here, stratified, by a fixed seed.

Source: E. Alpaydin and C. Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, the test part, as scikit-learn carries it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nnbench.data.dataset import Dataset, Split, content_sha256

VALIDATION = 397
_SEED = 1998


def digits(folder: Path | None = None) -> Dataset:
    """The data set; *folder* is not needed, since scikit-learn brings the images."""
    table = _table()
    levels, labels = table[:, :64].reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64)
    images = np.rint(levels * 255 / 16).astype(np.uint8)
    train, validation = (
        Split(torch.from_numpy(images[indices]), torch.from_numpy(labels[indices]))
        for indices in stratified(labels, VALIDATION)
    )
    return Dataset(
        name="digits",
        train=train,
        validation=validation,
        classes=tuple(str(digit) for digit in range(10)),
        source="UCI Optical Recognition of Handwritten Digits (1998), test part, from scikit-learn",
        licence="BSD-3-Clause (scikit-learn's copy of the UCI data)",
        sha256=content_sha256(train, validation),
    )


def _table() -> NDArray[np.float64]:
    """One row per image: 64 grey levels and the label, shape (1797, 65)."""
    spec = find_spec("sklearn")
    if spec is not None and spec.origin is not None:
        file = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
        # The file itself is read in 20 ms; importing scikit-learn to read it takes three seconds.
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])


def stratified(labels: NDArray[np.int64], held_back: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of a train and a validation part of samples with *labels* (N,), by a fixed seed.

    Both are in random order. Every class gives its share of *held_back*, rounded up or down: samples are
    shuffled, sorted by class (stably), and every (N / held_back)-th is held back. RandomState's numbers are
    frozen (NEP 19), so that the split is the same with every numpy.
    """
    random = np.random.RandomState(_SEED)
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    validation = by_class[np.arange(held_back) * len(labels) // held_back]
    rest = shuffled[~np.isin(shuffled, validation)]
    return rest, random.permutation(validation)
