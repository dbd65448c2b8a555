"""The command that compares two runs: compare."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.cli.arguments import command

if TYPE_CHECKING:
    from nnbench.comparing import Comparison
    from nnbench.records import Record

_REASON_WIDTH = 50
# Rows that are about no number of a record.
_NO_METRICS = ("convergence", "status", "epochs_to_target")


def add_compare(commands: Any) -> None:
    """`nnbench compare`."""
    parser = command(
        commands, "compare", _compare,
        "compare two runs: what they learned, counts and memory get verdicts, time gets a ratio; exit code "
        "0: better or the same, 1: worse, 3: inconclusive, 4: not comparable",
        "nnbench compare results/base results/head --metric validation_accuracy",
    )  # fmt: skip
    for name in ("base", "head"):
        parser.add_argument(name, type=Path, help="run folder, or the file of --benchmark-json")
    parser.add_argument("--metric", action="append", default=[], metavar="NAME", help="only this one; "
                        "repeatable (default: accuracy, counts, memory, throughput)")  # fmt: skip
    parser.add_argument("--across", action="store_true", help="compare times of different machines or "
                        "versions all the same")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print all rows as JSON")


def _compare(arguments: argparse.Namespace) -> int:
    from nnbench import comparing
    from nnbench.results import read_results

    base, head = (read_results(path) for path in (arguments.base, arguments.head))
    rows = comparing.compare_runs(
        base.records, head.records, metrics=arguments.metric, profile=base.profile, across=arguments.across
    )
    code = comparing.exit_code(rows)
    facts = _facts(base.records, head.records)
    if arguments.json:
        found = {
            "exit_code": code,
            "profile": base.profile,
            **facts,
            "comparisons": [r.to_json() for r in rows],
        }
        print(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
        return code
    print("\n".join([*_table(rows), *_fact_lines(facts), _conclusion(rows, code)]))
    return code


def _facts(base: Sequence[Record], head: Sequence[Record]) -> dict[str, list[str]]:
    """What differs between the runs beside their numbers."""
    from nnbench import comparing

    only_base, only_head = comparing.only_one_side(base, head)
    return {
        "environment": comparing.environment_differences(base, head),
        "configuration": comparing.arm_differences(base, head),
        "only_base": only_base,
        "only_head": only_head,
    }


def _fact_lines(facts: dict[str, list[str]]) -> list[str]:
    heads = {
        "environment": "differs between the runs", "configuration": "the arms differ",
        "only_base": "only BASE has", "only_head": "only HEAD has",
    }  # fmt: skip
    return [f"{heads[key]}: {text}" for key, texts in facts.items() for text in texts]


def _table(rows: Sequence[Comparison]) -> list[str]:
    """The rows with a verdict; of counts only those that are not the same, as there are many of them."""
    from tabulate import tabulate

    declared = [row for row in rows if not row.exploratory]
    same = [row for row in declared if _is_count(row) and row.verdict == "SAME"]
    found = [_row(row) for row in declared if row not in same]
    lines = [*tabulate(found, headers="keys", disable_numparse=True).splitlines(), ""] if found else []
    names = dict.fromkeys(row.metric for row in same)
    return [*lines, f"SAME: {', '.join(names)} ({len(same)} counts)"] if same else lines


def _is_count(row: Comparison) -> bool:
    from nnbench.metrics import metric

    return metric(row.metric).nature in ("exact", "memory") and row.metric not in _NO_METRICS


def _row(row: Comparison) -> dict[str, str]:
    from nnbench.metrics import heading, metric, number

    of = metric("validation_accuracy" if row.metric == "convergence" else row.metric)
    a, b = ("–" if value is None else number(value * of.scale) for value in (row.a, row.b))
    return {
        "arm": f"{row.scenario}: {row.arm}" if row.scenario else row.arm,
        "metric": row.metric if row.metric in _NO_METRICS else heading(of),
        "BASE": a, "HEAD": b, "change": _change(row, of.scale), "verdict": row.verdict,
        "because": "\n".join(textwrap.wrap(row.reason, _REASON_WIDTH)),
    }  # fmt: skip


def _change(row: Comparison, scale: float) -> str:
    """'1.05 times as fast (1.01 to 1.09)', or the difference and its interval in the unit of print."""
    of = row.effect
    if of is None:
        return ""
    if row.scale == "ratio":
        ends = "" if of.low is None or of.high is None else f" ({of.low:.3f} to {of.high:.3f})"
        return f"{of.centre:.3f} times as fast{ends}"
    ends = "" if of.low is None or of.high is None else f" ({of.low * scale:+.2f} to {of.high * scale:+.2f})"
    return f"{of.centre * scale:+.2f}{ends}"


def _conclusion(rows: Sequence[Comparison], code: int) -> str:
    hidden = sum(row.exploratory for row in rows)
    more = f"; {hidden} more numbers without a verdict: --json" if hidden else ""
    if not rows:
        return "nothing to compare: the two runs have no arm in common"
    told = {0: "nothing is worse", 1: "HEAD is worse", 3: "inconclusive", 4: "not comparable"}
    return f"{told[code]}{more}"
