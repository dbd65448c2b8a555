"""A side that cannot go on: which one, where, how it ended, and the last that it said."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import ClassVar

from nnbench.config import NnbenchError

_TAIL_LINES = 20


class SideFailed(NnbenchError):
    """A measured process of one side failed: the comparison ends, as its rest would compare nothing."""

    exit_code: ClassVar[int] = 1


def failed(what: str, label: str, block: int | None, how: str, log: Path) -> SideFailed:
    """The error that says so, with the last lines of the process's log."""
    where = "warm-up" if block is None else f"block {block + 1}"
    tail = last_lines(log)
    return SideFailed("\n".join([f"{what} failed on side {label}, {where}, {how}", *tail]))


def how_it_ended(code: int) -> str:
    """'exit code 2', or the signal that killed it."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def last_lines(log: Path, most: int = _TAIL_LINES) -> list[str]:
    """The last lines of *log*; none where there is no such file."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rstrip().splitlines()[-most:]
