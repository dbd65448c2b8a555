"""An index of a run of many records: one SQLite file beside them, read in the place of theirs.

The record files are the truth, and the index is made of them. A record is taken from it only where its file
is, by size, times and inode, the very one that was read; whatever else is found, of a damaged index too, is
read from the files. Who deletes it loses nothing but time.

What repeats from record to record is kept once: an arm, an environment, the names of metrics. Of a mapping
its shape is a part of its own, with holes where numbers stood; the numbers stand in the record's row. Curves
and samples, most of a record and wanted by few plots, stay in the file until they are asked for.
"""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from nnbench.records.errors import RecordError, StorageError
from nnbench.records.files import read_own_record, strict_dumps, strict_loads, with_arrays
from nnbench.records.kept import Kept, Parts
from nnbench.records.record import Record, record_from_json
from nnbench.records.shape import misfit

FILE = "records-index.sqlite"
KEPT = ("curves", "samples")
# An index of another version is made anew.
_VERSION = 2
_SHAPED = ("arm", "metrics", "missing", "data", "environment", "evidence", "arrays")
_PLAIN = tuple(item.name for item in fields(Record) if item.name not in (*KEPT, *_SHAPED))
_TABLES = (
    "CREATE TABLE part (id INTEGER PRIMARY KEY, text TEXT UNIQUE NOT NULL)",
    "CREATE TABLE record (file TEXT PRIMARY KEY, stamp TEXT NOT NULL, row TEXT NOT NULL, kept BLOB NOT NULL, "
    "checksum INTEGER NOT NULL)",
)
_UNPACKED_MOST = 2**23  # of a record's curves and samples; its file has 4 MiB at most
_LEVEL = 1  # of zlib: the digits of floats do not get smaller by trying harder

Stamp = str
# What a file that is no index of ours may raise.
FAILED = (
    sqlite3.Error,
    zlib.error,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    StorageError,
    RecursionError,
)


