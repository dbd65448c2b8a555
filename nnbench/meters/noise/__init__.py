"""How much something else disturbed a timed region: counters of the system, read before and after it.

All are counters, so that two readings tell what happened in between: nothing samples, nothing runs inside
the region. What cannot be read is None and stands with its reason under `unknown`.
"""

from nnbench.meters.noise.counters import NoiseMeter
from nnbench.meters.noise.disturbance import Noise, between, flags, worst

__all__ = ["Noise", "NoiseMeter", "between", "flags", "worst"]
