"""The pytest plugin: parametrizes bench files, measures their arms, keeps the records.

Loaded in every pytest run of the environment, so it imports nothing heavy and does nothing unless a
test asks for the fixture ``arm``.

* ``arm``: one arm of the chosen profile; the test ``test_<scenario>`` gets those of that scenario.
* ``train_benchmark(arm)``: a training per seed on ``benchmark.pedantic``. pytest-benchmark's own columns
  are the wall time of one whole training with its validation loops; nnbench's records divide it. Where no
  claim needs the times, and it pays, all seeds train as one model, in one round.
* ``probe_benchmark(arm)``: the same for a probe.

Scenarios with arms of several ranks are measured by one launch of torchrun, see `launched`; under torchrun
itself they are the only ones that are measured, and rank 0 alone writes and prints.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nnbench.config import Arm, NnbenchError, Probe
from nnbench.pytest_plugin.forecasting import write_forecast
from nnbench.pytest_plugin.launched import NOT_UNDER_TORCHRUN, needs_launch, silence
from nnbench.pytest_plugin.options import OPTIONS, option
from nnbench.pytest_plugin.rounds import Rounds, describe, fail_if_lost
from nnbench.pytest_plugin.session import SESSION, Session, own_scenario

if TYPE_CHECKING:
    from nnbench.claims import Scenario
    from nnbench.records import Record


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every option is an ini key too, with _ for -."""
    group = parser.getgroup("nnbench", "nnbench: benchmarks of neural-network training")
    for name, keywords in OPTIONS.items():
        group.addoption(f"--nnbench-{name}", default=None, **keywords)
        parser.addini(f"nnbench_{name.replace('-', '_')}", keywords["help"], default="")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    session = config.stash[SESSION] = Session(config)
    if session.rank:
        silence(config)  # before pytest-benchmark reads its options


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.stash[SESSION].rank:
        session.config.pluginmanager.unregister(name="terminalreporter")


def pytest_unconfigure(config: pytest.Config) -> None:
    if SESSION in config.stash:
        session = config.stash[SESSION]
        session.close()
        session.leave()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for ``arm`` run once per arm of their scenario."""
    # A parametrization of the test's own wins: the names are nnbench's only in bench files.
    own = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "arm" not in metafunc.fixturenames or "arm" in own:
        return
    from nnbench.catalog import scenario_of_test

    session = metafunc.config.stash[SESSION]
    folder = Path(str(metafunc.module.__file__)).parent
    try:
        scenario = scenario_of_test(metafunc.module, metafunc.function.__name__)
        arms = session.arms(scenario, folder)
    except NnbenchError as error:
        raise pytest.UsageError(str(error)) from None
    names = [arm.name for arm in arms]
    # Names, not objects: pytest-benchmark writes params into its JSON.
    metafunc.parametrize("arm", names, ids=names, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Mark what is ours; once pytest has selected (``-k``), write the plan and keep what is due."""
    _mark(items)
    yield
    own = config.stash[SESSION]
    own.select(items)
    if not own.scenarios or config.option.collectonly:
        return
    own.choose_threads()
    own.open_run()  # run.json is written before the first arm
    if own.is_block:
        due = own.still_due(items)
        config.hook.pytest_deselected(items=[item for item in items if item not in due])
        items[:] = due


