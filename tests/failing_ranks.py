"""Models that fail on rank 1 in the middle of a training, each in its own way."""

import os
import signal
import time

from torch import nn


class Failing(nn.Module):
    """Logistic regression that does *what* in its fifth forward pass of a training, on rank 1."""

    def __init__(self, inputs, classes, what):
        super().__init__()
        self.layer = nn.Linear(inputs, classes)
        self._what, self._calls = what, 0

    def forward(self, x):
        if self.training:
            self._calls += 1
            if self._calls == 5 and os.environ.get("RANK") == "1":
                self._what()
        return self.layer(x.flatten(1))


def _model(input_shape, classes, what):
    return Failing(input_shape[0] * input_shape[1] * input_shape[2], classes, what)


def killed(input_shape, classes):
    return _model(input_shape, classes, lambda: os.kill(os.getpid(), signal.SIGKILL))


def raising(input_shape, classes):
    def raise_it():
        raise ValueError("rank 1 has had enough")

    return _model(input_shape, classes, raise_it)


def hanging(input_shape, classes):
    return _model(input_shape, classes, lambda: os.kill(os.getpid(), signal.SIGSTOP))


def deaf(input_shape, classes):
    """Killed on rank 1, while rank 0 ignores SIGTERM and never comes back."""
    if os.environ.get("RANK") == "0":

        def be_deaf():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1000)

        model = _model(input_shape, classes, be_deaf)
        model.forward = lambda x: (
            (
                be_deaf()
                if model.training and model._calls == 4
                else setattr(model, "_calls", model._calls + model.training)
            )
            or model.layer(x.flatten(1))
        )
        return model
    return killed(input_shape, classes)


def everywhere(input_shape, classes):
    """Raises on every rank alike."""

    class Everywhere(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def forward(self, x):
            raise RuntimeError("no such shape")

    return Everywhere()
