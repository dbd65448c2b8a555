"""What a comparison found, for a person and for a program."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from nnbench.ab.series import Outcome
from nnbench.ab.sides import Side
from nnbench.comparing import (
    FASTER,
    SAME,
    SLOWER,
    Comparison,
    compare_learning,
    compare_paired,
    exit_code,
)
from nnbench.metrics import heading, metric, number
from nnbench.records import OK, Record, without_nan
from nnbench.stats import LEARNS_ALIKE, LEARNS_WORSE

_WORDS = {
    FASTER: "B is FASTER than A",
    SLOWER: "B is SLOWER than A",
    SAME: "B is the SAME as A in time",
    LEARNS_WORSE: "B LEARNS WORSE than A",
    LEARNS_ALIKE: "B LEARNS ALIKE",
}
_EXPLORED = ("train_s", "step_s", "validation_accuracy", "validation_loss", "peak_bytes")


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """All rows of a comparison, and how many records of it failed."""

    rows: Sequence[Comparison]
    failed: Sequence[str]

    @property
    def exit_code(self) -> int:
        """That of the rows; 1 where an arm failed."""
        return 1 if self.failed else exit_code(self.rows)

    def to_json(self, outcome: Outcome, sides: Sequence[Side], order_seed: int) -> dict[str, Any]:
        """One document with the ratio of every block."""
        found = {
            "exit_code": self.exit_code, "blocks": outcome.blocks, "stopped": outcome.stopped,
            "order_seed": order_seed, "orders": outcome.orders,
            "sides": {side.label: side.to_json() for side in sides}, "failed": list(self.failed),
            "noise": noise(outcome), "comparisons": [row.to_json() for row in self.rows],
        }  # fmt: skip
        return dict(without_nan(found))


def judge(outcome: Outcome, *, name: str, profile: str, asked: Collection[str]) -> Verdicts:
    """The verdicts of *outcome*: time with Holm over the arms on one metric, and what was learned."""
    rows = [
        *compare_paired(outcome.a, outcome.b, name=name, asked=asked),
        *compare_learning(outcome.a, outcome.b, profile=profile, asked=asked),
    ]
    failed = [
        f"side {label}, {record.arm['name']}, block {record.block + 1}: {record.status}: {record.reason}"
        for label, records in (("A", outcome.a), ("B", outcome.b))
        for record in records
        if record.status not in (OK, "SKIPPED", "DIVERGED")
    ]
    return Verdicts(rows=rows, failed=failed)


def noise(outcome: Outcome) -> dict[str, int]:
    """How many records carry each quality flag, of all of them."""
    records = [*outcome.a, *outcome.b]
    flags = sorted({flag for record in records for flag in record.quality})
    return {"records": len(records), **{flag: sum(flag in r.quality for r in records) for flag in flags}}


def lines(of: Verdicts, outcome: Outcome, sides: Sequence[Side], order_seed: int) -> list[str]:
    """The comparison as a terminal shows it: verdicts first, then what is only for information."""
    told = [f"{side.label}: {side.told() or 'as it is'}" for side in sides]
    found = ["; ".join(told)]
    declared = [row for row in of.rows if not row.exploratory]
    many = len({(row.scenario, row.arm) for row in of.rows}) > 1
    for row in declared:
        found += _declared_lines(row, named=many)
    found += [f"{outcome.stopped}; order seed {order_seed}", _noise_line(outcome, declared)]
    if notes := _unequal(outcome):
        found.append(notes)
    explored = [row for row in of.rows if row.exploratory and _worth_telling(row)]
    if explored:
        found += [
            "",
            "for information, without a verdict:",
            *(f"  {_explored_line(row, many)}" for row in explored),
        ]
    return [*found, *(f"FAILED: {text}" for text in of.failed)]


def _worth_telling(row: Comparison) -> bool:
    """Of an exploratory row: the main times and what is learned, a reason, or a count that differs."""
    exact = metric(row.metric).nature == "exact" and row.metric != "epochs_to_target"
    return row.metric in _EXPLORED or bool(row.reason) or (exact and row.a != row.b)


def _declared_lines(row: Comparison, *, named: bool) -> list[str]:
    words = _WORDS.get(row.verdict, f"B against A is {row.verdict}")
    if row.metric == "convergence" and row.verdict not in _WORDS:
        words = f"whether B learns as well as A is {row.verdict}"
    title = f"{_name(row)}: {words}" if named else words
    if row.scale != "ratio" or row.effect is None:
        return [f"{title}: {row.reason}"]
    of = metric(row.metric)
    values = " against ".join(number(v * of.scale) for v in (row.b, row.a) if v is not None)
    facts = [f"{heading(of)} {values}", f"{row.n} pair{'s' if row.n != 1 else ''}"]
    facts += [f"p = {row.p:.2g}"] if row.p is not None else []
    facts += [f"smallest effect in reach {row.reach:.1%}"] if row.reach and math.isfinite(row.reach) else []
    facts += [row.reason] if row.reason else []
    return [f"{title}: {_times(row)}", f"  {', '.join(facts)}"]


def _name(row: Comparison) -> str:
    return f"{row.scenario}, {row.arm}" if row.scenario not in (None, "ab") else row.arm


def _times(row: Comparison) -> str:
    """'1.12 times as fast (95 % interval 1.10 to 1.14)'; three decimals, as a ratio near 1 needs them."""
    assert row.effect is not None
    text = f"{row.effect.centre:.3f} times as fast"
    if row.effect.low is None or row.effect.high is None:
        return text
    return f"{text} (95 % interval {row.effect.low:.3f} to {row.effect.high:.3f})"


def _noise_line(outcome: Outcome, declared: Sequence[Comparison]) -> str:
    found = noise(outcome)
    total = found.pop("records")
    texts = [f"{count} of {total} records {flag}" for flag, count in found.items()]
    lost = max((outcome.blocks - row.n for row in declared if row.scale == "ratio"), default=0)
    texts += [f"{lost} block{'s' if lost != 1 else ''} left out"] if lost else []
    return f"noise: {', '.join(texts) or 'none noticed'}"


def _unequal(outcome: Outcome) -> str:
    """A warning where throughput compares trainings of unequal length."""
    counts = [_samples(records) for records in (outcome.a, outcome.b)]
    if None in counts or counts[0] == counts[1]:
        return ""
    return (
        f"A trains on {counts[0]:,} samples and B on {counts[1]:,}: throughput is time per sample; "
        "--metric train_s compares whole trainings"
    )


def _samples(records: Sequence[Record]) -> int | None:
    found = {int(v) for record in records if (v := record.metrics.get("samples")) is not None}
    return found.pop() if len(found) == 1 else None


def _explored_line(row: Comparison, named: bool) -> str:
    of, name = metric(row.metric), f"{_name(row)}: " if named else ""
    if row.a is None or row.b is None:
        return f"{name}{heading(of)}: {row.reason}"
    text = f"{name}{heading(of)}: A {number(row.a * of.scale)}, B {number(row.b * of.scale)}"
    if row.scale == "ratio" and row.effect is not None:
        return f"{text}, B {_times(row)}"
    return f"{text}; {row.reason}" if row.reason else text
