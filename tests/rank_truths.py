"""What two ranks find when they compute what one process computes. Run by torchrun, see test_distributed."""

import json
import sys

import torch
from torch import nn

from nnbench.config import Arm
from nnbench.data.synthetic import coded_noise
from nnbench.distributed import GlobalBatchNorm, joined, place_of
from nnbench.training import Listener, Training
from nnbench.training.shares import share_of

SMALL = Arm(
    data="rank_truths:odd_counts", model="mlp", model_args={"hidden": (16,)}, batch_size=8, epochs=2, lr=0.1
)


def odd_counts(folder=None):
    """33 samples leave one rank of two nothing in the last step of 8; 1,001 cannot be shared equally."""
    return coded_noise(train=33, validation=1001, shape=(1, 8, 8))


class Losses(Listener):
    def __init__(self):
        self.losses = []

    def window_ended(self, losses, steps):
        self.losses += losses.tolist()


def trained(arm, group=None):
    losses = Losses()
    training = Training(arm, seed=3) if group is None else Training(arm, seed=3, group=group)
    return training, training.run(losses), losses.losses


def difference(a, b):
    return max((x - y).abs().max().item() for x, y in zip(a, b, strict=True))


def against_one(arm, group):
    """How far ranks are from one process, in gradients of the last step, weights, losses, and scores."""
    many, many_history, many_losses = trained(arm.replace(ranks=2), group)
    one, one_history, one_losses = trained(arm)
    return {
        "gradients": difference(
            [p.grad for p in many.model.parameters()], [p.grad for p in one.model.parameters()]
        ),
        "weights": difference(many.model.parameters(), one.model.parameters()),
        "buffers": difference(
            [*many.model.buffers(), torch.zeros(1)], [*one.model.buffers(), torch.zeros(1)]
        ),
        "losses": max(abs(a - b) for a, b in zip(many_losses, one_losses, strict=True)),
        "steps": len(many_losses),
        "samples": many_history.samples,
        "accuracies": [many_history.curves["validation_accuracy"], one_history.curves["validation_accuracy"]],
        "train_accuracies": [many_history.curves["train_accuracy"], one_history.curves["train_accuracy"]],
    }


def batch_norm(group, parts):
    """A rank's *part* of a batch through ours, the whole batch through torch's: outputs and gradients."""
    torch.manual_seed(0)
    whole = torch.randn(sum(parts), 3, 4, 4, dtype=torch.float64) * 5 + 7
    towards = torch.randn_like(whole)
    local = nn.BatchNorm2d(3, dtype=torch.float64)
    nn.init.normal_(local.weight)
    ours = GlobalBatchNorm(nn.BatchNorm2d(3, dtype=torch.float64), group.handle)
    ours.load_state_dict(local.state_dict())
    start = sum(parts[: group.rank])
    part = slice(start, start + parts[group.rank])
    x_whole, x_part = whole.clone().requires_grad_(), whole[part].clone().requires_grad_()
    (local(x_whole) * towards).sum().backward()
    (ours(x_part) * towards[part]).sum().backward()
    gradients = [group.sum(p.grad) for p in ours.parameters()]
    return {
        "statistics": difference(ours.buffers(), local.buffers()),
        "input_gradient": difference([x_part.grad, torch.zeros(1)], [x_whole.grad[part], torch.zeros(1)])
        if parts[group.rank]
        else 0.0,
        "parameter_gradients": difference(gradients, [p.grad for p in local.parameters()]),
        "evaluation": difference([ours.eval()(whole)], [local.eval()(whole)]),
    }


def shares(group):
    """The samples of each rank in two epochs."""
    training = Training(SMALL.replace(ranks=2), seed=1, group=group)
    orders = [share_of(training._order.next_epoch(), 8, group.rank, 2).order.tolist() for _ in range(2)]
    return group.gather(orders)


def main(path):
    with joined(place_of(), [1, 2]) as world:
        group = world.groups[2]
        cnn = SMALL.replace(
            model="cnn", model_args={"channels": (4,), "batch_norm": True}, precision="float64"
        )
        found = {
            "float32": against_one(SMALL, group),
            "float64": against_one(SMALL.replace(precision="float64"), group),
            "global_norm": against_one(cnn.replace(batch_norm="global"), group),
            "local_norm": against_one(cnn, group),
            "batch_norm": batch_norm(group, (5, 3)),
            "batch_norm_empty": batch_norm(group, (8, 0)),
            "loader": against_one(SMALL.replace(loader="dataloader", precision="float64"), group),
            "shares": shares(group),
        }
        if place_of().rank == 0:
            with open(path, "w") as file:
                json.dump(found, file)


if __name__ == "__main__":
    main(sys.argv[1])
