"""The commands that look and tell: list, table, plot, report, doctor."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.cli.arguments import Progress, add_paths, add_source, chosen, command
from nnbench.cli.self_testing import HELP, add_campaigns, self_test

if TYPE_CHECKING:
    from nnbench.claims import Scenario


def add_list(commands: Any) -> None:
    """`nnbench list`."""
    parser = command(
        commands, "list", _list, "list scenarios with their questions and arms", "nnbench list bench --json"
    )
    add_paths(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    parser.add_argument(
        "--claims", action="store_true", help="every claim, by the lecture's slides, with metric and source"
    )


def _list(arguments: argparse.Namespace) -> int:
    from nnbench.catalog import load_scenarios

    found = load_scenarios(arguments.paths)
    if arguments.claims:
        return _list_claims([scenario for _, scenario in found], arguments.profile, as_json=arguments.json)
    if arguments.json:
        plans = [scenario.plan(scenario.arms[arguments.profile], arguments.profile) for _, scenario in found]
        print(json.dumps(plans, indent=2, ensure_ascii=False, allow_nan=False))
        return 0
    for file, scenario in found:
        arms = scenario.arms[arguments.profile]
        print(f"{scenario.name}  ({file}, {len(arms)} arms, equal {scenario.axis})")
        print(f"  lecture:  {scenario.statement}\n  question: {scenario.question}")
        print(f"  arms:     {', '.join(arm.name for arm in arms)}\n")
    return 0


def _list_claims(scenarios: Sequence[Scenario], profile: str, *, as_json: bool) -> int:
    """Each claim under its slide, in the lecture's order; those of no slide last."""
    from nnbench.lecture import SLIDES

    pairs = [(claim, scenario.name) for scenario in scenarios for claim in scenario.claims_in(profile)]
    numbers = list(dict.fromkeys([*SLIDES, *(claim.slide for claim, _ in pairs)]))
    by_slide = {number: [pair for pair in pairs if pair[0].slide == number] for number in numbers}
    if as_json:
        told = [{"scenario": name, **claim.to_json()} for of in by_slide.values() for claim, name in of]
        print(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False))
        return 0
    for number, of in by_slide.items():
        slide = SLIDES.get(number)
        says = f"{number} {slide.title}: {slide.says}" if slide else number or "of no slide"
        print(says if of else f"{says}\n    no claim")
        for claim, name in of:
            print(f"    {claim.text}\n        {name}, {claim.kind} of {claim.metric}"
                  f"{f'; {claim.source}' if claim.source else ''}")  # fmt: skip
    covered = sum(bool(by_slide[number]) for number in SLIDES)
    print(f"\n{len(pairs)} claims of {len(scenarios)} scenarios; {covered} of {len(SLIDES)} slides have one")
    return 0


def add_table(commands: Any) -> None:
    """`nnbench table`."""
    parser = command(
        commands, "table", _table, "print a run's tables, or write all its records as one table",
        "nnbench table out.json --csv records.csv",
    )  # fmt: skip
    add_source(parser)
    for kind in ("csv", "markdown", "parquet"):
        parser.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"write the records as {kind}")
    parser.add_argument("--slides", action="store_true",
                        help="print the lecture slide by slide with its verdicts, as markdown")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the records as JSON")


def _table(arguments: argparse.Namespace) -> int:
    from tabulate import tabulate

    from nnbench import results
    from nnbench.findings import ALL_ARMS, for_table, slide_rows
    from nnbench.summary import skipped
    from nnbench.tabular import write_table
    from nnbench.terminal import more_tables

    run = results.read_results(arguments.source)
    files = [path for path in (arguments.csv, arguments.markdown, arguments.parquet) if path is not None]
    for kind in ("csv", "markdown", "parquet"):
        if (path := getattr(arguments, kind)) is not None:
            write_table(results.load_run(arguments.source), path, kind)
            print(f"wrote {path}", file=sys.stderr)
    if arguments.json:
        print(json.dumps([r.to_json() for r in run.records], indent=2, ensure_ascii=False, allow_nan=False))
    elif arguments.slides:
        per_scenario = [(plan, run.of(plan["name"])) for plan in run.plan["scenarios"]]
        by_slide = slide_rows(per_scenario, run.profile)
        print(tabulate(by_slide, headers="keys", tablefmt="github", disable_numparse=True))
    elif not files:
        for scenario in run.plan["scenarios"]:
            print(f"{scenario['name']}: {scenario['question']}")
            if why := skipped(run.of(scenario["name"])):
                print(f"SKIPPED: {why}\n")
                continue
            records = run.of(scenario["name"])
            choice = for_table(scenario, records)
            few = run.only(scenario["name"], choice.arms) if choice else run
            rows = results.summary_table(few, scenario["name"]).to_dict("records")
            print(tabulate(rows, headers="keys", disable_numparse=True))
            print(f"{choice.text}; {ALL_ARMS}\n" if choice else "")
            for lines in more_tables(records):
                print("\n".join(lines), end="\n\n")
    if run.rejected:
        print(run.rejection(), file=sys.stderr if arguments.json or files else sys.stdout)
    return 0


