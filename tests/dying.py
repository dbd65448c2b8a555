"""Death of a run at an entry of its journal: no hook in nnbench, the method that notes it is replaced here.

``NNBENCH_TEST_DIE=record:2:before`` kills the runner and its block just before the second note of a record,
``arm:1:after`` just after the first note of an arm; ``block`` and ``end`` are the runner's own notes.
"""

import os
import signal

from nnbench.records import Journal

CONFTEST = "import dying; dying.install(beside=True)\n"
RUNNER = "import sys, dying; dying.install(); from nnbench.cli import main; sys.exit(main())"


def install(*, beside: bool = False) -> None:
    """Have this process die as it is told to, with the one that has started it where *beside*."""
    event, _, rest = os.environ.get("NNBENCH_TEST_DIE", "").partition(":")
    number, _, when = rest.partition(":")
    if not event:
        return
    note, left = Journal.note, int(number)

    def dying_note(self, name, block, **more):
        nonlocal left
        left -= name == event
        dies = name == event and left == 0
        if dies and when == "before":
            _die(beside)
        note(self, name, block, **more)
        if dies:
            _die(beside)

    Journal.note = dying_note


def _die(beside: bool) -> None:
    if beside:
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
