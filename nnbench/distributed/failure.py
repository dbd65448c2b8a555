"""Which rank failed: found out by those that are left.

A rank that stops in the middle of a training breaks it for all: their next exchange ends in an error that
names a socket, not a rank, and torchrun ends them within a second. So each rank that leaves a training by an
error tells why in torchrun's store, and waits a moment for the others. Whoever says nothing was killed or
hangs; whoever has a reason of its own, not the others' silence, is to blame.
"""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import dataclass

import torch.distributed as dist

from nnbench.distributed.group import Group
from nnbench.distributed.world import Stopped, World

# Long enough for survivors to notice on a busy machine, well within the 15 s that a job may take to end.
_ANSWER_S = 3.0
_POLL_S = 0.05
_GONE = "ended unexpectedly"
_OF_OTHERS = re.compile(
    r"gloo|nccl|connection (closed|reset|refused)|broken pipe|peer|timed out waiting", re.I
)


@dataclass(frozen=True)
class Failure:
    """A training that some ranks left by an error.

    Attributes:
        common: every rank failed by itself, and alike: the arm is at fault, and the ranks are well.
        status: "RANK_FAILED"; "INTERRUPTED" where all were well and were asked to end; "CRASH" if common.
        reason: which ranks failed, and why as far as is known.
        writer: the lowest rank that is left: it writes what was measured.
    """

    common: bool
    status: str
    reason: str
    writer: int


def failure_of(world: World, group: Group, key: str, error: Exception) -> Failure:
    """What became of the training *key* of *group*, which this rank leaves by *error*.

    Raises:
        Exception: *error* itself, where this rank alone failed and the others wait for it in vain: the end
            of this process is what wakes them.
    """
    world.calm = True
    own = "" if _is_of_others(error) else f"{type(error).__name__}: {error}"
    world.tell(f"{key}/left/{world.place.rank}", own or "-")
    members = range(world.place.size if world.stopped else group.size)
    said = _answers(world, key, members)
    if own and not world.stopped and len(said) < group.size:
        raise error
    guilty = {rank: text for rank, text in said.items() if text != "-"}
    if len(guilty) == len(said) == group.size:
        return Failure(common=True, status="CRASH", reason=own, writer=0)
    silent = {rank: _silence(world, rank) for rank in members if rank not in said}
    names = [f"rank {rank} of {world.place.size} {text}" for rank, text in silent.items()]
    names += [f"rank {rank} of {world.place.size} failed: {text}" for rank, text in guilty.items()]
    if not names:
        return Failure(common=False, status="INTERRUPTED", reason="interrupted", writer=min(said))
    return Failure(common=False, status="RANK_FAILED", reason="; ".join(names)[:500], writer=min(said))


def _is_of_others(error: Exception) -> bool:
    return isinstance(error, (Stopped, dist.DistError)) or (
        isinstance(error, RuntimeError) and _OF_OTHERS.search(str(error)) is not None
    )


def _answers(world: World, key: str, members: range) -> dict[int, str]:
    """Rank -> why it left, of all that have told within a moment."""
    end = time.monotonic() + _ANSWER_S
    while True:
        found = {rank: world.told(f"{key}/left/{rank}") for rank in members}
        said = {rank: text for rank, text in found.items() if text is not None}
        if len(said) == len(members) or time.monotonic() >= end:
            return said
        time.sleep(_POLL_S)


def _silence(world: World, rank: int) -> str:
    """What a rank that says nothing is about; one that hangs on this machine is killed."""
    pid = int(world.told(f"pid/{rank}") or 0)
    if world.place.local_size != world.place.size or not pid:
        return "ended unexpectedly, or hangs"
    import psutil

    try:
        process = psutil.Process(pid)
        if process.ppid() != os.getppid() or process.status() == psutil.STATUS_ZOMBIE:
            return _GONE
        os.kill(pid, signal.SIGKILL)
    except (psutil.Error, ProcessLookupError):
        return _GONE
    return "hangs"
