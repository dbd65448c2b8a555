"""Bench files to scenarios with their learning rates; needs no torch.

The rates stand in ``rates.toml`` beside the bench files, written by ``nnbench tune``, one table per
scenario, arm and profile, with the whole curve that they were chosen from. ``budgets.toml`` says how long the
whole folder may take in each profile.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from nnbench.claims import Scenario
from nnbench.config import TUNED, Arm, ConfigError, NnbenchError, Probe, closest
from nnbench.records import StorageError, strict_dumps, write_atomic

RATES_FILE = "rates.toml"
BUDGETS_FILE = "budgets.toml"


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A tuned learning rate and what it was chosen from.

    Attributes:
        arm_id: of the arm as it was tuned, its rate still 'tuned'; another id means a stale rate.
        grid: the rates that were tried, ascending.
        accuracy: mean accuracy on the tune split for each; 0 where every seed diverged.
        edge: whether the best rate lies on the edge of the grid.
    """

    scenario: str
    arm: str
    profile: str
    lr: float
    arm_id: str
    grid: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()
    seeds: int = 1
    edge: bool = False
    nnbench: str = ""
    date: str = ""


@dataclass(frozen=True)
class Rates:
    """The rates of one folder of bench files."""

    path: Path
    rates: Mapping[tuple[str, str, str], Rate] = field(default_factory=dict)

    def find(self, scenario: str, arm: str, profile: str) -> Rate | None:
        """The rate of *profile*, or the one of ``quick`` where *profile* was not tuned on its own."""
        own = self.rates.get((scenario, arm, profile))
        return own or self.rates.get((scenario, arm, "quick"))


def read_rates(folder: Path) -> Rates:
    """The rates in *folder*/rates.toml; none where the file is missing.

    Raises:
        StorageError: the file is there and cannot be understood.
    """
    path = folder / RATES_FILE
    if not path.exists():
        return Rates(path)
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("rate", [])
        rates = [_rate(row) for row in rows]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise StorageError(f"{path}: {error}; write it anew with 'nnbench tune'") from error
    return Rates(path, {(rate.scenario, rate.arm, rate.profile): rate for rate in rates})


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long a folder of bench files may take in a profile, with so many *blocks*, on two cores."""

    minutes: float
    blocks: int


def read_budget(folder: Path, profile: str) -> Budget | None:
    """That of *folder*/budgets.toml; None where it has none for *profile*.

    Raises:
        ConfigError: the file is there and cannot be understood.
    """
    path = folder / BUDGETS_FILE
    if not path.exists():
        return None
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get(profile)
        return None if found is None else Budget(minutes=float(found["minutes"]), blocks=int(found["blocks"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path}: expected [{profile}] with minutes and blocks: {error}") from error


def _rate(row: Mapping[str, Any]) -> Rate:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Rate(**values)


def write_rates(rates: Rates) -> None:
    """Write all *rates* to their file, sorted, so that a new tuning gives a readable difference."""
    lines = ["# Written by `nnbench tune`; the scenarios beside this file read it. Do not edit by hand.", ""]
    for _, rate in sorted(rates.rates.items()):
        lines.append("[[rate]]")
        for key, value in rate.__dict__.items():
            lines.append(f"{key} = {_toml(value)}")
        lines.append("")
    write_atomic(rates.path, "\n".join(lines))


def _toml(value: Any) -> str:
    # JSON's text, numbers, booleans and arrays are TOML too.
    return strict_dumps(list(value) if isinstance(value, tuple) else value)


def scenarios_in(module: ModuleType) -> list[Scenario]:
    """The scenarios that *module* defines, in the order of the file."""
    return [value for value in vars(module).values() if isinstance(value, Scenario)]


def scenario_of_test(module: ModuleType, function: str) -> Scenario:
    """The scenario that the test *function* measures: ``test_wide_vs_deep`` measures 'wide-vs-deep'.

    Raises:
        ConfigError: the module has no scenario of that name.
    """
    wanted = function.removeprefix("test_").replace("_", "-")
    names = [scenario.name for scenario in scenarios_in(module)]
    for scenario in scenarios_in(module):
        if scenario.name == wanted:
            return scenario
    raise ConfigError(
        f"{module.__name__}.{function}: no Scenario named {wanted!r}; {closest(wanted, names)}"
        f"found: {', '.join(names) or 'none'}"
    )


def load_scenarios(paths: Iterable[Path]) -> list[tuple[Path, Scenario]]:
    """All scenarios of bench files and folders, with the file of each, in the order of the names.

    Raises:
        ConfigError: a path that does not exist, a file that fails to import, two scenarios of one name.
    """
    found: list[tuple[Path, Scenario]] = []
    for file in bench_files(paths):
        for scenario in scenarios_in(_import(file)):
            if any(scenario.name == other.name for _, other in found):
                raise ConfigError(f"{file}: a scenario named {scenario.name!r} is defined elsewhere too")
            found.append((file, scenario))
    return found


def bench_files(paths: Iterable[Path]) -> list[Path]:
    """``test_*.py`` of each folder, and each file as it is.

    Raises:
        ConfigError: a path that does not exist, or a folder without bench files.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder; give a folder of bench files, as ./bench")
        here = sorted(path.glob("test_*.py")) if path.is_dir() else [path]
        if not here:
            raise ConfigError(f"{path}: no bench files (test_*.py) in this folder")
        files += [file for file in here if file not in files]
    return files


def _import(file: Path) -> ModuleType:
    name = f"nnbench_scenarios_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except NnbenchError as error:
        raise ConfigError(f"{file}: {error}") from error
    except Exception as error:
        raise ConfigError(f"{file}: {type(error).__name__}: {error}") from error
    return module


def arms_of(
    scenario: Scenario, profile: str, rates: Rates, changes: Mapping[str, Any] | None = None
) -> list[Arm | Probe]:
    """The scenario's arms for *profile*, with tuned rates filled in and *changes* applied to trainings.

    Raises:
        ConfigError: an arm asks for a tuned rate that nobody has tuned.
    """
    return [
        arm if isinstance(arm, Probe) else _resolve(arm, scenario.name, profile, rates, changes or {})
        for arm in scenario.arms[profile]
    ]


def _resolve(arm: Arm, scenario: str, profile: str, rates: Rates, changes: Mapping[str, Any]) -> Arm:
    changes = {**changes, "name": arm.name}
    if arm.lr != TUNED:
        return arm.replace(**changes)
    rate = rates.find(scenario, arm.name, profile)
    if rate is None:
        raise ConfigError(
            f"{scenario}: no tuned rate for the arm {arm.name!r} in {rates.path}; run: nnbench tune "
            f"{rates.path.parent} --scenario {scenario}"
        )
    return arm.replace(**{**changes, "lr": rate.lr})


def stale_rates(scenario: Scenario, profile: str, rates: Rates) -> list[str]:
    """Names of arms whose definition changed after their rate was tuned for this very profile."""
    own = [(arm, rates.rates.get((scenario.name, arm.name, profile))) for arm in scenario.arms[profile]]
    return [arm.name for arm, rate in own if rate and isinstance(arm, Arm) and rate.arm_id != arm.id]
