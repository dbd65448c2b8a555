"""Write ``fashion-mini.npz`` from the four IDX files of Fashion-MNIST, byte for byte reproducibly.

    python -m nnbench.data.build_fashion_mini SOURCE_FOLDER [-o FILE]

The source is a folder with the IDX files, plain or gzipped, or one laid out as torchvision does; by
default the folder of Debian's package dataset-fashion-mnist. The same zlib gives the same bytes; whatever
the zlib, the content has the checksum that `nnbench.data.fashion_mini` expects.
"""

from __future__ import annotations

import argparse
import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from nnbench.config import NnbenchError
from nnbench.data.dataset import DataError, Split, content_sha256
from nnbench.data.fashion_mini import CLASSES, FILE, SHA256, TRAIN_PER_CLASS, VALIDATION_PER_CLASS
from nnbench.data.idx import find_idx, read_idx
from nnbench.data.mnist import MD5
from nnbench.data.places import DEBIAN

DEBIAN_FOLDER = DEBIAN / "fashion-mnist"
_MEND = (
    f"'apt-get install dataset-fashion-mnist' brings all four files to {DEBIAN_FOLDER}, "
    "or name a folder that has them"
)
# The first moment that a zip file can name: bytes must not depend on when they were written.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)

Images = NDArray[np.uint8]


def first_per_class(images: Images, labels: Images, count: int) -> tuple[Images, Images]:
    """The first *count* of the images (N, H, W) of each class with their labels (N,), class by class in turn.

    The n-th images of all classes follow one another, in their original order: every stretch of as many
    images as there are classes holds each class once, so that a held-back last sixth is balanced too.

    Raises:
        DataError: a class has fewer.
    """
    chosen = [np.flatnonzero(labels == label)[:count] for label in range(len(CLASSES))]
    for label, indices in enumerate(chosen):
        if len(indices) < count:
            raise DataError(f"class {CLASSES[label]}: expected {count} or more images, found {len(indices)}")
    order = np.sort(np.stack(chosen, axis=1), axis=1).reshape(-1)
    return images[order], labels[order]


def read_source(folder: Path) -> dict[str, Images]:
    """The arrays of ``fashion-mini.npz`` from the IDX files in *folder*.

    Raises:
        DataError: a file is missing, damaged or not Fashion-MNIST's.
    """
    nested = folder / "FashionMNIST" / "raw"
    folder = nested if nested.is_dir() else folder
    arrays: dict[str, Images] = {}
    wanted = (("train", "train", TRAIN_PER_CLASS), ("validation", "t10k", VALIDATION_PER_CLASS))
    for split, prefix, count in wanted:
        images = _read(folder, f"{prefix}-images-idx3-ubyte", 3)
        labels = _read(folder, f"{prefix}-labels-idx1-ubyte", 1)
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = first_per_class(images, labels, count)
    return arrays


def _read(folder: Path, name: str, dimensions: int) -> Images:
    return read_idx(find_idx(folder, name, _MEND), dimensions, MD5["fashion-mnist"][name], _MEND)


def pack(arrays: dict[str, Images]) -> bytes:
    """An .npz of *arrays* whose bytes depend on nothing but them and zlib."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=_ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, also where this runs elsewhere
            archive.writestr(entry, member.getvalue(), compresslevel=9)
    return target.getvalue()


def content_of(arrays: dict[str, Images]) -> str:
    """`content_sha256` of the arrays of ``fashion-mini.npz``."""
    splits = [
        Split(
            torch.from_numpy(arrays[f"{name}_images"]).unsqueeze(1),
            torch.from_numpy(arrays[f"{name}_labels"]).long(),
        )
        for name in ("train", "validation")
    ]
    return content_sha256(*splits)


def build(source: Path, target: Path) -> str:
    """Write *target* from the IDX files in *source*; returns the checksum of the content.

    Raises:
        DataError: see `read_source`, or *target* cannot be written.
    """
    arrays = read_source(source)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_bytes(pack(arrays))
        temporary.replace(target)
    except OSError as error:
        raise DataError(f"{target}: expected a place to write to, found: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return content_of(arrays)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The command; ends the process with its exit code and one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m nnbench.data.build_fashion_mini",
        description="Write fashion-mini.npz from the IDX files of Fashion-MNIST.",
    )
    parser.add_argument("source", nargs="?", type=Path, default=DEBIAN_FOLDER, help="default: %(default)s")
    parser.add_argument("-o", "--output", type=Path, default=FILE, help="default: the embedded file")
    options = parser.parse_args(arguments)
    try:
        content = build(options.source, options.output)
    except NnbenchError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    if content != SHA256:
        message = f"error: {options.output}: expected content with SHA-256 {SHA256}, built {content}\n"
        parser.exit(DataError.exit_code, message)
    parser.exit(0, f"{options.output}: {options.output.stat().st_size:,} bytes, content SHA-256 {content}\n")


if __name__ == "__main__":
    main()
