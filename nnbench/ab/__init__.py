"""Is B faster than A, and does it still learn? Two sides, measured in the same blocks.

Two runs of one program differ by more than most changes to it. So both sides run side by side, in an order
that is drawn anew for each block, and are compared block by block. Sides are two settings, two revisions of
the project at hand, two interpreters, or any mixture; the work is one training, bench files, or a command.

Trainings of one interpreter and revision share a process per block, and the seed is the block's number, so
that accuracies pair by seed. All else has a process per side and block, the two right after one another.
"""

from nnbench.ab.bench_files import BenchFiles, Selection
from nnbench.ab.commands import Command
from nnbench.ab.failures import SideFailed
from nnbench.ab.series import BLOCKS, WIDTH, Limits, Outcome, Progress, run_series
from nnbench.ab.sides import Asked, Side, parse_changes, prepared
from nnbench.ab.store import Store, about
from nnbench.ab.trainings import Keep, Trainings, arm_of_side
from nnbench.ab.verdicts import Verdicts, judge, lines

__all__ = [
    "BLOCKS", "WIDTH", "Asked", "BenchFiles", "Command", "Keep", "Limits", "Outcome", "Progress", "Selection",
    "Side", "SideFailed", "Store", "Trainings", "Verdicts", "about", "arm_of_side", "judge", "lines",
    "parse_changes", "prepared", "run_series",
]  # fmt: skip
