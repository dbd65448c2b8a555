"""The journal of a run: a line for each thing that begins, so that what was in flight has a name.

``journal.jsonl`` in the run folder is appended to by the runner and by its blocks, and synced line by line;
a torn last line, of a process that was killed while writing it, is passed over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.records.files import strict_dumps, strict_loads
from nnbench.records.record import StorageError, record_id

FILE = "journal.jsonl"


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
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                # a line break first: the line before may be torn
                os.write(descriptor, f"\n{strict_dumps(values)}\n".encode())
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
        found = [_entry(line) for line in whole.decode(errors="replace").splitlines() if line]
        self._entries += [entry for entry in found if entry is not None]
        return self._entries

    def in_flight(self) -> Entry | None:
        """The arm that began last and has no record yet; None where there is none."""
        entries = self.entries()
        done = {entry.more.get("id") for entry in entries if entry.event == "record"}
        last = next((entry for entry in reversed(entries) if entry.event == "arm"), None)
        return None if last is None or last.more.get("id") in done else last


def _entry(line: str) -> Entry | None:
    try:
        values = strict_loads(line)
        known = {name: values.pop(name) for name in ("event", "block", "clock_s")}
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
    return Entry(**known, more=values)
