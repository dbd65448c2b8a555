"""The files of MedNIST: ``MedNIST/CLASS/NNNNNN.jpeg``, in a folder or in ``MedNIST.tar.gz``.

An archive comes from outside and is treated so: it is read from front to back, member by member, and never
extracted; a member of any other kind, name or size ends the reading before its content is read. Nothing is
decoded until the content as a whole has the expected checksum.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import stat
import tarfile
import zlib
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, cast

from nnbench.data.dataset import DataError
from nnbench.data.places import shown

LARGEST_BYTES = 64 << 10
# A member with its headers, and all of them unpacked (the real ones: 0.12 GB). Beyond is a zip bomb.
_LARGEST_STEP_BYTES = 1 << 20
_LARGEST_ARCHIVE_BYTES = 512 << 20
_TOP = "MedNIST"
_IMAGE = re.compile(rf"{_TOP}/(\w+)/\d{{6}}\.jpeg", re.ASCII)
_NOTICE = re.compile(rf"{_TOP}/[^/]+")
# What tarfile, gzip and zlib raise over changed bytes; chains of headers end in the recursion limit.
_DAMAGED = (tarfile.TarError, OSError, EOFError, ValueError, RecursionError, zlib.error)


@dataclass(frozen=True)
class Contents:
    """What is expected: how many images of each class, and the checksum of `content_of`.

    Attributes:
        counts: class -> images, in the order of the labels, which is that of the sorted names.
        sha256: of all files, 64 hexadecimal digits.
        train: how many images are for training; the rest validates.
    """

    counts: Mapping[str, int]
    sha256: str
    train: int


class _Member(tarfile.TarInfo):
    """A header that refuses sizes before tarfile acts on them.

    tarfile reads the text of pax and long-name headers as long as they claim to be; `frombuf` sees every
    header before that. A sparse file's map may be endless too, and no image is sparse.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        _check_size(member.name, member.size)
        if member.type == tarfile.GNUTYPE_SPARSE:
            raise _Refused(f"a sparse file {member.name!r}")
        return member


class _Refused(Exception):
    """A member or file that has no place there; the message says what was found."""


class _Metered:
    """A stream that ends the reading where a member, or the archive, goes on for too long."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file, self._total, self._step = file, 0, 0

    def read(self, count: int) -> bytes:
        data = self._file.read(count)
        self._total += len(data)
        self._step += len(data)
        if self._step > _LARGEST_STEP_BYTES or self._total > _LARGEST_ARCHIVE_BYTES:
            raise _Refused(f"neither the next one nor an end up to byte {self._total:,}")
        return data

    def next_step(self) -> None:
        """The next member may be as long as the last."""
        self._step = 0


def read_files(path: Path, contents: Contents, mend: str) -> dict[str, bytes]:
    """The JPEG files of the folder or archive *path*, by names such as ``Hand/000001.jpeg``, sorted.

    Args:
        mend: what the user can do if they are damaged, for the message.

    Raises:
        DataError: damaged, something that does not belong there, or other content than *contents*.
    """
    files = {}
    try:
        for name, data in (_folder if path.is_dir() else _archive)(path, contents.counts):
            if name in files:
                raise _Refused(f"'{_TOP}/{name}' twice")
            files[name] = data
    except _Refused as error:
        expected = f"files {_TOP}/CLASS/NNNNNN.jpeg of up to {LARGEST_BYTES:,} bytes"
        raise DataError(f"{shown(path)}: expected {expected}, found {error}; {mend}") from error
    except _DAMAGED as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{shown(path)}: expected files to read, found damaged ones ({reason}); {mend}"
        ) from error
    files = dict(sorted(files.items()))
    _check_contents(path, files, contents, mend)
    return files


def content_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 of *files* in their order: for each the name, a NUL and the 32 bytes of its own SHA-256."""
    digest = hashlib.sha256()
    for name, data in files.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()


