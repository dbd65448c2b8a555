"""The journal of a run: a line for each thing that begins, so that what was in flight has a name.

``journal.jsonl`` in the run folder is appended to by the runner and by its blocks, and synced line by line;
a torn last line, of a process that was killed while writing it, is passed over.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.records.errors import StorageError
from nnbench.records.files import strict_dumps, strict_loads
from nnbench.records.record import record_id

FILE = "journal.jsonl"
# What a line must say beside event, block and clock.
_SAYS = {"arm": ("id", "scenario", "arm"), "record": ("id",)}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a journal.

    Attributes:
        event: "block" (a process starts), "ready" (it has imported and collected), "arm" (one begins),
            "record" (it has left its record), "launch" and "landed" (around what torchrun starts), "end" (the
            process has ended).
        block: number of the block.
        clock_s: `time.monotonic`, which all processes of a machine share until it is started anew.
        more: of an arm, what its record will be called, with scenario, arm and seed.
    """

    event: str
    block: int
    clock_s: float
    more: Mapping[str, Any]


class Journal:
    """The journal of the run in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._read_bytes = 0
        self._entries: list[Entry] = []

    def note(self, event: str, block: int, **more: Any) -> None:
        """Append a line, durably.

        Raises:
            StorageError: the folder cannot be written to.
        """
        values = {"event": event, "block": block, "clock_s": time.monotonic(), **more}
        line = f"\n{strict_dumps(values)}\n".encode()  # a line break first: the line before may be torn
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                if os.write(descriptor, line) < len(line):  # so it is when the disk fills up just now
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(
                f"cannot write {self._path}: {error.strerror}; choose another folder"
            ) from error

    def begins(self, scenario: str | None, arm: Mapping[str, Any], seed: int, block: int) -> None:
        """Note that *arm* (its name and id) begins."""
        what = {"scenario": scenario, "arm": arm["name"], "arm_id": arm["id"], "seed": seed}
        self.note("arm", block, id=record_id(scenario, arm, seed, block), **what)

    def entries(self) -> list[Entry]:
        """All whole lines, in order; none where there is no journal. Only what is new is read."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                new = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"cannot read {self._path}: {error.strerror}") from error
        whole = new[: new.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        found = [_entry(line) for line in whole.decode(errors="replace").split("\n") if line]
        self._entries += [entry for entry in found if entry is not None]
        return self._entries

    def in_flight(self) -> Entry | None:
        """The arm that the last process has begun and not left a record of; None where there is none.

        What an earlier process began is no longer in flight, and a record that it has left (INTERRUPTED)
        is none of this one.
        """
        done = set()
        for entry in reversed(self.entries()):
            if entry.event == "block":
                break
            if entry.event == "record":
                done.add(entry.more["id"])
            elif entry.event == "arm":
                return None if entry.more["id"] in done else entry
        return None


def _entry(line: str) -> Entry | None:
    try:
        values = strict_loads(line)
        entry = Entry(
            event=values.pop("event"), block=values.pop("block"), clock_s=float(values.pop("clock_s")),
            more=values,
        )  # fmt: skip
        known = type(entry.block) is int and values.keys() >= set(_SAYS.get(entry.event, ()))
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError):
        return None
    return entry if known else None
