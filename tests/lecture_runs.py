"""Scenarios of `bench/`, run here and judged: what tests of the lecture's themes share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fake_runs import read_parts
from nnbench import plots
from nnbench.benchmarking import Measurement, ProbeMeasurement
from nnbench.catalog import load_scenarios
from nnbench.claims import Scenario, judge
from nnbench.config import Probe
from nnbench.records import Record

BENCH = Path(__file__).parents[1] / "bench"


def scenarios_of(file: str) -> dict[str, Scenario]:
    """Name -> scenario of the bench file *file*."""
    return {each.name: each for _, each in load_scenarios([BENCH / file])}


def records_of(
    scenario: Scenario, profile: str = "smoke", seeds: Iterable[int] = (0,), only: Iterable[str] | None = None
) -> list[Record]:
    """The arms of *scenario*, or *only* those of these names, measured here and now."""
    found = []
    for arm in scenario.arms[profile]:
        if only is not None and arm.name not in only:
            continue
        seeded = not isinstance(arm, Probe) or arm.seeded
        kind = ProbeMeasurement if isinstance(arm, Probe) else Measurement
        found += [kind(arm, scenario=scenario.name).record(seed) for seed in (seeds if seeded else (0,))]
    return found


def verdicts_of(
    scenario: Scenario, profile: str = "quick", seeds: Iterable[int] = (0,), only: Iterable[str] | None = None
) -> dict[str, str]:
    """Claim -> verdict, of the claims about the arms that were run."""
    records = records_of(scenario, profile, seeds, only)
    run = {record.arm["name"] for record in records}
    claims = [claim for claim in scenario.claims_in(profile) if run.issuperset(claim.arms)]
    return {of.claim.text: of.verdict for of in judge(claims, records, profile)}


def draw_all(scenario: Scenario, records: list[Record], folder: Path, profile: str = "smoke") -> None:
    """Draw every plot of *scenario* from *records*, and from none."""
    for name, own in (("run.json", records), ("none.json", [])):
        run = read_parts(folder / name, [(scenario, own)], profile=profile)
        for plot in scenario.plots:
            plots.draw(run, run.plan["scenarios"][0], plot)
