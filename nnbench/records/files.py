"""Files of a run: strict JSON, written whole or not at all, and sealed.

A run is a folder: ``run.json``, written before the first arm, and ``records/<id>.json``, one file per
record. Every file is written under a temporary name, synced and renamed, and holds the SHA-256 of its
content: a killed run loses at most the arm in flight, a damaged file is noticed when it is read.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnbench.config import NnbenchError
from nnbench.records.record import SCHEMA_HISTORY, Record, StorageError, record_from_json


def strict_dumps(value: Any, *, indent: int | None = None) -> str:
    """JSON that any reader takes: NaN and infinity are refused, never written.

    Raises:
        ValueError: *value* holds a number that is not finite.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False, sort_keys=False, indent=indent)


def strict_loads(text: str) -> Any:
    """Parsed JSON; the bare tokens NaN and Infinity, which are not JSON, are refused.

    Raises:
        ValueError: not JSON.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(token: str) -> Any:
    raise ValueError(f"{token} is not JSON")


def without_nan(value: Any) -> Any:
    """A copy of JSON-like *value* in which every number that is not finite is None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return value


def write_atomic(path: Path, text: str) -> None:
    """Write *text* so that *path* holds either all of it or what it held before.

    Raises:
        StorageError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another folder") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sealed(kind: str, content: Mapping[str, Any]) -> str:
    body = strict_dumps(content)
    return strict_dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), kind: content}) + "\n"


def _unsealed(kind: str, path: Path) -> dict[str, Any]:
    try:
        outer = strict_loads(path.read_text(encoding="utf-8"))
        content: dict[str, Any] = outer[kind]
        found = hashlib.sha256(strict_dumps(content).encode()).hexdigest()
        if not isinstance(content, dict):
            raise TypeError(f"{kind} is no object but {type(content).__name__}")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is not a {kind} file: {error}") from error
    if outer.get("sha256") != found:
        raise StorageError(f"{path} is damaged: SHA-256 {found} where {outer.get('sha256')} is stated")
    return content


def write_record(folder: Path, record: Record) -> Path:
    """Write *record* durably under *folder*/records and return its path."""
    path = folder / "records" / f"{record.id}.json"
    write_atomic(path, _sealed("record", record.to_json()))
    return path


def read_record(path: Path) -> Record:
    """The record in *path*.

    Raises:
        StorageError: unreadable, damaged, of an unknown schema, or a record that contradicts itself.
    """
    content = _unsealed("record", path)
    try:
        return record_from_json(content)
    except NnbenchError as error:
        raise StorageError(f"{path}: {error}") from error


def write_run(folder: Path, plan: Mapping[str, Any]) -> Path:
    """Write the plan of a run to *folder*/run.json."""
    path = folder / "run.json"
    write_atomic(path, _sealed("run", plan))
    return path


def read_run(folder: Path) -> dict[str, Any]:
    """The plan in *folder*/run.json.

    Raises:
        StorageError: missing, damaged, or of an unknown schema.
    """
    plan = _unsealed("run", folder / "run.json")
    if plan.get("schema_version") not in SCHEMA_HISTORY:
        raise StorageError(f"{folder}/run.json: unknown schema {plan.get('schema_version')!r}")
    return plan
