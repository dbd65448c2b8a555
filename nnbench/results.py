"""Run folders and pytest-benchmark JSON to tidy pandas tables. Reads files; needs no torch.

A result is either a run folder (``run.json`` and ``records/*.json``) or the file that
``pytest --benchmark-json=F`` wrote: there the top-level key ``nnbench`` holds the plan, and in it
``records`` and ``outcomes``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nnbench.config import ConfigError, closest
from nnbench.metrics import METRICS
from nnbench.records import (
    SCHEMA_HISTORY,
    Record,
    RecordError,
    StorageError,
    read_records,
    read_run,
    record_from_json,
    records_of,
    strict_loads,
)
from nnbench.stats import evenly
from nnbench.summary import summarize

KEY = "nnbench"
CURVES = (
    "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "train_s", "steps", "samples",
)  # fmt: skip
_REJECTED_TOLD = 5
_IDENTITY = ("scenario", "arm", "arm_id", "seed", "block", "status", "reason")


@dataclass(frozen=True)
class Run:
    """What was planned and what was measured.

    Attributes:
        plan: the content of run.json, see `nnbench.claims.run_plan`.
        records: in the order of the plan: scenario, arm, seed, block.
        source: the folder or file that was read.
        outcomes: test -> outcome, for a pytest-benchmark file; empty for a folder.
        rejected: file name and reason of each record of a folder that is damaged; what it holds counts as
            not measured.
    """

    plan: Mapping[str, Any]
    records: Sequence[Record]
    source: Path
    outcomes: Mapping[str, str]
    rejected: tuple[tuple[str, str], ...] = ()

    @property
    def profile(self) -> str:
        """smoke, quick or full."""
        return str(self.plan.get("profile", "quick"))

    def rejection(self) -> str:
        """'57 read, 1 rejected: file: reason'; empty where every file of the run could be read."""
        if not self.rejected:
            return ""
        told = "; ".join(f"{name}: {reason}" for name, reason in self.rejected[:_REJECTED_TOLD])
        more = len(self.rejected) - _REJECTED_TOLD
        more_text = f"; and {more} more" if more > 0 else ""
        return f"{len(self.records)} read, {len(self.rejected)} rejected: {told}{more_text}"

    def scenario(self, name: str) -> Mapping[str, Any]:
        """The plan of one scenario.

        Raises:
            ConfigError: no scenario of this run has that name.
        """
        known = {str(each["name"]): each for each in self.plan["scenarios"]}
        if name not in known:
            hint = closest(name, list(known))
            raise ConfigError(f"unknown scenario {name!r}; {hint}this run has: {', '.join(known)}")
        found: Mapping[str, Any] = known[name]
        return found

    def of(self, name: str) -> list[Record]:
        """The records of the scenario called *name*."""
        return [record for record in self.records if record.scenario == name]

    def only(self, name: str, arms: Sequence[str]) -> Run:
        """This run with the scenario called *name* alone, and of it the *arms*, in their order.

        Raises:
            ConfigError: no scenario of this run has that name.
        """
        plan = self.scenario(name)
        by_name = {arm["name"]: arm for arm in plan["arms"]}
        planned = [by_name[arm] for arm in arms if arm in by_name]
        whole = {**self.plan, "scenarios": [{**plan, "arms": planned}]}
        return dataclasses.replace(self, plan=whole, records=records_of(self.of(name), arms))


def read_results(path: str | Path) -> Run:
    """The run in *path*: a folder with run.json, or the file that ``pytest --benchmark-json`` wrote.

    A damaged record of a folder is passed over, and told in `Run.rejected`; a file of pytest's is sound as a
    whole or not at all.

    Raises:
        StorageError: nothing there, damaged, not a result of nnbench, or of an unknown schema.
    """
    path = Path(path)
    if not path.exists():
        raise StorageError(f"{path}: no such file or folder; pytest bench/ --benchmark-json={path} makes it")
    try:
        return _read_folder(path) if path.is_dir() else _read_file(path)
    except (RecordError, AttributeError, KeyError, TypeError) as error:
        # A sound JSON file of the wrong shape: the readers below trust keys and types.
        raise StorageError(f"{path}: a record or the plan is malformed: {error!r}") from error


def _read_folder(folder: Path) -> Run:
    if not (folder / "run.json").is_file():
        raise StorageError(f"{folder}: a folder without run.json is no run; name the folder that holds it")
    plan = read_run(folder)
    records, rejected = read_records(folder)
    return Run(plan, _ordered(plan, records), folder, {}, tuple(rejected))


def _read_file(path: Path) -> Run:
    try:
        outer = strict_loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise StorageError(f"{path} is damaged or no JSON: {error}") from error
    if not isinstance(outer, dict) or "benchmarks" not in outer:
        raise StorageError(f"{path} was not written by pytest --benchmark-json; nor is it a run folder")
    content = outer.get(KEY)
    if not isinstance(content, dict):
        raise StorageError(
            f"{path} holds no results of nnbench; make them with: pytest bench/ --benchmark-json=F"
        )
    if content.get("schema_version") not in SCHEMA_HISTORY:
        known = ", ".join(map(str, SCHEMA_HISTORY))
        raise StorageError(f"{path}: schema {content.get('schema_version')!r}; this nnbench reads {known}")
    plan = {key: value for key, value in content.items() if key not in ("records", "outcomes")}
    records = [record_from_json(values) for values in content["records"]]
    _refuse_twice(path, records)
    return Run(plan, _ordered(plan, records), path, dict(content.get("outcomes", {})))


def _refuse_twice(path: Path, records: Sequence[Record]) -> None:
    """One arm under one seed in one block has one record: a seed given twice would count twice."""
    known: set[str] = set()
    for record in records:
        if record.id in known:
            raise StorageError(
                f"{path} is damaged: two records of {record.arm['name']!r} in scenario {record.scenario!r}, "
                f"seed {record.seed}, block {record.block}"
            )
        known.add(record.id)


def _ordered(plan: Mapping[str, Any], records: Iterable[Record]) -> list[Record]:
    """Records in the order of the plan; what it does not name comes last."""
    place = {
        (scenario["name"], arm["name"]): (i, j)
        for i, scenario in enumerate(plan["scenarios"])
        for j, arm in enumerate(scenario["arms"])
    }
    last = (len(plan["scenarios"]), 0)

    def key(record: Record) -> tuple[Any, ...]:
        name = record.arm["name"]
        where = place.get((record.scenario, name), last)
        return (*where, str(record.scenario), name, record.seed, record.block)

    return sorted(records, key=key)


def load_run(path: str | Path) -> pd.DataFrame:
    """A tidy table, one row per record of the run in *path*; see `records_table`.

    Raises:
        StorageError: see `read_results`.
    """
    return records_table(read_results(path))


def records_table(run: Run) -> pd.DataFrame:
    """One row per record: identity, status, metrics, the arm's configuration, environment, data.

    Metrics are in the recorded unit (seconds, bytes, shares); one that could not be measured is NaN.
    The arm's fields are columns (``batch_size``, ``model_args.hidden``; lists as text, ``512-512``).
    A field that is named like a metric is ``arm.<field>``: ``epochs`` was counted, ``arm.epochs`` planned.
    """
    names = list(dict.fromkeys(name for record in run.records for name in record.metrics))
    taken = {*_IDENTITY, *names, *METRICS}
    flat: dict[int, dict[str, Any]] = {}  # of arms and data sets, which records of a large run share
    rows = [_row(record, names, taken, flat) for record in run.records]
    columns = list(dict.fromkeys([*_IDENTITY, *(key for row in rows for key in row)]))
    return pd.DataFrame(rows, columns=columns)


def _row(
    record: Record, names: Sequence[str], taken: set[str], flat: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "scenario": record.scenario, "arm": record.arm["name"], "arm_id": record.arm["id"],
        "seed": record.seed, "block": record.block, "status": record.status, "reason": record.reason,
    }  # fmt: skip
    for name in names:
        value = record.metrics.get(name)
        key = f"metric.{name}" if name in _IDENTITY else name
        row[key] = float("nan") if value is None else value
    if id(record.arm) not in flat:
        config = {key: value for key, value in record.arm.items() if key not in ("name", "id")}
        found = {f"arm.{key}" if key in taken else key: value for key, value in _flat(config)}
        flat[id(record.arm)] = found
    row.update(flat[id(record.arm)])
    row["quality"] = " ".join(record.quality)
    row.update(_flat(record.environment, "environment."))
    if id(record.data) not in flat:
        flat[id(record.data)] = dict(_flat(record.data, "data."))
    row.update(flat[id(record.data)])
    return row


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{key}", "-".join(str(item) for item in value)
        else:
            yield f"{prefix}{key}", value


def curves(run: Run) -> pd.DataFrame:
    """One row per scenario, arm, seed, block and epoch (1, 2, …): losses, accuracies and what was paid.

    ``train_s``, ``steps`` and ``samples`` are cumulative at the end of the epoch. A curve that is
    shorter than the others (a training that diverged within an epoch) ends in NaN.
    """
    rows: list[dict[str, Any]] = []
    for record in run.records:
        for i in range(max(map(len, record.curves.values()), default=0)):
            row = {**_identity(record), "epoch": i + 1}
            for name, values in record.curves.items():
                value = values[i] if i < len(values) else None
                row[name] = float("nan") if value is None else value
            rows.append(row)
    more = dict.fromkeys(key for row in rows for key in row)
    head = ("scenario", "arm", "seed", "block", "status", "epoch")
    return pd.DataFrame(rows, columns=list(dict.fromkeys([*head, *CURVES, *more])))


def _identity(record: Record) -> dict[str, Any]:
    return {
        "scenario": record.scenario, "arm": record.arm["name"], "seed": record.seed,
        "block": record.block, "status": record.status,
    }  # fmt: skip


def step_samples(run: Run, name: str = "step_loss") -> pd.DataFrame:
    """One row per sampled step: its number (1, 2, …) and its value in the column *name*.

    At most 512 steps of a training are in its record, taken evenly from all of them.
    """
    rows: list[dict[str, Any]] = []
    for record in run.records:
        sample = record.samples.get(name, {"count": 0, "values": []})
        values = sample["values"]
        # evenly() needs two places to spread over; a single value is the first step.
        steps = evenly(sample["count"], len(values)) if len(values) > 1 else [0] * len(values)
        for step, value in zip(steps, values, strict=True):
            rows.append(
                {**_identity(record), "step": step + 1, name: float("nan") if value is None else value}
            )
    return pd.DataFrame(rows, columns=["scenario", "arm", "seed", "block", "status", "step", name])


def summary_table(run: Run, scenario_name: str) -> pd.DataFrame:
    """One row of printable text per arm of a scenario; a planned arm without a record keeps its row.

    Raises:
        ConfigError: no scenario of this run has that name.
    """
    rows = {row["arm"]: row for row in summarize(run.of(scenario_name))}
    heads = list(dict.fromkeys(key for row in rows.values() for key in row if key != "status"))
    for arm in run.scenario(scenario_name)["arms"]:
        if arm["name"] not in rows:
            rows[arm["name"]] = {"arm": arm["name"], "seeds": "0/0", "status": "NOT RUN: no record"}
    return pd.DataFrame(list(rows.values()), columns=[*(heads or ["arm", "seeds"]), "status"]).fillna("–")
