"""One training, with two settings, of two revisions or under two interpreters."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from nnbench.ab.child import run_child
from nnbench.ab.failures import failed, how_it_ended, last_lines
from nnbench.ab.sides import Side
from nnbench.ab.store import SCENARIO, labelled
from nnbench.config import Arm, ConfigError, closest, plain
from nnbench.records import OK, Record, record_from_json, strict_dumps, strict_loads, write_atomic

Keep = Callable[[str, Record], object]
# A label says nothing, and ranks are torchrun's.
_LEFT_OUT = ("name", "ranks")


def arm_of_side(arm: Arm, side: Side) -> Arm:
    """*arm* with the side's changes: fields of `Arm`, or ``model_args.hidden`` for one key of a mapping.

    Raises:
        ConfigError: no such field, or a bad value; the message names the flag.
    """
    known = [item.name for item in fields(Arm) if item.name not in _LEFT_OUT]
    changes: dict[str, Any] = {}
    for key, text in side.changes.items():
        name, _, inner = key.partition(".")
        if name not in known or (inner and not name.endswith("_args")):
            hint = closest(name, known)
            raise ConfigError(
                f"--{side.label.lower()}: unknown key {key!r}; {hint}an arm has: {', '.join(known)}"
            )
        value = _literal(text)
        changes[name] = {**changes.get(name, plain(getattr(arm, name))), inner: value} if inner else value
    try:
        return arm.replace(**changes)
    except ConfigError as error:
        raise ConfigError(f"--{side.label.lower()}: {error}") from None


def _literal(text: str) -> Any:
    """A Python literal where *text* reads as one, else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


class Trainings:
    """Both sides of a training, block by block; the seed is the block's number.

    Args:
        arms: of A and of B.
        folder: for requests and answers; ours alone.
        memory: measure the peak memory too, once, in the first block.
        keep: called with the label of a side and each of its records.
    """

    def __init__(
        self,
        sides: tuple[Side, Side],
        arms: tuple[Arm, Arm],
        *,
        folder: Path,
        keep: Keep,
        data_folder: Path | None = None,
        memory: bool = False,
    ) -> None:
        self._sides = {side.label: side for side in sides}
        self.arms = dict(zip(self._sides, arms, strict=True))
        self._folder, self._keep, self._data_folder, self._memory = folder, keep, data_folder, memory
        a, b = sides
        self.together = (a.python, a.revision) == (b.python, b.revision) and not a.revision
        # Two data sets, threads or devices that the arms themselves ask for are no accident.
        self.asked = (
            {"data"} if len({(arm.data, arm.train_on, arm.train_samples) for arm in arms}) > 1 else set()
        )
        if a.python != b.python:
            self.asked |= {"python", "torch", "cuda"}

    def scenarios(self) -> dict[str, list[dict[str, Any]]]:
        """The two arms, as run.json has them."""
        arms = self.arms.items()
        return {SCENARIO: [labelled(label, {"name": a.name, "id": a.id, **a.config()}) for label, a in arms]}

    def warm_up(self) -> None:
        """Nothing: each process warms up by itself."""

    def block(self, number: int, order: Sequence[str]) -> None:
        """Train both sides in *order*.

        Raises:
            SideFailed: a training failed, or its process did.
            ConfigError: an arm that cannot be trained as it is.
        """
        for labels in [list(order)] if self.together else [[label] for label in order]:
            self._process(number, labels, order)

    def _process(self, number: int, labels: list[str], order: Sequence[str]) -> None:
        side, stem = self._sides[labels[0]], f"block-{number:03d}-{''.join(labels)}"
        request, answer, log = (self._folder / f"{stem}.{kind}" for kind in ("json", "jsonl", "log"))
        write_atomic(request, strict_dumps(self._request(number, labels, answer, side)))
        command = [side.python, "-P", "-m", "nnbench.ab.worker", str(request)]
        ended = run_child(command, log, folder=side.folder, environment=side.environment())
        records = read_answer(answer)
        for label, record in records:
            self._kept(label, record, number, order, log)
        if ended.code == 2 and len(records) in (0, len(labels)):
            text = next((line for line in last_lines(log) if line.startswith("nnbench: ")), "")
            raise ConfigError(text.removeprefix("nnbench: ") or f"side {side.label}: wrong usage")
        if ended.code != 0 or len(records) < len(labels):
            label = labels[len(records)] if len(records) < len(labels) else labels[-1]
            raise failed("the training", label, number, how_it_ended(ended.code), log)

    def _request(self, number: int, labels: Sequence[str], answer: Path, side: Side) -> dict[str, Any]:
        arms = [(label, self.arms[label]) for label in labels]
        return {
            "arms": [{"side": label, "arm": _fields(arm)} for label, arm in arms],
            "seed": number, "block": number, "check": number == 0, "memory": self._memory and number == 0,
            "data_folder": None if self._data_folder is None else str(self._data_folder.absolute()),
            "project": None if side.project is None else str(side.project), "out": str(answer),
        }  # fmt: skip

    def _kept(self, label: str, record: Record, number: int, order: Sequence[str], log: Path) -> None:
        self._keep(label, record)
        if record.status == "SKIPPED":
            raise ConfigError(f"side {label}: {record.reason}")
        if record.status not in (OK, "DIVERGED"):
            raise failed("the training", label, number, f"{record.status}: {record.reason}", log)


def _fields(arm: Arm) -> dict[str, Any]:
    """What `arm_from` makes the same arm of."""
    return {item.name: plain(getattr(arm, item.name)) for item in fields(Arm)}


def read_answer(path: Path) -> list[tuple[str, Record]]:
    """Label and record of each whole line; a process that died while it wrote has left a torn one."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    found = [strict_loads(line) for line in lines if line.endswith("\n")]
    return [(str(each["side"]), record_from_json(each["record"])) for each in found]
