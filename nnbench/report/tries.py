"""Cells to try for oneself: one arm of a scenario as code, with one number to change."""

from __future__ import annotations

import pprint
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nnbench.config import Arm, Probe

_Config = Mapping[str, Any]
_FETCHED = ("mnist", "fashion-mnist", "mednist", "mednist-clean", "mednist-28")
_TOLD = 6  # values of the other arms, at most
_WIDTH = 92
# What arms may differ in, and is not for a student to change alone: other arguments belong to another model.
_NOT_TO_CHANGE = ("name", "id", "kind", "function", "seeded", "model", "args.arm.model")


class _Variable:
    """Prints as a name, where a value would stand."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def try_code(plan: Mapping[str, Any]) -> str:
    """Code that measures an arm of the scenario *plan*; empty where all need data that must be fetched.

    What the scenario's arms differ in, a number before a word, is a variable of its own, to be changed.
    """
    arms = [arm for arm in plan["arms"] if not _is_fetched(arm) and int(arm.get("ranks", 1)) == 1]
    if not arms:
        return ""
    key = _differing(arms, str(plan.get("factor", "")))
    arm = next((each for each in arms if key in dict(_scalars(each))), arms[0])
    lines = ["from nnbench import Arm, Probe, measure", ""]
    if key:
        values = list(dict.fromkeys(dict(_scalars(each)).get(key) for each in arms))
        others = ", ".join(repr(value) for value in values[:_TOLD] if value is not None)
        name = key.rpartition(".")[2]
        lines += [f"# Change it, and run this cell again. The scenario has {others}.",
                  f"{name} = {dict(_scalars(arm))[key]!r}", ""]  # fmt: skip
        arm = _put(arm, key.split("."), _Variable(name))
    return "\n".join([*lines, f"mine = {_made(arm)}", "table(figures(measure(mine, seed=0, memory=False)))"])


def _is_fetched(arm: _Config) -> bool:
    """Whether some field of *arm* names a data set that does not come with nnbench."""
    return any(value in _FETCHED or str(value).endswith(":mnist") for _, value in _scalars(arm))


def _scalars(config: _Config, before: str = "") -> Iterator[tuple[str, Any]]:
    """('model_args.depth', 3): all numbers and words of *config*, by dotted names."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{before}{key}.")
        elif isinstance(value, (int, float, str)):
            yield f"{before}{key}", value


def _differing(arms: Sequence[_Config], factor: str) -> str:
    """The name of what the *arms* differ in: the scenario's *factor*, a number, a word; else empty.

    Rates come last: they differ where something else does, to which they were tuned.
    """
    found: dict[str, list[Any]] = {}
    for arm in arms:
        for key, value in _scalars(arm):
            if key not in _NOT_TO_CHANGE and key.rpartition(".")[2].isidentifier():
                found.setdefault(key, []).append(value)
    several = [key for key, values in found.items() if len(set(map(repr, values))) > 1]
    numbers = [key for key in several if not any(isinstance(value, (str, bool)) for value in found[key])]
    rates = [key for key in numbers if key.rpartition(".")[2] == "lr"]
    first = [key for key in several if key == factor]
    chosen = [*first, *(key for key in numbers if key not in rates), *several]
    return next((key for key in chosen if key not in rates), next(iter(rates), ""))


def _put(config: _Config, path: Sequence[str], value: Any) -> dict[str, Any]:
    head, *rest = path
    return {**config, head: _put(config[head], rest, value) if rest else value}


def _made(arm: _Config) -> str:
    """The arm as the call that makes it; of a training what differs from the defaults."""
    if arm.get("kind") == Probe.kind:
        own = {"name": "mine", "function": arm["function"], "args": arm.get("args", {})}
        return _call("Probe", {**own, **({"seeded": True} if arm.get("seeded") else {})})
    usual = Arm().config()
    own = {
        key: value
        for key, value in arm.items()
        if key not in ("name", "id", "kind") and value != usual.get(key)
    }
    return _call("Arm", own)


def _call(name: str, arguments: Mapping[str, Any]) -> str:
    lines = []
    for key, value in arguments.items():
        text = pprint.pformat(value, width=_WIDTH - len(key) - 6, sort_dicts=False)
        lines.append(f"    {key}={text}".replace("\n", "\n" + " " * (len(key) + 5)) + ",")
    return "\n".join([f"{name}(", *lines, ")"])
