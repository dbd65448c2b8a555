"""What the commands share: how a command is declared, paths, choices, and a progress bar."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nnbench.arm_flags import Help
from nnbench.config import ConfigError, closest

PROFILES = ("smoke", "quick", "lecture", "full")


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, example: str
) -> argparse.ArgumentParser:
    """Declare a command: *run* is called with its arguments and returns the exit code."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"example: {example}",
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def add_paths(parser: argparse.ArgumentParser) -> None:
    """The bench files to look at, and the profile."""
    parser.add_argument("paths", nargs="*", type=Path, default=[Path("bench")], help="bench files or folders")
    parser.add_argument("--profile", choices=PROFILES, default="quick", help="how much work")


def add_source(parser: argparse.ArgumentParser) -> None:
    """The run to read."""
    parser.add_argument("source", type=Path, help="run folder, or the file of --benchmark-json")


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Where the data sets lie."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="folder with data sets; it is looked at before NNBENCH_DATA, the user's cache "
        "(~/.cache/nnbench/data) and /usr/share/datasets",
    )


def chosen(flag: str, asked: list[str] | None, known: Sequence[str]) -> set[str]:
    """The names *asked* for, or all *known* ones; an unknown name is a ConfigError that says which exist."""
    for name in asked or []:
        if name not in known:
            hint = closest(name, known)
            raise ConfigError(f"{flag}: unknown name {name!r}; {hint}known: {', '.join(known)}")
    return set(asked or known)


class Progress:
    """A bar on stderr where there is a terminal, nothing elsewhere."""

    def __init__(self, total: int | None = None) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, disable=None, file=sys.stderr)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def step(self, text: str) -> None:
        """One unit of work is done; *text* says which."""
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()

    def say(self, text: str) -> None:
        """Show what is being done."""
        self._bar.set_postfix_str(text)

    def reach(self, done: int, total: int) -> None:
        """*done* of *total* units are done."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)
