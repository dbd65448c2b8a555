"""Bring a data set to this machine: only when asked, and never half of it.

Addresses are torchvision's for MNIST's family and Project MONAI's for MedNIST. A file is downloaded into a
temporary folder beside its place, checked by its content, and only then renamed to where it belongs.
"""

from __future__ import annotations

import functools
import http.client
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch.hub

from nnbench.data import mednist
from nnbench.data.dataset import DataError
from nnbench.data.idx import find_idx, read_idx
from nnbench.data.mnist import MD5
from nnbench.data.places import LAYOUT, VARIABLE, files_of, shown

MEDNIST_URLS = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/MedNIST.tar.gz",
)
_SILENCE_S = 60.0


def fetch(name: str, root: Path) -> bool:
    """Bring the files of *name* to their place below *root*, where they are not there and sound already.

    Returns:
        Whether anything was downloaded. Nothing is for a set that comes with nnbench.

    Raises:
        DataError: no address gave sound files, or *root* cannot be written. What was there is as it was.
    """
    files = files_of(name)
    if files is None:
        return False
    try:
        return _fetch_mednist(root) if files == "mednist" else _fetch_mnist(files, root)
    except OSError as error:
        raise DataError(
            f"{shown(root)}: expected a folder to write to, found: {error.strerror or error}; "
            "name another with --data-dir"
        ) from error


def urls(name: str) -> dict[str, list[str]]:
    """File name -> addresses in the order in which they are tried, for a set of MNIST's family."""
    from torchvision import datasets

    family = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}[name]
    return {file: [f"{mirror}{file}" for mirror in family.mirrors] for file, _ in family.resources}


def _fetch_mnist(name: str, root: Path) -> bool:
    raw = root / LAYOUT[name][0]
    wanted = [file for file in MD5[name] if not _is_sound(raw, name, file)]
    if not wanted:
        return False
    addresses = urls(name)
    with _beside(root) as temporary:
        for file in wanted:
            check = functools.partial(_check_idx, name, file)
            _bring(addresses[f"{file}.gz"], temporary / f"{file}.gz", raw, check)
        raw.mkdir(parents=True, exist_ok=True)
        for file in wanted:
            os.replace(temporary / f"{file}.gz", raw / f"{file}.gz")
            (raw / file).unlink(missing_ok=True)  # damaged, and would be read before the packed one
    return True


def _check_idx(name: str, file: str, path: Path) -> None:
    read_idx(path, 3 if "idx3" in file else 1, MD5[name][file], "")


def _is_sound(raw: Path, name: str, file: str) -> bool:
    try:
        _check_idx(name, file, find_idx(raw, file, ""))
    except DataError:
        return False
    return True


def _fetch_mednist(root: Path) -> bool:
    folder, archive = (root / part for part in LAYOUT["mednist"])
    check = functools.partial(mednist.read_verified, root)
    if folder.is_dir() and any(folder.iterdir()):
        check(folder)  # an archive beside a damaged folder would not be looked at
        return False
    if archive.is_file() and _fault(archive, check) is None:
        return False
    with _beside(root) as temporary:
        _bring(MEDNIST_URLS, temporary / archive.name, root, check)
        os.replace(temporary / archive.name, archive)
    return True


@contextmanager
def _beside(root: Path) -> Iterator[Path]:
    """A temporary folder on the file system of *root*, so that a rename is enough to bring a file in."""
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".fetch-") as folder:
        yield Path(folder)


def _bring(addresses: Sequence[str], temporary: Path, folder: Path, check: Callable[[Path], object]) -> None:
    """Download *temporary*, which is meant for *folder*, from the first address whose file passes *check*."""
    failures = []
    for address in addresses:
        failure = _download(address, temporary) or _fault(temporary, check)
        if failure is None:
            return
        failures.append(f"{address}: {failure}")
    raise DataError(
        f"{shown(folder / temporary.name)}: expected a download, got none: {'; '.join(failures)}; fetch it "
        f"elsewhere and put it there, or name a folder that has it with --data-dir or {VARIABLE}"
    )


def _download(address: str, path: Path) -> str | None:
    """Download *address* to *path*; returns why that failed, None if it did not.

    torch.hub's function and not torchvision's download_url: the latter tries a failed https address again
    over http, and has a progress bar even where there is no terminal.
    """
    try:
        with _no_longer_silence_than(_SILENCE_S):
            torch.hub.download_url_to_file(address, str(path), progress=sys.stderr.isatty())
    except (OSError, http.client.HTTPException, ValueError) as error:  # URLError is an OSError
        return str(error) or type(error).__name__
    return None


def _fault(path: Path, check: Callable[[Path], object]) -> str | None:
    """What *check* says about *path*, without the name of the temporary file."""
    try:
        check(path)
    except DataError as error:
        return str(error).removeprefix(f"{shown(path)}: ").removeprefix(f"{path}: ").partition(";")[0]
    return None


@contextmanager
def _no_longer_silence_than(seconds: float) -> Iterator[None]:
    """A server that sends nothing for so long is given up; urllib alone would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
