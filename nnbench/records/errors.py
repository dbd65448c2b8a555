"""What can be wrong with the files of a run, and with a record."""

from __future__ import annotations

from typing import ClassVar

from nnbench.config import NnbenchError


class StorageError(NnbenchError):
    """A file that is missing, damaged, or of a schema that this version cannot read."""

    exit_code: ClassVar[int] = 5


class DamagedError(StorageError):
    """A file that does not hold what nnbench wrote: torn, changed, or never its own.

    Args:
        file: path of the file.
        reason: what is wrong with it, as the rest of a sentence that begins with the file.
    """

    def __init__(self, file: object, reason: str) -> None:
        super().__init__(f"{file} {reason}")
        self.reason = reason


class NewerSchemaError(StorageError):
    """A file of a schema that a later nnbench writes: sound, and not to be touched."""


class RecordError(NnbenchError, ValueError):
    """A record that contradicts itself."""
