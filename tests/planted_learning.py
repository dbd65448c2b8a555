"""Planted: gradients, validation, averages, orders of samples and seeds that are not what they seem."""

import dataclasses
import itertools
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DistributedSampler

from nnbench import Arm, fit
from nnbench.claims.evidence import runs_by_arm
from nnbench.data import load
from nnbench.records import Record
from nnbench.training import Training, evaluate, loop, phased, steps
from nnbench.training.batches import Order, Samples
from nnbench.training.phased import PhasedTraining
from nnbench.training.shares import Share, share_of
from nnbench.training.tally import Tally
from nnbench.training.vectorised import VectorisedTraining, members
from planted import caught_by

SMALL = Arm(data="digits", model_args={"hidden": (16,)}, batch_size=64, lr=0.1, epochs=2, device="cpu")
SEEDS = (0, 1, 2)


# learning: the very weights of a loop written by hand


def _weights_by_hand(arm):
    training = Training(arm, seed=3)
    x, y = training.dataset.train.images.float() / 255, training.dataset.train.labels
    parameters = list(training.model.parameters())
    for _ in range(arm.epochs):
        for chosen in training._order.next_epoch().split(arm.batch_size):
            gradients = torch.autograd.grad(F.cross_entropy(training.model(x[chosen]), y[chosen]), parameters)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter -= arm.lr * gradient
    return parameters


def _same_weights(monkeypatch, plant, kind):
    by_hand = _weights_by_hand(SMALL)
    plant(monkeypatch)
    trained = kind(SMALL, seed=3).run().model.parameters()
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(trained, by_hand, strict=True))


def weights_are_those_of_a_loop_by_hand(monkeypatch, plant):
    _same_weights(monkeypatch, plant, Training)


def weights_with_borders_told_are_those_of_a_loop_by_hand(monkeypatch, plant):
    _same_weights(monkeypatch, plant, PhasedTraining)


@caught_by(weights_are_those_of_a_loop_by_hand)
@caught_by(weights_with_borders_told_are_those_of_a_loop_by_hand)
def missing_zero_grad(monkeypatch):
    for home in (steps, phased):
        monkeypatch.setattr(home, "zero_grad", lambda optimizer: None)


@caught_by(weights_are_those_of_a_loop_by_hand)
@caught_by(weights_with_borders_told_are_those_of_a_loop_by_hand)
def frozen_layer(monkeypatch):
    sound = loop.make_optimizer
    monkeypatch.setattr(loop, "make_optimizer", lambda arm, found: sound(arm, list(found)[2:]))


@caught_by(weights_are_those_of_a_loop_by_hand)
@caught_by(weights_with_borders_told_are_those_of_a_loop_by_hand)
def loss_summed_over_the_batch(monkeypatch):
    sound = F.cross_entropy
    monkeypatch.setattr(F, "cross_entropy", lambda outputs, y: sound(outputs, y) * len(y))


# many seeds as one model: too fast to be believed unseen


def members_end_where_each_seed_ends_alone(monkeypatch, plant):
    alone = {seed: Training(SMALL, seed).run() for seed in SEEDS}
    plant(monkeypatch)
    for seed, found in zip(SEEDS, VectorisedTraining(SMALL, SEEDS).run(), strict=True):
        assert (found.steps, found.samples) == (alone[seed].steps, alone[seed].samples)
        expected = alone[seed].model.state_dict()
        for name, weights in found.model.state_dict().items():
            assert torch.allclose(weights, expected[name], rtol=1e-4, atol=1e-5), (seed, name)


@caught_by(members_end_where_each_seed_ends_alone)
def members_train_on_every_second_batch(monkeypatch):
    sound, calls = VectorisedTraining._step, itertools.count()

    def step(self, x, y):
        if next(calls) % 2:
            with torch.no_grad():
                outputs = self._model(x)
                return self._losses(outputs, y), outputs
        return sound(self, x, y)

    monkeypatch.setattr(VectorisedTraining, "_step", step)


@caught_by(members_end_where_each_seed_ends_alone)
def members_share_one_order(monkeypatch):
    sound = members.order_of
    monkeypatch.setattr(members, "order_of", lambda arm, seed, count: sound(arm, 0, count))


