"""The command that compares two sides in the same blocks: ab."""

from __future__ import annotations

import argparse
import json
import random
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.arm_flags import add_arm_flags, arm_of_flags
from nnbench.cli.arguments import PROFILES, Progress, add_data_dir, command
from nnbench.cli.self_testing import HELP, add_campaigns, self_test
from nnbench.config import Arm, ConfigError

if TYPE_CHECKING:
    from nnbench import ab
    from nnbench.records import Record

_LEFT_OUT = ("name", "ranks")
_ARM_FIELDS = [item.name for item in fields(Arm) if item.name not in _LEFT_OUT]
_EXAMPLE = """nnbench ab --a batch_size=64 --b batch_size=128 --epochs 1
         nnbench ab --a-rev main --model my_package:make --epochs 1
         nnbench ab bench/test_batching.py --a threads=1 --b threads=2 --profile smoke
         nnbench ab --a n=100 --b n=110 -- python -c 'sum(range({n} * 10**4))'"""


def add_ab(commands: Any) -> None:
    """`nnbench ab`: of a training, whose flags are the fields of `Arm`; of bench files; of a command."""
    text = (
        "is B faster than A, and does it learn as well? Both run in the same blocks, in random order; exit "
        "code 0: faster or the same, 1: slower, or learns worse, 3: inconclusive, 4: not comparable"
    )
    parser = command(commands, "ab", _ab, text, _EXAMPLE)
    parser.usage = "nnbench ab [options] [ARM FLAGS | BENCH PATHS | -- COMMAND ...]"
    parser.add_argument("paths", nargs="*", help="bench files or folders; with none, the arm of the flags")
    for side in ("a", "b"):
        _add_side(parser, side)
    _add_limits(parser)
    _add_work(parser)
    parser.add_argument("--self-test", action="store_true", help=HELP)
    add_campaigns(parser)
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="new run folder for the records")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    add_data_dir(parser)
    # Only what is given counts: with bench files or a command, a flag of the arm is a mistake.
    add_arm_flags(parser, leave_out=_LEFT_OUT, **dict.fromkeys(_ARM_FIELDS, argparse.SUPPRESS))


def _add_side(parser: argparse.ArgumentParser, side: str) -> None:
    name = f"side {side.upper()}"
    text = f"what {name} changes: fields of the arm, or {{key}} of the command"
    parser.add_argument(f"--{side}", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=text)
    text = f"git revision of {name} (default: the working tree)"
    parser.add_argument(f"--{side}-rev", default="", metavar="REV", help=text)
    text = f"Python interpreter of {name} (default: this one)"
    parser.add_argument(f"--{side}-python", default="", metavar="PATH", help=text)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--blocks", type=int, default=15, metavar="N", help="most blocks: a verdict needs 6")
    text = "end after 10 blocks or more, once the interval of the ratio is within so much of its centre"
    parser.add_argument("--width", type=float, default=1.5, metavar="PERCENT", help=text)
    parser.add_argument("--max-minutes", type=float, metavar="M", help="begin no block that would end later")
    text = "of the order of the sides in each block (default: drawn, and told)"
    parser.add_argument("--order-seed", type=int, metavar="N", help=text)


def _add_work(parser: argparse.ArgumentParser) -> None:
    text = "time of the verdict (default: throughput of a training, wall time of a command)"
    parser.add_argument("--metric", default="", metavar="NAME", help=text)
    text = "measure the peak memory of a training, or of the arms of bench files, too, once"
    parser.add_argument("--memory", action="store_true", help=text)
    parser.add_argument("--profile", choices=PROFILES, default="quick", help="of bench files, and of margins")
    text = "trainings of each arm of bench files in each block, each under a seed of its own"
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help=text)
    text = "of bench files, only the arms whose test id matches"
    parser.add_argument("-k", metavar="WORDS", help=text)


