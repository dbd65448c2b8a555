"""One run at a time in a folder."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

from nnbench.records import StorageError

FILE = "lock"


class RunLock:
    """The lock of a run folder, which it makes; the kernel frees it when the holder ends, whatever ends it.

    Raises:
        StorageError: on entry: another process holds it (its number and start are named), or the folder
            cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._descriptor = folder, -1

    def __enter__(self) -> RunLock:
        path = self._folder / FILE
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sign()
        except BlockingIOError:
            holder = os.read(self._descriptor, 200).decode(errors="replace") or "another process"
            os.close(self._descriptor)
            raise StorageError(
                f"{self._folder} is in use by {holder}; wait for it, or name another folder"
            ) from None
        except OSError as error:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            raise StorageError(f"cannot write {path}: {error.strerror}; choose another folder") from error
        return self

    def _sign(self) -> None:
        """Say who holds it, for whoever finds it held."""
        holder = f"process {os.getpid()} since {datetime.now(UTC).isoformat(timespec='seconds')}"
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, holder.encode())
        os.fsync(self._descriptor)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
