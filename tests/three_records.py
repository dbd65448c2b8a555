"""A small program that writes what a runner and its block write: a plan, three records, a journal."""

import os
import sys
from pathlib import Path

from nnbench.config import NnbenchError
from nnbench.records import Journal, Record, write_record, write_run

RECORDS = 3


def record(number, text):
    arm = {"name": "arm", "id": f"{number:016x}", "kind": "training"}
    return Record(scenario="tiny", arm=arm, seed=0, metrics={"train_s": float(number)}, started_at=text)


def plan(text):
    return {"schema_version": 1, "profile": text}


def write_all(folder, text):
    """All of a run; ids do not depend on *text*."""
    write_run(folder, plan(text))
    journal = Journal(folder)
    journal.note("block", 0)
    for number in range(RECORDS):
        made = record(number, text)
        journal.begins("tiny", made.arm, 0, 0)
        write_record(folder, made)
        journal.note("record", 0, id=made.id)


def old_run(folder):
    """A run of which the plan and the first record are there already, in an older text."""
    write_run(folder, plan("old"))
    write_record(folder, record(0, "old"))
    return folder


if __name__ == "__main__":
    _folder = Path(sys.argv[1])
    os.close(os.open(_folder / "MARK", os.O_WRONLY | os.O_CREAT))  # what comes before is Python's own
    try:
        write_all(_folder, "new")
    except NnbenchError as error:
        print(f"nnbench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
