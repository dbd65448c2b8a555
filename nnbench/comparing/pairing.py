"""Which records of two sides belong together, and whether they may be compared."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnbench.records import OK, Record, differences

ACCURACY = "validation_accuracy"
# Times of such a record are not to be believed; what it learned is.
_NO_TIMES = ("INVALID", "CLOCK")
# Of a data set, what accuracies depend on; its name is a label.
_DATA = ("sha256", "train", "validation")


@dataclass(frozen=True)
class Pair:
    """The records of one arm on both sides."""

    scenario: str | None
    arm: str
    a: Sequence[Record]
    b: Sequence[Record]


def pairs_of(a: Sequence[Record], b: Sequence[Record]) -> list[Pair]:
    """Arms that both sides have, by scenario and name; one arm a side is a pair, whatever the names."""
    of_a, of_b = _by_arm(a), _by_arm(b)
    if len(of_a) == len(of_b) == 1:
        (key, ours), (other, theirs) = *of_a.items(), *of_b.items()
        label = key[1] if key[1] == other[1] else f"{key[1]} → {other[1]}"
        return [Pair(key[0], label, ours, theirs)]
    return [Pair(*key, of_a[key], of_b[key]) for key in of_a if key in of_b]


def _by_arm(records: Sequence[Record]) -> dict[tuple[str | None, str], list[Record]]:
    found: dict[tuple[str | None, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.scenario, str(record.arm["name"])), []).append(record)
    return found


def only_one_side(a: Sequence[Record], b: Sequence[Record]) -> tuple[list[str], list[str]]:
    """Arms that the other side lacks, as 'scenario: arm'; of a pair of single arms there are none."""
    if pairs_of(a, b) and len(_by_arm(a)) == len(_by_arm(b)) == 1:
        return [], []
    of_a, of_b = _by_arm(a), _by_arm(b)
    return [_label(key) for key in of_a if key not in of_b], [_label(key) for key in of_b if key not in of_a]


def _label(key: tuple[str | None, str]) -> str:
    return f"{key[0]}: {key[1]}" if key[0] else key[1]


def arm_differences(a: Sequence[Record], b: Sequence[Record]) -> list[str]:
    """Fields of the configuration in which the two sides of a pair differ, as 'arm: epochs: 3 against 1'."""
    found = []
    for pair in pairs_of(a, b):
        x, y = pair.a[0].arm, pair.b[0].arm
        names = [name for name in dict.fromkeys([*x, *y]) if name not in ("name", "id")]
        found += [
            f"{pair.arm}: {name}: {_text(x.get(name))} against {_text(y.get(name))}"
            for name in names
            if x.get(name) != y.get(name)
        ]
    return found


def environment_differences(a: Sequence[Record], b: Sequence[Record]) -> list[str]:
    """What times and accuracies depend on and differs between the sides, each difference once."""
    found = [unlike(pair.a, pair.b) + other_data(pair.a, pair.b) for pair in pairs_of(a, b)]
    return list(dict.fromkeys(text for texts in found for text in texts))


def unlike(a: Sequence[Record], b: Sequence[Record], asked: Collection[str] = ()) -> list[str]:
    """Why times of *a* and *b* may not be compared; what is named in *asked* is what is compared.

    Only what was measured counts: a failure may be recorded by another process than the one that failed.
    """
    texts = [text for x in _environments(a) for y in _environments(b) for text in differences(x, y)]
    return [text for text in dict.fromkeys(texts) if text.partition(":")[0] not in asked]


def _environments(records: Sequence[Record]) -> list[Record]:
    """A measured record for each environment among *records*."""
    found: dict[str, Record] = {}
    for record in records:
        if record.status == OK:
            steady = {key: value for key, value in record.environment.items() if key != "load_1min"}
            found.setdefault(str(sorted(steady.items(), key=str)), record)
    return list(found.values())


def other_data(a: Sequence[Record], b: Sequence[Record]) -> list[str]:
    """Why accuracies of *a* and *b* may not be compared: the data sets differ."""
    texts = [
        f"data.{name}: {_short(x.data.get(name))} against {_short(y.data.get(name))}"
        for x in _data_sets(a)
        for y in _data_sets(b)
        for name in _DATA
        if x.data.get(name) != y.data.get(name)
    ]
    return list(dict.fromkeys(texts))


def _data_sets(records: Sequence[Record]) -> list[Record]:
    found = {str([record.data.get(name) for name in _DATA]): record for record in records if record.data}
    return list(found.values())


def _short(value: Any) -> str:
    return value[:12] if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    return "nothing" if value is None else str(value)


def block_values(records: Sequence[Record], name: str) -> dict[int, float]:
    """Block -> median of *name* over the block's records whose times can be believed."""
    found: dict[int, list[float]] = {}
    for record in records:
        value = record.metrics.get(name)
        if record.status == OK and value is not None and not set(_NO_TIMES) & set(record.quality):
            found.setdefault(record.block, []).append(float(value))
    return {block: statistics.median(values) for block, values in sorted(found.items())}


def seed_values(records: Sequence[Record], name: str) -> dict[int, float | None]:
    """Seed -> mean of *name* over its records; an accuracy of a diverged training is 0.

    None where a training was to be had and is not: it failed, or the metric was not measured. A training
    that was SKIPPED was never to be had.
    """
    found: dict[int, list[float | None]] = {}
    for record in records:
        value = record.metrics.get(name)
        if record.status == "DIVERGED" and name.endswith("_accuracy"):
            value = 0.0
        if record.status != "SKIPPED":
            found.setdefault(record.seed, []).append(value)
    return {seed: _mean(values) for seed, values in sorted(found.items())}


def seed_pairs(pair: Pair, name: str) -> tuple[list[float], list[float], int]:
    """Values of *name* on both sides, paired by seed, and how many common seeds lack one of the two."""
    of_a, of_b = seed_values(pair.a, name), seed_values(pair.b, name)
    both = [(of_a[seed], of_b[seed]) for seed in of_a if seed in of_b]
    found = [(x, y) for x, y in both if x is not None and y is not None]
    return [x for x, _ in found], [y for _, y in found], len(both) - len(found)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def identical_weights(a: Sequence[Record], b: Sequence[Record]) -> bool:
    """Whether all trainings of the seeds that both sides have ended in the same weights, bit for bit."""
    of_a, of_b = _weights(a), _weights(b)
    both = [(of_a[seed], of_b[seed]) for seed in of_a if seed in of_b]
    return bool(both) and all(x == y and len(x) == 1 and None not in x for x, y in both)


def _weights(records: Sequence[Record]) -> Mapping[int, set[str | None]]:
    found: dict[int, set[str | None]] = {}
    for record in records:
        found.setdefault(record.seed, set()).add(record.weights_sha256)
    return found
