"""The steps that a memory pass runs: as in the arm's training, and no more of them than it takes."""

from __future__ import annotations

from pathlib import Path

from nnbench.config import Arm
from nnbench.training import Listener, StopTraining, Training

# Optimizer state appears in the first step; from the second on everything is there at once.
STEPS = 2


class _Stop(Listener):
    """Ends a training after `STEPS` steps.

    A smaller budget would not do: with it a training also gathers fewer samples ahead. (Where it goes on to
    the next gather both are there for a moment, 1 to 2 MiB for 256 images of 28x28; that is not waited for.)
    """

    def __init__(self) -> None:
        self._left = STEPS

    def step_ended(self) -> None:
        self._left -= 1
        if self._left <= 0:
            raise StopTraining


def make(arm: Arm, seed: int, data_folder: Path | None) -> Training:
    """A training of *arm*, with a budget that allows the steps."""
    max_steps = None if arm.max_steps is None else max(arm.max_steps, STEPS)
    return Training(arm.replace(max_steps=max_steps, epochs=max(arm.epochs, STEPS)), seed, data_folder)


def run_steps(training: Training) -> Training:
    """*training* after its first steps, still holding all that it has made."""
    training.run(_Stop(), validate=False)
    return training
