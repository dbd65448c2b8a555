"""The pytest plugin: parametrizes bench files, measures their arms, keeps the records.

Loaded in every pytest run of the environment, so it imports nothing heavy and does nothing unless a
test asks for the fixture ``arm``.

* ``arm``: one arm of the chosen profile; the test ``test_<scenario>`` gets those of that scenario.
* ``train_benchmark(arm)``: a training per seed on ``benchmark.pedantic``. pytest-benchmark's own columns
  are the wall time of one whole training with its validation loops; nnbench's records divide it.
* ``probe_benchmark(arm)``: the same for a probe.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nnbench
from nnbench.config import Arm, NnbenchError, Probe

if TYPE_CHECKING:
    from nnbench.benchmarking import Measurement, Round
    from nnbench.claims import Scenario
    from nnbench.records import Record

PROFILE_DEFAULT = "quick"
PROBE_ROUNDS = 5
_OPTIONS: dict[str, dict[str, Any]] = {
    "profile": {"choices": ("smoke", "quick", "full"), "help": "how much work: smoke, quick (default), full"},
    "seeds": {"type": int, "metavar": "N", "help": "seeds per arm (default: 1 smoke, 3 quick, 10 full)"},
    "device": {"metavar": "NAME", "help": "auto, cpu, cuda or cuda:N (default: what the arm says)"},
    "threads": {"type": int, "metavar": "N", "help": "intra-op threads (default: what the arm says)"},
    "data-dir": {"metavar": "DIR", "help": "folder with data sets (default: NNBENCH_DATA)"},
    "out": {"metavar": "DIR", "help": "write run.json and durable records there; must hold no run yet"},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every option is an ini key too, with _ for -."""
    group = parser.getgroup("nnbench", "nnbench: benchmarks of neural-network training")
    for name, keywords in _OPTIONS.items():
        group.addoption(f"--nnbench-{name}", default=None, **keywords)
        parser.addini(f"nnbench_{name.replace('-', '_')}", keywords["help"], default="")


def _option(config: pytest.Config, name: str) -> Any:
    value = config.getoption(f"--nnbench-{name}")
    if value is not None:
        return value
    text = config.getini(f"nnbench_{name.replace('-', '_')}")
    if not text:
        return None
    try:
        return _OPTIONS[name].get("type", str)(text)
    except ValueError:
        raise pytest.UsageError(f"nnbench_{name} in the ini file: expected a number, got {text!r}") from None


