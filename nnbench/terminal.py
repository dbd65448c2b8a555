"""What a person reads at the end of a run: a table per scenario, and what the records say of its claims."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from nnbench.efficiency import efficiency_rows
from nnbench.findings import (
    ALL_ARMS,
    ALL_CLAIMS,
    few_efficiencies,
    few_times,
    for_table,
    may_need,
    of_claims,
    verdict_rows,
)
from nnbench.records import Record, records_of
from nnbench.summary import busy, disturbed, skipped, summarize
from nnbench.time_to_accuracy import rows_of_times

_WIDTH = 110


def run_lines(plan: Mapping[str, Any], records: Sequence[Record]) -> list[str]:
    """The lines of all scenarios of *plan* that have records."""
    found = []
    profile = str(plan["profile"])
    for scenario in plan["scenarios"]:
        mine = _in_order(scenario, [r for r in records if r.scenario == scenario["name"]])
        if mine:
            found += ["", *scenario_lines(scenario, mine, profile)]
    notes = [busy(records), disturbed(records), may_need(plan, records)]
    if profile == "smoke":
        notes = ["smoke proves that the code runs; it says nothing about the claims"]
    return [*found, *(line for note in notes if note for line in ["", *textwrap.wrap(note, _WIDTH)])]


def _in_order(scenario: Mapping[str, Any], records: Sequence[Record]) -> list[Record]:
    place = {arm["name"]: i for i, arm in enumerate(scenario["arms"])}
    return sorted(records, key=lambda r: (place.get(str(r.arm["name"]), len(place)), r.block, r.seed))


def scenario_lines(scenario: Mapping[str, Any], records: Sequence[Record], profile: str) -> list[str]:
    """Question, table, efficiencies, times to accuracy and verdicts of one *scenario*, as its plan has it."""
    lines = [f"{scenario['name']}: {scenario['question']}"]
    if why := skipped(records):
        return [*lines, f"  SKIPPED    {why}"]
    choice = for_table(scenario, records)
    lines += _table(summarize(records_of(records, choice.arms) if choice else records))
    lines += [f"{choice.text}; {ALL_ARMS}"] if choice else []
    for more in more_tables(records):
        lines += ["", *more]
    claims = verdict_rows(records, scenario, profile)
    shown, text = of_claims([row["verdict"] for row in claims])
    lines += [f"{text}; {ALL_CLAIMS}"] if text else []
    for row in [claims[i] for i in shown]:
        lines.append(f"  {row['verdict']:10s} {row['claim']}")
        lines += textwrap.wrap(row["reason"], _WIDTH, initial_indent=" " * 13, subsequent_indent=" " * 13)
    return lines


def more_tables(records: Sequence[Record]) -> Iterator[list[str]]:
    """The lines of the tables that only some scenarios have: efficiencies, and times to accuracy."""
    ranks, text = few_efficiencies(records)
    if ranks:
        yield [*_table(efficiency_rows(ranks)), *([text] if text else [])]
    times, text = few_times(records)
    if times:
        yield [*_table(rows_of_times(times)), *([text] if text else [])]


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return tabulate([dict(row) for row in rows], headers="keys", disable_numparse=True).splitlines()
