"""Command-line flags that are the fields of `Arm`."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from nnbench.config import (
    DATA_SETS,
    EXECUTIONS,
    FRAMEWORKS,
    LOADERS,
    MEMORY_FORMATS,
    MODELS,
    OPTIMIZERS,
    PRECISIONS,
    SAMPLINGS,
    SCHEDULES,
    TUNED,
    Arm,
    ConfigError,
    arm_from,
)  # fmt: skip

_KNOWN: Mapping[str, Any] = {
    "data": DATA_SETS,
    "model": MODELS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "sampling": SAMPLINGS,
    "loader": LOADERS,
    "execution": EXECUTIONS,
    "memory_format": MEMORY_FORMATS,
    "precision": PRECISIONS,
    "framework": FRAMEWORKS,
}


AUTO = "auto"


def threads_or_auto(text: str) -> int | str:
    """A number of threads, or 'auto': what `--threads` of a run takes."""
    if text != AUTO and not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"expected 1, 2, … or {AUTO}, got {text!r}")
    return text if text == AUTO else int(text)


class Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Examples as they stand, and defaults where there are some worth telling."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, "", {}, []) or "default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def add_arm_flags(parser: argparse.ArgumentParser, *, leave_out: Sequence[str] = (), **defaults: Any) -> None:
    """A flag for each field of `Arm` but *leave_out*; *defaults* take the place of the fields' own."""
    for item in (item for item in fields(Arm) if item.name not in leave_out):
        text = str(item.metadata["help"])
        if item.name in _KNOWN:
            text += f": {', '.join(_KNOWN[item.name])}"
        flag = f"--{item.name.replace('_', '-')}"
        if item.name.endswith("_args"):
            parser.add_argument(flag, nargs="+", default=[], metavar="KEY=VALUE", help=text)
        elif item.type == "bool":
            parser.add_argument(flag, action="store_true", help=text)
        else:
            default = defaults.get(item.name, item.default)
            parser.add_argument(flag, type=_value, default=default, metavar="VALUE", help=text)


def arm_of_flags(arguments: argparse.Namespace) -> Arm:
    """The arm that the flags describe.

    Raises:
        ConfigError: a bad value, or a rate that is still to be tuned.
    """
    values = {item.name: getattr(arguments, item.name) for item in fields(Arm) if item.name in arguments}
    for name in values:
        if name.endswith("_args"):
            values[name] = _pairs(f"--{name.replace('_', '-')}", values[name])
    arm = arm_from(values)
    if arm.lr == TUNED:
        raise ConfigError(f"--lr: {TUNED!r} is for arms of a scenario; give a number")
    return arm


def _value(text: str) -> Any:
    """A number where the text is one, else the text."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            pass
    return text


def _pairs(flag: str, texts: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE texts; a value is a Python literal where it reads as one, else text."""
    pairs: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"{flag}: expected KEY=VALUE, got {text!r}; for example hidden=(512,512)")
        try:
            pairs[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            pairs[key] = value
    return pairs
