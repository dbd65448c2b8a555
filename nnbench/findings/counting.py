"""Whether every arm that was planned is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nnbench.records import OK, Record
from nnbench.work import planned


def counts(plan: Mapping[str, Any], records: Sequence[Record]) -> dict[str, int]:
    """Count the plan: planned = OK + expected + failed + SKIPPED + missing.

    ``expected`` are arms that diverged as their scenario foretold; ``missing`` were planned and have
    no record: the run was cut off. Records beyond the plan, such as those of extra blocks that stand in for
    INVALID ones, count as planned.
    """
    due = {(work.scenario, str(work.arm["name"]), work.seed, work.block) for work in planned(plan)}
    there = {(str(r.scenario), str(r.arm["name"]), r.seed, r.block) for r in records}
    foretold = {
        (str(scenario["name"]), str(arm))
        for scenario in plan["scenarios"]
        for arm in scenario.get("may_diverge", ())
    }
    found = Counter(_end(record, foretold) for record in records)
    missing = len(due - there)
    ends = {end: found[end] for end in ("OK", "expected", "failed", "SKIPPED")}
    return {"planned": len(records) + missing, **ends, "missing": missing}


def _end(record: Record, foretold: set[tuple[str, str]]) -> str:
    if record.status in (OK, "SKIPPED"):
        return record.status
    expected = (str(record.scenario), str(record.arm["name"])) in foretold
    return "expected" if expected and record.status == "DIVERGED" else "failed"
