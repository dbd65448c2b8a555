"""Does this machine, by the statistics of this suite, raise false alarms, and does it find what is there?

``nnbench doctor --self-test`` and ``nnbench ab --self-test`` compare work whose true ratio is known.
"""

from nnbench.selftest.campaign import Design
from nnbench.selftest.child import BlockFailed
from nnbench.selftest.floor import Noise, measure_noise, noise_lines
from nnbench.selftest.outcome import SelfTest, lines, run_self_test

__all__ = [
    "BlockFailed", "Design", "Noise", "SelfTest", "lines", "measure_noise", "noise_lines", "run_self_test",
]  # fmt: skip
