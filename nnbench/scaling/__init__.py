"""How far data parallelism carries: one launch of torchrun measures arms of 1, 2, … N ranks, alternating.

torchrun --standalone --nproc-per-node=2 -m nnbench.scaling --json out.json
"""

from nnbench.scaling.series import Series, Task, measure_series, turns
from nnbench.scaling.torchrun import capacity, launch

__all__ = ["Series", "Task", "capacity", "launch", "measure_series", "turns"]