def before_dashes(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """*argv* of `nnbench ab` up to ``--``, and the command after it; None where there is none.

    argparse would take the command's words for paths.
    """
    if not argv or argv[0] != "ab" or "--" not in argv:
        return list(argv), None
    at = list(argv).index("--")
    return list(argv[:at]), list(argv[at + 1 :])


def _ab(arguments: argparse.Namespace) -> int:
    from nnbench import ab

    command: list[str] | None = arguments.after_dashes
    paths = _paths(arguments)
    given = [name for name in _ARM_FIELDS if getattr(arguments, name, None) not in (None, [], False)]
    if arguments.self_test:
        _refuse_with_self_test(command, paths, given)
        return self_test(arguments.campaigns, arguments.json)
    _check_kind(arguments, paths, command, given)
    limits = ab.Limits(blocks=arguments.blocks, width=arguments.width, max_minutes=arguments.max_minutes)
    seed = random.getrandbits(32) if arguments.order_seed is None else arguments.order_seed
    outcome = ab.Outcome()
    with ab.prepared(_asked(arguments, "a"), _asked(arguments, "b"), measures=command is None) as (
        a,
        b,
        notes,
    ):
        for note in notes:
            print(f"nnbench: note: {note}", file=sys.stderr)
        asked = _measure(arguments, paths, (a, b), limits, outcome, seed)
    found = ab.judge(outcome, name=arguments.metric, profile=arguments.profile, asked=asked)
    if arguments.json:
        values = found.to_json(outcome, (a, b), seed)
        print(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(ab.lines(found, outcome, (a, b), seed)))
    return found.exit_code


def _measure(
    arguments: argparse.Namespace,
    paths: Sequence[Path],
    sides: tuple[ab.Side, ab.Side],
    limits: ab.Limits,
    outcome: ab.Outcome,
    seed: int,
) -> set[str]:
    """Run the blocks into *outcome*; returns the keys of the environment that are meant to differ."""
    from nnbench import ab

    store = ab.Store(arguments.out, ab.about(sides, seed), command=_command_line(), profile=arguments.profile)

    def keep(label: str, record: Record) -> None:
        outcome.keep(label, record)
        store.keep(label, record)

    with tempfile.TemporaryDirectory(prefix="nnbench-blocks-") as folder, Progress(limits.blocks) as bar:
        work = _work(arguments, paths, arguments.after_dashes, sides, Path(folder), keep)
        store.of(work, seeds=arguments.seeds, blocks=limits.blocks)
        ab.run_series(
            work, limits, outcome, order_seed=seed, name=arguments.metric, tell=lambda p: _tell(bar, p)
        )
    return work.asked


def _paths(arguments: argparse.Namespace) -> list[Path]:
    """The bench paths, those among them that argparse has given to a KEY=VALUE flag before them."""
    found = [Path(text) for text in arguments.paths]
    for flag in ("a", "b"):
        words = getattr(arguments, flag)
        strays = [text for text in words if "=" not in text]
        for text in strays:
            if not Path(text).exists():
                raise ConfigError(f"--{flag}: expected KEY=VALUE or a bench path that exists, got {text!r}")
        setattr(arguments, flag, [text for text in words if text not in strays])
        found += map(Path, strays)
    return found


def _check_kind(
    arguments: argparse.Namespace, paths: Sequence[Path], command: Sequence[str] | None, given: Sequence[str]
) -> None:
    """Refuse a mixture of training, bench files and command: it would be guessed which of them is meant."""
    if command is not None and not command:
        raise ConfigError("--: name the command to run, as in: nnbench ab -- python train.py")
    if command is not None and paths:
        raise ConfigError(f"{paths[0]}: bench paths or a command, not both")
    what, may = ("a command", ()) if command is not None else ("bench paths", ("device", "threads"))
    wrong = [name for name in given if name not in may]
    if (command is not None or paths) and wrong:
        flag = f"--{wrong[0].replace('_', '-')}"
        raise ConfigError(f"{flag}: a field of a training, and {what} bring their own; leave it out")
    if arguments.seeds < 1:
        raise ConfigError(f"--seeds: expected 1, 2, …, got {arguments.seeds}")
    if arguments.metric:
        from nnbench.cli.arguments import chosen
        from nnbench.metrics import METRICS

        timed = [name for name, of in METRICS.items() if of.nature == "timed" and of.better]
        chosen("--metric", [arguments.metric], timed)


def _refuse_with_self_test(
    command: Sequence[str] | None, paths: Sequence[Path], given: Sequence[str]
) -> None:
    brought = [*(["-- COMMAND"] if command is not None else []), *map(str, paths)]
    brought += [f"--{name.replace('_', '-')}" for name in given]
    if brought:
        raise ConfigError(f"{brought[0]}: --self-test brings its own work, of a known ratio; leave it out")


def _asked(arguments: argparse.Namespace, label: str) -> ab.Asked:
    from nnbench import ab

    changes = ab.parse_changes(f"--{label}", getattr(arguments, label))
    revision, python = (getattr(arguments, f"{label}_{what}") for what in ("rev", "python"))
    return ab.Asked(changes=changes, revision=revision, python=python)


def _work(
    arguments: argparse.Namespace,
    paths: Sequence[Path],
    command: Sequence[str] | None,
    sides: tuple[ab.Side, ab.Side],
    folder: Path,
    keep: ab.Keep,
) -> ab.Trainings | ab.BenchFiles | ab.Command:
    from nnbench import ab

    if command is not None:
        return ab.Command(sides, command, folder=folder, keep=keep)
    if paths:
        return ab.BenchFiles(sides, _selection(arguments, paths), folder=folder, keep=keep)
    arm = arm_of_flags(arguments)
    arms = (ab.arm_of_side(arm, sides[0]), ab.arm_of_side(arm, sides[1]))
    return ab.Trainings(
        sides, arms, folder=folder, keep=keep, data_folder=arguments.data_dir, memory=arguments.memory
    )


def _selection(arguments: argparse.Namespace, paths: Sequence[Path]) -> ab.Selection:
    from nnbench import ab

    options = ["-k", arguments.k] if arguments.k else []
    for name in ("device", "threads"):
        value = getattr(arguments, name, None)
        options += [] if value is None else [f"--nnbench-{name}={value}"]
    options += [f"--nnbench-data-dir={arguments.data_dir.absolute()}"] if arguments.data_dir else []
    return ab.Selection(
        paths=paths,
        profile=arguments.profile,
        seeds=arguments.seeds,
        memory=arguments.memory,
        options=options,
    )


def _command_line() -> str:
    return f"nnbench {shlex.join(sys.argv[1:])}".replace(str(Path.home()), "~")


def _tell(bar: Progress, progress: Any) -> None:
    bar.reach(progress.done, progress.total)
    seconds = progress.left_s
    left = f"about {max(1, round(seconds / 60))} min" if seconds > 90 else f"about {seconds:.0f} s"
    bar.say(f"block {progress.done} of {progress.total}, {left} left")
