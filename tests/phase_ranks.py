"""What two ranks find when the borders of their steps are told. Run by torchrun, see test_phases."""

import json
import sys
import time

import torch

from nnbench.config import Arm
from nnbench.distributed import joined, place_of
from nnbench.meters.phases import measure_phases
from nnbench.training import Training
from nnbench.training.phased import PhasedTraining

ARM = Arm(
    data="rank_truths:odd_counts", model_args={"hidden": (16,)}, batch_size=8, epochs=2, lr=0.1, ranks=2
)
DELAY_S = 0.02


def with_a_slow_rank(group):
    """Rank 1 sleeps in each forward pass; who waits for it, and where."""
    build = Training.__init__

    def slow(self, *args, **kwargs):
        build(self, *args, **kwargs)
        if group.rank == 1:
            self.model.register_forward_hook(lambda *_: time.sleep(DELAY_S))

    Training.__init__ = slow
    try:
        found = measure_phases(ARM, group=group)
    finally:
        Training.__init__ = build
    return {"seconds": dict(found.seconds), "step_s": found.step_s, "reason": found.reason}


def main():
    torch.set_num_threads(1)
    with joined(place_of(), [2], device="cpu", timeout_s=60) as world:
        group = world.groups[2]
        plain, told = Training(ARM, 3, group=group), PhasedTraining(ARM, 3, group=group)
        hashes = [training.run().weights_sha256() for training in (plain, told)]
        found = {"hashes": hashes, "slow": with_a_slow_rank(group)}
        every = group.gather(found)
    if place_of().rank == 0:
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            json.dump(every, file)


main()
