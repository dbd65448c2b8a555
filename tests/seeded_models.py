"""Models that train, or cannot train, under many seeds at once; each is a factory as an arm names it."""

import torch
import torch.nn.functional as F
from torch import nn

from nnbench import models

INPUTS, UNITS = 64, 12  # of `digits`


def _layers(classes):
    return nn.Linear(INPUTS, UNITS), nn.Linear(UNITS, classes)


def sequential(input_shape, classes):
    """A chain of the user's own, one of its layers without a bias."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(INPUTS, UNITS, bias=False),
        nn.GELU(),
        nn.Dropout(0.2),
        nn.Linear(UNITS, classes),
    )


def sometimes_wild(input_shape, classes):
    """A linear net that diverges within 20 steps in two seeds of three, and learns in the others."""
    model = models.build("mlp", input_shape, classes, {"hidden": (16, 16), "activation": "identity"})
    with torch.no_grad():
        if torch.rand(()) < 0.5:
            model.layers.output.weight.mul_(40)
    return model


class TwoDropouts(nn.Module):
    """A sample passes the dropout layers in another order than the model names them; not a chain."""

    def __init__(self, input_shape, classes):
        super().__init__()
        self.late, self.early = nn.Dropout(0.5), nn.Dropout(0.1)
        self.hidden, self.output = _layers(classes)

    def forward(self, x):
        x = self.early(x.flatten(1))
        return self.output(self.late(F.relu(self.hidden(x)))) + 0.1


class Tied(nn.Module):
    """One weight in two places, and a residual connection."""

    def __init__(self, input_shape, classes):
        super().__init__()
        self.hidden, self.output = _layers(classes)
        self.one, self.other = nn.Linear(UNITS, UNITS), nn.Linear(UNITS, UNITS)
        self.other.weight = self.one.weight

    def forward(self, x):
        x = self.hidden(x.flatten(1))
        return self.output(x + self.other(torch.tanh(self.one(x))))


class Modal(nn.Module):
    """One chain while training, another in evaluation."""

    def __init__(self, input_shape, classes):
        super().__init__()
        self.hidden, self.output = _layers(classes)

    def forward(self, x):
        x = self.hidden(x.flatten(1))
        return self.output(x if self.training else torch.relu(x))


class Frozen(nn.Module):
    """Its first layer does not learn."""

    def __init__(self, input_shape, classes):
        super().__init__()
        self.hidden, self.output = _layers(classes)
        self.hidden.requires_grad_(False)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x.flatten(1))))


class Hooked(Modal):
    """A hook doubles what the first layer says."""

    def __init__(self, input_shape, classes):
        super().__init__(input_shape, classes)
        self.hidden.register_forward_hook(lambda layer, inputs, output: 2 * output)

    def forward(self, x):
        return self.output(self.hidden(x.flatten(1)))


# These cannot.


class OneDropoutTwice(TwoDropouts):
    def forward(self, x):
        return self.output(self.early(self.hidden(self.early(x.flatten(1)))))


class FunctionalDropout(TwoDropouts):
    def forward(self, x):
        return self.output(F.dropout(self.hidden(x.flatten(1)), 0.5, self.training))


class Deciding(TwoDropouts):
    def forward(self, x):
        x = self.hidden(x.flatten(1))
        return self.output(x if x.sum() > 0 else -x)


class Reading(TwoDropouts):
    def forward(self, x):
        return self.output(self.hidden(x.flatten(1))) * self.hidden.bias.max().item()


class WithoutRunningStatistics(nn.Module):
    """The mean of a batch norm over all batches so far; torch reads their number back."""

    def __init__(self, input_shape, classes):
        super().__init__()
        self.norm = nn.BatchNorm1d(INPUTS, momentum=None)
        self.output = nn.Linear(INPUTS, classes)

    def forward(self, x):
        return self.output(self.norm(x.flatten(1)))


class HiddenState(TwoDropouts):
    """Random features that no one registered: the models of two seeds differ in them."""

    def __init__(self, input_shape, classes):
        super().__init__(input_shape, classes)
        self.features = [torch.randn(INPUTS, UNITS)]

    def forward(self, x):
        return self.output(x.flatten(1) @ self.features[0].to(x.dtype))


class OwnLoss(Modal):
    def loss(self, outputs, labels):
        return F.cross_entropy(outputs, labels, label_smoothing=0.1)


class InPlace(TwoDropouts):
    """Counts, in a buffer that it makes anew, what it has seen: in place, with another shape than it had."""

    def __init__(self, input_shape, classes):
        super().__init__(input_shape, classes)
        self.seen = torch.zeros(UNITS)

    def forward(self, x):
        x = self.hidden(x.flatten(1))
        self.seen.add_(x.detach().sum(0))
        return self.output(x)


def of_any_size(input_shape, classes):
    """Each seed draws the size of its hidden layer."""
    return models.build("mlp", input_shape, classes, {"hidden": (int(torch.randint(4, 99, ())),)})
