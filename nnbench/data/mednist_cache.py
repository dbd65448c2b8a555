"""Decoded images in the user's cache: JPEGs are decoded once, later loads read bytes.

``NAME.npy`` holds the images, ``NAME.json`` what they are and the checksum that they must have. Both are
written under a temporary name, synced and renamed. A lock lets one process decode while the others wait,
then read: the ranks of one machine start at once. What the cache cannot do (a read-only home, a full disk,
a file system without locks) costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nnbench.data.dataset import DataError
from nnbench.data.places import cache_folder

Images = NDArray[np.uint8]
# What numpy, json and the checks below raise over changed bytes.
_DAMAGED = (OSError, EOFError, ValueError, TypeError, KeyError, SyntaxError, MemoryError)


def decoded(name: str, make: Callable[[], tuple[Images, dict[str, Any]]]) -> tuple[Images, dict[str, Any]]:
    """The array and the facts called *name*, from the cache or else from *make*, whose result is then kept.

    Args:
        name: of the two files, without ending; it must change with whatever the array is made of.
        make: gives the array and facts about it, as JSON has them.

    Raises:
        whatever *make* raises; never for the sake of the cache.
    """
    try:
        folder = cache_folder() / "decoded"
    except DataError:
        return make()
    if (kept := _read(folder, name)) is not None:
        return kept
    with _locked(folder / f"{name}.lock") as writable:
        # Another process may have decoded while this one waited.
        if (kept := _read(folder, name)) is not None:
            return kept
        images, facts = make()
        if writable:
            _keep(folder, name, images, facts)
        return images, facts


def _read(folder: Path, name: str) -> tuple[Images, dict[str, Any]] | None:
    """What is kept, or None where nothing is, or where it is damaged."""
    try:
        outer = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        with (folder / f"{name}.npy").open("rb") as file:
            images = np.load(file, allow_pickle=False)
    except _DAMAGED:
        return None
    facts = outer.get("facts") if isinstance(outer, dict) else None
    if not isinstance(facts, dict) or images.dtype != np.uint8 or not images.flags.c_contiguous:
        return None
    return (images, facts) if outer.get("sha256") == _checksum(images, facts) else None


def _checksum(images: Images, facts: Mapping[str, Any]) -> str:
    """SHA-256 of the array, its shape and the facts."""
    digest = hashlib.sha256(json.dumps([list(images.shape), facts], sort_keys=True).encode())
    digest.update(images.data)
    return digest.hexdigest()


def _keep(folder: Path, name: str, images: Images, facts: Mapping[str, Any]) -> None:
    outer = {"sha256": _checksum(images, facts), "facts": facts}
    text = json.dumps(outer, indent=1, allow_nan=False) + "\n"
    try:
        # The array first: a process killed in between leaves one that no checksum vouches for.
        _replace(folder / f"{name}.npy", lambda file: np.save(file, images, allow_pickle=False))
        _replace(folder / f"{name}.json", lambda file: file.write(text.encode()))
    except OSError:
        for ending in ("npy", "json"):  # half of it is of no use, and may have filled the disk
            with contextlib.suppress(OSError):
                (folder / f"{name}.{ending}").unlink(missing_ok=True)


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Waits for the lock *path*; gives whether it is held. Left with the process, however that ends."""
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        yield True
