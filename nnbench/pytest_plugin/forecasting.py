"""``--nnbench-forecast=FILE``: how long each arm that was selected would take, by a short trial of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.config import Arm, NnbenchError
from nnbench.pytest_plugin.launched import needs_launch
from nnbench.pytest_plugin.rounds import PROBE_ROUNDS

if TYPE_CHECKING:
    from nnbench.pytest_plugin.session import Session


def write_forecast(session: Session, file: Path) -> None:
    """Try every arm of *session* once, and write what each would cost to *file*, as JSON."""
    from nnbench.forecast import expected
    from nnbench.records import strict_dumps, write_atomic

    rows: list[dict[str, Any]] = []
    for name, (scenario, arms) in session.scenarios.items():
        for arm in arms:
            row: dict[str, Any] = {"scenario": name, "arm": arm.name, "launched": needs_launch(scenario)}
            try:
                row |= asdict(expected(arm, session.data_folder))
                row["seed_s"] *= 1 if isinstance(arm, Arm) else PROBE_ROUNDS + 1
            except NnbenchError as error:
                row["reason"] = str(error)  # it will be skipped, and take no time
            except Exception as error:  # the arm is the user's; its record will tell
                row["reason"] = f"{type(error).__name__}: {error}"
            rows.append(row)
    write_atomic(file, strict_dumps(rows) + "\n")
