"""The ``nnbench`` command.

Exit codes: 0 fine; 1 a regression or a failed arm; 2 wrong usage; 3 inconclusive and 4 not comparable, of ab
and compare alone; 5 storage or environment; 130 and 143 on signals.
Heavy packages are imported by the command that needs them: ``--help`` and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import nnbench
from nnbench.arm_flags import Help
from nnbench.cli.ab import add_ab, before_dashes
from nnbench.cli.comparing import add_compare
from nnbench.cli.data import add_data
from nnbench.cli.measuring import add_run, add_train
from nnbench.cli.rates import add_lr_find, add_tune
from nnbench.cli.reading import add_doctor, add_list, add_plot, add_report, add_table
from nnbench.config import NnbenchError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    words, after = before_dashes(sys.argv[1:] if argv is None else argv)
    arguments = _parser().parse_args(words, argparse.Namespace(after_dashes=after))
    try:
        return int(arguments.run(arguments))
    except NnbenchError as error:
        print(f"nnbench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("nnbench: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `nnbench list | head`
        sys.stderr.close()
        return 0


def _terminated(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnbench",
        description="Measure what a neural-network lecture claims, on this machine.",
        epilog="example: nnbench run bench --profile smoke -o results/local/first",
        formatter_class=Help,
    )
    parser.add_argument("--version", action="version", version=f"nnbench {nnbench.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (
        add_list, add_run, add_tune, add_table, add_plot, add_report, add_compare, add_ab, add_train,
        add_lr_find, add_data, add_doctor,
    ):  # fmt: skip
        add(commands)
    return parser
