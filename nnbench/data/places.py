"""Where data sets lie on this machine: the places that are searched, in order.

1. the folder that was named (``--data-dir``); 2. the one in the environment variable NNBENCH_DATA;
3. the user cache, to which ``nnbench data fetch`` brings them; 4. the folder of Debian's dataset packages.
The first place that holds files of the set wins. What is wrong with them is then an error: a damaged set
is never passed over for the next place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nnbench.data.dataset import DataError, DataMissing

VARIABLE = "NNBENCH_DATA"
DEBIAN = Path("/usr/share/datasets")
# Where a set lies below a place, the likeliest first: as torchvision lays it, and as Debian does. Sets
# without an entry come with nnbench.
LAYOUT = {
    "mnist": ("MNIST/raw",),
    "fashion-mnist": ("FashionMNIST/raw", "fashion-mnist"),
    "mednist": ("MedNIST", "MedNIST.tar.gz"),
}
# Sets that are made of another one's files.
MADE_OF = {"mednist-clean": "mednist", "mednist-28": "mednist"}


def files_of(name: str) -> str | None:
    """The set whose files *name* is made of, a key of `LAYOUT`; None for one that comes with nnbench."""
    name = MADE_OF.get(name, name)
    return name if name in LAYOUT else None


def find(name: str, folder: Path | None = None) -> tuple[Path, Path]:
    """The place that holds the files of *name* and, below it, the folder or archive with them.

    Nothing is opened: whether the files are sound is seen when they are read.

    Args:
        name: of a set with files, a key of `LAYOUT`.
        folder: the first place to look at; None leaves it out.

    Raises:
        DataMissing: no place holds any.
        DataError: *folder*, or the one in NNBENCH_DATA, does not exist or cannot be read.
    """
    for place in places(folder):
        for path in (place / part for part in LAYOUT[name]):
            if _holds_something(path):
                return place, path
    raise DataMissing(
        f"{name}: no {' or '.join(LAYOUT[name])} on this machine; 'nnbench data fetch {name}' brings it, "
        f"or name the folder that has it with --data-dir or {VARIABLE}"
    )


class Presence(NamedTuple):
    """Whether the files of a set are on this machine.

    Attributes:
        state: ``embedded``, ``here`` or ``not here``.
        path: the folder or archive with them where they are here, for a message.
        fetch: the command that brings them where they are not.
    """

    state: str
    path: str | None = None
    fetch: str | None = None

    def __str__(self) -> str:
        more = self.path or self.fetch
        return f"{self.state}: {more}" if more else self.state


def presence(name: str, folder: Path | None = None) -> Presence:
    """Whether *name* is on this machine, without opening its files.

    Raises:
        DataError: see `find`.
    """
    files = files_of(name)
    if files is None:
        return Presence("embedded")
    try:
        return Presence("here", path=shown(find(files, folder)[1]))
    except DataMissing:
        return Presence("not here", fetch=f"nnbench data fetch {files}")


def places(folder: Path | None = None) -> Iterator[Path]:
    """The places in the order of the search; a named one that does not exist is an error when it is reached.

    Raises:
        DataError: see `find`.
    """
    named = {"--data-dir": None if folder is None else str(folder), VARIABLE: os.environ.get(VARIABLE)}
    for origin, text in named.items():
        if text:
            place = Path(os.path.expanduser(text))
            if not place.is_dir():
                raise DataError(
                    f"{origin}: expected a folder with data sets, found none at {shown(place)}; "
                    f"name another, or leave {origin} out"
                )
            yield place
    yield cache_folder()
    yield DEBIAN


def cache_folder() -> Path:
    """``nnbench/data`` in the user's cache: fetched sets, and what is decoded once. It may not exist yet.

    The XDG Base Directory Specification: $XDG_CACHE_HOME where it is an absolute path, else ``~/.cache``.

    Raises:
        DataError: the user has no home folder.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():
        cache = Path(os.path.expanduser("~/.cache"))
    if not cache.is_absolute():
        raise DataError(
            "~: expected a home folder for the cache, found none; set XDG_CACHE_HOME to a folder of yours"
        )
    return cache / "nnbench" / "data"


def shown(path: Path) -> str:
    """*path* for a message, ``~`` for the home folder: records keep messages, and must name no user."""
    home = Path(os.path.expanduser("~"))
    return f"~/{path.relative_to(home)}" if path != home and path.is_relative_to(home) else str(path)


def _holds_something(path: Path) -> bool:
    try:
        return path.is_file() or (path.is_dir() and any(path.iterdir()))
    except OSError as error:
        raise DataError(
            f"{shown(path)}: expected files that can be read, found: {error.strerror}; mend its permissions"
        ) from error
