"""How long a run will take here, before it starts: one process that tries each arm, and the plan."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnbench.records import Journal, read_run, strict_loads
from nnbench.runner.account import start_seconds
from nnbench.runner.blocks import BlockError
from nnbench.runner.child import BlockProcess
from nnbench.runner.request import Request
from nnbench.work import planned

_FILE = "forecast.json"
_STARTS_OF_A_LAUNCH = 2  # torchrun imports, and then its ranks do


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Seconds that a run will take.

    Attributes:
        scenarios: name -> seconds of all its arms, seeds and blocks.
        starts_s: of the processes of all blocks, and of torchrun's.
        unknown: 'scenario, arm' -> why nothing could be foretold of it; it counts as nothing.
    """

    blocks: int
    scenarios: Mapping[str, float]
    starts_s: float
    unknown: Mapping[str, str]

    @property
    def total_s(self) -> float:
        """Scenarios and starts."""
        return sum(self.scenarios.values()) + self.starts_s


def forecast(request: Request) -> Forecast:
    """Start one process as the first block of *request* does, and have it try each arm instead of measuring.

    Raises:
        BlockError: the process could not begin; the message says why.
    """
    with tempfile.TemporaryDirectory(prefix="nnbench-forecast-") as made:
        folder = Path(made)
        journal = Journal(folder)
        journal.note("block", 0)
        process = BlockProcess(
            ["-m", "pytest", *request.paths, "-p", "no:cacheprovider", *request.options,
             f"--nnbench-out={folder}", "--nnbench-block=0", f"--nnbench-blocks={request.blocks}",
             f"--nnbench-forecast={folder / _FILE}"],
            folder / "forecast.log",
        )  # fmt: skip
        try:
            ended = process.watch(journal, lambda: None, request.arm_timeout_s)
        except BaseException:
            process.interrupt()
            raise
        if not (folder / _FILE).exists():
            errors = [line for line in ended.tail if line.startswith(("ERROR", "E  "))]
            raise BlockError("\n".join(errors or ended.tail) or f"pytest ended with {ended.code}")
        rows = strict_loads((folder / _FILE).read_text(encoding="utf-8"))
        return foretold(rows, read_run(folder), start_s=start_seconds(journal.entries())[0])


def foretold(rows: Sequence[Mapping[str, Any]], plan: Mapping[str, Any], *, start_s: float) -> Forecast:
    """The sum over the *plan* of what each arm is expected to take.

    Args:
        rows: what the plugin has written of each arm, see `nnbench.forecast.Expected`.
        start_s: of one process, until its first arm.
    """
    known = {(row["scenario"], row["arm"]): row for row in rows}
    seconds = {str(scenario["name"]): 0.0 for scenario in plan["scenarios"]}
    launched, seen = set(), set()
    for work in planned(plan):
        key = work.scenario, str(work.arm["name"])
        row = known.get(key, {})
        seconds[work.scenario] += row.get("seed_s", 0.0)
        if (key, work.block) not in seen:
            seen.add((key, work.block))
            seconds[work.scenario] += row.get("once_s", 0.0) + (0 if work.block else row.get("first_s", 0.0))
        if row.get("launched"):
            launched.add(work.block)
    blocks = {work.block for work in planned(plan)}
    return Forecast(
        blocks=len(blocks), scenarios=seconds,
        starts_s=start_s * (len(blocks) + _STARTS_OF_A_LAUNCH * len(launched)),
        unknown={f"{row['scenario']}, {row['arm']}": row["reason"] for row in rows if "reason" in row},
    )  # fmt: skip
