"""Data sets behind one interface: named splits of uint8 images and labels, moved to the device once.

The built-in sets stand in `nnbench.config.DATA_SETS`; your own comes in as ``package.module:factory``.
"""

from __future__ import annotations

import functools
import inspect
from pathlib import Path

from nnbench.config import DATA_SETS, ConfigError, NnbenchError, known_or_path, load_object
from nnbench.data.dataset import DataError, DataMissing, Dataset, Split, content_sha256, copies

__all__ = ["DataError", "DataMissing", "Dataset", "Split", "content_sha256", "copies", "load"]


@functools.cache
def load(name: str, folder: Path | None = None) -> Dataset:
    """The data set called *name*, read once per process.

    Args:
        name: a key of `nnbench.config.DATA_SETS`, or your own ``package.module:factory``, which is
            called as ``factory(folder=folder)`` and returns a `Dataset`.
        folder: where files that are not part of nnbench lie; None leaves the choice to the data set.

    Raises:
        ConfigError: an unknown name, or a factory that cannot be called so.
        DataError: a missing or damaged file, or a factory that returns something else.
    """
    known_or_path("data", name, DATA_SETS)
    path = DATA_SETS.get(name, name)
    factory = load_object(path)
    try:
        inspect.signature(factory).bind(folder=folder)
    except TypeError as error:
        raise ConfigError(f"data: {path} must be callable as factory(folder=…): {error}") from error
    try:
        dataset = factory(folder=folder)
    except NnbenchError:
        raise
    except Exception as error:
        raise DataError(
            f"data: {path} failed: {type(error).__name__}: {error}; it returns a nnbench.data.Dataset, of "
            "which nnbench/data/xor.py is a short example"
        ) from error
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"data: {path} returned {type(dataset).__name__}, expected nnbench.data.Dataset; "
            "see nnbench/data/xor.py for a short example"
        )
    return dataset
