"""nnbench: measure what a neural-network lecture claims, on your own machine.

The public names are loaded on first use, so that ``import nnbench`` costs milliseconds and needs
neither torch nor pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnbench.benchmarking import measure
    from nnbench.claims import Claim, Scenario
    from nnbench.config import Arm, Probe
    from nnbench.results import load_run
    from nnbench.training import fit

__version__ = "0.1.0"

__all__ = ["Arm", "Claim", "Probe", "Scenario", "fit", "load_run", "measure"]

_HOMES = {
    "Arm": "nnbench.config",
    "Probe": "nnbench.config",
    "Scenario": "nnbench.claims",
    "Claim": "nnbench.claims",
    "fit": "nnbench.training",
    "measure": "nnbench.benchmarking",
    "load_run": "nnbench.results",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nnbench' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # the next access costs a dictionary look-up
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
