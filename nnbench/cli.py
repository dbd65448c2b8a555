"""The ``nnbench`` command.

Exit codes: 0 fine; 1 a failed arm; 2 wrong usage; 5 storage or environment; 130 and 143 on signals.
Heavy packages are imported by the command that needs them: ``--help`` and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import ast
import json
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import nnbench
from nnbench.config import (
    DATA_SETS, MODELS, OPTIMIZERS, SAMPLINGS, SCHEDULES, TUNED, Arm, ConfigError, NnbenchError, arm_from,
    closest,
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
PROFILES = ("smoke", "quick", "full")


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Examples as they stand, and defaults where there are some worth telling."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, "", {}) or "default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except NnbenchError as error:
        print(f"nnbench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("nnbench: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `nnbench list | head`
        sys.stderr.close()
        return 0


def _terminated(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnbench",
        description="Measure what a neural-network lecture claims, on this machine.",
        epilog="example: nnbench run bench --profile smoke -o results/local/first",
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="version", version=f"nnbench {nnbench.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_list, _add_run, _add_tune, _add_table, _add_plot, _add_report, _add_train, _add_doctor):
        add(commands)
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, example: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, epilog=f"example: {example}", formatter_class=_Help
    )
    parser.set_defaults(run=run)
    return parser


def _add_paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", type=Path, default=[Path("bench")], help="bench files or folders"
    )
    parser.add_argument("--profile", choices=PROFILES, default="quick", help="how much work")


def _add_list(commands: Any) -> None:
    parser = _command(
        commands, "list", _list, "list scenarios with their questions and arms", "nnbench list bench --json"
    )
    _add_paths(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def _list(arguments: argparse.Namespace) -> int:
    from nnbench.catalog import load_scenarios

    found = load_scenarios(arguments.paths)
    if arguments.json:
        plans = [scenario.plan(scenario.arms[arguments.profile]) for _, scenario in found]
        print(json.dumps(plans, indent=2, ensure_ascii=False, allow_nan=False))
        return 0
    for file, scenario in found:
        arms = scenario.arms[arguments.profile]
        print(f"{scenario.name}  ({file}, {len(arms)} arms, equal {scenario.axis})")
        print(f"  lecture:  {scenario.statement}\n  question: {scenario.question}")
        print(f"  arms:     {', '.join(arm.name for arm in arms)}\n")
    return 0


def _add_run(commands: Any) -> None:
    parser = _command(
        commands, "run", _run, "run bench files in a process of their own, into a run folder",
        "nnbench run bench --profile smoke -o results/local/first",
    )  # fmt: skip
    _add_paths(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, help="run folder; must hold no run yet")
    for name in ("seeds", "threads"):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{name} per arm")
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with data sets")
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


def _add_tune(commands: Any) -> None:
    parser = _command(
        commands, "tune", _tune,
        "choose learning rates on the tune split, one log grid for all arms, into rates.toml",
        "nnbench tune bench --scenario architectures",
    )  # fmt: skip
    _add_paths(parser)
    parser.add_argument("--scenario", action="append", metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--arm", action="append", metavar="NAME", help="only this arm; repeatable")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="trainings per rate")
    parser.add_argument("--json", action="store_true", help="print the rates as JSON")


def _tune(arguments: argparse.Namespace) -> int:
    from nnbench.catalog import load_scenarios, read_rates, write_rates
    from nnbench.tuning import GRID, tunable, tune_scenario

    if arguments.seeds < 1:
        raise ConfigError(f"--seeds: expected 1, 2, …, got {arguments.seeds}")
    found = load_scenarios(arguments.paths)
    wanted = _chosen("--scenario", arguments.scenario, [scenario.name for _, scenario in found])
    todo = [(file, scenario) for file, scenario in found if scenario.name in wanted]
    arms = [arm.name for _, scenario in todo for arm in tunable(scenario, arguments.profile)]
    chosen = _chosen("--arm", arguments.arm, arms)
    if not chosen:
        print("nothing to tune: no arm of these scenarios asks for lr='tuned'", file=sys.stderr)
        return 0
    with _progress(sum(name in chosen for name in arms) * len(GRID)) as progress:
        for file, scenario in todo:
            rates = tune_scenario(
                scenario, arguments.profile, read_rates(file.parent), seeds=arguments.seeds,
                only=chosen, progress=progress.step,
            )  # fmt: skip
            write_rates(rates)  # after each scenario: a long tuning that is stopped loses little
            _print_rates([r for key, r in rates.rates.items() if key[0] == scenario.name], arguments.json)
    return 0


def _chosen(flag: str, asked: list[str] | None, known: Sequence[str]) -> set[str]:
    for name in asked or []:
        if name not in known:
            hint = closest(name, known)
            raise ConfigError(f"{flag}: unknown name {name!r}; {hint}known: {', '.join(known)}")
    return set(asked or known)


def _print_rates(rates: Iterable[Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps([rate.__dict__ for rate in rates], indent=2, allow_nan=False))
        return
    for rate in rates:
        edge = "  on the edge of the grid: widen it" if rate.edge else ""
        print(f"{rate.scenario}  {rate.arm}  {rate.profile}  lr {rate.lr:g}{edge}")


class _progress:  # noqa: N801 - reads as a function, lives as a context
    """A bar on stderr where there is a terminal, nothing elsewhere."""

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, disable=None, file=sys.stderr)

    def __enter__(self) -> _progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def step(self, text: str) -> None:
        """One unit of work is done; *text* says which."""
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="run folder, or the file of --benchmark-json")


def _add_table(commands: Any) -> None:
    parser = _command(
        commands, "table", _table, "print a run's tables, or write all its records as one table",
        "nnbench table out.json --csv records.csv",
    )  # fmt: skip
    _add_source(parser)
    for kind in ("csv", "markdown", "parquet"):
        parser.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"write the records as {kind}")
    parser.add_argument("--json", action="store_true", help="print the records as JSON")


def _table(arguments: argparse.Namespace) -> int:
    from tabulate import tabulate

    from nnbench import results

    run = results.read_results(arguments.source)
    files = [path for path in (arguments.csv, arguments.markdown, arguments.parquet) if path is not None]
    for kind in ("csv", "markdown", "parquet"):
        if (path := getattr(arguments, kind)) is not None:
            results.write_table(results.load_run(arguments.source), path, kind)
            print(f"wrote {path}", file=sys.stderr)
    if arguments.json:
        print(json.dumps([r.to_json() for r in run.records], indent=2, ensure_ascii=False, allow_nan=False))
    elif not files:
        for scenario in run.plan["scenarios"]:
            print(f"{scenario['name']}: {scenario['question']}")
            frame = results.summary_table(run, scenario["name"])
            print(tabulate(frame, headers="keys", showindex=False, disable_numparse=True), end="\n\n")
    return 0


def _add_plot(commands: Any) -> None:
    parser = _command(
        commands, "plot", _plot, "draw a run's plots as PNG and SVG, each with its data as CSV",
        "nnbench plot out.json -o plots",
    )  # fmt: skip
    _add_source(parser)
    parser.add_argument("-o", "--out", type=Path, default=Path("plots"), help="folder of the plots")
    parser.add_argument("--scenario", action="append", metavar="NAME", help="only this one; repeatable")


def _plot(arguments: argparse.Namespace) -> int:
    from nnbench import plots, results

    run = results.read_results(arguments.source)
    plans = run.plan["scenarios"]
    chosen = _chosen("--scenario", arguments.scenario, [plan["name"] for plan in plans])
    todo = [(plan, name) for plan in plans if plan["name"] in chosen for name in plan["plots"]]
    with _progress(len(todo)) as progress:
        for plan, name in todo:
            stem = f"{plan['name']}-{name.replace('_', '-')}"
            written = plots.save(plots.draw(run, plan, name), arguments.out, stem)
            progress.step(stem)
            print("\n".join(map(str, written)))
    return 0


def _add_report(commands: Any) -> None:
    parser = _command(
        commands, "report", _report, "write an executed notebook and an HTML page of a run",
        "nnbench report out.json -o report",
    )  # fmt: skip
    _add_source(parser)
    parser.add_argument("-o", "--out", type=Path, default=Path("report"), help="folder of the report")
    parser.add_argument("--no-execute", action="store_true", help="write the notebook without running it")


def _report(arguments: argparse.Namespace) -> int:
    from nnbench.report import write_report

    for path in write_report(arguments.source, arguments.out, execute=not arguments.no_execute):
        print(path)
    return 0


def _add_train(commands: Any) -> None:
    parser = _command(
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
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with data sets")
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

    record = measure(
        arm, seed=arguments.seed, data_folder=arguments.data_dir, memory=not arguments.no_memory
    )
    if arguments.json:
        print(json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False))
    else:
        _print_record(record)
    if record.status != "OK":
        print(f"nnbench: {record.status}: {record.reason}", file=sys.stderr)
    return 0 if record.status == "OK" else 1


def _print_record(record: Record) -> None:
    from nnbench.metrics import metric
    from nnbench.summary import cell, heading

    print(f"{record.arm['name']}  seed {record.seed}  {record.status}")
    for name, value in record.metrics.items():
        text = record.missing.get(name, "") if value is None else cell(metric(name), [value])
        print(f"  {heading(metric(name)):32s} {text}")


def _add_doctor(commands: Any) -> None:
    parser = _command(
        commands, "doctor", _doctor, "say what this machine can measure, and what is missing",
        "nnbench doctor --json",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")


def _doctor(arguments: argparse.Namespace) -> int:
    from nnbench.doctor import facts

    found = facts()
    if arguments.json:
        print(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
        return 0
    for name, value in found.items():
        print(f"{name:18s} {value}")
    return 0
