"""Checks of model arguments: each returns the value in its proper type or says what was expected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nnbench.config import ConfigError, closest


def choice(name: str, value: Any, known: Sequence[str]) -> str:
    """*value* if it is one of *known*."""
    if value not in known:
        hint = closest(str(value), known)
        raise ConfigError(f"{name}: unknown name {value!r}; {hint}known: {', '.join(known)}")
    return str(value)


def count(name: str, value: Any, least: int = 1) -> int:
    """*value* if it is a whole number from *least* on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name}: expected {least}, {least + 1}, …, got {value!r}")
    return value


def counts(name: str, value: Any) -> tuple[int, ...]:
    """*value* as a tuple if it is a list of whole numbers from 1 on; it may be empty."""
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{name}: expected a list such as (512, 512), got {value!r}")
    return tuple(count(f"{name}[{index}]", item) for index, item in enumerate(value))


def one_per(name: str, value: Any, length: int, what: str) -> tuple[int, ...]:
    """*length* whole numbers: one for each *what*, or a single one for all."""
    if isinstance(value, (list, tuple)):
        if len(value) != length:
            raise ConfigError(
                f"{name}: expected one number or one for each of {length} {what}, got {value!r}"
            )
        return counts(name, value)
    return (count(name, value),) * length


def share(name: str, value: Any) -> float:
    """*value* if it is a number from 0 to below 1."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ConfigError(f"{name}: expected a number from 0 to below 1, got {value!r}")
    return float(value)


def positive(name: str, value: Any) -> float:
    """*value* if it is a finite number above 0."""
    if not _is_number(value) or not 0 < value < math.inf:
        raise ConfigError(f"{name}: expected a number above 0, got {value!r}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """*value* if it is true or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name}: expected true or false, got {value!r}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
