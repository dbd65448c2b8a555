"""The command that torchrun starts; started without torchrun, it starts torchrun itself."""

from __future__ import annotations

import argparse
import importlib
import math
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

import nnbench
from nnbench.arm_flags import Help, add_arm_flags, arm_of_flags
from nnbench.claims import PROFILES, Scenario, run_plan
from nnbench.config import Arm, ConfigError, NnbenchError
from nnbench.distributed import Place, place_of
from nnbench.efficiency import efficiencies, efficiency_rows
from nnbench.records import OK, Record, strict_dumps, strict_loads, write_atomic
from nnbench.scaling.series import TIMEOUT_S, Task, measure_series, task_from_json, turns
from nnbench.scaling.torchrun import capacity, launch
from nnbench.summary import busy, summarize
from nnbench.training import Training


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write and print on rank 0; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        place = place_of()
        if arguments.tasks is not None:
            return _serve(arguments, place)
        return _series(arguments, place)
    except NnbenchError as error:
        if (place_of() or Place(0, 1, 0, 1)).rank == 0:
            print(f"nnbench.scaling: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nnbench.scaling",
        description="Measure one arm with 1, 2, 4, … ranks in one launch: with the global batch held (strong "
        "scaling) and with the batch of each rank held (weak scaling).",
        epilog="example: torchrun --standalone --nproc-per-node=2 -m nnbench.scaling --json out.json",
        formatter_class=Help,
        allow_abbrev=False,  # --seed would be taken for --seeds
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the records there; nnbench table, "
                        "plot and report read it")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="trainings of each arm")
    parser.add_argument("--processes", type=int, metavar="N", help="ranks to start where torchrun has not "
                        "(default: as many as GPUs, or cores)")  # fmt: skip
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with data sets")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS",
                        help="a rank that is silent for so long counts as failed")  # fmt: skip
    parser.add_argument("--tasks", type=Path, help=argparse.SUPPRESS)  # of nnbench.scaling.torchrun
    add_arm_flags(parser, leave_out=("ranks", "name"), batch_size=256, epochs=1)
    return parser


def _serve(arguments: argparse.Namespace, place: Place | None) -> int:
    """Measure the tasks of a file: what `nnbench.scaling.torchrun` asks torchrun for."""
    if place is None:
        raise ConfigError("--tasks: is for ranks that torchrun has started")
    tasks = [task_from_json(values) for values in strict_loads(arguments.tasks.read_text(encoding="utf-8"))]

    def keep(record: Record) -> None:
        if place.rank == 0:
            with arguments.json.open("a", encoding="utf-8") as file:
                file.write(_line(record))

    importlib.import_module("torch._dynamo")  # DistributedDataParallel would, for 4 s of the first arm
    if place.rank == 0:
        arguments.json.touch()  # whoever waits for the records sees that the ranks have begun
    series = measure_series(
        tasks, place, data_folder=arguments.data_dir, timeout_s=arguments.timeout, keep=keep
    )
    if series.writes:
        write_atomic(arguments.json, "".join(map(_line, series.records)))
    return 1 if series.failed else 0


def _line(record: Record) -> str:
    return strict_dumps(record.to_json()) + "\n"


def ladder(size: int) -> list[int]:
    """1, 2, 4, … up to *size*, and *size* itself."""
    steps = [2**power for power in range(size.bit_length()) if 2**power < size]
    return [*steps, size]


def scenario_of(base: Arm, size: int) -> Scenario:
    """Strong and weak scaling of *base* up to *size* ranks.

    Raises:
        ConfigError: the batch cannot be shared equally.
    """
    if base.batch_size == "full":
        raise ConfigError("--batch-size: expected a number, since weak scaling multiplies it; got 'full'")
    batch, least = int(base.batch_size), math.lcm(*ladder(size))
    if batch % least:
        raise ConfigError(
            f"--batch-size: {batch} cannot be shared equally by each of {', '.join(map(str, ladder(size)))} "
            f"ranks; take a multiple of {least}"
        )
    arms = [base.replace(name="1 rank")]
    for ranks in ladder(size)[1:] if size > 1 else []:
        arms.append(base.replace(name=f"{ranks} ranks, strong", ranks=ranks))
        arms.append(base.replace(name=f"{ranks} ranks, weak", ranks=ranks, batch_size=batch * ranks))
    return Scenario(
        name="scaling",
        statement="With N processors, training is N times as fast.",
        question="How many samples a second do more ranks train, and how far is that from N times one's?",
        axis="epochs",
        arms=dict.fromkeys(PROFILES, tuple(arms)),
        plots=("scaling",),
        factor="ranks",
    )