@caught_by(members_end_where_each_seed_ends_alone)
def members_share_one_step(monkeypatch):
    """The mean over members where their sum belongs: each learns at a part of its rate."""
    sound = VectorisedTraining._losses

    def losses(self, outputs, y):
        found = sound(self, outputs, y)
        return found / len(found)

    monkeypatch.setattr(VectorisedTraining, "_losses", losses)


# time to accuracy: the target is met by images that nobody trained on


def the_target_is_met_on_validation_images(monkeypatch, plant):
    target = 0.88
    plant(monkeypatch)
    history = fit(SMALL.replace(epochs=60, target_accuracy=target), seed=3)
    unseen = load("digits").validation
    with torch.no_grad():
        answers = history.model(unseen.images.float() / 255).argmax(1)
    assert (answers == unseen.labels).float().mean() >= target
    assert [x >= target for x in history.curves["validation_accuracy"]].index(True) == len(
        history.curves["validation_accuracy"]
    ) - 1


@caught_by(the_target_is_met_on_validation_images)
def the_target_is_met_on_training_images(monkeypatch):
    sound = Training.__init__

    def init(self, *args, **kwargs):
        sound(self, *args, **kwargs)
        self.scored = self.train

    monkeypatch.setattr(Training, "__init__", init)


@caught_by(the_target_is_met_on_validation_images)
def the_target_is_nearly_met(monkeypatch):
    def arrived(self, history):
        return history.curves["validation_accuracy"][-1] >= self.arm.target_accuracy - 0.1

    monkeypatch.setattr(Training, "_arrived", arrived)


# learning: validation


