"""The commands that look for a learning rate: tune, lr-find."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.arm_flags import add_arm_flags, arm_of_flags
from nnbench.cli.arguments import Progress, add_data_dir, add_paths, chosen, command
from nnbench.config import ConfigError

if TYPE_CHECKING:
    from nnbench.training.rising_rate import RangeTest

# Of an arm: what a range test sets itself.
_ITS_OWN = (
    "name", "lr", "schedule", "schedule_args", "epochs", "max_steps", "target_accuracy", "ranks", "framework",
)  # fmt: skip


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


def add_lr_find(commands: Any) -> None:
    """`nnbench lr-find`: its flags are the fields of `Arm` but those of the rate and the length."""
    parser = command(
        commands, "lr-find", _lr_find,
        "raise the learning rate until the loss blows up, and tell which one to start with",
        "nnbench lr-find --model mlp --optimizer momentum --batch-size 32",
    )  # fmt: skip
    parser.add_argument("--low", type=float, default=1e-4, metavar="RATE", help="of the first step")
    parser.add_argument("--high", type=float, default=10.0, metavar="RATE", help="of the last step")
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="steps from the one to the other")
    parser.add_argument("--smoothing", type=float, default=0.9, metavar="SHARE",
                        help="weight of the past in the running mean of the losses")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="tests, each from other weights")
    add_arm_flags(parser, leave_out=_ITS_OWN)
    add_data_dir(parser)
    parser.add_argument("--json", action="store_true", help="print rates and losses as JSON")


def _lr_find(arguments: argparse.Namespace) -> int:
    arm = arm_of_flags(arguments)
    sys.path.insert(0, str(Path.cwd()))  # one's own package.module:factory lies there
    from nnbench.benchmarking.measurement import arm_json
    from nnbench.training.rising_rate import range_test

    if arguments.seeds < 1:
        raise ConfigError(f"--seeds: expected 1, 2, …, got {arguments.seeds}")
    how = {name: getattr(arguments, name) for name in ("low", "high", "steps", "smoothing")}
    tests = []
    with Progress(arguments.seeds) as progress:
        for seed in range(arguments.seeds):
            tests.append(range_test(arm, seed, arguments.data_dir, **how))
            progress.step(f"seed {seed}")
    picks = _picks(tests)
    if arguments.json:
        found = {"arm": arm_json(arm), "picks": picks, "tests": [asdict(test) for test in tests]}
        print(json.dumps(found, ensure_ascii=False, allow_nan=False))
        return 0
    seeds = "1 seed" if arguments.seeds == 1 else f"{arguments.seeds} seeds"
    print(f"{arm.name}: {arguments.steps} steps from {arguments.low:g} to {arguments.high:g}, {seeds}; "
          "median, least to greatest")  # fmt: skip
    for rule, rates in picks.items():
        spread = f"{min(rates):.3g} to {max(rates):.3g}" if rates else ""
        median = f"{statistics.median(rates):.3g}" if rates else "never"
        print(f"  {rule:42s} {median:>9s}   {spread}".rstrip())
    if len(picks[_BLOW_UP]) < len(tests):
        print(f"the loss did not always blow up: '--high {10 * arguments.high:g}' would look further")
    return 0


_BLOW_UP = "the loss blew up"


def _picks(tests: Sequence[RangeTest]) -> dict[str, list[float]]:
    """Rule -> the rate that it picks in each test."""
    return {
        "steepest before the least: start with this": [test.start for test in tests],
        "steepest anywhere, torch-lr-finder's": [test.steepest for test in tests],
        "a tenth of the least loss's, cautious": [test.tenth for test in tests],
        "least loss, too large for long": [test.least for test in tests],
        _BLOW_UP: [test.blow_up for test in tests if test.blow_up is not None],
    }
