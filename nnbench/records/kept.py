"""What stays in a file until it is asked for: curves and samples of a run of many records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Parts = Mapping[str, Mapping[str, Any]]


class Kept(Mapping[str, Any]):
    """A mapping that is read each time it is used, and equals the one that was put away.

    It costs some hundred bytes where a training's curves and samples cost ten thousand. Take a copy,
    ``dict(record.curves)``, where it is used many times.

    Args:
        load: file name -> the mappings that were put away of that record, by their names.
        file: name of the record's file.
        name: which of them.
    """

    __slots__ = ("_file", "_load", "_name")

    def __init__(self, load: Callable[[str], Parts], file: str, name: str) -> None:
        self._load, self._file, self._name = load, file, name

    def __getitem__(self, key: str) -> Any:
        return self._load(self._file)[self._name][key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load(self._file)[self._name])

    def __len__(self) -> int:
        return len(self._load(self._file)[self._name])

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)
