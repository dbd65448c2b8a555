"""The canonical form of a configuration: what cannot change, what JSON holds, what is hashed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nnbench.config.errors import ConfigError


def frozen(value: Any, where: str) -> Any:
    """A deeply immutable copy of JSON-like *value*; anything else is refused by name."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{where}: expected a finite number, got {value}")
        return value
    if isinstance(value, Mapping):
        return MappingProxyType({str(k): frozen(v, f"{where}.{k}") for k, v in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(frozen(v, where) for v in value)
    raise ConfigError(
        f"{where}: expected a number, text, list or mapping, got {type(value).__name__} {value!r}"
    )


def plain(value: Any) -> Any:
    """Mappings and tuples back to dicts and lists, as JSON has them."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def digest(config: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of the SHA-256 of *config*, whatever the order of its keys."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
