"""The commands that measure: run, tune, train."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.arm_flags import add_arm_flags, arm_of_flags
from nnbench.cli.arguments import Progress, add_data_dir, add_paths, chosen, command
from nnbench.config import ConfigError

if TYPE_CHECKING:
    from nnbench.records import Record


def add_run(commands: Any) -> None:
    """`nnbench run`."""
    parser = command(
        commands, "run", _run, "run bench files in a process of their own, into a run folder",
        "nnbench run bench --profile smoke -o results/local/first",
    )  # fmt: skip
    add_paths(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, help="run folder; must hold no run yet")
    for name in ("seeds", "threads"):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{name} per arm")
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N")
    add_data_dir(parser)
    parser.add_argument("-k", metavar="WORDS", help="only the arms whose test id matches, as in pytest -k")


def _run(arguments: argparse.Namespace) -> int:
    from nnbench.catalog import load_scenarios
    from nnbench.runner import run_block

    load_scenarios(arguments.paths)  # a mistake in a bench file is told before a process starts
    options = [f"--nnbench-profile={arguments.profile}"]
    for name in ("seeds", "threads", "device", "data_dir"):
        value = getattr(arguments, name)
        options += [] if value is None else [f"--nnbench-{name.replace('_', '-')}={value}"]
    options += ["-k", arguments.k] if arguments.k else []
    code = run_block(arguments.paths, arguments.out, options)
    if code == 0:
        print(f"next: nnbench report {arguments.out} -o {arguments.out / 'report'}")
    return {0: 0, 1: 1, 2: 130, 4: 2, 5: 2}.get(code, 5)


def add_tune(commands: Any) -> None:
    """`nnbench tune`."""
    parser = command(
        commands, "tune", _tune,
        "choose learning rates on the tune split, one log grid for all arms, into rates.toml",
        "nnbench tune bench --scenario architectures",
    )  # fmt: skip
    add_paths(parser)
    parser.add_argument("--scenario", action="append", metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--arm", action="append", metavar="NAME", help="only this arm; repeatable")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="trainings per rate")
    add_data_dir(parser)
    parser.add_argument("--json", action="store_true", help="print the rates as JSON")


def _tune(arguments: argparse.Namespace) -> int:
    from nnbench.catalog import load_scenarios, read_rates, write_rates
    from nnbench.tuning import GRID, tunable, tune_scenario

    if arguments.seeds < 1:
        raise ConfigError(f"--seeds: expected 1, 2, …, got {arguments.seeds}")
    found = load_scenarios(arguments.paths)
    wanted = chosen("--scenario", arguments.scenario, [scenario.name for _, scenario in found])
    todo = [(file, scenario) for file, scenario in found if scenario.name in wanted]
    arms = [arm.name for _, scenario in todo for arm in tunable(scenario, arguments.profile)]
    names = chosen("--arm", arguments.arm, arms)
    if not names:
        print("nothing to tune: no arm of these scenarios asks for lr='tuned'", file=sys.stderr)
        return 0
    with Progress(sum(name in names for name in arms) * len(GRID)) as progress:
        for file, scenario in todo:
            rates = tune_scenario(
                scenario, arguments.profile, read_rates(file.parent), seeds=arguments.seeds,
                only=names, data_folder=arguments.data_dir, progress=progress.step,
            )  # fmt: skip
            write_rates(rates)  # after each scenario: a long tuning that is stopped loses little
            _print_rates([r for key, r in rates.rates.items() if key[0] == scenario.name], arguments.json)
    return 0


def _print_rates(rates: Iterable[Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps([rate.__dict__ for rate in rates], indent=2, allow_nan=False))
        return
    for rate in rates:
        edge = "  on the edge of the grid: widen it" if rate.edge else ""
        print(f"{rate.scenario}  {rate.arm}  {rate.profile}  lr {rate.lr:g}{edge}")


def add_train(commands: Any) -> None:
    """`nnbench train`: its flags are the fields of `Arm`."""
    parser = command(
        commands, "train", _train, "measure one training and print its record",
        "nnbench train --model mlp --batch-size 64 --lr 0.1 --epochs 3 --json",
    )  # fmt: skip
    add_arm_flags(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, order and dropout")
    add_data_dir(parser)
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory pass (about 3 s)")
    parser.add_argument("--json", action="store_true", help="print the record as JSON, and nothing else")


def _train(arguments: argparse.Namespace) -> int:
    arm = arm_of_flags(arguments)
    sys.path.insert(0, str(Path.cwd()))  # one's own package.module:factory lies there
    from nnbench.benchmarking import measure
    from nnbench.training import Training

    if arm.ranks > 1:
        raise ConfigError(
            f"--ranks: several processes are for 'torchrun --standalone --nproc-per-node={arm.ranks} "
            "-m nnbench.scaling', which takes the other flags too"
        )
    Training(arm, arguments.seed, arguments.data_dir)  # a mistake is wrong usage, no failed measurement
    record = measure(arm, seed=arguments.seed, data_folder=arguments.data_dir, memory=not arguments.no_memory)
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
