"""Mistakes that the user can mend."""

from __future__ import annotations

from typing import ClassVar


class NnbenchError(Exception):
    """A mistake that the user can mend: its message says what, and how. Never shown as traceback."""

    exit_code: ClassVar[int] = 2


class ConfigError(NnbenchError, ValueError):
    """A value that an arm, a scenario or a command cannot take."""


def install_line(extra: str) -> str:
    """How to get an extra: from a checkout, since the registry's nnbench is another project."""
    return f"pip install -e '.[{extra}]' in a checkout of nnbench"
