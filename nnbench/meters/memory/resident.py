"""The memory pass on a CPU: how far the resident size of this process grows. Made for a forked child."""

from __future__ import annotations

import ctypes
import gc
import re
from pathlib import Path

from nnbench.config import Arm
from nnbench.meters.memory.peak import Peak, composed
from nnbench.meters.memory.split import split_of
from nnbench.meters.memory.steps import make, run_steps

_M_MMAP_THRESHOLD = -3  # of malloc.h


def resident_peak(arm: Arm, seed: int, data_folder: Path | None) -> Peak:
    """Bytes by which the resident peak of a few steps exceeds the size before them, and the parts of it.

    Raises:
        OSError: the kernel does not let this process reset its high-water mark.
    """
    map_large_blocks()
    run_steps(make(arm, seed, data_folder))
    _give_freed_pages_back()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_bytes("VmRSS")
    training = run_steps(make(arm, seed, data_folder))
    peak_bytes = max(0, _status_bytes("VmHWM") - before)
    return composed(peak_bytes, split_of(training))  # counted when the mark has been read


def _libc() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libc.so.6")
    except OSError:
        return None  # not glibc: its allocator keeps no freed pages that could be given back


def _give_freed_pages_back() -> None:
    """Pages that the first run has freed would be taken again by the second and hide its growth."""
    gc.collect()
    if (libc := _libc()) is not None:
        libc.malloc_trim(0)


def map_large_blocks() -> None:
    """Every tensor of 64 KiB and more in a mapping of its own, gone from the resident size when freed.

    glibc would otherwise raise that limit while the first run frees its tensors, and what the second
    run has freed would count until the heap shrinks: twice the truth for a network of 1,100,000 weights.
    """
    if (libc := _libc()) is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, 64 * 1024)


def _status_bytes(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status has no {name}")
    return int(found[1]) * 1024
