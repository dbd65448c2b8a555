"""The commands that measure: run, tune, train."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.cli.arguments import Progress, add_data_dir, add_paths, chosen, command
from nnbench.config import (
    DATA_SETS,
    MODELS,
    OPTIMIZERS,
    SAMPLINGS,
    SCHEDULES,
    TUNED,
    Arm,
    ConfigError,
    arm_from,
)  # fmt: skip

if TYPE_CHECKING:
    from nnbench.records import Record

_KNOWN = {
    "data": DATA_SETS,
    "model": MODELS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "sampling": SAMPLINGS,
}


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
    for item in fields(Arm):
        text = str(item.metadata["help"])
        if item.name in _KNOWN:
            text += f": {', '.join(_KNOWN[item.name])}"
        flag = f"--{item.name.replace('_', '-')}"
        if item.name.endswith("_args"):
            parser.add_argument(flag, nargs="+", default=[], metavar="KEY=VALUE", help=text)
        elif item.type == "bool":
            parser.add_argument(flag, action="store_true", help=text)
        else:
            parser.add_argument(flag, type=_value, default=item.default, metavar="VALUE", help=text)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, order and dropout")
    add_data_dir(parser)
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory pass (about 3 s)")
    parser.add_argument("--json", action="store_true", help="print the record as JSON, and nothing else")


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


def _train(arguments: argparse.Namespace) -> int:
    values = {item.name: getattr(arguments, item.name) for item in fields(Arm)}
    for name in values:
        if name.endswith("_args"):
            values[name] = _pairs(f"--{name.replace('_', '-')}", values[name])
    arm = arm_from(values)
    if arm.lr == TUNED:
        raise ConfigError(f"--lr: {TUNED!r} is for arms of a scenario; give a number")
    sys.path.insert(0, str(Path.cwd()))  # one's own package.module:factory lies there
    from nnbench.benchmarking import measure
    from nnbench.training import Training

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