class Index:
    """The index of the run in *folder*.

    Raises:
        sqlite3.Error, ValueError: it is not there, or not an index of this version.
    """

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        self._folder = folder
        path = urllib.parse.quote(str(folder.absolute() / FILE))
        mode = "rwc" if write else "ro"
        # one who finds it in use does without it
        self._database = sqlite3.connect(
            f"file:{path}?mode={mode}", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self._database.execute("PRAGMA trusted_schema = OFF")
            if write and not self._tables():
                self._make()
            if self._tables() != _TABLES or self._one("PRAGMA user_version") != _VERSION:
                raise ValueError("no index of this version")
        except BaseException:
            self._database.close()
            raise
        self._last: tuple[str, Parts] = ("", {})
        self._parts: dict[str, int] = {}

    def close(self) -> None:
        """Close the file; what is kept in it is then read from the record's own."""
        self._database.close()

    def _tables(self) -> tuple[str, ...]:
        """How all that it holds was made; a table of another kind, a view or a trigger is not ours."""
        rows = self._database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rootpage")
        return tuple(str(sql) for (sql,) in rows)

    def _make(self) -> None:
        with self._whole():
            for table in _TABLES:
                self._database.execute(table)
            self._database.execute(f"PRAGMA user_version = {_VERSION}")

    def _one(self, query: str) -> Any:
        return self._database.execute(query).fetchone()[0]

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All that is changed inside, or nothing."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def stamps(self) -> dict[str, Stamp]:
        """File name -> stamp of the file that each record was read from."""
        return dict(self._database.execute("SELECT file, stamp FROM record"))

    def records(self, wanted: Mapping[str, Stamp]) -> dict[str, Record]:
        """File name -> record of those whose stamp is the *wanted* one.

        Raises:
            sqlite3.Error, ValueError, LookupError, TypeError, AttributeError, StorageError: it is damaged.
        """
        texts = self._database.execute("SELECT id, text FROM part")
        parts = {number: (strict_loads(text), zlib.crc32(text.encode())) for number, text in texts}
        found = {}
        for file, stamp, row, checksum in self._database.execute(
            "SELECT file, stamp, row, checksum FROM record"
        ):
            if wanted.get(file) == stamp:
                found[file] = self._record(file, row, checksum, parts)
        return found

    def _record(self, file: str, row: str, checksum: int, parts: Mapping[int, Any]) -> Record:
        shaped, plain = strict_loads(row)
        sums = [parts[number][1] for number, _ in shaped]
        if checksum != _checksum(file, row, sums):
            raise ValueError(f"{file}: damaged in the index")
        values = dict(zip(_PLAIN, plain, strict=True))
        for name, (number, numbers) in zip(_SHAPED, shaped, strict=True):
            values[name] = _filled(parts[number][0], numbers)
        values |= {name: Kept(self.kept, file, name) for name in KEPT}
        record = with_arrays(record_from_json(values), self._folder / "records" / file)
        if f"{record.id}.json" != file:
            raise RecordError(f"{file} is not the name of the record {record.id}")
        return record

    def kept(self, file: str) -> Parts:
        """Curves and samples of the record in *file*; from that file where the index has come to harm.

        Raises:
            StorageError: the file is not there either, or damaged.
        """
        if self._last[0] != file:
            try:
                found = self._database.execute("SELECT kept FROM record WHERE file = ?", (file,)).fetchone()
                self._last = (file, _unpacked(found[0]))
            except FAILED:
                record = read_own_record(self._folder / "records" / file)
                self._last = (file, {name: getattr(record, name) for name in KEPT})
        return self._last[1]

    def add(self, records: Mapping[str, Record], stamps: Mapping[str, Stamp]) -> None:
        """Put *records* in, by the names of their files, in the place of older ones; all of them or none.

        Raises:
            sqlite3.Error: it cannot be written to, or another process does so just now.
        """
        self._parts = {}  # those of a change that was taken back are not there
        with self._whole():
            for file, record in records.items():
                shaped, sums = [], []
                values = {name: getattr(record, name) for name in _SHAPED}
                for value in (values | {"arrays": record.arrays.to_json()}).values():
                    shape, numbers = _emptied(value)
                    shaped.append([self._part(shape), numbers])
                    sums.append(zlib.crc32(shape.encode()))
                row = strict_dumps([shaped, [getattr(record, name) for name in _PLAIN]])
                kept = zlib.compress(
                    strict_dumps({n: dict(getattr(record, n)) for n in KEPT}).encode(), _LEVEL
                )
                self._database.execute(
                    "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)",
                    (file, stamps[file], row, kept, _checksum(file, row, sums)),
                )

    def _part(self, text: str) -> int:
        if text not in self._parts:
            self._database.execute("INSERT OR IGNORE INTO part (text) VALUES (?)", (text,))
            found = self._database.execute("SELECT id FROM part WHERE text = ?", (text,))
            self._parts[text] = int(found.fetchone()[0])
        return self._parts[text]

    def remove(self, files: Iterable[str]) -> None:
        """Take the records of *files* out.

        Raises:
            sqlite3.Error: see `add`.
        """
        with self._whole():
            self._database.executemany("DELETE FROM record WHERE file = ?", [(file,) for file in files])

    def stamp_anew(self, before: Mapping[str, Stamp], after: Mapping[str, Stamp]) -> None:
        """Of files that were copied from such as were *before*: give their records the stamps of *after*.

        Raises:
            sqlite3.Error: see `add`.
        """
        changes = [(after[file], file, stamp) for file, stamp in before.items() if file in after]
        with self._whole():
            self._database.executemany("UPDATE record SET stamp = ? WHERE file = ? AND stamp = ?", changes)


def _emptied(value: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """*value* with null in the place of its numbers, after their keys, as JSON; and the numbers."""
    numbers = {key: of for key, of in value.items() if type(of) in (int, float)}
    return strict_dumps([list(numbers), {**value, **dict.fromkeys(numbers)}]), list(numbers.values())


def _filled(shape: Any, numbers: Any) -> Mapping[str, Any]:
    keys, value = shape
    # where there are no numbers, records share one mapping, which nobody changes
    filled: Mapping[str, Any] = {**value, **dict(zip(keys, numbers, strict=True))} if keys else value
    return filled


def _checksum(file: str, row: str, sums: Iterable[int]) -> int:
    """SQLite notices a file that is cut off, not a bit that was turned."""
    return zlib.crc32(f"{file} {row} {' '.join(map(str, sums))}".encode())


def _unpacked(packed: bytes) -> Parts:
    worker = zlib.decompressobj()
    raw = worker.decompress(packed, _UNPACKED_MOST)
    if not worker.eof:
        raise ValueError("damaged, or too much")
    found: dict[str, dict[str, Any]] = strict_loads(raw.decode())
    if set(found) != set(KEPT):
        raise ValueError(f"expected {' and '.join(KEPT)}")
    if wrong := misfit(found):
        raise ValueError(wrong)
    return found


def stamps_of(folder: Path) -> dict[str, Stamp]:
    """Name -> stamp of the record files in *folder*: another stamp, another content.

    Raises:
        StorageError: the folder cannot be looked into.
    """
    found = {}
    try:
        with closing(os.scandir(folder)) as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    found[entry.name] = _stamp(entry)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"cannot read {folder}: {error.strerror}") from error
    return found


def _stamp(entry: os.DirEntry[str]) -> Stamp:
    """Size, times and inode; empty where they cannot be told: reading it will say why."""
    try:
        of = entry.stat()
    except OSError:
        return ""
    return f"{of.st_size} {of.st_mtime_ns} {of.st_ctime_ns} {of.st_ino}"
