"""What a run was asked for: kept beside its records, so that `--resume` needs nothing but the folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnbench.config import ConfigError
from nnbench.records import StorageError, strict_dumps, strict_loads, write_atomic

FILE = "request.json"


@dataclass(frozen=True, kw_only=True)
class Request:
    """Bench files, number of blocks and the plugin's options.

    Attributes:
        paths: bench files or folders, relative to the folder in which the run was started.
        options: pytest's, such as ``--nnbench-profile=quick``.
        arm_timeout_s: an arm that takes longer is ended, and its record says TIMEOUT.
    """

    paths: tuple[str, ...]
    blocks: int
    options: tuple[str, ...] = ()
    arm_timeout_s: float = 3600.0

    def __post_init__(self) -> None:
        if not all(isinstance(each, str) for each in (*self.paths, *self.options)):
            raise ConfigError(f"paths and options: expected text, got {self.paths!r}, {self.options!r}")
        if self.blocks < 1:
            raise ConfigError(f"--blocks: expected 1, 2, …, got {self.blocks}")
        if not self.arm_timeout_s > 0:
            raise ConfigError(f"--arm-timeout: expected seconds above 0, got {self.arm_timeout_s}")

    def write(self, folder: Path) -> None:
        """Keep it in *folder*."""
        write_atomic(folder / FILE, strict_dumps(asdict(self), indent=2) + "\n")


def read_request(folder: Path) -> Request:
    """The request of the run in *folder*.

    Raises:
        StorageError: nothing there that could be resumed, or it is damaged.
        ConfigError: its bench files are not here.
    """
    path = folder / FILE
    try:
        content: Mapping[str, Any] = strict_loads(path.read_text(encoding="utf-8"))
        values: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
        found = Request(**values)
    except FileNotFoundError:
        raise StorageError(f"{folder}: no run that 'nnbench run' could resume; it writes {FILE}") from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StorageError(f"{path} is damaged: {error}; start a new run") from error
    for each in found.paths:
        if not Path(each).exists():
            raise ConfigError(
                f"--resume: {each} is not here; resume in the folder in which the run was started"
            )
    return found


def clear(folder: Path) -> None:
    """Take away what a run has left in *folder*, and nothing else."""
    for path in (
        *folder.glob("records/*.json"),
        *folder.glob("records/*.rejected"),
        *folder.glob("blocks/*.log"),
    ):
        path.unlink()
    sweep(folder)
    for name in ("run.json", FILE, "journal.jsonl"):
        (folder / name).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Take away the unfinished files of writers that were killed; nobody may be writing there now.

    Raises:
        StorageError: one of them cannot be taken away.
    """
    for path in (*folder.glob(".*.part"), *folder.glob("records/.*.part")):
        try:
            path.unlink()
        except OSError as error:
            raise StorageError(
                f"cannot write {folder}: {path.name}: {error.strerror}; choose another folder"
            ) from error
