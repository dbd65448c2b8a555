"""Run bench files in a process of their own, into a run folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nnbench.config import ConfigError

BENCHMARK_FILE = "pytest-benchmark.json"


def run_block(paths: Sequence[Path], out: Path, pytest_options: Sequence[str] = ()) -> int:
    """Run the bench files of *paths* once in a fresh process; records and run.json go to *out*.

    Returns:
        pytest's exit code: 0 fine, 1 an arm failed, 2 interrupted, 4 wrong usage, 5 nothing to run.

    Raises:
        ConfigError: *out* holds a run already.
    """
    if (out / "run.json").exists():
        raise ConfigError(f"{out} holds a run already; name another folder with -o")
    command = [
        sys.executable, "-m", "pytest", *map(str, paths), f"--nnbench-out={out}",
        f"--benchmark-json={out / BENCHMARK_FILE}", "--benchmark-columns=min,median,max",
        *pytest_options,
    ]  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)  # pytest-benchmark refuses a file in a missing folder
    # Spinning threads of two processes on the same cores slow each other up to ten times.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    return subprocess.run(command, env=environment, check=False).returncode
