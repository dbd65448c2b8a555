"""mednist: 58,954 radiographs and slices, 64x64 grey, 6 classes: the lecture's 'Medical MNIST'.

42,000 train and 16,954 validation images are drawn here by a fixed seed from the sorted names, both in
random order. Patients are not known, and some images occur twice: `mednist` keeps the copies as the lecture
does and says how many there are, `mednist-clean` validates without them, `mednist-28` is `mednist` averaged
down to 28x28.

Source: MedNIST, put together from TCIA, the RSNA Bone Age Challenge and the NIH Chest X-ray set by B. J.
Erickson (Mayo Clinic) under CC BY-SA 4.0, as Project MONAI publishes it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from nnbench.data.dataset import DataError, Dataset, Split, content_sha256, copies
from nnbench.data.mednist_cache import decoded
from nnbench.data.mednist_files import Contents, read_files
from nnbench.data.places import find, shown

CONTENTS = Contents(
    counts={
        "AbdomenCT": 10_000,
        "BreastMRI": 8_954,
        "CXR": 10_000,
        "ChestCT": 10_000,
        "Hand": 10_000,
        "HeadCT": 10_000,
    },
    sha256="52af2aa66d0f3a23bab41249f4321feed1ab7cc3acd8165ef8b5acde5dce70eb",
    train=42_000,
)
SIZE = 64
SMALL = 28
_SEED = 2017
_AVERAGED_AT_ONCE = 200  # what stays in cache

Images = NDArray[np.uint8]


def mednist(folder: Path | None = None) -> Dataset:
    """The whole set; *folder* is looked at first. The first load decodes it into the user's cache.

    Raises:
        DataMissing: it is not on this machine.
        DataError: its files are damaged, or others than the published ones.
    """
    train, validation, facts = _splits(folder)
    count = len(facts["copies"])
    note = (
        f"{count:,} of {len(validation):,} validation images are exact copies of training images; "
        "mednist-clean is without them"
    )
    return _dataset("mednist", train, validation, notes=(note,) if count else (), sha256=facts["sha256"])


def mednist_clean(folder: Path | None = None) -> Dataset:
    """`mednist` without the validation images that are exact copies of training images.

    Raises:
        DataMissing, DataError: see `mednist`.
    """
    train, validation, facts = _splits(folder)
    kept = torch.ones(len(validation), dtype=torch.bool)
    kept[facts["copies"]] = False
    clean = Split(validation.images[kept], validation.labels[kept])
    count = len(facts["copies"])
    note = f"{count:,} exact copies of training images are left out of mednist's validation images"
    return _dataset("mednist-clean", train, clean, notes=(note,) if count else ())


def mednist_28(folder: Path | None = None) -> Dataset:
    """`mednist`, its images averaged down to 28x28; the same split in the same order.

    Raises:
        DataMissing, DataError: see `mednist`.
    """
    train, validation, facts = _splits(folder)
    small = [
        Split(torch.from_numpy(averaged(part.images.numpy())), part.labels) for part in (train, validation)
    ]
    count = len(facts["copies"])
    note = f"{count:,} of {len(validation):,} validation images are exact copies of training images"
    return _dataset("mednist-28", *small, notes=(note,) if count else ())


def averaged(images: Images) -> Images:
    """Square images (N, 1, 64, 64) as area averages (N, 1, 28, 28), halves rounded up.

    Exact: an old pixel is 7 and a new one 16 of the 448 parts into which both divide an axis. A new pixel is
    thus a sum of whole weights, 256 in all, of old ones; float32 holds each sum (up to 65,280) exactly.
    """
    weights = _overlaps(images.shape[-1], SMALL).astype(np.float32)
    small = np.empty((len(images), 1, SMALL, SMALL), np.uint8)
    for start in range(0, len(images), _AVERAGED_AT_ONCE):
        chunk = images[start : start + _AVERAGED_AT_ONCE].astype(np.float32)
        sums = (weights @ (chunk @ weights.T)).astype(np.int32)
        small[start : start + _AVERAGED_AT_ONCE] = (sums + 128) // 256
    return small


def _overlaps(old: int, new: int) -> NDArray[np.int64]:
    """How many of the smallest common parts of an axis each new pixel shares with each old, (new, old)."""
    step = np.gcd(old, new)
    old_width, new_width = new // step, old // step
    parts = np.arange(old * old_width)
    weights = np.zeros((new, old), np.int64)
    np.add.at(weights, (parts // new_width, parts // old_width), 1)
    return weights


def _dataset(
    name: str, train: Split, validation: Split, *, notes: tuple[str, ...], sha256: str | None = None
) -> Dataset:
    return Dataset(
        name=name,
        train=train,
        validation=validation,
        classes=tuple(CONTENTS.counts),
        source="MedNIST (B. J. Erickson, Mayo Clinic; published by Project MONAI), split by nnbench",
        licence="CC-BY-SA-4.0",
        sha256=sha256 or content_sha256(train, validation),
        notes=notes,
    )


def _splits(folder: Path | None) -> tuple[Split, Split, Mapping[str, Any]]:
    """Train and validation as views of one array, with the positions of copies in validation."""
    place, path = find("mednist", folder)

    def make() -> tuple[Images, dict[str, Any]]:
        images = decode(read_verified(place, path), path)
        return images, _facts(images)

    images, facts = decoded(f"mednist-{CONTENTS.sha256[:16]}-{_SEED}", make)
    return *_views(images), facts


def read_verified(place: Path, path: Path) -> dict[str, bytes]:
    """The JPEG files in the folder or archive *path* below *place*, having the published content.

    Raises:
        DataError: see `nnbench.data.mednist_files.read_files`.
    """
    remove = f"remove {shown(path)} and " if path.is_dir() else ""
    mend = f"{remove}'nnbench data fetch mednist --data-dir {shown(place)}' brings it anew"
    return read_files(path, CONTENTS, mend)


def decode(files: dict[str, bytes], path: Path) -> Images:
    """*files* of *path* as images (N, 1, 64, 64), train first; *files* is emptied on the way.

    Raises:
        DataError: one is no grey JPEG of 64x64 pixels.
    """
    names = list(files)
    images = np.empty((len(names), 1, SIZE, SIZE), np.uint8)
    silent = None if os.environ.get("RANK", "0") == "0" else True  # None: where there is no terminal
    for row, index in enumerate(tqdm(_order(len(names)), "decoding MedNIST", disable=silent, leave=False)):
        images[row, 0] = _pixels(files.pop(names[index]), f"{shown(path)}: {names[index]}")
    return images


def _pixels(data: bytes, where: str) -> Images:
    expected = f"{where}: expected a grey JPEG of {SIZE}x{SIZE} pixels, found"
    try:
        # The header is read first: an image that claims to be huge is refused before it is unpacked.
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if image.mode != "L" or image.size != (SIZE, SIZE):
                raise DataError(f"{expected} mode {image.mode} of {image.width}x{image.height}")
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{expected} a damaged file ({error})") from error


def _order(count: int) -> NDArray[np.int64]:
    """Positions in the sorted names, train first; RandomState's numbers are frozen (NEP 19)."""
    return np.random.RandomState(_SEED).permutation(count)


def _views(images: Images) -> tuple[Split, Split]:
    counts = list(CONTENTS.counts.values())
    labels = torch.from_numpy(np.repeat(np.arange(len(counts)), counts)[_order(sum(counts))])
    whole, cut = torch.from_numpy(images), CONTENTS.train
    return Split(whole[:cut], labels[:cut]), Split(whole[cut:], labels[cut:])


def _facts(images: Images) -> dict[str, Any]:
    train, validation = _views(images)
    return {
        "files_sha256": CONTENTS.sha256,
        "sha256": content_sha256(train, validation),
        "counts": dict(CONTENTS.counts),
        "copies": copies(train, validation),
    }
