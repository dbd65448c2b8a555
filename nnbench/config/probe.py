"""A measurement that is no training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nnbench.config.canonical import digest, frozen, plain
from nnbench.config.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What a probe returns where it has more to show than numbers.

    Attributes:
        metrics: name -> number, or None where it could not be measured.
        arrays: name -> numpy array or what makes one: maps, paths, embeddings; 2 MB at most, packed.
        missing: name -> reason, for each None in *metrics*.
    """

    metrics: Mapping[str, Any]
    arrays: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
    """A measurement that is no training: ``function(**args)`` returns a mapping of metrics.

    Attributes:
        args: of the function; plain values. A function that loads data has a parameter ``data_folder``
            beside them, and gets the folder of ``--data-dir``, or None.
        seeded: what it returns depends on chance: it is called once under each seed of the scenario, as
            ``function(**args, seed=seed)``.

    Raises:
        ConfigError: *function* is not of the form ``package.module:function``.
    """

    name: str
    function: str
    args: Mapping[str, Any] = field(default_factory=dict)
    seeded: bool = False

    kind: ClassVar[str] = "probe"

    def __post_init__(self) -> None:
        object.__setattr__(self, "args", frozen(self.args, "args"))
        if not re.fullmatch(r"[\w.]+:\w+", self.function):
            raise ConfigError(f"function: expected package.module:function, got {self.function!r}")
        if not self.name:
            raise ConfigError("name: a probe needs one")

    def config(self) -> dict[str, Any]:
        """The canonical configuration as plain JSON values, name excluded."""
        seeded = {"seeded": True} if self.seeded else {}  # as what it is, a probe without has no such key
        return {"kind": self.kind, "function": self.function, "args": plain(self.args), **seeded}

    @property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the canonical configuration."""
        return digest(self.config())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Probe) and (self.name, self.id) == (other.name, other.id)

    def __hash__(self) -> int:
        return hash((self.name, self.id))
