"""All records of a run at once: from their files and, where these are many, from the index of them."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from nnbench.records.errors import NewerSchemaError, StorageError
from nnbench.records.files import read_own_record
from nnbench.records.index import FAILED, FILE, Index, Stamp, stamps_of
from nnbench.records.record import Record

# From so many records on there is an index: a thousand files are read in half a second.
INDEXED_LEAST = 1000
_AT_ONCE = 1000  # read and put into the index together: all of them would fill the memory
# A file that changes twice within a tick of the file system's clock has one stamp for two contents: what was
# changed so shortly before it is looked at is not indexed yet. git's index has the same care.
_TICK_NS = 3 * 10**9
_REASON_MOST = 200


def read_records(folder: Path) -> tuple[list[Record], list[tuple[str, str]]]:
    """The records of the run in *folder*, and the file's name and the reason for each that is none.

    Where they are many, an index of them is kept beside them and read in their place; what it lacks is read
    from the files, and added where the folder can be written to.

    Raises:
        NewerSchemaError: a later nnbench wrote one of them; what this one understands is not the run.
    """
    now_ns = time.time_ns()
    stamps = stamps_of(folder / "records")
    reading = _Reading(folder)
    with _no_collection():
        if len(stamps) >= INDEXED_LEAST:
            reading.bring_up(stamps, now_ns)
            reading.take(stamps)
        reading.read(name for name in stamps if name not in reading.records)
    rejected = [(_printable(name), _printable(why)) for name, why in sorted(reading.rejected.items())]
    return [record for _, record in sorted(reading.records.items())], rejected


def _printable(text: str) -> str:
    """*text* from a stranger's file in one line that a terminal shows as it is."""
    line = " ".join(text.split())[:_REASON_MOST]
    return line if line.isprintable() else ascii(line)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Garbage collection would look through ever more records, none of which is garbage."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Reading:
    """One reading of a run: what is found so far, by the names of the files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.records: dict[str, Record] = {}
        self.rejected: dict[str, str] = {}

    def read(self, names: Iterable[str]) -> None:
        """Read the files called *names*.

        Raises:
            NewerSchemaError: a later nnbench wrote one of them.
        """
        for name in names:
            try:
                self.records[name] = read_own_record(self._folder / "records" / name)
            except NewerSchemaError:
                raise
            except StorageError as error:
                self.rejected[name] = getattr(error, "reason", str(error))

    def bring_up(self, stamps: dict[str, Stamp], now_ns: int) -> None:
        """Put into the index what it lacks of the files, which are as *stamps* says at *now_ns*.

        A folder that is read-only or full has no index, and needs none; nor has one in which another process
        brings it up just now. One that is none is thrown away.
        """
        for fresh in (False, True):
            try:
                with closing(Index(self._folder, write=True)) as index:
                    self._bring_up(index, stamps, now_ns)
                return
            except sqlite3.OperationalError:  # read-only, full, or in use
                return
            except FAILED:
                if fresh:
                    return
                with suppress(OSError):
                    (self._folder / FILE).unlink()

    def _bring_up(self, index: Index, stamps: dict[str, Stamp], now_ns: int) -> None:
        known = index.stamps()
        if gone := [name for name in known if name not in stamps]:
            index.remove(gone)
        settled = [name for name, of in stamps.items() if known.get(name) != of and _settled(of, now_ns)]
        for start in range(0, len(settled), _AT_ONCE):
            batch = _Reading(self._folder)
            batch.read(settled[start : start + _AT_ONCE])
            index.add(batch.records, stamps)

    def take(self, stamps: dict[str, Stamp]) -> None:
        """Take from the index the records whose files are as *stamps* says; none where it is damaged."""
        try:
            index = Index(self._folder)
        except FAILED:
            return
        try:
            self.records = index.records(stamps)
        except FAILED:
            index.close()
            with suppress(OSError):
                (self._folder / FILE).unlink()


def _settled(stamp: Stamp, now_ns: int) -> bool:
    """Whether a file that changes after *now_ns* will have another stamp."""
    return bool(stamp) and now_ns - int(stamp.split()[2]) > _TICK_NS


def copy_records(source: Path, target: Path) -> None:
    """Copy the records of the run in *source* into the folder *target*, whose own are taken away.

    The index goes with them: they need not be read again.

    Raises:
        OSError: one of the folders cannot be read or written to. `StorageError`: nor looked into.
    """
    (target / "records").mkdir(parents=True, exist_ok=True)
    for name in stamps_of(target / "records"):
        (target / "records" / name).unlink()
        (target / "records" / name).with_suffix(".npz").unlink(missing_ok=True)
    (target / FILE).unlink(missing_ok=True)
    before = stamps_of(source / "records")
    for name in before:
        shutil.copy2(source / "records" / name, target / "records")
        if (arrays := (source / "records" / name).with_suffix(".npz")).is_file():
            shutil.copy2(arrays, target / "records")
    if len(before) < INDEXED_LEAST or not (source / FILE).is_file():
        return
    shutil.copy2(source / FILE, target)
    try:
        with closing(Index(target, write=True)) as index:
            index.stamp_anew(before, stamps_of(target / "records"))
    except FAILED:
        (target / FILE).unlink(missing_ok=True)
