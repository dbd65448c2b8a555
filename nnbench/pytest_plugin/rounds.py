"""One arm in pytest: its seeds as rounds of pytest-benchmark, or as one; its records, its failure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from nnbench.config import NnbenchError

if TYPE_CHECKING:
    from nnbench.benchmarking import Measurement, ProbeMeasurement, ProbeRound, Round, Together
    from nnbench.claims import Scenario
    from nnbench.pytest_plugin.session import Session
    from nnbench.records import Record


PROBE_ROUNDS = 5  # of a probe whose times count, beside one to warm up


class Rounds:
    """Seeds as rounds of pytest-benchmark; records are made between them, outside the timed call."""

    def __init__(self, session: Session, measurement: Measurement | ProbeMeasurement) -> None:
        self._session, self._measurement = session, measurement
        self._open: Round | ProbeRound | None = None
        self._note: dict[str, Any] = {}
        self.records: list[Record] = []

    def together(self, scenario: Scenario, of: Measurement, seeds: Sequence[int]) -> Together | None:
        """The arm under all *seeds* as one model, where that was asked for or pays; else None.

        An arm of which some seeds have left a record already may have died so: the others then go alone.
        """
        from nnbench.benchmarking import Together, pays, why_alone
        from nnbench.training.vectorised import NotVectorisable

        way, every = self._session.vectorise, self._session.seeds_of(scenario, of.arm)
        if len(seeds) < 2 or tuple(seeds) != every or why_alone(scenario, of.arm, way):
            return None
        if way == "auto" and not pays(of.arm, len(seeds), of.data_folder):
            return None
        try:
            return Together(of, seeds)
        except NotVectorisable as error:
            self._note = {"alone": str(error)}
        except Exception:  # each seed alone will tell
            pass
        return None

    def run_together(self, benchmark: Any, together: Together, seeds: Sequence[int]) -> list[Record]:
        """All *seeds* as one round. Where it fails each goes alone: only that tells what is wrong with it."""
        self._session.begins(str(self._measurement.scenario), self._measurement.arm, seeds[0])
        try:
            benchmark.pedantic(together.run, rounds=1, iterations=1)
            records = together.records()
        except KeyboardInterrupt as error:
            self._keep(self._measurement.failure(seeds[0], error))
            benchmark.has_error = True
            raise
        except (Exception, SystemExit) as error:
            benchmark.has_error = True
            self._note = {"alone": f"together they failed: {type(error).__name__}: {error}"[:500]}
            self._rest(seeds)
        else:
            for record in records:
                self._keep(record)
        return self.records

    def repeat(self, benchmark: Any, seed: int) -> list[Record]:
        """A few rounds of what is done alike in each: one record, of the last."""
        of = self._measurement
        self._session.begins(str(of.scenario), of.arm, seed)
        round_ = of.prepare(seed)
        try:
            benchmark.pedantic(round_.run, rounds=PROBE_ROUNDS, warmup_rounds=1)
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            benchmark.has_error = True
            self._keep(of.failure(seed, error))
            if isinstance(error, KeyboardInterrupt) or not isinstance(error, NnbenchError):
                raise
        else:
            self._keep(round_.record())
        return self.records

    def run(self, benchmark: Any, seeds: Sequence[int]) -> list[Record]:
        """One round for each of *seeds*, and a record of each."""
        waiting = iter(seeds)
        seed = seeds[0]

        def setup() -> tuple[tuple[Round | ProbeRound], dict[str, Any]]:
            nonlocal seed
            self._close()
            seed = next(waiting)
            self._session.begins(str(self._measurement.scenario), self._measurement.arm, seed)
            self._open = self._measurement.prepare(seed)
            return (self._open,), {}

        try:
            benchmark.pedantic(lambda round_: round_.run(), setup=setup, rounds=len(seeds), iterations=1)
            self._close()
        except pytest.exit.Exception:
            raise  # the records cannot be written
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            self._open = None
            self._keep(self._measurement.failure(seed, error))
            benchmark.has_error = True  # else pytest-benchmark would look for the fastest of no rounds
            if not isinstance(error, KeyboardInterrupt):
                self._rest(waiting)
            if isinstance(error, KeyboardInterrupt) or not isinstance(error, NnbenchError):
                raise
        return self.records

    def _rest(self, seeds: Iterable[int]) -> None:
        """The seeds after one that failed: pytest-benchmark has done with this arm, the plan has not."""
        for seed in seeds:
            self._session.begins(str(self._measurement.scenario), self._measurement.arm, seed)
            try:
                self._keep(self._measurement.record(seed))
            except SystemExit as error:
                self._keep(self._measurement.failure(seed, error))

    def _close(self) -> None:
        if self._open is not None:
            self._keep(self._open.record())
            self._open = None

    def _keep(self, record: Record) -> None:
        told = replace(record, evidence={**record.evidence, **self._note})
        self.records.append(self._session.keep(told))


def interrupted(benchmark: Any, error: KeyboardInterrupt) -> None:
    """Raise *error* from within pytest-benchmark, which would else say that it was not used."""

    def again() -> None:
        raise error

    benchmark.has_error = True
    benchmark.pedantic(again)


def describe(benchmark: Any, records: list[Record]) -> None:
    """Plain numbers for pytest-benchmark's extra_info; the records themselves stand under 'nnbench'."""
    last = records[-1]
    benchmark.extra_info.update(
        scenario=last.scenario, arm=last.arm["name"], arm_id=last.arm["id"],
        seeds=[record.seed for record in records], status=[record.status for record in records],
    )  # fmt: skip
    if vectorised := last.evidence.get("vectorised"):
        benchmark.extra_info["vectorised"] = vectorised  # pytest-benchmark's one round is all seeds'
    for name in ("validation_accuracy", "train_s", "peak_bytes", "parameters"):
        values = [record.metrics[name] for record in records if record.metrics.get(name) is not None]
        if values:
            benchmark.extra_info[name] = values


def fail_if_lost(records: list[Record], *, expected: bool) -> None:
    for record in records:
        if record.status == "SKIPPED":
            pytest.skip(str(record.reason))
        if record.status == "DIVERGED" and expected:
            continue
        if record.status != "OK":
            pytest.fail(f"seed {record.seed}: {record.status}: {record.reason}", pytrace=False)
