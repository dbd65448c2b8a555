"""What the plugin knows during one pytest run: options, scenarios with their arms, records."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nnbench
from nnbench.config import Arm, Probe
from nnbench.pytest_plugin.launched import Launched, needs_launch, rank_under_torchrun

if TYPE_CHECKING:
    from nnbench.claims import Scenario
    from nnbench.records import Record

PROFILE_DEFAULT = "quick"


OPTIONS: dict[str, dict[str, Any]] = {
    "profile": {"choices": ("smoke", "quick", "full"), "help": "how much work: smoke, quick (default), full"},
    "seeds": {"type": int, "metavar": "N", "help": "seeds per arm (default: 1 smoke, 3 quick, 10 full)"},
    "device": {"metavar": "NAME", "help": "auto, cpu, cuda or cuda:N (default: what the arm says)"},
    "threads": {"type": int, "metavar": "N", "help": "intra-op threads (default: what the arm says)"},
    "data-dir": {
        "metavar": "DIR",
        "help": "folder with data sets; looked at before NNBENCH_DATA, the user's cache, /usr/share/datasets",
    },
    "out": {"metavar": "DIR", "help": "write run.json and durable records there; must hold no run yet"},
}


def option(config: pytest.Config, name: str) -> Any:
    value = config.getoption(f"--nnbench-{name}")
    if value is not None:
        return value
    text = config.getini(f"nnbench_{name.replace('-', '_')}")
    if not text:
        return None
    try:
        return OPTIONS[name].get("type", str)(text)
    except ValueError:
        raise pytest.UsageError(f"nnbench_{name} in the ini file: expected a number, got {text!r}") from None


class Session:
    """What the plugin knows during one pytest run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.profile: str = option(config, "profile") or PROFILE_DEFAULT
        self.seeds: int | None = option(config, "seeds")
        out, data_folder = option(config, "out"), option(config, "data-dir")
        self.rank = rank_under_torchrun()
        self.writes = not self.rank
        self.out = None if out is None or self.rank else Path(out)
        self.json_path: str | None = config.getoption("benchmark_json", None)
        self.data_folder = None if data_folder is None else Path(data_folder)
        self.scenarios: dict[str, tuple[Scenario, list[Arm | Probe]]] = {}
        self.records: list[Record] = []
        self.outcomes: dict[str, str] = {}
        self.json_written = False
        self.launched = Launched(self)
        self._memory: Any = None
        if self.seeds is not None and self.seeds < 1:
            raise pytest.UsageError(f"--nnbench-seeds: expected 1, 2, …, got {self.seeds}")

    def arms(self, scenario: Scenario, folder: Path) -> list[Arm | Probe]:
        """The arms of *scenario* as they will run here; remembered for the plan."""
        from nnbench import catalog

        if scenario.name not in self.scenarios:
            rates = catalog.read_rates(folder)
            changes = {name: option(self.config, name) for name in ("device", "threads")}
            changes = {name: value for name, value in changes.items() if value is not None}
            self.scenarios[scenario.name] = (
                scenario, catalog.arms_of(scenario, self.profile, rates, changes),
            )  # fmt: skip
            for name in catalog.stale_rates(scenario, self.profile, rates):
                self.config.issue_config_time_warning(
                    pytest.PytestWarning(
                        f"{scenario.name}: {name} changed after its rate was tuned; run nnbench tune"
                    ),
                    stacklevel=2,
                )
        return self.scenarios[scenario.name][1]

    def plan_launch(self, item: pytest.Item) -> bool:
        """Whether one launch measures the arm of *item* with its like; the launch then knows of it."""
        scenario, arms = self.scenarios[str(own_scenario(item))]
        if not needs_launch(scenario):
            return False
        wanted = item.callspec.params["arm"]  # type: ignore[attr-defined]
        arm = next(arm for arm in arms if isinstance(arm, Arm) and arm.name == wanted)
        self.launched.plan(scenario, arm)
        return True

    def plan(self) -> dict[str, Any]:
        """The content of run.json."""
        from nnbench.claims import run_plan

        ranks = os.environ.get("WORLD_SIZE")
        start = f"torchrun --standalone --nproc-per-node={ranks} -m pytest" if ranks else "pytest"
        command = shlex.join([*start.split(), *map(_relative, self.config.invocation_params.args)])
        return run_plan(
            [scenario.plan(arms) for scenario, arms in self.scenarios.values()],
            profile=self.profile, command=command, version=nnbench.__version__, seeds=self.seeds,
        )  # fmt: skip

    def seeds_of(self, scenario: Scenario) -> range:
        """The seeds of each arm that learns; an exact scenario needs one."""
        from nnbench.claims import SEEDS

        return range(1 if scenario.repeat == "once" else self.seeds or SEEDS[self.profile])

    def to_json(self) -> dict[str, Any]:
        """The plan, what became of each test, and the records."""
        return {
            **self.plan(),
            "outcomes": self.outcomes,
            "records": [record.to_json() for record in self.records],
        }

    def make_json_folder(self) -> None:
        """pytest-benchmark would notice after the last arm that the folder of its file is missing."""
        path = self.json_path
        try:
            if path:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise pytest.UsageError(f"--benchmark-json: cannot write {path}: {error.strerror}") from None

    def write_json_of_failures(self) -> None:
        """pytest-benchmark writes no file when every benchmark failed; why they did must not be lost."""
        from nnbench.records import strict_dumps, without_nan, write_atomic

        path = self.json_path
        if (
            path
            and self.writes
            and not self.json_written
            and not self.config.getoption("benchmark_disable", False)
        ):
            content = {"benchmarks": [], "machine_info": {}, "commit_info": {}, "nnbench": self.to_json()}
            write_atomic(Path(path), strict_dumps(without_nan(content)) + "\n")

    def keep(self, record: Record) -> Record:
        """Keep *record*, on disk too where a folder was given."""
        from nnbench.records import write_record

        self.records.append(record)
        if self.out is not None:
            write_record(self.out, record)
        return record

    def memory(self) -> Any:
        """The server of the memory pass, started on first use."""
        from nnbench.meters.memory import MemoryServer

        if self._memory is None:
            self._memory = MemoryServer()
        return self._memory

    def close(self) -> None:
        """End the memory server."""
        if self._memory is not None:
            self._memory.close()


SESSION = pytest.StashKey[Session]()


def own_scenario(item: pytest.Item) -> str | None:
    """Name of the scenario that *item* measures; None for a test that is none of nnbench's."""
    name = str(getattr(item, "originalname", item.name)).removeprefix("test_").replace("_", "-")
    ours = "arm" in getattr(item, "fixturenames", ()) and name in item.config.stash[SESSION].scenarios
    return name if ours else None


def _relative(argument: object) -> str:
    """A command-line argument without this machine's folders."""
    text = str(argument)
    for folder, short in ((str(Path.cwd()) + "/", ""), (str(Path.home()), "~")):
        text = text.replace(folder, short)
    return text
