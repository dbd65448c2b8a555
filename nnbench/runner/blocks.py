"""A run in blocks: fresh processes, one after the other, that each run every arm once.

A block that dies marks the arm in flight, which the journal names, and is started again for the rest. What
has a record is never run again, so a resumed run does what is missing and nothing else.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nnbench.config import NnbenchError
from nnbench.records import (
    DamagedError,
    Journal,
    Record,
    StorageError,
    read_own_record,
    read_run,
    write_record,
)
from nnbench.runner.account import remaining_s
from nnbench.runner.child import BlockProcess, Ended
from nnbench.runner.request import Request, sweep
from nnbench.work import Work, planned

EXTRA_BLOCKS = 2  # at most, to make up for INVALID ones
_STORAGE_FAILED = 74  # the plugin's exit code where a record cannot be written


class BlockError(NnbenchError):
    """A block that cannot go on: its bench files or options are wrong, or it dies outside its arms."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        done, total: arms times seeds times blocks.
        left_s: seconds that the rest will take; None before it can be known.
        doing: the arm in flight.
    """

    done: int
    total: int
    left_s: float | None
    block: int
    doing: str


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        blocks: that were run.
        stopped: why there are no more; empty where all are done.
        put_aside: files of damaged records, which were run again.
    """

    blocks: int
    stopped: str = ""
    put_aside: tuple[str, ...] = ()


