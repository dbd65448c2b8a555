"""What this machine can measure, and what it cannot, with the way out."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from nnbench.config import DATA_SETS, Arm, NnbenchError, install_line
from nnbench.selftest import measure_noise, noise_lines
from nnbench.summary import BUSY_LOAD

EXTRAS = {
    "report": ("nbformat", "nbclient", "ipykernel", "mistune"),
    "store": ("pyarrow",),
    "optim": ("pytorch_optimizer",),
    "explain": ("captum",),
}


def facts() -> dict[str, Any]:
    """Name -> finding, as plain JSON values, in the order in which a person would ask."""
    from nnbench import devices
    from nnbench.meters.environment import environment

    device = devices.choose_device("auto")
    found = environment(device, threads=1)
    load = found.pop("load_1min")
    return {
        **found,
        "load": _load(load, found["cores"]),
        "memory pass": _memory_pass(),
        "threads": "1 per arm unless it says otherwise",
        **{f"data {name}": _data(name) for name in DATA_SETS},
        "NNBENCH_DATA": os.environ.get("NNBENCH_DATA") or "not set; the embedded data need none",
        **{f"extra {name}": _extra(name, modules) for name, modules in EXTRAS.items()},
    }


def noise(progress: Callable[[int, int], object]) -> tuple[dict[str, Any], dict[str, str]]:
    """The noise floor and what it lets minutes resolve, as plain JSON values and as name -> finding; 20 s.

    Raises:
        BlockFailed: a process of the pilot failed.
    """
    found = measure_noise(progress)
    return found.to_json(), noise_lines(found)


def _load(load: float | None, cores: int) -> str:
    if load is None:
        return "unknown on this system"
    advice = "busy: times will be noisy" if load > BUSY_LOAD * cores else "quiet enough"
    return f"{load:.2f} on {cores} cores, {advice}"


def _memory_pass() -> str:
    from nnbench.meters.memory import MemoryServer

    arm = Arm(data="xor", model="logistic", batch_size="full")
    with MemoryServer() as server:
        peak = server.measure(arm)
    return "works" if peak.reason is None else f"not here: {peak.reason}"


def _data(name: str) -> str:
    from nnbench.data import load
    from nnbench.data.places import presence

    try:
        found = presence(name)
        if found.state != "embedded":  # reading them takes seconds: that is `nnbench data verify`
            return str(found)
        dataset = load(name)
    except NnbenchError as error:
        return str(error)
    return f"verified, {len(dataset.train.labels):,} + {len(dataset.validation.labels):,}"


def _extra(name: str, modules: tuple[str, ...]) -> str:
    missing = [module for module in modules if find_spec(module) is None]
    return "installed" if not missing else f"not installed: {install_line(name)}"
