"""What a training announces. The loop knows this protocol, never who listens, and reads no clock."""

from __future__ import annotations

import torch

# What a training step is made of, in order; see `Listener.phase_ended`.
LOAD, COPY, FORWARD, BACKWARD = "load", "copy", "forward", "backward"
COMMUNICATION, OPTIMIZER, OTHER = "communication", "optimizer", "other"
PHASES = (LOAD, COPY, FORWARD, BACKWARD, COMMUNICATION, OPTIMIZER, OTHER)


class StopTraining(Exception):
    """Raised by a listener to end the training after the step at hand; the history is kept."""


class Listener:
    """Does nothing at each event of a training; override what you want to hear.

    Order of a training with two epochs of two windows each::

        epoch_started 1
          step_ended … step_ended window_ended     train loop: forward, backward, optimizer
          step_ended … step_ended window_ended
        epoch_trained 1
          validated 1                              validation loop: no gradients, evaluation mode
        epoch_started 2 …

    A window is a handful of steps after which the loop reads the losses back from the device: on an
    asynchronous device the work of the window is done then, and only then.
    """

    def epoch_started(self, epoch: int) -> None:
        """The train loop of *epoch* (1, 2, …) begins."""

    def step_ended(self) -> None:
        """One training step has been issued."""

    def phase_ended(self, phase: str) -> None:
        """Since the last border the step did *phase*, one of `PHASES`; only a `PhasedTraining` says so.

        An asynchronous device may not have done it yet. `OPTIMIZER` comes twice in a step, around
        `BACKWARD`: its gradients are cleared before.
        """

    def window_ended(self, losses: torch.Tensor, steps: int) -> None:
        """*steps* steps are complete; *losses* has their training losses, on the CPU, shape (steps,)."""

    def epoch_trained(self, epoch: int) -> None:
        """The train loop of *epoch* is over, and its work is done."""

    def validated(self, epoch: int) -> None:
        """The validation loop of *epoch* is over."""