def _check_contents(path: Path, files: Mapping[str, bytes], contents: Contents, mend: str) -> None:
    found = Counter(name.partition("/")[0] for name in files)
    wrong = [
        f"{name} has {found[name]:,} instead of {count:,}"
        for name, count in contents.counts.items()
        if found[name] != count
    ]
    if wrong:
        expected = f"{sum(contents.counts.values()):,} images in {len(contents.counts)} classes"
        raise DataError(f"{shown(path)}: expected {expected}, found {', '.join(wrong)}; {mend}")
    content = content_of(files)
    if content != contents.sha256:
        raise DataError(
            f"{shown(path)}: expected content with SHA-256 {contents.sha256}, found {content}; {mend}"
        )


def _archive(path: Path, classes: Container[str]) -> Iterator[tuple[str, bytes]]:
    """Name below MedNIST/ and bytes of each image in the gzipped tar archive *path*, in its order."""
    notices = 0
    # gzip and not tarfile unpacks: only the former compares the checksum at the end.
    with gzip.open(path, "rb") as unpacked:
        metered = _Metered(unpacked)
        with tarfile.open(fileobj=metered, mode="r|", tarinfo=_Member) as archive:  # type: ignore[call-overload]
            while (member := archive.next()) is not None:
                archive.members.clear()  # tarfile keeps them all, for a random access that we never make
                metered.next_step()
                _check_size(member.name, member.size)  # a pax header may have changed it
                name = member.name.removeprefix("./")
                if member.isdir() and _is_folder(name, classes):
                    continue
                if not member.isreg() or member.issparse():
                    raise _Refused(f"{_kind(member)} {member.name!r}")
                if _is_notice(name, notices):
                    notices += 1
                    continue
                yield _image_name(name, classes), cast(IO[bytes], archive.extractfile(member)).read()
        while metered.read(1 << 16):  # the padding, and with it gzip's own checksum
            pass


def _folder(path: Path, classes: Container[str]) -> Iterator[tuple[str, bytes]]:
    """Name below MedNIST/ and bytes of each image in the folder *path*; no link is followed."""
    notices = 0
    for entry in _entries(path):
        name = f"{_TOP}/{entry.name}"
        if not entry.is_dir(follow_symlinks=False):
            _regular(entry, name)
            notices += _is_notice(name, notices)
            continue
        if not _is_folder(name, classes):
            raise _Refused(f"a folder {name!r}")
        for image in _entries(entry):
            below = f"{name}/{image.name}"
            yield _image_name(below, classes), _regular(image, below)


def _entries(path: os.PathLike[str]) -> list[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _regular(entry: os.DirEntry[str], name: str) -> bytes:
    """The bytes of a small regular file; nothing else is opened."""
    found = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode):
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "no regular file"
        raise _Refused(f"{kind} {name!r}")
    _check_size(name, found.st_size)
    with open(os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return file.read(LARGEST_BYTES + 1)


def _check_size(name: str, size: int) -> None:
    if not 0 <= size <= LARGEST_BYTES:
        raise _Refused(f"{name!r} of {size:,} bytes")


def _is_folder(name: str, classes: Container[str]) -> bool:
    return name in (".", _TOP) or (name.startswith(f"{_TOP}/") and name.removeprefix(f"{_TOP}/") in classes)


def _is_notice(name: str, before: int) -> bool:
    """Whether *name* is the one file beside the class folders that is let pass, such as README.md."""
    if not _NOTICE.fullmatch(name):
        return False
    if before:
        raise _Refused(f"a second file beside the classes, {name!r}")
    return True


def _image_name(name: str, classes: Container[str]) -> str:
    """``Hand/000001.jpeg`` of ``MedNIST/Hand/000001.jpeg``; any other name is refused."""
    match = _IMAGE.fullmatch(name)
    if match is None or match[1] not in classes:
        raise _Refused(f"{name!r}")
    return name.removeprefix(f"{_TOP}/")


def _kind(member: tarfile.TarInfo) -> str:
    """What a member that is no regular file is, in words."""
    if member.issym() or member.islnk():
        return "a symbolic link" if member.issym() else "a hard link"
    if member.isdir():
        return "a folder"
    return "a device or pipe" if member.isdev() else "a file of an unknown kind"
