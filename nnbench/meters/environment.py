"""What a measurement depends on, by an allow-list: never a host, user, project or branch name."""

from __future__ import annotations

import functools
import os
import platform
import re
from pathlib import Path
from typing import Any

import torch

import nnbench
from nnbench import devices
from nnbench.distributed import launcher


def environment(device: torch.device, threads: int) -> dict[str, Any]:
    """Machine, versions, device, threads and launcher, as plain JSON values."""
    return {
        "nnbench": nnbench.__version__,
        **_machine(),
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name(),
        "threads": threads,
        **launcher(),
        "load_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
    }


@functools.cache
def _machine() -> dict[str, Any]:
    import psutil

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cores": devices.usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
    }


@functools.cache
def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or "unknown"
