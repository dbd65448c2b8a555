"""What a parsed record must look like before it is believed: a type for each place.

A file from elsewhere may be sealed and still hold text where a number belongs. Refused here, it cannot end
a table or a report in a traceback.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from nnbench.records.kept import Kept

Check = Callable[[Any], bool]


def is_finite(value: float) -> bool:
    """Whether *value* is a number that a float can hold."""
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and is_finite(value)


def _whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def _size(value: Any) -> bool:
    return value == "full" or _whole(value)


def _or_none(fits: Check) -> Check:
    return lambda value: value is None or fits(value)


def _list(fits: Check) -> Check:
    return lambda value: isinstance(value, (list, tuple)) and all(map(fits, value))


def _mapping(fits: Check = lambda _: True) -> Check:
    return lambda value: isinstance(value, Mapping) and all(map(fits, value.values()))


def _with(**known: Check) -> Check:
    """A mapping of anything, in which the *known* keys, where they are there, hold what they should."""
    return lambda value: (
        isinstance(value, Mapping) and all(fits(value[key]) for key, fits in known.items() if key in value)
    )


def _sample(value: Any) -> bool:
    if not isinstance(value, Mapping) or set(value) != {"count", "values"}:
        return False
    fits = _whole(value["count"]) and _list(_or_none(_number))(value["values"])
    return fits and len(value["values"]) <= value["count"]


_ARM = _with(
    name=_text, kind=_text, model_args=_mapping(), args=_mapping(), batch_size=_size, threads=_whole,
    ranks=_whole, epochs=_whole, target_accuracy=_or_none(_number), device=_text,
)  # fmt: skip
_MACHINE = _with(
    cores=_or_none(_number), threads=_or_none(_number), memory_bytes=_or_none(_number),
    load_1min=_or_none(_number), launcher=_text, world_size=_or_none(_whole),
)  # fmt: skip
_DATA = _with(name=_text, sha256=_text, train=_or_none(_whole), validation=_or_none(_whole))
_EVIDENCE = _with(vectorised=_whole, together_s=_number)
_NUMBERS = "lists of numbers by name"
SHAPE: Mapping[str, tuple[str, Check]] = {
    "scenario": ("text or nothing", _or_none(_text)),
    "arm": ("an arm's configuration", lambda value: _ARM(value) and "kind" in value),
    "seed": ("a whole number", _whole),
    "block": ("a whole number", _whole),
    "status": ("text", _text),
    "reason": ("text or nothing", _or_none(_text)),
    "quality": ("a list of flags", _list(_text)),
    "metrics": ("values by name", _mapping()),
    "missing": ("reasons by name", _mapping(_text)),
    "curves": (_NUMBERS, _mapping(_list(_or_none(_number)))),
    "samples": (f"{_NUMBERS}, each with its count", _mapping(_sample)),
    "weights_sha256": ("text or nothing", _or_none(_text)),
    "data": ("a data set's name and sizes", _DATA),
    "environment": ("facts by name", _MACHINE),
    "evidence": ("facts by name", _EVIDENCE),
    "arrays": ("the hash of arrays", _with(sha256=_text, npz=_text)),
    "started_at": ("text", _text),
}


def misfit(values: Mapping[str, Any]) -> str:
    """The first of the *values* of a record that has the wrong type; empty where there is none."""
    for name, (expected, fits) in SHAPE.items():
        if name in values and not isinstance(values[name], Kept) and not fits(values[name]):
            return f"{name}: expected {expected}, got {values[name]!r:.80}"
    return ""
