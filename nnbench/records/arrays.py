"""Arrays of a record, such as maps and paths: an ``.npz`` beside its file, which its SHA-256 names.

They are read when somebody looks at them. Nothing in them is ever executed: objects are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nnbench.records.errors import DamagedError, RecordError, StorageError

ARRAY_BYTES_MOST = 2 * 2**20


class Arrays(Mapping[str, Any]):
    """Name -> numpy array; kept packed, or as the file that holds them.

    Two are equal where their bytes are.

    Args:
        sha256: of the packed arrays; empty where there are none.
        packed: the bytes of the ``.npz``, where they are at hand.
        path: of the file that holds them, else.
    """

    __slots__ = ("_packed", "_path", "sha256")

    def __init__(self, sha256: str = "", packed: bytes | None = None, path: Path | None = None) -> None:
        self.sha256, self._packed, self._path = sha256, packed, path

    @classmethod
    def of(cls, arrays: Mapping[str, Any]) -> Arrays:
        """Pack *arrays*: the same numbers give the same bytes.

        Raises:
            RecordError: an array of objects, or more than 2 MB.
        """
        import numpy as np

        if not arrays:
            return cls()
        plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        for name, array in plain.items():
            if array.dtype.hasobject:
                raise RecordError(f"array {name!r}: expected numbers or text, got objects ({array.dtype})")
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **plain)
        packed = file.getvalue()
        if len(packed) > ARRAY_BYTES_MOST:
            raise RecordError(
                f"arrays of {len(packed):,} bytes: at most {ARRAY_BYTES_MOST:,} fit a record; take fewer, "
                "or a smaller type of number"
            )
        return cls(hashlib.sha256(packed).hexdigest(), packed)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Arrays:
        """From what `to_json` gave.

        Raises:
            RecordError: the bytes are no base64.
        """
        try:
            packed = base64.b64decode(values["npz"], validate=True) if "npz" in values else None
        except (binascii.Error, TypeError, ValueError) as error:
            raise RecordError(f"arrays: not base64: {error}") from error
        return cls(str(values.get("sha256", "")), packed)

    def to_json(self, *, whole: bool = False) -> dict[str, str]:
        """The hash and, where the *whole* is wanted, the bytes as base64; nothing where there are none."""
        if not self.sha256:
            return {}
        return {"sha256": self.sha256, **({"npz": base64.b64encode(self.packed()).decode()} if whole else {})}

    def at(self, path: Path) -> Arrays:
        """These, to be read from the file *path*."""
        return Arrays(self.sha256, None, path) if self.sha256 else self

    def packed(self) -> bytes:
        """The bytes of the ``.npz``, checked against their hash.

        Raises:
            StorageError: the file is missing; `DamagedError` where it is another one.
        """
        where = self._path or Path("arrays")
        packed = self._packed
        if packed is None:
            try:
                if where.stat().st_size > ARRAY_BYTES_MOST:
                    raise DamagedError(where, "is not of its record: too many bytes")
                packed = where.read_bytes()
            except OSError as error:
                raise StorageError(f"cannot read {where}: {error.strerror}") from error
        if hashlib.sha256(packed).hexdigest() != self.sha256:
            raise DamagedError(where, "is damaged: its SHA-256 is not the one in its record")
        return packed

    def _read(self) -> dict[str, Any]:
        import numpy as np

        if not self.sha256:
            return {}
        try:
            with np.load(io.BytesIO(self.packed()), allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
        except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise DamagedError(self._path or "arrays", f"holds no arrays: {error}") from error
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise DamagedError(self._path or "arrays", "holds something that is no array")
        return arrays

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __bool__(self) -> bool:
        return bool(self.sha256)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Arrays):
            return self.sha256 == other.sha256
        return isinstance(other, Mapping) and not other and not self.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"Arrays({self.sha256[:8]!r})"