class Session:
    """What the plugin knows during one pytest run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.profile: str = _option(config, "profile") or PROFILE_DEFAULT
        self.seeds: int | None = _option(config, "seeds")
        out, data_folder = _option(config, "out"), _option(config, "data-dir")
        self.out = None if out is None else Path(out)
        self.data_folder = None if data_folder is None else Path(data_folder)
        self.scenarios: dict[str, tuple[Scenario, list[Arm | Probe]]] = {}
        self.records: list[Record] = []
        self.outcomes: dict[str, str] = {}
        self._memory: Any = None
        if self.seeds is not None and self.seeds < 1:
            raise pytest.UsageError(f"--nnbench-seeds: expected 1, 2, …, got {self.seeds}")

    def arms(self, scenario: Scenario, folder: Path) -> list[Arm | Probe]:
        """The arms of *scenario* as they will run here; remembered for the plan."""
        from nnbench import catalog

        if scenario.name not in self.scenarios:
            rates = catalog.read_rates(folder)
            changes = {name: _option(self.config, name) for name in ("device", "threads")}
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

    def plan(self) -> dict[str, Any]:
        """The content of run.json."""
        from nnbench.claims import run_plan

        command = shlex.join(["pytest", *map(_relative, self.config.invocation_params.args)])
        return run_plan(
            [scenario.plan(arms) for scenario, arms in self.scenarios.values()],
            profile=self.profile, command=command, version=nnbench.__version__, seeds=self.seeds,
        )  # fmt: skip

    def seeds_of(self, scenario: Scenario) -> range:
        """The seeds of each arm that learns; an exact scenario needs one."""
        from nnbench.claims import SEEDS

        return range(1 if scenario.repeat == "once" else self.seeds or SEEDS[self.profile])

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


_SESSION = pytest.StashKey[Session]()


def _relative(argument: object) -> str:
    """A command-line argument without this machine's folders."""
    text = str(argument)
    for folder, short in ((str(Path.cwd()) + "/", ""), (str(Path.home()), "~")):
        text = text.replace(folder, short)
    return text


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SESSION] = Session(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _SESSION in config.stash:
        config.stash[_SESSION].close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for ``arm`` run once per arm of their scenario."""
    # A parametrization of the test's own wins: the names are nnbench's only in bench files.
    own = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "arm" not in metafunc.fixturenames or "arm" in own:
        return
    from nnbench.catalog import scenario_of_test

    session = metafunc.config.stash[_SESSION]
    folder = Path(str(metafunc.module.__file__)).parent
    try:
        scenario = scenario_of_test(metafunc.module, metafunc.function.__name__)
        arms = session.arms(scenario, folder)
    except NnbenchError as error:
        raise pytest.UsageError(str(error)) from None
    names = [arm.name for arm in arms]
    # Names, not objects: pytest-benchmark writes params into its JSON.
    metafunc.parametrize("arm", names, ids=names, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-benchmark's table is grouped by scenario."""
    for item in items:
        if "arm" in getattr(item, "fixturenames", ()):
            name = getattr(item, "originalname", item.name).removeprefix("test_").replace("_", "-")
            item.add_marker(pytest.mark.benchmark(group=name))


def pytest_collection_finish(session: pytest.Session) -> None:
    """run.json is written before the first arm; the memory server begins its imports."""
    own = session.config.stash[_SESSION]
    if not own.scenarios or session.config.option.collectonly:
        return
    if any("train_benchmark" in getattr(item, "fixturenames", ()) for item in session.items):
        own.memory()
    if own.out is None:
        return
    from nnbench.records import write_run

    if (own.out / "run.json").exists():
        raise pytest.UsageError(f"--nnbench-out: {own.out} holds a run already; name another folder")
    try:
        write_run(own.out, own.plan())
    except NnbenchError as error:
        raise pytest.UsageError(f"--nnbench-out: {error}") from None


@pytest.fixture
def arm(request: pytest.FixtureRequest) -> Arm | Probe:
    """The arm that this test measures."""
    _, arms = _scenario_of(request)
    return next(arm for arm in arms if arm.name == request.param)


def _scenario_of(request: pytest.FixtureRequest) -> tuple[Scenario, list[Arm | Probe]]:
    session = request.config.stash[_SESSION]
    name = request.node.originalname.removeprefix("test_").replace("_", "-")
    return session.scenarios[name]


@pytest.fixture
def train_benchmark(request: pytest.FixtureRequest, benchmark: Any) -> Iterator[Callable[[Arm], list[Record]]]:
    """``train_benchmark(arm)``: measure a training under each seed, and return the records."""
    from nnbench.benchmarking import Measurement

    session = request.config.stash[_SESSION]
    scenario, _ = _scenario_of(request)

    def run(arm: Arm) -> list[Record]:
        measurement = Measurement(
            arm, scenario=scenario.name, data_folder=session.data_folder, memory=session.memory()
        )
        records = _Rounds(session, measurement).run(benchmark, session.seeds_of(scenario))
        _describe(benchmark, records)
        _fail_if_lost(records, expected=arm.name in scenario.may_diverge)
        return records

    yield run


class _Rounds:
    """Seeds as rounds of pytest-benchmark; records are made between them, outside the timed call."""

    def __init__(self, session: Session, measurement: Measurement) -> None:
        self._session, self._measurement = session, measurement
        self._open: Round | None = None
        self.records: list[Record] = []

    def run(self, benchmark: Any, seeds: range) -> list[Record]:
        waiting = iter(seeds)
        seed = seeds[0]

        def setup() -> tuple[tuple[Round], dict[str, Any]]:
            nonlocal seed
            self._close()
            seed = next(waiting)
            self._open = self._measurement.prepare(seed)
            return (self._open,), {}

        try:
            benchmark.pedantic(lambda round_: round_.run(), setup=setup, rounds=len(seeds), iterations=1)
            self._close()
        except (Exception, KeyboardInterrupt) as error:
            self._open = None
            self._keep(self._measurement.failure(seed, error))
            if isinstance(error, KeyboardInterrupt) or not isinstance(error, NnbenchError):
                raise
        return self.records

    def _close(self) -> None:
        if self._open is not None:
            self._keep(self._open.record())
            self._open = None

    def _keep(self, record: Record) -> None:
        self.records.append(self._session.keep(record))


@pytest.fixture
def probe_benchmark(request: pytest.FixtureRequest, benchmark: Any) -> Iterator[Callable[[Probe], Record]]:
    """``probe_benchmark(arm)``: call the probe a few times, and return the record of its metrics."""
    from nnbench.benchmarking import probe_record, run_probe

    session = request.config.stash[_SESSION]
    scenario, _ = _scenario_of(request)

    def run(probe: Probe) -> Record:
        metrics = benchmark.pedantic(run_probe, args=(probe,), rounds=PROBE_ROUNDS, warmup_rounds=1)
        record = session.keep(probe_record(probe, metrics, scenario=scenario.name))
        _describe(benchmark, [record])
        return record

    yield run


def _describe(benchmark: Any, records: list[Record]) -> None:
    """Plain numbers for pytest-benchmark's extra_info; the records themselves stand under 'nnbench'."""
    last = records[-1]
    benchmark.extra_info.update(
        scenario=last.scenario, arm=last.arm["name"], arm_id=last.arm["id"],
        seeds=[record.seed for record in records], status=[record.status for record in records],
    )  # fmt: skip
    for name in ("validation_accuracy", "train_s", "peak_bytes", "parameters"):
        values = [record.metrics[name] for record in records if record.metrics.get(name) is not None]
        if values:
            benchmark.extra_info[name] = values


def _fail_if_lost(records: list[Record], *, expected: bool) -> None:
    for record in records:
        if record.status == "SKIPPED":
            pytest.skip(str(record.reason))
        if record.status == "DIVERGED" and expected:
            continue
        if record.status != "OK":
            pytest.fail(f"seed {record.seed}: {record.status}: {record.reason}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[Any]:  # pragma: no branch
    """Note what became of each benchmark: a failed one stays in the JSON, and must be told there."""
    report = yield
    if "arm" in getattr(item, "fixturenames", ()):
        outcomes = item.config.stash[_SESSION].outcomes
        if report.when == "call" or report.outcome != "passed":
            outcomes[item.nodeid] = report.outcome
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """The host's name is nobody's business; what the measurement depends on is."""
    machine_info.pop("node", None)
    session = config.stash[_SESSION]
    if session.records:
        machine_info["nnbench"] = {
            key: value for key, value in session.records[0].environment.items() if key != "load_1min"
        }


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_commit_info(config: pytest.Config, commit_info: dict[str, Any]) -> None:
    """Which commit, not which project or branch."""
    for key in ("project", "branch"):
        commit_info.pop(key, None)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(
    config: pytest.Config, benchmarks: list[Any], output_json: dict[str, Any]
) -> None:
    """The plan, the outcomes and the records under the key 'nnbench'; numbers that JSON lacks are null."""
    session = config.stash[_SESSION]
    if not session.scenarios:
        return
    from nnbench.records import without_nan

    output_json["nnbench"] = {
        **session.plan(),
        "outcomes": session.outcomes,
        "records": [record.to_json() for record in session.records],
    }
    strict = without_nan(output_json)
    output_json.clear()
    output_json.update(strict)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A table per scenario, and what the records say of its claims."""
    session = config.stash[_SESSION]
    if not session.records:
        return
    from tabulate import tabulate

    from nnbench.claims import judge
    from nnbench.summary import summarize

    terminalreporter.section(f"nnbench, profile {session.profile}")
    for scenario, _ in session.scenarios.values():
        records = [record for record in session.records if record.scenario == scenario.name]
        if not records:
            continue
        terminalreporter.write_line(f"\n{scenario.name}: {scenario.question}")
        terminalreporter.write_line(tabulate(summarize(records), headers="keys", disable_numparse=True))
        for verdict in judge(scenario.claims, records, session.profile):
            terminalreporter.write_line(f"  {verdict.verdict:9s}  {verdict.claim.text}")
            terminalreporter.write_line(f"             {verdict.reason}")
    if session.profile == "smoke":
        terminalreporter.write_line("\nsmoke proves that the code runs; it says nothing about the claims")
    if session.out is not None:
        terminalreporter.write_line(f"\n{len(session.records)} records in {session.out}")


