"""The record: one arm, one seed, one block. Immutable and versioned."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from nnbench.config import closest
from nnbench.records.arrays import Arrays
from nnbench.records.errors import NewerSchemaError, RecordError, StorageError
from nnbench.records.kept import Kept
from nnbench.records.shape import is_finite, misfit

SCHEMA_VERSION = 3
SCHEMA_HISTORY = {
    1: "2026-11: arm, seed, block, status, metrics, curves, samples, environment",
    2: "2026-11: evidence",
    3: "2026-11: arrays",
}

OK = "OK"
STATUSES = (
    OK, "OOM", "DIVERGED", "CRASH", "TIMEOUT", "RANK_FAILED", "DATA", "INTERRUPTED", "SKIPPED",
)  # fmt: skip
QUALITY_FLAGS = ("NOISY", "INVALID", "DRIFT", "CLOCK", "OVERSUBSCRIBED", "UNKNOWN")
SAMPLES_MOST = 512
# What times depend on beside the arm. A launch of more ranks leaves more of them asleep beside the measured
# ones: another environment.
TIMES_DEPEND_ON = (
    "system", "cpu", "device_name", "cores", "python", "torch", "cuda", "omp_wait_policy", "threads",
    "launcher", "world_size", "backend",
)  # fmt: skip
# What follows from a field of the arm: where two arms differ in the field, that is what is compared.
_ASKED_FOR = {"threads": ("threads",), "device": ("device_name", "backend")}
_OF_A_LAUNCH = ("world_size", "backend")


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one arm did under one seed.

    Of a large run *curves* and *samples* lie in its index until they are asked for, see `Kept`.

    Attributes:
        scenario: name of the scenario, or None for an arm measured on its own.
        arm: name, id and the canonical configuration of the arm.
        seed: of initial weights (unless the arm fixes them), sample order and dropout.
        block: number of the process that ran it; the unit of timing statistics.
        status: one of `STATUSES`.
        reason: why the status is not OK.
        metrics: name -> number, or None where it could not be measured.
        missing: name -> reason, for each None in *metrics*.
        curves: name -> one value per epoch.
        samples: name -> ``{"count": n, "values": [...]}``, at most 512 of n step values, evenly taken.
        weights_sha256: of the trained weights, None for a probe or a failure.
        data: name, SHA-256 and split sizes of the data set.
        environment: machine, versions, device, threads; no host or user name.
        evidence: how much something else disturbed the times, and the arm's place in its block. Where
            `vectorised` seeds trained as one model, their number and the seconds that they took together.
        arrays: maps, paths, embeddings: what a probe returned to be drawn.
        started_at: ISO 8601, UTC.

    Raises:
        RecordError: an unknown status or flag, a number that is not finite, a None without a reason,
            a time below zero.
    """

    scenario: str | None
    arm: Mapping[str, Any]
    seed: int
    block: int = 0
    status: str = OK
    reason: str | None = None
    quality: tuple[str, ...] = ()
    metrics: Mapping[str, float | int | None] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, list[float | None]] = field(default_factory=dict)
    samples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    weights_sha256: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=Arrays)
    started_at: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise RecordError(f"status: expected one of {', '.join(STATUSES)}, got {self.status!r}")
        if self.status != OK and not self.reason:
            raise RecordError(f"status {self.status} needs a reason")
        for flag in self.quality:
            if flag not in QUALITY_FLAGS:
                raise RecordError(f"quality: expected some of {', '.join(QUALITY_FLAGS)}, got {flag!r}")
        self._check_what()
        for name, value in self.metrics.items():
            self._check_metric(name, value)

        for name, values in () if isinstance(self.curves, Kept) else self.curves.items():
            for value in values:
                if value is not None and not is_finite(value):
                    raise RecordError(f"curve {name!r} holds {value}: write None instead")

    def _check_what(self) -> None:
        # Arm id, seed and block become the name of a file.
        if not isinstance(self.arm, Mapping) or not isinstance(self.arm.get("name"), str):
            raise RecordError(f"arm: expected an arm with its name, got {self.arm!r}")
        if not re.fullmatch(r"[0-9a-f]{16}", str(self.arm.get("id"))):
            raise RecordError(f"arm id: expected 16 hexadecimal digits, got {self.arm.get('id')!r}")
        if type(self.seed) is not int or type(self.block) is not int:
            raise RecordError(f"seed and block: expected whole numbers, got {self.seed!r}, {self.block!r}")

    def _check_metric(self, name: str, value: float | int | None) -> None:
        if value is None:
            if not self.missing.get(name):
                raise RecordError(f"metric {name!r} is None without a reason in 'missing'")
        elif not isinstance(value, (int, float)):
            raise RecordError(f"metric {name!r} is no number: {value!r}")
        elif not is_finite(value):
            raise RecordError(f"metric {name!r} is {value}: write None and the reason instead")
        elif value < 0 and name.endswith(("_s", "_bytes", "_accuracy", "parameters")):
            raise RecordError(f"metric {name!r} is below zero: {value}")

    @property
    def id(self) -> str:
        """Names the record's file and the work that a resumed run skips, see `record_id`."""
        return record_id(self.scenario, self.arm, self.seed, self.block)

    def to_json(self, *, whole: bool = False) -> dict[str, Any]:
        """Plain values that `json` writes strictly; of arrays the hash, and the bytes where *whole*."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        kept = {"curves": dict(self.curves), "samples": dict(self.samples)}
        arrays = {"arrays": self.arrays.to_json(whole=whole)}
        return {**values, **kept, **arrays, "quality": list(self.quality)}


def record_id(scenario: str | None, arm: Mapping[str, Any], seed: int, block: int) -> str:
    """What one arm does under one seed in one block, as a file name; *arm* has a name and an id."""
    digest = hashlib.sha256(f"{scenario}\0{arm['name']}".encode()).hexdigest()[:8]
    return f"{arm['id']}-{digest}-s{seed}-b{block}"


def differences(a: Record, b: Record) -> list[str]:
    """Why the times of two records may not be compared, as 'launcher: python against torchrun'.

    Empty where they may. Threads and device count unless the arms themselves ask for different ones. A
    record that names no launcher is of a time when there was only a bare process.
    """
    x, y = ({"launcher": "python", **record.environment} for record in (a, b))
    silent = {key for name, keys in _ASKED_FOR.items() if a.arm.get(name) != b.arm.get(name) for key in keys}
    if x["launcher"] != y["launcher"]:
        silent.update(_OF_A_LAUNCH)  # they follow from it
    found = [(key, x.get(key), y.get(key)) for key in TIMES_DEPEND_ON if key not in silent]
    return [
        f"{key}: {_or_nothing(one)} against {_or_nothing(other)}" for key, one, other in found if one != other
    ]


def _or_nothing(value: Any) -> str:
    return "nothing" if value is None else str(value)


def check_schema(version: object, what: str) -> None:
    """Refuse a schema *version* of *what* that this nnbench cannot read.

    Raises:
        StorageError: `NewerSchemaError` where a later nnbench wrote it.
    """
    if type(version) is int and version in SCHEMA_HISTORY:
        return
    newer = type(version) is int and version > SCHEMA_VERSION
    known = ", ".join(map(str, SCHEMA_HISTORY))
    raise (NewerSchemaError if newer else StorageError)(
        f"{what} schema {version!r:.40}: this nnbench reads {known}; use the one that wrote it"
    )


def record_from_json(values: Mapping[str, Any]) -> Record:
    """A record from parsed JSON.

    Raises:
        StorageError: a schema version that is not known here; `NewerSchemaError` where it is a later one.
        RecordError: an unknown key, a missing one, a value of the wrong type, or a record that contradicts
            itself.
    """
    check_schema(values.get("schema_version"), "record")
    names = [item.name for item in fields(Record)]
    for key in values:
        if key not in names:
            raise RecordError(f"record: unknown key {key!r}; {closest(key, names)}")
    for item in fields(Record):
        if item.default is MISSING and item.default_factory is MISSING and item.name not in values:
            raise RecordError(f"record: no {item.name!r}")
    if wrong := misfit(values):
        raise RecordError(wrong)
    arrays = Arrays.from_json(values.get("arrays", {}))
    return Record(**{**values, "quality": tuple(values.get("quality", ())), "arrays": arrays})


def records_by_arm(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Arm -> its records, in the order of first appearance; one pass, where a thousand arms may come."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(str(record.arm["name"]), []).append(record)
    return found


def records_of(records: Iterable[Record], arms: Sequence[str]) -> list[Record]:
    """The records of *arms*, in the order of these."""
    place = {arm: i for i, arm in enumerate(arms)}
    there = [record for record in records if record.arm["name"] in place]
    return sorted(there, key=lambda record: place[record.arm["name"]])
