"""The options of the plugin, each an ini key too."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from nnbench.arm_flags import threads_or_auto

PROFILE_DEFAULT = "quick"

OPTIONS: dict[str, dict[str, Any]] = {
    "profile": {
        "choices": ("smoke", "quick", "lecture", "full"),
        "help": "how much work: smoke, quick (default), lecture, full",
    },
    "seeds": {
        "type": int,
        "metavar": "N",
        "help": "seeds per arm (default: 1 smoke, 6 quick, 10 lecture and full)",
    },
    "first-seed": {
        "type": int,
        "metavar": "N",
        "help": "the first of them; the others follow it (default: 0)",
    },
    "memory": {"choices": ("on", "off"), "help": "count memory and operations of each arm (default: on)"},
    "vectorise": {
        "choices": ("auto", "on", "off"),
        "help": "train the seeds of an arm as one model, without times, where no claim needs them: where it "
        "pays and no time is drawn (auto, default), wherever it is exact, or nowhere",
    },
    "device": {"metavar": "NAME", "help": "auto, cpu, cuda or cuda:N (default: what the arm says)"},
    "threads": {
        "type": threads_or_auto,
        "metavar": "N",
        "help": "intra-op threads, or 'auto': each arm's fastest, tried once (default: what it says)",
    },
    "data-dir": {
        "metavar": "DIR",
        "help": "folder with data sets; looked at before NNBENCH_DATA, the user's cache, /usr/share/datasets",
    },
    "out": {"metavar": "DIR", "help": "write run.json and durable records there; must hold no run yet"},
    "forecast": {
        "metavar": "FILE",
        "help": "measure nothing: try each arm for some tens of milliseconds, and write there how long each "
        "would take: what `nnbench run --forecast` asks for",
    },
    "block": {
        "type": int,
        "metavar": "I",
        "help": "be block I (0, 1, …) of a run: what `nnbench run` asks for",
    },
    "blocks": {"type": int, "metavar": "N", "help": "number of blocks of that run"},
}


def option(config: pytest.Config, name: str) -> Any:
    value = config.getoption(f"--nnbench-{name}")
    if value is not None:
        return value
    text = config.getini(f"nnbench_{name.replace('-', '_')}")
    if not text:
        return None
    try:
        return OPTIONS[name].get("type", str)(text)
    except argparse.ArgumentTypeError as error:
        raise pytest.UsageError(f"nnbench_{name} in the ini file: {error}") from None
    except ValueError:
        raise pytest.UsageError(f"nnbench_{name} in the ini file: expected a number, got {text!r}") from None


def relative(argument: object) -> str:
    """A command-line argument without this machine's folders."""
    text = str(argument)
    for folder, short in ((str(Path.cwd()) + "/", ""), (str(Path.home()), "~")):
        text = text.replace(folder, short)
    return text
