"""``--nnbench-threads=auto``: threads of each arm from one calibration, which holds for all blocks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.config import OWN_LOOP, Arm, NnbenchError, Probe

if TYPE_CHECKING:
    from nnbench.claims import Scenario

Choices = dict[str, dict[str, Any]]
Planned = dict[str, "tuple[Scenario, list[Arm | Probe]]"]
# Arms that differ in nothing else do the same work in a step.
_SAME_WORK: Mapping[str, Any] = {
    "name": "x", "lr": 0.1, "schedule": "constant", "schedule_args": {}, "sampling": "reshuffle", "epochs": 1,
    "max_steps": None, "target_accuracy": None, "init_seed": None, "framework": OWN_LOOP, "threads": 1,
}  # fmt: skip


def choose(scenarios: Planned, known: Choices, data_folder: Path | None) -> Choices:
    """Scenario -> arm -> how many threads, and what was tried; calibrates what is not *known* already.

    What cannot be calibrated, since its data are not here, is left out and keeps its own threads.
    """
    from nnbench.thread_tuning import choose_threads

    found: dict[Arm, dict[str, Any]] = {}
    choices: Choices = {}
    for name, (_, arms) in scenarios.items():
        own = known.get(name, {})
        choices[name] = {arm.name: own[arm.name] for arm in arms if arm.name in own}
        for arm in arms:
            if known or isinstance(arm, Probe):
                continue
            work = arm.replace(**_SAME_WORK)
            try:
                found[work] = found.get(work) or choose_threads(work, data_folder).to_json()
            except NnbenchError:
                continue
            choices[name][arm.name] = found[work]
    return choices


def applied(scenarios: Planned, choices: Choices) -> Planned:
    """*scenarios* whose arms have the threads chosen for them."""
    return {
        name: (
            scenario,
            [
                arm.replace(threads=choices[name][arm.name]["threads"], name=arm.name)
                if isinstance(arm, Arm) and arm.name in choices[name] else arm
                for arm in arms
            ],
        )
        for name, (scenario, arms) in scenarios.items()
    }  # fmt: skip
