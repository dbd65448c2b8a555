"""The processes that torchrun started: who this one is, how they join, and how the idle ones wait.

One launch of N ranks measures arms of 1, 2, … N ranks, one after the other: an arm of n ranks is trained by
ranks 0 to n - 1, and the others sleep until its record is there. They ask torchrun's key-value store for it
a few times a second; a barrier would spin on a core that belongs to somebody else.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from nnbench import devices
from nnbench.config import ConfigError
from nnbench.distributed.group import Group
from nnbench.processes import die_with_parent

_POLL_S = 0.05


@dataclass(frozen=True)
class Place:
    """This process among those that torchrun started.

    Attributes:
        rank, size: among all.
        local_rank, local_size: among those of this machine.
        restarts: how often torchrun has started them anew; times after a restart are not to be believed.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    restarts: int = 0


def place_of(environment: Mapping[str, str] | None = None) -> Place | None:
    """This process's place, from torchrun's variables; None outside of torchrun.

    Raises:
        ConfigError: a variable is missing or no number.
    """
    found = os.environ if environment is None else environment
    if "RANK" not in found or "WORLD_SIZE" not in found:
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    try:
        rank, size, local_rank, local_size = (int(found[name]) for name in names)
        restarts = int(found.get("TORCHELASTIC_RESTART_COUNT", "0"))
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"environment: expected the numbers {', '.join(names)} of torchrun: {error}"
        ) from error
    return Place(rank, size, local_rank, local_size, restarts)


def launcher() -> dict[str, Any]:
    """What a record says of how its process was started; times of different launchers do not compare."""
    place = place_of()
    if place is None:
        return {"launcher": "python"}
    backend = dist.get_backend() if dist.is_initialized() else None
    return {
        "launcher": "torchrun", "world_size": place.size, "backend": backend, "restarts": place.restarts,
    }  # fmt: skip


class Stopped(Exception):
    """torchrun asked this process to end, most often because another rank has failed."""


@dataclass
class World:
    """All ranks of a launch, joined.

    Attributes:
        place: this process.
        device: where this rank computes.
        groups: number of ranks -> the group of that many, None where this rank is not in it.
        store: torchrun's key-value store; it lives in torchrun's own process and outlives any rank.
        stopped: whether torchrun has asked this process to end.
        calm: whether that is only noted; otherwise it interrupts what is being done, by `Stopped`.
    """

    place: Place
    device: torch.device
    store: Any
    groups: dict[int, Group | None] = field(default_factory=dict)
    stopped: bool = False
    calm: bool = False

    def tell(self, key: str, text: str) -> None:
        """Put *text* where every rank can read it."""
        self.store.set(f"nnbench/{key}", text)

    def told(self, key: str) -> str | None:
        """What a rank has told under *key*; None where none has yet."""
        name = f"nnbench/{key}"
        if not self.store.check([name]):
            return None
        text: str = self.store.get(name).decode()
        return text

    def sleep_until(self, key: str, timeout_s: float) -> str | None:
        """Sleep until a rank tells *key*, and return that; None after *timeout_s*.

        Raises:
            Stopped: torchrun asked this process to end.
        """
        end = time.monotonic() + timeout_s
        while (text := self.told(key)) is None and time.monotonic() < end:
            time.sleep(_POLL_S)
        return text

    def stop(self, number: int, frame: object) -> None:
        """Answer SIGTERM: interrupt what is being done, once; what follows is told in peace."""
        self.stopped = True
        if not self.calm:
            self.calm = True
            raise Stopped(signal.Signals(number).name)


@contextmanager
def joined(
    place: Place, sizes: Sequence[int], *, device: str = "auto", timeout_s: float = 300
) -> Iterator[World]:
    """All ranks of the launch, with a group for each of *sizes*; every rank calls it, and leaves it.

    Args:
        device: auto, cpu or cuda; each rank takes the GPU of its local number.
        timeout_s: a rank that is silent for so long in the middle of a training counts as failed.

    Raises:
        ConfigError: GPUs are asked for, and there are fewer than ranks.
    """
    where = _device(place, device)
    die_with_parent(signal.SIGKILL)
    if place.local_size == place.size and sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nobody outside listens, no name is looked up
    wait = timedelta(seconds=timeout_s)
    if where.type == "cuda":
        torch.cuda.set_device(where)
        dist.init_process_group("cpu:gloo,cuda:nccl", timeout=wait, device_id=where)
    else:
        dist.init_process_group("gloo", timeout=wait)
    world = World(place, where, dist.distributed_c10d._get_default_store())
    before = signal.signal(signal.SIGTERM, world.stop)
    try:
        world.tell(f"pid/{place.rank}", str(os.getpid()))
        world.groups = {size: _group(place, size, where, wait) for size in sizes if size <= place.size}
        yield world
    except BaseException:
        world.calm = True  # the other ranks may be anywhere: leaving together would be waiting for them
        raise
    finally:
        if not world.calm:  # else a rank has failed, and there is no leaving in good order
            signal.signal(signal.SIGTERM, before)
            dist.destroy_process_group()


def _group(place: Place, size: int, device: torch.device, timeout: timedelta) -> Group | None:
    # One rank alone has nobody to talk to, and trains as any process does.
    handle: Any = dist.new_group(list(range(size)), timeout=timeout) if size > 1 else None
    return Group(place.rank, size, handle, device) if place.rank < size else None


def _device(place: Place, name: str) -> torch.device:
    device = devices.choose_device(name)
    if device.type == "cpu":
        return device
    found = torch.accelerator.device_count()
    if found < place.local_size:
        raise ConfigError(
            f"device: {place.local_size} ranks need as many GPUs, found {found}; start fewer, or say "
            "--device cpu"
        )
    return torch.device(device.type, place.local_rank)
