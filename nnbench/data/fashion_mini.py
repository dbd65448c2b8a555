"""fashion-mini: the embedded default, a stratified part of Fashion-MNIST.

6,000 training and 2,000 validation images, 28x28 grey, 10 classes: the first 600 of each class of
Fashion-MNIST's training set and the first 200 of each class of its test set, in rounds of one image per
class: any run of ten holds every class once, and so does the last sixth that is held back for tuning.
Written by `nnbench.data.build_fashion_mini`.

Source: Xiao, Rasul and Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
Learning Algorithms", arXiv 1708.07747. MIT licence, notice in ``fashion-mini.LICENSE`` beside this file.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nnbench.data.dataset import DataError, Dataset, Split, content_sha256

FILE = Path(__file__).with_name("fashion-mini.npz")
TRAIN_PER_CLASS = 600
VALIDATION_PER_CLASS = 200
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
SHA256 = "b52ffd771af1ccf5638436a19b76bbff5114d56c67ad0ad8a08faf3202e0a568"
_MEND = (
    "restore it with 'git checkout nnbench/data/fashion-mini.npz' or by installing nnbench-suite again, or "
    "build it with 'python -m nnbench.data.build_fashion_mini SOURCE_FOLDER'"
)
# What zip, zlib, numpy and `Split` raise over changed bytes.
_DAMAGED = (
    OSError, EOFError, KeyError, ValueError, TypeError, NotImplementedError, zipfile.BadZipFile, zlib.error,
    DataError,
)  # fmt: skip


def fashion_mini(folder: Path | None = None) -> Dataset:
    """The embedded data set; *folder* is not needed, since the images come with nnbench.

    Raises:
        DataError: the embedded file is missing, damaged, or of another content.
    """
    train, validation = read(FILE)
    return Dataset(
        name="fashion-mini",
        train=train,
        validation=validation,
        classes=CLASSES,
        source="Fashion-MNIST (Zalando Research, 2017): first 600 and 200 images per class of train and test",
        licence="MIT",
        sha256=SHA256,
    )


def read(path: Path, sha256: str = SHA256) -> tuple[Split, Split]:
    """Train and validation from the file *path*, whose content must have the checksum *sha256*.

    Raises:
        DataError: missing, damaged, or of another content.
    """
    try:
        # Opened here, since numpy leaves a file open that turns out to be no zip archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            train = _split(arrays["train_images"], arrays["train_labels"])
            validation = _split(arrays["validation_images"], arrays["validation_labels"])
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected the embedded images, found no file; {_MEND}") from error
    except _DAMAGED as error:
        raise DataError(
            f"{path}: expected an .npz of images, found a damaged file ({error}); {_MEND}"
        ) from error
    found = content_sha256(train, validation)
    if found != sha256:
        raise DataError(f"{path}: expected content with SHA-256 {sha256}, found {found}; {_MEND}")
    return train, validation


def _split(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Split:
    return Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())
