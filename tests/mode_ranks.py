"""What two ranks learn when they compile, or multiply in bfloat16. Run by torchrun, see test_compiled."""

import json
import sys

import torch

from nnbench.config import Arm
from nnbench.distributed import joined, place_of
from nnbench.training import Training

ARM = Arm(
    data="rank_truths:odd_counts", model_args={"hidden": (16,)}, batch_size=8, epochs=3, lr=0.1, device="cpu"
)
MODES = {
    "compiled": {"execution": "compiled"},
    "bf16-mixed": {"precision": "bf16-mixed"},
}


def learned(changes, group):
    training = Training(ARM.replace(ranks=2, **changes), 3, group=group)
    training.make_ready()
    with torch.compiler.set_stance("fail_on_recompile"):
        history = training.run()
    alone = Training(ARM, 3).run()
    return {
        "losses": history.curves["validation_loss"], "alone": alone.curves["validation_loss"],
        "hash": history.weights_sha256(),
    }  # fmt: skip


def main():
    torch.set_num_threads(1)
    with joined(place_of(), [2], device="cpu", timeout_s=200) as world:
        group = world.groups[2]
        found = {mode: group.gather(learned(changes, group)) for mode, changes in MODES.items()}
    if place_of().rank == 0:
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            json.dump(found, file)


main()
