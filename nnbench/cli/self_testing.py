"""The self-test, which two commands offer: `doctor --self-test` and `ab --self-test`."""

from __future__ import annotations

import argparse
import json

from nnbench.cli.arguments import Progress
from nnbench.config import ConfigError

HELP = "compare work whose ratio is known instead: false alarms, and what is found (6 min a campaign)"


def add_campaigns(parser: argparse.ArgumentParser) -> None:
    """How much of a self-test."""
    parser.add_argument("--campaigns", type=int, default=1, metavar="N", help="of --self-test; they add up")


def self_test(campaigns: int, as_json: bool) -> int:
    """Exit code 1 where the statistics do not hold here."""
    from nnbench.selftest import lines, run_self_test

    if campaigns < 1:
        raise ConfigError(f"--campaigns: expected 1 or more, got {campaigns}")
    with Progress() as progress:
        outcome = run_self_test(campaigns, progress.reach)
    if as_json:
        print(json.dumps(outcome.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(lines(outcome)))
    return 0 if outcome.holds else 1
