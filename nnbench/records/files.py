"""Files of a run: strict JSON, written whole or not at all, and sealed.

A run is a folder: ``run.json``, written before the first arm, and ``records/<id>.json``, one file per
record, with its arrays in ``<id>.npz``. Every file is written under a temporary name, synced and renamed, and
its SHA-256 stands in it, or in the record's: a killed run loses at most the arm in flight, a damaged file is
noticed when it is read.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnbench.records.errors import DamagedError, NewerSchemaError, RecordError, StorageError
from nnbench.records.record import Record, check_schema, record_from_json

# What a file of a run may hold at most: real ones are a hundredth of it, and a hostile one costs memory.
_BYTES_MOST = {"record": 2**22, "run": 2**26}


def strict_dumps(value: Any, *, indent: int | None = None) -> str:
    """JSON that any reader takes: NaN and infinity are refused, never written.

    Raises:
        ValueError: *value* holds a number that is not finite.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False, sort_keys=False, indent=indent)


def strict_loads(text: str) -> Any:
    """Parsed JSON; the bare tokens NaN and Infinity, which are not JSON, and a key given twice are refused.

    Raises:
        ValueError: not JSON, or nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_each_key_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(token: str) -> Any:
    raise ValueError(f"{token} is not JSON")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r:.40} is given twice")
    return found


def without_nan(value: Any) -> Any:
    """A copy of JSON-like *value* in which every number that is not finite is None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return value


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write *content* so that *path* holds either all of it or what it held before.

    Raises:
        StorageError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
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


def _sealed(kind: str, body: str) -> str:
    """The file of a *kind* whose content is *body*, as `strict_dumps` writes both."""
    return f'{{"sha256": "{hashlib.sha256(body.encode()).hexdigest()}", "{kind}": {body}}}\n'


def _unsealed(kind: str, path: Path) -> dict[str, Any]:
    text = _read(path, kind)
    try:
        outer = strict_loads(text)
        content: dict[str, Any] = outer[kind]
        stated, body = outer.get("sha256"), strict_dumps(content)
        found = hashlib.sha256(body.encode()).hexdigest()
        if not isinstance(content, dict):
            raise TypeError(f"{kind} is no object but {type(content).__name__}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(path, f"is not a {kind} file: {error}") from error
    if stated != found:
        raise DamagedError(path, f"is damaged: SHA-256 {found} where {stated!s:.80} is stated")
    if text.replace("\r\n", "\n") != _sealed(kind, body):  # a checkout may have changed the end of the line
        raise DamagedError(path, "is damaged: its content is sound, but not as it was written")
    return content


def _read(path: Path, kind: str) -> str:
    """The text of a file that should hold a *kind*: no pipe, no device, nothing that fills the memory."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise DamagedError(path, f"is not a {kind} file: no regular file at all")
        if found.st_size > _BYTES_MOST[kind]:
            raise DamagedError(path, f"is not a {kind} file: {found.st_size:,} bytes are too many")
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise DamagedError(path, f"is not a {kind} file: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def write_record(folder: Path, record: Record) -> Path:
    """Write *record* durably under *folder*/records, its arrays first, and return its path."""
    path = folder / "records" / f"{record.id}.json"
    if record.arrays:
        write_atomic(path.with_suffix(".npz"), record.arrays.packed())
    write_atomic(path, _sealed("record", strict_dumps(record.to_json())))
    return path


def read_record(path: Path) -> Record:
    """The record in *path*.

    Raises:
        StorageError: unreadable. `DamagedError`: damaged, or a record that contradicts itself.
            `NewerSchemaError`: written by a later nnbench.
    """
    content = _unsealed("record", path)
    try:
        return with_arrays(record_from_json(content), path)
    except NewerSchemaError as error:
        raise NewerSchemaError(f"{path}: {error}") from error
    except (StorageError, RecordError, RecursionError) as error:
        raise DamagedError(path, f"is no record: {error}") from error


def with_arrays(record: Record, path: Path) -> Record:
    """*record*, whose file is *path*, with its arrays to be read from the file beside it."""
    return replace(record, arrays=record.arrays.at(path.with_suffix(".npz"))) if record.arrays else record


def read_own_record(path: Path) -> Record:
    """The record in *path*, which is named after it: a copy of another one's file counts as damaged.

    Raises:
        StorageError: see `read_record`.
    """
    record = read_record(path)
    if path.stem != record.id:
        raise DamagedError(path, f"is no file of its own: it holds the record {record.id}")
    return record


def write_run(folder: Path, plan: Mapping[str, Any]) -> Path:
    """Write the plan of a run to *folder*/run.json."""
    path = folder / "run.json"
    write_atomic(path, _sealed("run", strict_dumps(plan)))
    return path


def read_run(folder: Path) -> dict[str, Any]:
    """The plan in *folder*/run.json.

    Raises:
        StorageError: missing, damaged, or of an unknown schema.
    """
    plan = _unsealed("run", folder / "run.json")
    check_schema(plan.get("schema_version"), f"{folder}/run.json: unknown")
    return plan