def _mark(items: list[pytest.Item]) -> None:
    """pytest-benchmark's table is grouped by scenario; what torchrun must measure is set apart."""
    for item in items:
        if (name := own_scenario(item)) is None:
            continue
        session = item.config.stash[SESSION]
        if needs_launch(session.scenarios[name][0]):
            item.add_marker(pytest.mark.benchmark(group=name, timer=session.launched.replay.now))
        else:
            item.add_marker(pytest.mark.benchmark(group=name))
            if session.rank is not None:
                item.add_marker(pytest.mark.skip(reason=NOT_UNDER_TORCHRUN))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What one launch measures is known now; the memory server begins its imports."""
    own = session.config.stash[SESSION]
    if not own.scenarios or session.config.option.collectonly:
        return
    ours = [item for item in session.items if own_scenario(item) is not None]
    here = [item for item in ours if not own.plan_launch(item)]
    if any("train_benchmark" in _fixtures(item) for item in here):
        own.memory()
    own.make_json_folder()
    own.ready(trains=bool(here))
    if forecast_file := option(session.config, "forecast"):
        write_forecast(own, Path(forecast_file))
        session.items.clear()


def _fixtures(item: pytest.Item) -> tuple[str, ...]:
    return tuple(getattr(item, "fixturenames", ()))


@pytest.fixture
def arm(request: pytest.FixtureRequest) -> Arm | Probe:
    """The arm that this test measures."""
    _, arms = _scenario_of(request)
    return next(arm for arm in arms if arm.name == request.param)


def _scenario_of(request: pytest.FixtureRequest) -> tuple[Scenario, list[Arm | Probe]]:
    name = own_scenario(request.node)
    if name is None:
        raise pytest.UsageError(f"{request.node.nodeid}: no scenario of this test's name")
    return request.config.stash[SESSION].scenarios[name]


@pytest.fixture
def train_benchmark(request: pytest.FixtureRequest, benchmark: Any) -> Callable[[Arm], list[Record]]:
    """``train_benchmark(arm)``: measure a training under each seed, and return the records."""
    from nnbench.benchmarking import Measurement

    session = request.config.stash[SESSION]
    scenario, _ = _scenario_of(request)

    def run(arm: Arm) -> list[Record]:
        if needs_launch(scenario):
            return session.launched.tell(benchmark, scenario, arm)
        measurement = Measurement(
            arm, scenario=scenario.name, block=session.block, data_folder=session.data_folder,
            memory=session.memory(),
        )  # fmt: skip
        rounds, seeds = Rounds(session, measurement), session.due(scenario, arm)
        if (together := rounds.together(scenario, measurement, seeds)) is not None:
            records = rounds.run_together(benchmark, together, seeds)
        else:
            records = rounds.run(benchmark, seeds)
        describe(benchmark, records)
        fail_if_lost(records, expected=arm.name in scenario.may_diverge)
        return records

    return run


@pytest.fixture
def probe_benchmark(request: pytest.FixtureRequest, benchmark: Any) -> Callable[[Probe], list[Record]]:
    """``probe_benchmark(arm)``: call the probe, under each seed where it has any, and return the records."""
    from nnbench.benchmarking import ProbeMeasurement

    session = request.config.stash[SESSION]
    scenario, _ = _scenario_of(request)

    def run(probe: Probe) -> list[Record]:
        measurement = ProbeMeasurement(
            probe, scenario=scenario.name, block=session.block, data_folder=session.data_folder
        )
        rounds, seeds = Rounds(session, measurement), session.due(scenario, probe)
        timed = scenario.repeat == "blocks" and not probe.seeded
        records = rounds.repeat(benchmark, seeds[0]) if timed else rounds.run(benchmark, seeds)
        describe(benchmark, records)
        fail_if_lost(records, expected=probe.name in scenario.may_diverge)
        return records

    return run


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where rank 0 was lost, the lowest rank that is left writes what became of the arms."""
    own = session.config.stash[SESSION]
    own.exit_status = int(session.exitstatus)
    if own.rank and own.writes:
        own.write_json_of_failures()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what became of each benchmark: a failed one stays in the JSON, and must be told there."""
    report = yield
    if own_scenario(item) is not None:
        outcomes = item.config.stash[SESSION].outcomes
        if report.when == "call" or report.outcome != "passed":
            outcomes[item.nodeid] = report.outcome
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """The host's name is nobody's business; what the measurement depends on is."""
    machine_info.pop("node", None)
    session = config.stash[SESSION]
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
    session = config.stash[SESSION]
    if not session.scenarios:
        return
    from nnbench.records import without_nan

    output_json["nnbench"] = session.to_json()
    session.json_written = True
    strict = without_nan(output_json)
    output_json.clear()
    output_json.update(strict)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A table per scenario, and what the records say of its claims; the runner tells of all blocks."""
    session = config.stash[SESSION]
    if not session.records or session.is_block:
        return
    session.write_json_of_failures()
    from nnbench.terminal import run_lines

    terminalreporter.section(f"nnbench, profile {session.profile}")
    for line in run_lines(session.plan(), session.records):
        terminalreporter.write_line(line)
    if session.out is not None:
        terminalreporter.write_line(f"\n{len(session.records)} records in {session.out}")
