"""What a training announces. The loop knows this protocol, never who listens, and reads no clock."""

from __future__ import annotations

import torch


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

    def window_ended(self, losses: torch.Tensor, steps: int) -> None:
        """*steps* steps are complete; *losses* has their training losses, on the CPU, shape (steps,)."""

    def epoch_trained(self, epoch: int) -> None:
        """The train loop of *epoch* is over, and its work is done."""

    def validated(self, epoch: int) -> None:
        """The validation loop of *epoch* is over."""
