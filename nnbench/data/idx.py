"""The IDX format of the MNIST family, plain or gzipped.

A file is: two zero bytes, a byte for the type (8 = unsigned byte), a byte for the number of dimensions,
each dimension as big-endian 32-bit integer, then the values, last dimension fastest (LeCun, Cortes and
Burges, "The MNIST database of handwritten digits", section "File formats").
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnbench.data.dataset import DataError
from nnbench.data.places import shown

_UNSIGNED_BYTE = 8
# Far above any set of the family (EMNIST: 0.55 GB); a damaged header cannot make us fill the memory.
_LARGEST_BYTES = 1 << 30


def find_idx(folder: Path, name: str, mend: str) -> Path:
    """The file *name* in *folder*, plain or with ``.gz``.

    Args:
        folder: where to look.
        name: without ``.gz``.
        mend: what the user can do if it is missing, for the message.

    Raises:
        DataError: neither is there.
    """
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{shown(folder / name)}[.gz]: expected an IDX file, found none; {mend}")


def read_idx(path: Path, dimensions: int, md5: str, mend: str) -> NDArray[np.uint8]:
    """The array of unsigned bytes in the IDX file *path*.

    Args:
        path: gzipped if it ends in ``.gz``.
        dimensions: expected number of dimensions, 3 for images (N, H, W), 1 for labels (N,).
        md5: expected sum of the decompressed file; recompressed files keep it.
        mend: what the user can do about a bad file, for the message.

    Raises:
        DataError: unreadable, damaged, cut off, of another kind, or not the expected content.
    """
    try:
        with _open(path) as file:
            header = file.read(4 + 4 * dimensions)
            shape = _shape(header, dimensions, path, mend)
            # One byte more than expected shows a file that is too long.
            body = file.read(math.prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{shown(path)}: expected a whole IDX file, found a damaged one ({error}); {mend}"
        ) from error
    if len(body) != math.prod(shape):
        found = "more" if len(body) > math.prod(shape) else f"{len(body):,}"
        raise DataError(
            f"{shown(path)}: expected {math.prod(shape):,} bytes after the header, found {found}; {mend}"
        )
    found = hashlib.md5(header + body, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataError(f"{shown(path)}: expected content with MD5 {md5}, found {found}; {mend}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _open(path: Path) -> BinaryIO:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _shape(header: bytes, dimensions: int, path: Path, mend: str) -> tuple[int, ...]:
    magic = bytes((0, 0, _UNSIGNED_BYTE, dimensions))
    if header[:4] != magic:
        found = header[:4].hex() or "an empty file"
        raise DataError(f"{shown(path)}: expected IDX magic {magic.hex()}, found {found}; {mend}")
    if len(header) != 4 + 4 * dimensions:
        raise DataError(
            f"{shown(path)}: expected {dimensions} dimensions, found a file cut off in them; {mend}"
        )
    shape = struct.unpack(f">{dimensions}I", header[4:])
    if not 0 < math.prod(shape) <= _LARGEST_BYTES:
        raise DataError(
            f"{shown(path)}: expected up to {_LARGEST_BYTES:,} bytes, found dimensions {shape}; {mend}"
        )
    return shape
