"""The commands about data sets: data list, data fetch, data verify."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nnbench.arm_flags import Help
from nnbench.cli.arguments import add_data_dir, chosen, command
from nnbench.config import DATA_SETS, NnbenchError


def add_data(commands: Any) -> None:
    """`nnbench data`, which has commands of its own."""
    parser = commands.add_parser(
        "data", help="list, fetch and verify data sets", description="list, fetch and verify data sets",
        epilog="example: nnbench data list", formatter_class=Help,
    )  # fmt: skip
    below = parser.add_subparsers(metavar="COMMAND", required=True)
    listing = command(
        below, "list", _list, "list the data sets and where they lie", "nnbench data list --json"
    )
    listing.add_argument("--json", action="store_true", help="one JSON document instead of text")
    add_data_dir(listing)
    fetching = command(
        below, "fetch", _fetch, "download data sets, check them and put them in their place",
        "nnbench data fetch mnist mednist",
    )  # fmt: skip
    fetching.add_argument("names", nargs="+", metavar="NAME", help=f"one of {', '.join(DATA_SETS)}")
    fetching.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="folder to put them in (default: nnbench/data in the cache)",
    )
    verifying = command(
        below, "verify", _verify, "read data sets and check each byte; count copies across the split",
        "nnbench data verify fashion-mini",
    )  # fmt: skip
    verifying.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")
    add_data_dir(verifying)


def _list(arguments: argparse.Namespace) -> int:
    from nnbench.data.places import presence

    found = {name: presence(name, arguments.data_dir) for name in DATA_SETS}
    if arguments.json:
        rows = [{"name": name, **state._asdict()} for name, state in found.items()]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    for name, state in found.items():
        print(f"{name:14s} {state}")
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    from nnbench.data.fetch import fetch
    from nnbench.data.places import cache_folder, files_of, shown

    chosen("NAME", arguments.names, list(DATA_SETS))
    for name in dict.fromkeys(files_of(name) or name for name in arguments.names):
        if files_of(name) is None:
            print(f"{name}: nothing to fetch, it comes with nnbench")
            continue
        root = (arguments.data_dir or cache_folder()).expanduser()
        done = fetch(name, root)
        print(f"{name}: {'fetched to' if done else 'nothing to fetch, sound in'} {shown(root)}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from nnbench.data.places import presence

    chosen("NAME", arguments.names, list(DATA_SETS))
    here = [name for name in DATA_SETS if presence(name, arguments.data_dir).state != "not here"]
    code = 0
    for name in arguments.names or here:
        try:
            _verify_one(name, arguments.data_dir)
        except NnbenchError as error:
            print(f"nnbench: {error}", file=sys.stderr)
            code = error.exit_code
    return code


def _verify_one(name: str, folder: Path | None) -> None:
    from nnbench.data import copies, load, mednist
    from nnbench.data.places import files_of, find

    if files_of(name) == "mednist":
        mednist.read_verified(*find("mednist", folder))  # loading alone would trust what was decoded before
    dataset = load(name, folder)
    train, validation = dataset.train, dataset.validation
    shape = "x".join(map(str, dataset.input_shape))
    print(f"{name}  {len(train):,} + {len(validation):,} images of {shape}, {len(dataset.classes)} classes")
    print(f"  sha256  {dataset.sha256}")
    print(f"  copies  {len(copies(train, validation)):,} validation images equal a training image")
    for note in dataset.notes:
        print(f"  note    {note}")