def validation_is_in_evaluation_mode_and_leaves_no_trace(monkeypatch, plant):
    training = Training(SMALL)
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 10))
    torch.manual_seed(0)
    with torch.no_grad():
        outputs = model.eval()(training.scored.decode(training.scored.images))
    loss = F.cross_entropy(outputs, training.scored.labels).item()
    right = (outputs.argmax(1) == training.scored.labels).double().mean().item()
    before = {name: value.clone() for name, value in model.train().state_dict().items()}
    plant(monkeypatch)
    found = evaluate(model, F.cross_entropy, training.scored)
    assert found == pytest.approx((loss, right), rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@caught_by(validation_is_in_evaluation_mode_and_leaves_no_trace)
def validation_in_train_mode(monkeypatch):
    monkeypatch.setattr(nn.Module, "eval", lambda self: self)


def the_last_short_batch_weighs_what_it_holds(monkeypatch, plant):
    """1,400 or so samples in batches of 1,000, at a rate of nothing: losses of training and validation."""
    plant(monkeypatch)
    training = Training(SMALL.replace(batch_size=1000, epochs=1, lr=1e-12))
    x, y = training.dataset.train.images.float() / 255, training.dataset.train.labels
    whole = F.cross_entropy(training.model(x), y).item()
    assert evaluate(training.model, training.loss_of, training.train)[0] == pytest.approx(whole, rel=1e-5)
    assert training.run().curves["train_loss"][0] == pytest.approx(whole, rel=1e-5)


@caught_by(the_last_short_batch_weighs_what_it_holds)
def mean_of_batch_means_in_validation(monkeypatch):
    sound = loop.validation_step

    def equal_weights(model, loss_of, x, y):
        loss, right = sound(model, loss_of, x, y)
        return loss / len(y) * (len(load("digits").train) / 2), right

    monkeypatch.setattr(loop, "validation_step", equal_weights)


@caught_by(the_last_short_batch_weighs_what_it_holds)
def mean_of_batch_means_in_training(monkeypatch):
    class Equal(Tally):
        def add(self, window, labels, share, history):
            ones = torch.ones_like(share.sizes)
            return super().add(window, labels, dataclasses.replace(share, sizes=ones, own=ones), history)

    monkeypatch.setattr(loop, "Tally", Equal)


@caught_by(the_last_short_batch_weighs_what_it_holds)
def last_batch_dropped(monkeypatch):
    sound = Samples.scoring_batches
    monkeypatch.setattr(Samples, "scoring_batches", lambda self: list(sound(self))[:-1])


# data: what each epoch sees


def _numbers_seen(kind=Training):
    """The numbers of the samples that reach the model, epoch by epoch; each image carries its own."""
    training = kind(SMALL)
    count = torch.arange(len(training.train))
    training.train.images = training.train.images.clone()
    training.train.images[:, 0, 0, 0], training.train.images[:, 0, 0, 1] = count % 256, count // 256
    epochs = []

    def look(model, inputs):
        if model.training:
            pixels = (inputs[0][:, 0, 0, :2] * 255).round().long()
            epochs.append(pixels[:, 0] + 256 * pixels[:, 1])

    training.model.register_forward_pre_hook(look)
    training.run()
    half = len(epochs) // 2
    return torch.cat(epochs[:half]).tolist(), torch.cat(epochs[half:]).tolist()


def each_epoch_sees_every_sample_once_in_a_new_order(monkeypatch, plant):
    plant(monkeypatch)
    first, second = _numbers_seen()
    every = list(range(len(load("digits").train)))
    assert sorted(first) == sorted(second) == every
    assert first not in (second, every)
    assert second != every


@caught_by(each_epoch_sees_every_sample_once_in_a_new_order)
def unshuffled_loader(monkeypatch):
    monkeypatch.setattr(Order, "next_epoch", lambda self: torch.arange(self._count))


@caught_by(each_epoch_sees_every_sample_once_in_a_new_order)
def shuffled_only_once(monkeypatch):
    monkeypatch.setattr(
        Order, "next_epoch",
        lambda self: torch.randperm(self._count, generator=torch.Generator().manual_seed(1)),
    )  # fmt: skip


@caught_by(each_epoch_sees_every_sample_once_in_a_new_order)
def samples_twice_in_an_epoch(monkeypatch):
    monkeypatch.setattr(Order, "next_epoch", lambda self: torch.randint(self._count, (self._count,)))


@caught_by(each_epoch_sees_every_sample_once_in_a_new_order)
def gather_begins_anew_with_each_chunk(monkeypatch):
    sound = Samples._sliced
    monkeypatch.setattr(
        Samples, "_sliced",
        lambda self, order, batch: sound(self, order[:256].repeat(-(-len(order) // 256))[: len(order)], batch),
    )  # fmt: skip


def ranks_share_an_epoch_without_overlap(monkeypatch, plant):
    plant(monkeypatch)
    for ranks in (2, 3):
        order = torch.randperm(33, generator=torch.Generator().manual_seed(0))
        shares = [loop.share_of(order, 8, rank, ranks) for rank in range(ranks)]
        assert sorted(torch.cat([share.order for share in shares]).tolist()) == list(range(33))
        assert torch.equal(sum(share.own for share in shares), shares[0].sizes)


@caught_by(ranks_share_an_epoch_without_overlap)
def every_rank_takes_every_sample(monkeypatch):
    monkeypatch.setattr(loop, "share_of", lambda order, batch, rank, ranks: share_of(order, batch))


@caught_by(ranks_share_an_epoch_without_overlap)
def ranks_padded_to_equal_length(monkeypatch):
    """DistributedSampler's way with what cannot be divided: some samples count twice."""

    def padded(order, batch, rank, ranks):
        sampler = DistributedSampler(range(len(order)), num_replicas=ranks, rank=rank, shuffle=False)
        own = order[torch.tensor(list(sampler))]
        sizes = torch.tensor([len(part) for part in own.split(batch // ranks)])
        return Share(own, batch // ranks, sizes * ranks, sizes, ranks)

    monkeypatch.setattr(loop, "share_of", padded)


# seeds


def _records():
    """An arm under three seeds."""
    return [
        Record(scenario="s", arm={"name": "a", "id": "0" * 16}, seed=seed,
               weights_sha256=fit(SMALL.replace(max_steps=2), seed=seed).weights_sha256())
        for seed in SEEDS
    ]  # fmt: skip


def trained_alike(records):
    """Pairs of seeds of one arm that left the same weights: one of the two was not used."""
    found = {}
    for record in records:
        first = found.setdefault((record.arm["id"], record.weights_sha256), record.seed)
        if first != record.seed:
            yield first, record.seed


def each_seed_is_used_once(monkeypatch, plant):
    plant(monkeypatch)
    records = _records()
    assert list(trained_alike(records)) == []
    assert len(runs_by_arm(records)["a"]) == 3  # refuses duplicates


@caught_by(each_seed_is_used_once)
def seed_reuse(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "SEEDS", (0, 1, 1))


@caught_by(each_seed_is_used_once)
def seed_ignored(monkeypatch):
    monkeypatch.setattr(loop, "_derive", lambda seed, stream: stream)
