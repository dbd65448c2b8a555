"""Choose a device, wait for it, set its threads and its arithmetic. Reads no clock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from nnbench.config import BF16_MIXED, ConfigError


class DeviceMissing(ConfigError):
    """The device that an arm asks for is not on this machine."""


def choose_device(name: str) -> torch.device:
    """The device called *name*; ``auto`` is the accelerator if one is there, else the CPU.

    Raises:
        DeviceMissing: the device is not on this machine.
    """
    if name == "auto":
        # Without the check a CUDA build answers "cuda" on a machine that has no GPU.
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu") if accelerator is None else torch.device(accelerator.type, 0)
    device = torch.device(name)
    found = torch.cuda.device_count() if device.type == "cuda" else 1
    if device.type == "cuda" and (device.index or 0) >= found:
        raise DeviceMissing(f"device: {name!r} needs CUDA device {device.index or 0}, found {found} of them")
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device


def is_asynchronous(device: torch.device) -> bool:
    """Whether work on *device* goes on after the call that started it has returned."""
    return device.type != "cpu"


def wait(device: torch.device) -> None:
    """Return when all work queued on *device* is done; both sides of a timed region need it."""
    if is_asynchronous(device):
        torch.accelerator.synchronize(device)


def usable_cores() -> int:
    """Cores this process may use: the affinity mask and the cgroup's quota, whichever is less.

    A container's CPU quota shows neither in `os.cpu_count` nor in the mask.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def weight_type(precision: str) -> torch.dtype:
    """The number format of weights, gradients and samples."""
    found: torch.dtype = getattr(torch, "float32" if precision == BF16_MIXED else precision)
    return found


def product_type(precision: str) -> torch.dtype:
    """The number format that matrix products and convolutions multiply in."""
    return torch.bfloat16 if precision == BF16_MIXED else weight_type(precision)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Products in bfloat16 inside, where the *precision* is mixed; what must not lose digits stays float32.

    As `torch.autocast` chooses: products and convolutions in bfloat16, losses and norms in float32. bfloat16
    has the range of float32, so gradients need no scaling (Kalamkar et al. 2019, arXiv 1905.12322).
    """
    if precision != BF16_MIXED:
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@contextmanager
def settings(threads: int) -> Iterator[None]:
    """*threads* intra-op threads and repeatable arithmetic (no TF32, no cuDNN autotuning), then as before."""
    before = torch.get_num_threads(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    precision = torch.get_float32_matmul_precision()
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before[1:]
        torch.set_float32_matmul_precision(precision)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's random numbers start from *seed* inside, and go on outside as if nothing had happened."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
