"""Learning rates by one declared procedure for every arm.

Each arm trains with every rate of one log grid, equal budgets and equal seeds, on the first five sixths
of its training set; the rate with the best mean accuracy on the last sixth (the tune split) wins. The
validation set is never looked at. An optimum on the edge of the grid is flagged.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import nnbench
from nnbench.benchmarking import Measurement
from nnbench.catalog import Rate, Rates
from nnbench.claims import Scenario
from nnbench.config import TUNED, Arm
from nnbench.records import OK

GRID = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
Train = Callable[[Arm, int], float]


def tunable(scenario: Scenario, profile: str) -> list[Arm]:
    """The arms of *scenario* that ask for a tuned rate."""
    return [arm for arm in scenario.arms[profile] if isinstance(arm, Arm) and arm.lr == TUNED]


def tune_scenario(
    scenario: Scenario,
    profile: str,
    rates: Rates,
    *,
    grid: Sequence[float] = GRID,
    seeds: int = 1,
    only: Container[str] | None = None,
    train: Train | None = None,
    data_folder: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Rates:
    """*rates* with the scenario's arms tuned for *profile*; other entries are kept.

    Args:
        only: names of the arms to tune; None for all.
        train: accuracy on the tune split of an arm under a seed, 0 if it diverged; tests give a fake.
        data_folder: where data sets lie that do not come with nnbench; None leaves it to the data set.
        progress: called with a line of text after each training.
    """
    tuned = dict(rates.rates)
    if train is None:
        train = tune_accuracy
        if data_folder is not None:
            train = functools.partial(tune_accuracy, data_folder=data_folder)
    for arm in tunable(scenario, profile):
        if only is not None and arm.name not in only:
            continue
        rate = _tune(scenario.name, profile, arm, sorted(grid), seeds, train, progress)
        tuned[scenario.name, arm.name, profile] = rate
    return Rates(rates.path, tuned)


def _tune(
    scenario: str,
    profile: str,
    arm: Arm,
    grid: Sequence[float],
    seeds: int,
    train: Train,
    progress: Callable[[str], None],
) -> Rate:
    accuracy = []
    for lr in grid:
        accuracy.append(fmean(train(arm.replace(lr=lr, name=arm.name), seed) for seed in range(seeds)))
        progress(f"{scenario}  {arm.name}  lr {lr:g}  accuracy {accuracy[-1]:.1%}")
    best = max(range(len(grid)), key=lambda i: accuracy[i])
    return Rate(
        scenario=scenario, arm=arm.name, profile=profile, lr=grid[best], arm_id=arm.id,
        grid=tuple(grid), accuracy=tuple(round(value, 6) for value in accuracy), seeds=seeds,
        edge=best in (0, len(grid) - 1), nnbench=nnbench.__version__,
        date=datetime.now(UTC).date().isoformat(),
    )  # fmt: skip


def tune_accuracy(arm: Arm, seed: int, data_folder: Path | None = None) -> float:
    """Accuracy of *arm* on the tune split, having trained on the rest; 0 where it diverged.

    Raises:
        RuntimeError: the training ended otherwise, with the reason.
    """
    # A seed that no benchmark uses: the rate must not be fitted to the very runs that it is for.
    record = Measurement(arm.replace(train_on="tune"), data_folder=data_folder).record(1000 + seed)
    if record.status == "DIVERGED":
        return 0.0
    if record.status != OK:
        raise RuntimeError(f"{arm.name}: {record.status}: {record.reason}")
    return float(record.metrics["validation_accuracy"] or 0.0)
