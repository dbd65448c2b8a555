"""mnist and fashion-mnist: 60,000 training and 10,000 validation images, 28x28 grey, 10 classes.

Both are read from the publishers' four IDX files, plain or gzipped, wherever `nnbench.data.places` finds
them. Files that were packed again are as good: what counts is the content.

Sources: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition",
Proc. IEEE 86; Xiao, Rasul and Vollgraf 2017, "Fashion-MNIST", arXiv 1708.07747.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from nnbench.data.dataset import Dataset, Split, content_sha256
from nnbench.data.fashion_mini import CLASSES as CLOTHES
from nnbench.data.idx import find_idx, read_idx
from nnbench.data.places import find, shown

# MD5 of the decompressed files, as torchvision and the publishers give them.
MD5: Mapping[str, Mapping[str, str]] = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}


def mnist(folder: Path | None = None) -> Dataset:
    """LeCun's handwritten digits; *folder* is looked at first.

    Raises:
        DataMissing: they are not on this machine.
        DataError: a file is damaged, or of another content.
    """
    train, validation = _read("mnist", folder)
    return Dataset(
        name="mnist",
        train=train,
        validation=validation,
        classes=tuple(str(digit) for digit in range(10)),
        source="MNIST (LeCun, Cortes and Burges, 1998), train and test",
        licence="CC-BY-SA-3.0",
        sha256=content_sha256(train, validation),
    )


def fashion_mnist(folder: Path | None = None) -> Dataset:
    """Zalando's images of clothes; *folder* is looked at first.

    Raises:
        DataMissing, DataError: see `mnist`.
    """
    train, validation = _read("fashion-mnist", folder)
    return Dataset(
        name="fashion-mnist",
        train=train,
        validation=validation,
        classes=CLOTHES,
        source="Fashion-MNIST (Zalando Research, 2017), train and test",
        licence="MIT",
        sha256=content_sha256(train, validation),
    )


def _read(name: str, folder: Path | None) -> tuple[Split, Split]:
    place, raw = find(name, folder)
    mend = f"'nnbench data fetch {name} --data-dir {shown(place)}' brings it anew"
    return _split(name, raw, "train", mend), _split(name, raw, "t10k", mend)


def _split(name: str, raw: Path, prefix: str, mend: str) -> Split:
    """Images (N, 1, 28, 28) and labels (N,) of the two files of *prefix*."""
    arrays = []
    for file, dimensions in ((f"{prefix}-images-idx3-ubyte", 3), (f"{prefix}-labels-idx1-ubyte", 1)):
        array = read_idx(find_idx(raw, file, mend), dimensions, MD5[name][file], mend)
        arrays.append(torch.from_numpy(array.copy()))  # a copy, since torch wants memory that may be written
    images, labels = arrays
    return Split(images.unsqueeze(1), labels.long())