class Run:
    """The run of *request* in *folder*, new or to be resumed; its lock is held by the caller."""

    def __init__(
        self,
        request: Request,
        folder: Path,
        *,
        command: str,
        tell: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._request, self._folder, self._command, self._tell = request, folder, command, tell
        self._journal = Journal(folder)
        self._known: dict[str, Record] = {}
        self._put_aside: list[str] = []
        self._read_plan: Mapping[str, Any] | None = None
        self._block = 0

    @property
    def _plan(self) -> Mapping[str, Any] | None:
        """run.json; None before the first process has written it."""
        if self._read_plan is None and (self._folder / "run.json").exists():
            self._read_plan = read_run(self._folder)
        return self._read_plan

    def run(self, max_minutes: float | None = None) -> Outcome:
        """Run what is missing; stops before a block that would not end within *max_minutes*.

        Raises:
            BlockError, StorageError: a block could not begin, or records cannot be written.
        """
        sweep(self._folder)
        start, longest, block = time.monotonic(), 0.0, 0
        while block < self._blocks_wanted():
            began = time.monotonic()
            if max_minutes is not None and block and began - start + longest > 60 * max_minutes:
                done = f"stopped after {block} of {self._request.blocks} blocks"
                reason = f"{done}: another would not end within {max_minutes:g} minutes"
                return Outcome(block, reason, tuple(self._put_aside))
            self._run_block(block)
            longest = max(longest, time.monotonic() - began)
            block += 1
        return Outcome(block, put_aside=tuple(self._put_aside))

    def _blocks_wanted(self) -> int:
        """The blocks that were asked for, and at most two in the place of disturbed ones."""
        blocks = self._request.blocks
        if blocks == 1 or self._plan is None:
            return blocks
        timed = {work.id for work in planned(self._plan) if work.timed}
        spoilt = {r.block for r in self._records() if r.id in timed and "INVALID" in r.quality}
        return blocks + min(EXTRA_BLOCKS, len(spoilt))

    def _run_block(self, block: int) -> None:
        """Run *block* until nothing of it is due: a process, and another for each that dies."""
        self._block, fruitless = block, False
        while (due := self._due(block)) is None or due:
            before = self._finished()
            ended = self._process(block)
            self._mark(block, ended)
            if self._finished() - before:
                fruitless = False
            elif fruitless or ended.code > 1 or ended.timed_out:
                raise _cannot_begin(ended, self._request.arm_timeout_s)
            else:
                fruitless = True  # killed before its first arm, perhaps by chance

    def _due(self, block: int) -> list[Work] | None:
        """What *block* has still to do; None before the first process has written the plan."""
        if self._plan is None:
            return None
        done = self._finished()
        return [work for work in planned(self._plan, block) if work.id not in done]

    def _finished(self) -> set[str]:
        """Ids of the records that are there to stay: what was interrupted will run again."""
        return {record.id for record in self._records() if record.status != "INTERRUPTED"}

    def _process(self, block: int) -> Ended:
        options = [f"--nnbench-out={self._folder}", f"--nnbench-block={block}",
                   f"--nnbench-blocks={self._request.blocks}"]  # fmt: skip
        self._journal.note("block", block)
        process = BlockProcess(
            ["-m", "pytest", *self._request.paths, "-p", "no:cacheprovider", "--benchmark-columns=median",
             "--maxfail=0",  # else a user's pytest.ini may have it stop at the first arm that fails
             *self._request.options, *options],
            self._folder / "blocks" / f"block-{block:03d}.log",
            NNBENCH_COMMAND=self._command,
        )  # fmt: skip
        try:
            ended = process.watch(self._journal, self._look, self._request.arm_timeout_s)
        except BaseException as error:
            with _undisturbed():
                process.interrupt()
                asked = isinstance(error, (KeyboardInterrupt, SystemExit))
                self._mark_in_flight("INTERRUPTED", "interrupted" if asked else str(error) or repr(error))
            raise
        self._journal.note("end", block, code=ended.code)
        return ended

    def _mark(self, block: int, ended: Ended) -> None:
        """Leave a record of the arm that a process died in, or of what it has passed over in silence."""
        if ended.code == _STORAGE_FAILED:
            raise _storage_error(ended)
        if self._mark_in_flight(*_cause(ended, self._request.arm_timeout_s)) or ended.code not in (0, 1):
            return
        for work in self._due(block) or ():
            self._write(
                work, "CRASH", f"the process ended with exit code {ended.code} and left no record of it"
            )

    def _mark_in_flight(self, status: str, reason: str) -> bool:
        arm = self._journal.in_flight()
        if arm is None or self._plan is None:
            return False
        for work in planned(self._plan, arm.block):
            if work.id == arm.more["id"] and work.id not in self._finished():
                self._write(work, status, reason)
                return True
        self._journal.note("record", arm.block, id=arm.more["id"])  # it was written, and died before noting
        return False

    def _write(self, work: Work, status: str, reason: str) -> None:
        record = Record(scenario=work.scenario, arm=work.arm, seed=work.seed, block=work.block,
                        status=status, reason=reason)  # fmt: skip
        write_record(self._folder, record)
        self._journal.note("record", work.block, id=record.id)

    def _records(self) -> list[Record]:
        """The records of the folder; each is read once. A damaged one counts as missing, and is put aside.

        Raises:
            StorageError: a later nnbench wrote one of them, or it cannot be read.
        """
        paths = {path.stem: path for path in (self._folder / "records").glob("*.json")}
        for name, path in paths.items():
            if name not in self._known or self._known[name].status == "INTERRUPTED":
                try:
                    self._known[name] = read_own_record(path)
                except DamagedError:
                    path.rename(path.with_suffix(".rejected"))
                    self._put_aside.append(path.name)
        return [self._known[name] for name in paths if name in self._known]

    def _look(self) -> None:
        """Tell how far the run is."""
        if self._plan is None:
            return
        entries, work = self._journal.entries(), planned(self._plan)
        left = {each.id for each in work} - {e.more["id"] for e in entries if e.event == "record"}
        arm = self._journal.in_flight()
        doing = f"{arm.more['scenario']}, {arm.more['arm']}" if arm else "starting"
        self._tell(Progress(done=len(work) - len(left), total=len(work), left_s=remaining_s(work, entries),
                            block=self._block, doing=doing))  # fmt: skip


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C or SIGTERM must not lose the record of the arm in flight."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _cannot_begin(ended: Ended, arm_timeout_s: float) -> BlockError:
    """What pytest says of a mistake in a bench file or an option; its last lines where it says nothing."""
    if ended.code < 0:
        _, reason = _cause(ended, arm_timeout_s)
        return BlockError("\n".join([*ended.tail, f"no arm was running: {reason}"]))
    errors = [line for line in ended.tail if line.startswith(("ERROR", "E  "))]
    return BlockError("\n".join(errors or ended.tail) or f"pytest ended with {ended.code}")


def _storage_error(ended: Ended) -> StorageError:
    """What a process said, through pytest, of the file that it could not write or read."""
    said = next((line for line in reversed(ended.tail) if "Exit: " in line), "")
    return StorageError(said.partition("Exit: ")[2].strip(" !") or "\n".join(ended.tail))


def _cause(ended: Ended, arm_timeout_s: float) -> tuple[str, str]:
    """Status and reason of an arm whose process ended as *ended*."""
    if ended.timed_out:
        return "TIMEOUT", f"took longer than {arm_timeout_s:g} s"
    if ended.code >= 0:
        return "CRASH", f"the process ended with exit code {ended.code} and left no record"
    number = -ended.code
    if ended.oom and number == signal.SIGKILL:
        return "OOM", "the kernel's out-of-memory killer ended the process"
    name = next((each.name for each in signal.Signals if each == number), f"signal {number}")
    return "CRASH", f"the process was killed by {name}"
