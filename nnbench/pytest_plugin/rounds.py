"""One arm in pytest: its seeds as rounds of pytest-benchmark, its records, its failure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from nnbench.config import NnbenchError

if TYPE_CHECKING:
    from nnbench.benchmarking import Measurement, Round
    from nnbench.pytest_plugin.session import Session
    from nnbench.records import Record


class Rounds:
    """Seeds as rounds of pytest-benchmark; records are made between them, outside the timed call."""

    def __init__(self, session: Session, measurement: Measurement) -> None:
        self._session, self._measurement = session, measurement
        self._open: Round | None = None
        self.records: list[Record] = []

    def run(self, benchmark: Any, seeds: Sequence[int]) -> list[Record]:
        waiting = iter(seeds)
        seed = seeds[0]

        def setup() -> tuple[tuple[Round], dict[str, Any]]:
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
        self.records.append(self._session.keep(record))


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