def _series(arguments: argparse.Namespace, place: Place | None) -> int:
    base = arm_of_flags(arguments)
    if arguments.seeds < 1:
        raise ConfigError(f"--seeds: expected 1, 2, …, got {arguments.seeds}")
    sys.path.insert(0, str(Path.cwd()))  # one's own package.module:factory lies there
    size = (arguments.processes or capacity(base.device)) if place is None else place.size
    scenario = scenario_of(base, size)
    tasks = [
        Task(arm, scenario.name, tuple(range(arguments.seeds)))
        for arm in scenario.arms["quick"]
        if isinstance(arm, Arm)
    ]
    _check(tasks, arguments.data_dir)
    first = place is None or place.rank == 0
    file = _File(arguments.json if first else None, scenario, arguments.seeds, place)
    try:
        with tqdm(total=len(turns(tasks)), disable=None if first else True) as bar:

            def keep(record: Record) -> None:
                file.keep(record)
                bar.update()

            _measure(tasks, place, size, arguments, keep, file)
    finally:
        if first and file.records:
            _print(base, scenario, file.records, arguments.json)
    return 0 if all(record.status == OK for record in file.records) else 1


def _check(tasks: Sequence[Task], data_folder: Path | None) -> None:
    """Data, model and optimizer of the arm of one rank: a mistake is told before anything is started.

    Raises:
        NnbenchError: what is wrong.
    """
    Training(tasks[0].arm, 0, data_folder)


def _measure(
    tasks: Sequence[Task],
    place: Place | None,
    size: int,
    arguments: argparse.Namespace,
    keep: Callable[[Record], None],
    file: _File,
) -> None:
    common = {"data_folder": arguments.data_dir, "timeout_s": arguments.timeout, "keep": keep}
    if place is None:
        launch(tasks, size, **common)
        return
    series = measure_series(tasks, place, **common)
    if series.writes and place.rank > 0:  # rank 0 is lost, and with it what was not yet written
        file.take_over(arguments.json, series.records)


class _File:
    """What nnbench table, plot and report read: the plan, and the records so far, written after each.

    Made before the first arm, so that a folder that cannot be written to is told then.
    """

    def __init__(self, path: Path | None, scenario: Scenario, seeds: int, place: Place | None) -> None:
        self.records: list[Record] = []
        self._path = path
        torchrun = f"torchrun --standalone --nproc-per-node={place.size}" if place else "python"
        self._plan = run_plan(
            [scenario.plan(scenario.arms["quick"], "quick")],
            profile="quick",
            command=f"{torchrun} -m nnbench.scaling {shlex.join(sys.argv[1:])}",
            version=nnbench.__version__,
            seeds=seeds,
        )
        self._write()

    def keep(self, record: Record) -> None:
        """Have *record* too."""
        self.records.append(record)
        self._write()

    def take_over(self, path: Path | None, records: Sequence[Record]) -> None:
        """Have all *records*, in the place of a rank that is lost."""
        self._path, self.records = path, list(records)
        self._write()

    def _write(self) -> None:
        if self._path is not None:
            own = {**self._plan, "outcomes": {}, "records": [record.to_json() for record in self.records]}
            outer = {"benchmarks": [], "machine_info": {}, "commit_info": {}, "nnbench": own}
            write_atomic(self._path, strict_dumps(outer) + "\n")


def _print(base: Arm, scenario: Scenario, records: Sequence[Record], path: Path | None) -> None:
    place_in_plan = {arm.name: i for i, arm in enumerate(scenario.arms["quick"])}
    ordered = sorted(records, key=lambda record: (place_in_plan[str(record.arm["name"])], record.seed))
    print(f"{base.data}, {base.name}, {base.threads} thread{'s' if base.threads > 1 else ''} each")
    print(tabulate(summarize(ordered), headers="keys", disable_numparse=True))
    if rows := efficiency_rows(efficiencies(ordered)):
        print("\n" + tabulate(rows, headers="keys", disable_numparse=True))
    if note := busy(ordered):
        print(note)
    bad: dict[tuple[str, str | None], list[str]] = {}
    for record in ordered:
        if record.status != OK:
            bad.setdefault((record.status, record.reason), []).append(f"{record.arm['name']}/{record.seed}")
    for (status, reason), names in bad.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        print(f"{status}: {reason} ({names[0]}{more})", file=sys.stderr)
    if path is not None:
        print(f"wrote {path}; next: nnbench plot {path}", file=sys.stderr)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a broken process group has threads that would wait for the dead
