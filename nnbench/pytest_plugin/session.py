"""What the plugin knows during one pytest run: options, scenarios with their arms, records."""

from __future__ import annotations

import os
import random
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nnbench
from nnbench.arm_flags import AUTO
from nnbench.config import Arm, NnbenchError, Probe
from nnbench.processes import start_memory_server
from nnbench.pytest_plugin.launched import Launched, needs_launch, rank_under_torchrun
from nnbench.pytest_plugin.options import PROFILE_DEFAULT, option, relative
from nnbench.pytest_plugin.threads import Choices, applied, choose

if TYPE_CHECKING:
    from nnbench.claims import Scenario
    from nnbench.records import Journal, Record

STORAGE_FAILED = 74  # exit code of a run whose records cannot be written


class Session:
    """What the plugin knows during one pytest run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.profile: str = option(config, "profile") or PROFILE_DEFAULT
        self.seeds: int | None = option(config, "seeds")
        self.first_seed: int = option(config, "first-seed") or 0
        self.vectorise: str = option(config, "vectorise") or "auto"
        self._counts_memory = option(config, "memory") != "off"
        out, data_folder = option(config, "out"), option(config, "data-dir")
        self.rank = rank_under_torchrun()
        self.writes = not self.rank
        self.out = None if out is None or self.rank else Path(out)
        self.is_block = option(config, "block") is not None
        self.block: int = option(config, "block") or 0
        self.blocks: int = option(config, "blocks") or 1
        self.json_path: str | None = config.getoption("benchmark_json", None)
        self.data_folder = None if data_folder is None else Path(data_folder)
        self.scenarios: dict[str, tuple[Scenario, list[Arm | Probe]]] = {}
        self.records: list[Record] = []
        self.outcomes: dict[str, str] = {}
        self.json_written = False
        self.launched = Launched(self)
        self._changes = {name: option(config, name) for name in ("device", "threads")}
        self._threads: Choices = {}
        self.exit_status: int | None = None  # until pytest has come to its end
        self._memory: Any = None
        # the first block of a run has arms that train: the server imports while pytest collects
        early = self.is_block and not self.block and self._counts_memory
        self._memory_process = start_memory_server() if early else None
        self._done: frozenset[str] = frozenset()
        self._journal: Journal | None = None
        if self.seeds is not None and self.seeds < 1:
            raise pytest.UsageError(f"--nnbench-seeds: expected 1, 2, …, got {self.seeds}")
        if self.first_seed < 0:
            raise pytest.UsageError(f"--nnbench-first-seed: expected 0, 1, …, got {self.first_seed}")
        if self.is_block and self.out is None:
            raise pytest.UsageError("--nnbench-block: a block writes into the run folder of --nnbench-out")

    def arms(self, scenario: Scenario, folder: Path) -> list[Arm | Probe]:
        """The arms of *scenario* as they will run here; remembered for the plan."""
        from nnbench import catalog

        if scenario.name not in self.scenarios:
            rates = catalog.read_rates(folder)
            changes = {name: value for name, value in self._changes.items() if value not in (None, AUTO)}
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

    def select(self, items: Sequence[pytest.Item]) -> None:
        """Plan only what pytest has selected: an arm that ``-k`` leaves out is not planned."""
        chosen = {(own_scenario(item), arm_name(item)) for item in items if own_scenario(item) is not None}
        for name, (scenario, arms) in list(self.scenarios.items()):
            left = [arm for arm in arms if (name, arm.name) in chosen]
            self.scenarios[name] = (scenario, left)
            if not left:
                del self.scenarios[name]

    def choose_threads(self) -> None:
        """Where they are to be chosen, give each arm its threads: those of run.json, or calibrated now."""
        if self._changes["threads"] != AUTO:
            return
        from nnbench.records import read_run

        known = self.out is not None and (self.out / "run.json").exists() and read_run(self.out)
        self._threads = choose(
            self.scenarios, dict(known.get("threads", {})) if known else {}, self.data_folder
        )
        self.scenarios = applied(self.scenarios, self._threads)

    def open_run(self) -> None:
        """Write run.json, or read the one that an earlier block has written, and what is done already.

        Raises:
            UsageError: the folder holds another run.
            pytest.exit.Exception: it cannot be written to, or what it holds cannot be read.
        """
        if self.out is None:
            return
        from nnbench.records import Journal, read_run, write_run

        with _durably():
            if not (self.out / "run.json").exists():
                write_run(self.out, self.plan())
            elif not self.is_block:
                raise pytest.UsageError(f"--nnbench-out: {self.out} holds a run already; name another folder")
            elif _essence(read_run(self.out)) != _essence(self.plan()):
                raise pytest.UsageError(
                    f"{self.out}/run.json plans other arms than the bench files have now: start a new run"
                )
            self._done = done_in(self.out) if self.is_block else frozenset()
        if self.is_block:
            self._journal = Journal(self.out)

    def ready(self, *, trains: bool) -> None:
        """Import what the first arm would import, so that no arm pays for it, and tell the journal."""
        if trains:
            import nnbench.benchmarking  # noqa: F401

            if self._memory_process is not None:
                self.memory().wait()  # its imports are part of the start, and would disturb the first arm
        self.note("ready")

    def note(self, event: str) -> None:
        """Tell the journal of the run, where there is one."""
        if self._journal is not None:
            with _durably():
                self._journal.note(event, self.block)

    def still_due(self, items: Sequence[pytest.Item]) -> list[pytest.Item]:
        """The *items* of this block that have no record yet, in an order drawn anew for each block."""
        others = [item for item in items if own_scenario(item) is None]
        ours = [item for item in items if own_scenario(item) is not None]
        due = [item for item in ours if self.due(*self.measured_by(item))]
        random.Random(f"nnbench block {self.block}").shuffle(due)
        return [*others, *due]

    def measured_by(self, item: pytest.Item) -> tuple[Scenario, Arm | Probe]:
        """Scenario and arm of an *item* that is one of nnbench's."""
        scenario, arms = self.scenarios[str(own_scenario(item))]
        wanted = arm_name(item)
        return scenario, next(arm for arm in arms if arm.name == wanted)

    def plan_launch(self, item: pytest.Item) -> bool:
        """Whether one launch measures the arm of *item* with its like; the launch then knows of it."""
        scenario, arm = self.measured_by(item)
        if not needs_launch(scenario) or not isinstance(arm, Arm):
            return False
        self.launched.plan(scenario, arm)
        return True

    def plan(self) -> dict[str, Any]:
        """The content of run.json."""
        from nnbench.claims import run_plan

        ranks = os.environ.get("WORLD_SIZE")
        start = f"torchrun --standalone --nproc-per-node={ranks} -m pytest" if ranks else "pytest"
        command = shlex.join([*start.split(), *map(relative, self.config.invocation_params.args)])
        return run_plan(
            [scenario.plan(arms, self.profile) for scenario, arms in self.scenarios.values()],
            profile=self.profile, command=os.environ.get("NNBENCH_COMMAND") or command,
            version=nnbench.__version__, seeds=self.seeds, first_seed=self.first_seed, blocks=self.blocks,
            threads=self._threads,
        )  # fmt: skip

    def seeds_of(self, scenario: Scenario, arm: Arm | Probe) -> tuple[int, ...]:
        """The seeds under which *arm* runs in this block."""
        from nnbench.claims import SEEDS
        from nnbench.work import seeds_in

        return seeds_in(
            scenario.repeat, isinstance(arm, Arm) or arm.seeded, block=self.block, blocks=self.blocks,
            seeds=self.seeds or SEEDS[self.profile], first=self.first_seed,
        )  # fmt: skip

    def due(self, scenario: Scenario, arm: Arm | Probe) -> tuple[int, ...]:
        """Those of `seeds_of` that have left no record yet."""
        from nnbench.records import record_id

        seeds = self.seeds_of(scenario, arm)
        what = {"name": arm.name, "id": arm.id}
        return tuple(s for s in seeds if record_id(scenario.name, what, s, self.block) not in self._done)

    def to_json(self) -> dict[str, Any]:
        """The plan, what became of each test, and the records."""
        return {
            **self.plan(),
            "outcomes": self.outcomes,
            "records": [record.to_json(whole=True) for record in self.records],
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

    def begins(self, scenario: str, arm: Arm | Probe, seed: int) -> None:
        """Note in the journal of the run that *arm* begins, so that a death in it has a name."""
        if self._journal is not None:
            with _durably():
                self._journal.begins(scenario, {"name": arm.name, "id": arm.id}, seed, self.block)

    def keep(self, record: Record) -> Record:
        """Keep *record*, on disk too where a folder was given.

        Raises:
            pytest.exit.Exception: it cannot be written; going on would measure for nothing.
        """
        from nnbench.records import write_record

        cut_off = bool(self.records) and self.records[-1].status == "INTERRUPTED"
        if self.is_block and cut_off and record.status == "SKIPPED":
            return record  # a launch that was interrupted did not begin it: the resumed run will
        # where in its block an arm ran: an effect of the order would show by it
        record = replace(record, evidence={**record.evidence, "position": len(self.records)})
        self.records.append(record)
        with _durably():
            if self.out is not None:
                write_record(self.out, record)
            if self._journal is not None:
                self._journal.note("record", self.block, id=record.id)
        return record

    def memory(self) -> Any:
        """The server of the memory pass, started on first use; None where nothing is counted.

        That is in later blocks, since once a run suffices, and where the user has said so.
        """
        from nnbench.meters.memory import MemoryServer

        if self._memory is None and not self.block and self._counts_memory:
            self._memory = MemoryServer(self._memory_process)
        return self._memory

    def leave(self) -> None:
        """End the process of a block at once: torch takes a second to be taken down, and all is written."""
        ended_well = self.exit_status in (0, 1)  # of other ends pytest has still something to say
        if not ended_well or not self.is_block or "NNBENCH_COMMAND" not in os.environ:
            return
        self.config.get_terminal_writer().flush()
        os._exit(self.exit_status or 0)

    def close(self) -> None:
        """End the memory server."""
        if self._memory is not None:
            self._memory.close()
        elif self._memory_process is not None:
            self._memory_process.kill()


@contextmanager
def _durably() -> Iterator[None]:
    """What cannot be written or read ends pytest in good order: going on would measure for nothing."""
    try:
        yield
    except NnbenchError as error:
        pytest.exit(str(error), returncode=STORAGE_FAILED)


SESSION = pytest.StashKey[Session]()


def own_scenario(item: pytest.Item) -> str | None:
    """Name of the scenario that *item* measures; None for a test that is none of nnbench's."""
    name = str(getattr(item, "originalname", item.name)).removeprefix("test_").replace("_", "-")
    ours = "arm" in getattr(item, "fixturenames", ()) and name in item.config.stash[SESSION].scenarios
    return name if ours else None


def arm_name(item: pytest.Item) -> str:
    """Name of the arm that an *item* of nnbench's measures."""
    return str(item.callspec.params["arm"])  # type: ignore[attr-defined]


def done_in(folder: Path) -> frozenset[str]:
    """Ids of the work in *folder* that need not be done again; what was interrupted must."""
    from nnbench.records import read_record

    records = [read_record(path) for path in (folder / "records").glob("*.json")]
    return frozenset(record.id for record in records if record.status != "INTERRUPTED")


def _essence(plan: dict[str, Any]) -> dict[str, Any]:
    """What two blocks of one run must have in common."""
    arms = {s["name"]: [(arm["name"], arm["id"]) for arm in s["arms"]] for s in plan["scenarios"]}
    wanted = {key: plan.get(key) for key in ("profile", "seeds", "blocks")}
    return {"arms": arms, "first_seed": plan.get("first_seed", 0), **wanted}
