"""Peak memory of a training's steps, in a pass of its own, and what it is made of.

CPU: the peak of a process that has done other work before depends on that work. So a server process
imports torch and runs nothing; for each arm it forks a child, which runs a throw-away copy of the steps
(faults in the libraries' code, fills their caches), gives the freed pages back, resets the kernel's
high-water mark (proc(5), clear_refs), runs the steps again and reads the mark. `peak_bytes` is the growth
over the resident size at the reset: model, gradients, optimizer state, activations and batches, without
data set and libraries.

CUDA: the allocator's own peak over the same steps, what it reserved, and what the process has of the device.

The split is counted afterwards, from the tensors themselves::

    parameters + gradients + optimizer state + activations + rest = peak
    |<------------ exact, from the tensors -------------->|         measured

They are all there at once, at the end of a forward pass from the second step on. The rest is
the others: gradients of activations, workspaces of libraries, samples gathered ahead, buffers, whole pages.
"""

from nnbench.meters.memory.cuda import cuda_peak
from nnbench.meters.memory.peak import Peak
from nnbench.meters.memory.server import MemoryServer

__all__ = ["MemoryServer", "Peak", "cuda_peak"]
