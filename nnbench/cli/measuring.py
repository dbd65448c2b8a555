"""The commands that measure: run, train."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.arm_flags import add_arm_flags, arm_of_flags, threads_or_auto
from nnbench.cli.arguments import Progress, add_data_dir, add_paths, command
from nnbench.config import ConfigError

if TYPE_CHECKING:
    from nnbench.catalog import Budget
    from nnbench.records import Record
    from nnbench.runner import Request


def add_run(commands: Any) -> None:
    """`nnbench run`."""
    parser = command(
        commands, "run", _run, "run bench files in blocks, fresh processes that run every arm once",
        "nnbench run bench --blocks 6 -o results/local/first",
    )  # fmt: skip
    add_paths(parser)
    parser.add_argument("-o", "--out", type=Path, help="run folder; must hold no run yet")
    parser.add_argument("--blocks", type=int, default=1, metavar="N",
                        help="blocks of the scenarios about time: a verdict needs 6")  # fmt: skip
    parser.add_argument("--resume", type=Path, metavar="RUN", help="run what is missing in that folder; it "
                        "knows what it was asked for")  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace the run that -o holds")
    parser.add_argument("--max-minutes", type=float, metavar="M", help="begin no block that would end later")
    parser.add_argument("--arm-timeout", type=float, default=3600.0, metavar="SECONDS",
                        help="end an arm that takes longer; its record says TIMEOUT")  # fmt: skip
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds per arm")
    parser.add_argument("--threads", type=threads_or_auto, metavar="N",
                        help="intra-op threads, or 'auto': each arm's fastest, tried once")  # fmt: skip
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--vectorise", choices=("auto", "on", "off"),
                        help="train the seeds of an arm as one model where no claim needs their times: "
                        "where it pays (auto, default), wherever it is exact, or nowhere")  # fmt: skip
    parser.add_argument(
        "--forecast", action="store_true",
        help="measure nothing: tell how long it would take, from a trial of each arm",
    )  # fmt: skip
    add_data_dir(parser)
    parser.add_argument("-k", metavar="WORDS", help="only the arms whose test id matches, as in pytest -k")


def _run(arguments: argparse.Namespace) -> int:
    from nnbench.runner import Run, RunLock, read_request

    if arguments.forecast:
        return _foretell(arguments)
    if (arguments.out is None) == (arguments.resume is None):
        raise ConfigError("-o: name the folder of a new run, or an old one's with --resume; not both")
    folder = arguments.out or arguments.resume
    if arguments.max_minutes is not None and not arguments.max_minutes > 0:
        raise ConfigError(f"--max-minutes: expected a number above 0, got {arguments.max_minutes}")
    request = read_request(folder) if arguments.resume else _request(arguments)
    budget = None if arguments.resume else _budget(arguments)
    if budget is not None:
        print(f"{arguments.profile}: at most {budget.minutes:g} minutes on two cores", flush=True)
    with RunLock(folder):
        if arguments.resume is None:
            _make_room(folder, overwrite=arguments.overwrite)
            request.write(folder)
        with Progress() as bar:
            run = Run(request, folder, command=f"nnbench {shlex.join(sys.argv[1:])}",
                      tell=lambda progress: _tell(bar, progress, request.blocks))  # fmt: skip
            try:
                outcome = run.run(arguments.max_minutes)
            except (KeyboardInterrupt, SystemExit):
                print(f"nnbench: what is done is kept; go on with: nnbench run --resume {folder}",
                      file=sys.stderr)  # fmt: skip
                raise
    for name in outcome.put_aside:
        print(f"nnbench: {name} was damaged: put aside as .rejected, and its arm run again", file=sys.stderr)
    return _conclude(folder, outcome.stopped, budget)


def _budget(arguments: argparse.Namespace) -> Budget | None:
    """Of a folder as a whole, with no more blocks than the budget is for."""
    from nnbench.catalog import read_budget

    if len(arguments.paths) != 1 or not arguments.paths[0].is_dir() or arguments.k:
        return None
    found = read_budget(arguments.paths[0], arguments.profile)
    return found if found is not None and arguments.blocks <= found.blocks else None


def _foretell(arguments: argparse.Namespace) -> int:
    """Print how long the run would take, by scenario."""
    from nnbench.runner import forecast

    found = forecast(_request(arguments))
    for name, seconds in found.scenarios.items():
        print(f"  {name:24s} {_duration(seconds):>10s}")
    blocks = f"{found.blocks} block{'s' if found.blocks > 1 else ''}"
    print(f"  {'process starts':24s} {_duration(found.starts_s):>10s}")
    print(f"{blocks}, about {_duration(found.total_s)}")
    for reason in dict.fromkeys(found.unknown.values()):
        arms = [arm for arm, why in found.unknown.items() if why == reason]
        print(f"not counted: {'; '.join(arms)}: {reason}")
    return 0


def _duration(seconds: float) -> str:
    """'48 s', '4 min 10 s', '3 h 20 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _request(arguments: argparse.Namespace) -> Request:
    from nnbench.catalog import load_scenarios
    from nnbench.runner import Request

    load_scenarios(arguments.paths)  # a mistake in a bench file is told before a process starts
    options = [f"--nnbench-profile={arguments.profile}"]
    for name in ("seeds", "threads", "device", "vectorise", "data_dir"):
        value = getattr(arguments, name)
        options += [] if value is None else [f"--nnbench-{name.replace('_', '-')}={value}"]
    options += ["-k", arguments.k] if arguments.k else []
    return Request(paths=tuple(map(str, arguments.paths)), blocks=arguments.blocks, options=tuple(options),
                   arm_timeout_s=arguments.arm_timeout)  # fmt: skip