def add_plot(commands: Any) -> None:
    """`nnbench plot`."""
    parser = command(
        commands, "plot", _plot, "draw a run's plots as PNG and SVG, each with its data as CSV",
        "nnbench plot out.json -o plots",
    )  # fmt: skip
    add_source(parser)
    parser.add_argument("-o", "--out", type=Path, default=Path("plots"), help="folder of the plots")
    parser.add_argument("--scenario", action="append", metavar="NAME", help="only this one; repeatable")
    parser.add_argument(
        "--sheet", action="store_true",
        help="also write contact-sheet.png: the first plot of each scenario, in the lecture's order",
    )  # fmt: skip


def _plot(arguments: argparse.Namespace) -> int:
    from nnbench import plots, results
    from nnbench.findings import in_lecture_order
    from nnbench.summary import skipped

    run = results.read_results(arguments.source)
    plans = run.plan["scenarios"]
    names = chosen("--scenario", arguments.scenario, [plan["name"] for plan in plans])
    plans = in_lecture_order(plan for plan in plans if plan["name"] in names)
    todo = [(plan, name) for plan in plans for name in plan["plots"]]
    first: dict[str, Path] = {}
    with Progress(len(todo)) as progress:
        for plan, name in todo:
            stem = f"{plan['name']}-{name.replace('_', '-')}"
            written = plots.save(plots.draw(run, plan, name), arguments.out, stem)
            if run.of(plan["name"]) and not skipped(run.of(plan["name"])):
                first.setdefault(plan["name"], written[0])
            progress.step(stem)
            print("\n".join(map(str, written)))
    if arguments.sheet:
        print(plots.contact_sheet(list(first.values()), arguments.out / "contact-sheet.png"))
    return 0


def add_report(commands: Any) -> None:
    """`nnbench report`."""
    parser = command(
        commands, "report", _report, "write an executed notebook and an HTML page of a run",
        "nnbench report out.json -o report",
    )  # fmt: skip
    add_source(parser)
    parser.add_argument("-o", "--out", type=Path, default=Path("report"), help="folder of the report")
    parser.add_argument(
        "--tour", action="store_true",
        help="the lecture slide by slide instead, with cells in which one changes a number and trains",
    )  # fmt: skip
    parser.add_argument("--no-execute", action="store_true", help="write the notebook without running it")


def _report(arguments: argparse.Namespace) -> int:
    from nnbench.report import write_report

    with Progress() as progress:
        paths = write_report(
            arguments.source, arguments.out, tour=arguments.tour, execute=not arguments.no_execute,
            progress=progress.reach,
        )  # fmt: skip
    for path in paths:
        print(path)
    return 0


def add_doctor(commands: Any) -> None:
    """`nnbench doctor`."""
    parser = command(
        commands, "doctor", _doctor, "say what this machine can measure, and what is missing",
        "nnbench doctor --json",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--quick", "--no-noise",
        action="store_true",
        help="leave the noise floor out, which takes 20 s to measure",
    )  # fmt: skip
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--overhead",
        action="store_true",
        help="time nnbench's loop against one written by hand instead (30 s)",
    )
    instead.add_argument(
        "--self-test",
        action="store_true",
        help=HELP,
    )
    add_campaigns(parser)


def _doctor(arguments: argparse.Namespace) -> int:
    if arguments.overhead:
        return _overhead(arguments.json)
    if arguments.self_test:
        return self_test(arguments.campaigns, arguments.json)
    from nnbench.doctor import facts, noise

    found = facts()
    if not arguments.json:
        _print_findings(found)
    if not arguments.quick:
        with Progress() as progress:
            findings, lines = noise(progress.reach)
        found["noise"] = findings
        if not arguments.json:
            _print_findings(lines)
    if arguments.json:
        print(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    return 0


def _print_findings(found: dict[str, Any]) -> None:
    for name, value in found.items():
        print(f"{name:18s} {value}")
    sys.stdout.flush()


def _overhead(as_json: bool) -> int:
    from nnbench.meters.overhead import STEPS, loop_overhead

    found = []
    with Progress(len(STEPS)) as progress:
        for result in loop_overhead():
            found.append(result)
            progress.step(f"batch {result.batch_size}")
    if as_json:
        print(json.dumps([{"batch_size": r.batch_size, **r.ratio.__dict__} for r in found], indent=2))
        return 0
    print("samples per second of nnbench's observed loop / of one written by hand, MLP 512/512, one thread")
    for result in found:
        ratio = result.ratio
        print(f"batch {result.batch_size:5d}  {ratio.centre:.3f}  ({ratio.low:.3f} to {ratio.high:.3f}, "
              f"95 % interval of {ratio.n} alternating pairs)")  # fmt: skip
    return 0
