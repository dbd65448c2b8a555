"""The memory pass on a CUDA device: allocated, reserved, and used of the device.

Three figures, since each leaves out something of the next: the allocator's tensors, the segments that it
holds for them, and beside these the context and the libraries, hundreds of megabytes.

Used is NVML's figure of this process. What the device has in use altogether (cudaMemGetInfo) contains its
other users, and the growth of that leaves out the context, which was there before. The allocator keeps its
segments until it is told to empty its cache, so a reading after the steps still sees the peak.
"""

from __future__ import annotations

import gc
import importlib
import os
from pathlib import Path

import torch

from nnbench import devices
from nnbench.config import Arm
from nnbench.meters.memory.peak import Peak, composed
from nnbench.meters.memory.split import split_of
from nnbench.meters.memory.steps import make, run_steps
from nnbench.training import Training

_BLOCK_BYTES = 512  # the allocator rounds every tensor up to whole ones


def cuda_peak(arm: Arm, seed: int, data_folder: Path | None) -> Peak:
    """The allocator's peak over a few steps, without data set and libraries' workspaces, and its parts."""
    device = devices.choose_device(arm.device)
    run_steps(
        make(arm, seed, data_folder)
    )  # workspaces stay with the process: whoever comes first must not pay
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    training = run_steps(make(arm, seed, data_folder))
    used = device_used_bytes(device)
    peak_bytes = torch.cuda.max_memory_allocated(device) - before - data_bytes(training, device)
    reserved_bytes = torch.cuda.max_memory_reserved(device)
    return composed(peak_bytes, split_of(training), reserved_bytes=reserved_bytes, device_used_bytes=used)


def data_bytes(training: Training, device: torch.device) -> int:
    """What the allocator gave for the samples of *training* that lie on *device*."""
    parts = (training.train, training.scored)
    tensors = [tensor for part in parts for tensor in (part.images, part.labels) if tensor.device == device]
    return sum(-(-tensor.nbytes // _BLOCK_BYTES) * _BLOCK_BYTES for tensor in tensors)


def device_used_bytes(device: torch.device) -> int | str:
    """Bytes of *device* that this process has, by NVML, or why that is not known."""
    try:
        pynvml = importlib.import_module("pynvml")

        pynvml.nvmlInit()
    except Exception as error:  # no driver, or none that answers
        return f"NVML: {error}"
    try:
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        return _own(
            {each.pid: each.usedGpuMemory for each in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)}
        )
    except Exception as error:
        return f"NVML: {error}"
    finally:
        pynvml.nvmlShutdown()


def _own(used: dict[int, int | None]) -> int | str:
    """This process's entry in what NVML lists by process id.

    In a container the ids may be those of the host. This process has a context on the device, so where one
    is listed only, it is this one.
    """
    if os.getpid() not in used and len(used) != 1:
        return f"NVML lists {len(used)} processes on the device, this one is not known to be among them"
    own = used.get(os.getpid(), next(iter(used.values())))
    return "NVML does not tell the memory of a process here" if own is None else int(own)