def _make_room(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds a run, or take away what the run has left there, and nothing else."""
    from nnbench.records import StorageError
    from nnbench.runner import clear

    if (folder / "run.json").exists() or (folder / "records").exists():
        if not overwrite:
            raise ConfigError(
                f"{folder} holds a run already; name another, go on with --resume, or --overwrite it"
            )
        try:
            clear(folder)
        except OSError as error:
            raise StorageError(f"cannot clear {folder}: {error.strerror}; name another folder") from error


def _tell(bar: Progress, progress: Any, blocks: int) -> None:
    bar.reach(progress.done, progress.total)
    left = "" if progress.left_s is None else f", {_minutes(progress.left_s)} left"
    bar.say(f"block {progress.block + 1} of {blocks}{left}: {progress.doing}")


def _minutes(seconds: float) -> str:
    return f"about {max(1, round(seconds / 60))} min" if seconds > 90 else f"about {seconds:.0f} s"


def _conclude(folder: Path, stopped: str, budget: Budget | None = None) -> int:
    """Print tables, verdicts and where the time went; the exit code is 1 where an arm failed."""
    from nnbench.findings import counts
    from nnbench.records import Journal
    from nnbench.results import read_results
    from nnbench.runner import account
    from nnbench.terminal import run_lines

    run = read_results(folder)
    count = counts(run.plan, run.records)
    print("\n".join(run_lines(run.plan, run.records)).strip())
    parts = [
        f"{count[key]} {key}" for key in ("OK", "expected", "failed", "SKIPPED", "missing") if count[key]
    ]
    print(f"\n{count['planned']} planned = {' + '.join(parts)}")
    spent = account(Journal(folder).entries(), run.records)
    print("\n".join(spent.lines()))
    if budget is not None:
        kept = "kept" if spent.wall_s <= 60 * budget.minutes else "not kept"
        print(f"  the budget of {budget.minutes:g} minutes is {kept}: {_duration(spent.wall_s)}")
    if stopped:
        print(f"{stopped}; go on with: nnbench run --resume {folder}")
    print(f"next: nnbench report {folder} -o {folder / 'report'}")
    return 1 if count["failed"] else 0


def add_train(commands: Any) -> None:
    """`nnbench train`: its flags are the fields of `Arm`."""
    parser = command(
        commands, "train", _train, "measure one training and print its record",
        "nnbench train --model mlp --batch-size 64 --lr 0.1 --epochs 3 --json",
    )  # fmt: skip
    add_arm_flags(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, order and dropout")
    add_data_dir(parser)
    parser.add_argument("--no-memory", action="store_true",
                        help="leave out the memory pass and the count of FLOPs (about 5 s)")  # fmt: skip
    parser.add_argument("--phases", action="store_true",
                        help="tell where a step spends its time: load, forward, backward, …")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the record as JSON, and nothing else")


def _train(arguments: argparse.Namespace) -> int:
    arm = arm_of_flags(arguments)
    sys.path.insert(0, str(Path.cwd()))  # one's own package.module:factory lies there
    from nnbench.benchmarking import measure
    from nnbench.frameworks import training_of

    if arm.ranks > 1:
        raise ConfigError(
            f"--ranks: several processes are for 'torchrun --standalone --nproc-per-node={arm.ranks} "
            "-m nnbench.scaling', which takes the other flags too"
        )
    training_of(arm, arguments.seed, arguments.data_dir)  # a mistake is wrong usage, no failed measurement
    record = measure(
        arm, seed=arguments.seed, data_folder=arguments.data_dir, memory=not arguments.no_memory,
        phases=arguments.phases,
    )  # fmt: skip
    if arguments.json:
        print(json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False))
    else:
        _print_record(record)
    if record.status != "OK":
        print(f"nnbench: {record.status}: {record.reason}", file=sys.stderr)
    return 0 if record.status == "OK" else 1


def _print_record(record: Record) -> None:
    from nnbench.metrics import heading, metric
    from nnbench.summary import cell

    print(f"{record.arm['name']}  seed {record.seed}  {record.status}")
    for name, value in record.metrics.items():
        text = record.missing.get(name, "") if value is None else cell(metric(name), [value])
        print(f"  {heading(metric(name)):32s} {text}")
