"""One block, or one side of it, in a fresh process: trainings that a JSON file asks for, a record line each.

Each line is synced before the next training begins: a process that dies has lost the training in flight.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.config import NnbenchError, arm_from

if TYPE_CHECKING:
    from nnbench.records import Record


def work(request: dict[str, Any]) -> None:
    """Measure what *request* asks for.

    Raises:
        NnbenchError: an arm that cannot be trained as it is, or code that is not the revision's own.
    """
    from nnbench.benchmarking import Measurement
    from nnbench.frameworks import training_of
    from nnbench.meters.memory import MemoryServer

    sides = [(each["side"], arm_from(each["arm"])) for each in request["arms"]]
    data_folder = Path(request["data_folder"]) if request["data_folder"] else None
    if request["check"]:
        for _, arm in sides:
            training_of(arm, request["seed"], data_folder)  # a mistake is wrong usage, no failed measurement
    with ExitStack() as stack:
        memory = stack.enter_context(MemoryServer()) if request["memory"] else None
        for side, arm in sides:
            of = Measurement(
                arm, scenario="ab", block=request["block"], data_folder=data_folder, memory=memory
            )  # fmt: skip
            _append(Path(request["out"]), side, of.record(request["seed"]))
    if request["project"]:
        _refuse_strays(Path(request["project"]), Path.cwd())


def _append(path: Path, side: str, record: Record) -> None:
    line = json.dumps({"side": side, "record": record.to_json()}, allow_nan=False) + "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _refuse_strays(project: Path, tree: Path) -> None:
    """A module that the revision lacks, and that came from the working tree instead, is nobody's."""
    ours = Path(__file__).resolve().parents[1]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file:
            continue
        path = Path(file).resolve()
        own = path.is_relative_to(project.resolve()) and not path.is_relative_to(ours)
        if own and "site-packages" not in path.parts and not path.is_relative_to(tree):
            raise NnbenchError(
                f"module {name!r} was imported from the working tree, not from the revision; it is installed "
                "in a way that goes before PYTHONPATH, or the revision lacks it"
            )


def main(arguments: list[str]) -> int:
    """Measure what the file named in *arguments* asks for; 2 and a line on stderr for a mistake."""
    try:
        work(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    except NnbenchError as error:
        sys.stderr.write(f"nnbench: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
