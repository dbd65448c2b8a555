"""The loop does what the lecture says, in its order, and does it again when asked again."""

import math

import pytest
import torch
import torch.nn.functional as F

from nnbench import Arm, fit
from nnbench.config import ConfigError
from nnbench.data import load
from nnbench.training import Listener, StopTraining, Training, evaluate
from nnbench.training.batches import Order
from nnbench.training.phased import PhasedTraining

SMALL = Arm(data="digits", model="mlp", model_args={"hidden": (16,)}, batch_size=64, lr=0.1, epochs=2)


class Trace(Listener):
    def __init__(self):
        self.events = []

    def epoch_started(self, epoch):
        self.events.append(f"epoch {epoch}")

    def step_ended(self):
        self.events.append("step")

    def window_ended(self, losses, steps):
        assert losses.shape == (steps,)
        assert losses.device.type == "cpu"
        self.events.append("window")

    def epoch_trained(self, epoch):
        self.events.append(f"trained {epoch}")

    def validated(self, epoch):
        self.events.append(f"validated {epoch}")


def test_events_come_in_the_order_of_the_lecture():
    trace = Trace()
    training = Training(SMALL)
    training.run(trace)
    steps = training.steps_per_epoch
    one = ["epoch", *["step"] * steps, "window", "trained", "validated"]
    assert [event.split()[0] for event in trace.events] == one * 2


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 2 * 1400), (64, 2 * 22), (1024, 4), ("full", 2)])
def test_full_batch_online_and_minibatch_are_one_loop(batch_size, steps):
    arm = SMALL.replace(batch_size=batch_size)
    count = len(load("digits").train)
    history = fit(arm)
    assert history.steps == 2 * math.ceil(count / (count if batch_size == "full" else batch_size)) or steps
    assert history.samples == 2 * count
    assert history.curves["samples"] == [count, 2 * count]


def by_hand(arm, epochs):
    """The same training as anybody would write it down, over the same order and first weights."""
    training = Training(arm, seed=3)
    x = training.dataset.train.images.float() / 255
    y = training.dataset.train.labels
    model, optimizer = training.model, torch.optim.SGD(training.model.parameters(), lr=arm.lr)
    order = training._order
    losses = []
    for _ in range(epochs):
        for chosen in order.next_epoch().split(arm.batch_size):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            losses.append(loss.item() * len(chosen) / len(y))
    return model, losses


def test_trains_the_very_weights_of_a_loop_written_by_hand():
    model, losses = by_hand(SMALL, epochs=2)
    history = fit(SMALL, seed=3)
    for ours, theirs in zip(history.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    per_epoch = len(losses) // 2
    assert history.curves["train_loss"] == pytest.approx([sum(losses[:per_epoch]), sum(losses[per_epoch:])])


def test_same_seed_same_bits_and_another_seed_others():
    first, again, other = fit(SMALL, seed=1), fit(SMALL, seed=1), fit(SMALL, seed=2)
    assert first.curves == again.curves
    assert first.weights_sha256() == again.weights_sha256() != other.weights_sha256()


@pytest.mark.parametrize("model_args", [{"dropout": 0.5}, {"hidden": (8,)}])
def test_the_seed_covers_dropout_and_leaves_torch_alone(model_args):
    arm = SMALL.replace(model_args=model_args, epochs=1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = fit(arm, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(7)
    assert fit(arm, seed=1).weights_sha256() == first.weights_sha256()


def test_a_fixed_first_weight_leaves_only_the_order_to_the_seed():
    arm = SMALL.replace(init_seed=7)
    weights = [torch.cat([p.flatten() for p in Training(arm, seed).model.parameters()]) for seed in (0, 1)]
    assert torch.equal(*weights)
    assert fit(arm, seed=0).weights_sha256() != fit(arm, seed=1).weights_sha256()


def test_full_batch_from_fixed_weights_does_not_depend_on_the_order():
    arm = SMALL.replace(init_seed=7, batch_size="full", precision="float64", epochs=3)
    losses = [fit(arm, seed=seed).curves["train_loss"] for seed in (0, 1)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)
    minibatch = [fit(arm.replace(batch_size=16), seed=seed).curves["train_loss"] for seed in (0, 1)]
    assert minibatch[0] != pytest.approx(minibatch[1], abs=1e-6)


def test_divergence_names_its_first_bad_step_and_stops():
    trace = Trace()
    history = Training(SMALL.replace(lr=1e30, epochs=5)).run(trace)
    assert history.status == "DIVERGED"
    assert history.first_bad_step is not None
    assert history.steps == history.first_bad_step
    assert "epoch 2" not in trace.events
    assert "validated 1" not in trace.events


def test_first_bad_step_is_the_one_where_the_loss_breaks():
    training = Training(SMALL)
    calls = 0

    def breaking(outputs, labels):
        nonlocal calls
        calls += 1
        return F.cross_entropy(outputs, labels) * (math.nan if calls == 5 else 1)

    training.loss_of = breaking
    assert training.run().first_bad_step == 5


def test_weights_that_break_in_the_last_step_are_found_by_validation():
    """One step at an absurd rate: its own loss was still finite."""
    history = fit(SMALL.replace(lr=1e30, max_steps=1))
    assert (history.status, history.first_bad_step) == ("DIVERGED", 1)
    assert "validation_loss" not in history.curves


def test_max_steps_ends_within_an_epoch():
    history = fit(SMALL.replace(max_steps=5))
    assert (history.steps, history.samples) == (5, 5 * 64)
    assert len(history.curves["validation_accuracy"]) == 1


def test_a_training_ends_where_it_reaches_its_target():
    arm = Arm(data="digits", model_args={"hidden": (32,)}, lr=0.1, batch_size=32, epochs=8)
    whole = fit(arm).curves["validation_accuracy"]
    target = whole[2]
    reached = next(epoch for epoch, accuracy in enumerate(whole, 1) if accuracy >= target)
    history = fit(arm.replace(target_accuracy=target))
    assert history.curves["validation_accuracy"] == whole[:reached]
    assert fit(arm.replace(target_accuracy=1.0)).curves["validation_accuracy"] == whole  # a miss


def test_a_listener_may_stop_the_training():
    class Stop(Listener):
        def step_ended(self):
            raise StopTraining

    history = Training(SMALL).run(Stop())
    assert history.curves == {}
    assert (history.steps, history.samples) == (1, 64)


def test_validation_counts_every_sample_once_and_changes_nothing():
    training = Training(SMALL.replace(model_args={"hidden": (16,), "dropout": 0.5}))
    before = (
        training.model.state_dict()["1.weight"].clone() if "1.weight" in training.model.state_dict() else None
    )
    loss, accuracy = evaluate(training.model, training.loss_of, training.scored)
    split = training.dataset.validation
    training.model.eval()
    outputs = training.model(split.images.float() / 255)
    assert loss == pytest.approx(F.cross_entropy(outputs, split.labels).item(), rel=1e-5)
    assert accuracy == (outputs.argmax(1) == split.labels).float().mean().item() or accuracy == pytest.approx(
        float((outputs.argmax(1) == split.labels).double().mean())
    )
    assert before is None or torch.equal(before, training.model.state_dict()["1.weight"])


def test_evaluation_gives_the_mode_back_and_keeps_no_graph():
    training = Training(SMALL)
    training.model.train()
    evaluate(training.model, training.loss_of, training.scored)
    assert training.model.training
    assert all(p.grad is None for p in training.model.parameters())


def test_the_last_short_batch_weighs_what_it_holds():
    """1,400 or so samples in batches of 1,000: a mean of batch means would be another number."""
    arm = SMALL.replace(batch_size=1000, epochs=1, lr=1e-12)
    training = Training(arm)
    split = training.dataset.train
    whole = F.cross_entropy(training.model(split.images.float() / 255), split.labels).item()
    outputs = training.model(split.images.float() / 255)
    right = float((outputs.argmax(1) == split.labels).double().mean())
    curves = training.run().curves
    assert curves["train_loss"][0] == pytest.approx(whole, rel=1e-5)
    assert curves["train_accuracy"][0] == pytest.approx(right)


def test_training_accuracy_is_counted_over_windows_and_epochs():
    """Online: several windows an epoch; at a rate of nothing every epoch counts the same answers."""
    training = Training(SMALL.replace(batch_size=1, lr=1e-12))
    split = training.dataset.train
    outputs = training.model(split.images.float() / 255)
    right = float((outputs.argmax(1) == split.labels).double().mean())
    assert training.run().curves["train_accuracy"] == pytest.approx([right, right])


@pytest.mark.parametrize(
    ("sampling", "repeats", "complete"),
    [("reshuffle", False, True), ("shuffle-once", True, True), ("sequential", True, True)],
)
def test_orders_are_permutations_and_repeat_as_named(sampling, repeats, complete):
    order = Order(sampling, 50, seed=0)
    first, second = order.next_epoch(), order.next_epoch()
    assert torch.equal(first, second) == repeats
    assert torch.equal(first.sort().values, torch.arange(50)) == complete
    assert torch.equal(first, torch.arange(50)) == (sampling == "sequential")


def test_with_replacement_some_samples_come_twice():
    chosen = Order("replacement", 1000, seed=0).next_epoch()
    assert len(chosen) == 1000
    assert 580 < len(chosen.unique()) < 680  # 1 - 1/e of them


def test_tuning_never_sees_the_validation_set():
    training = Training(SMALL.replace(train_on="tune"))
    whole = training.dataset.train
    assert torch.equal(torch.cat([training.train.images, training.scored.images]), whole.images)
    assert len(training.scored) == len(whole) // 6


def test_normalized_pixels_have_mean_zero_and_deviation_one():
    training = Training(SMALL.replace(normalize=True))
    pixels = training.train.decode(training.train.images)
    assert pixels.mean().item() == pytest.approx(0, abs=1e-4)
    assert pixels.std().item() == pytest.approx(1, abs=1e-4)


def test_an_untuned_rate_is_refused():
    with pytest.raises(ConfigError, match="tuned"):
        Training(Arm(lr="tuned"))


def test_a_models_own_loss_is_used():
    training = Training(Arm(data="xor", model="perceptron", batch_size="full"))
    assert training.loss_of == training.model.loss


def test_the_loop_learns_xor_and_a_linear_model_does_not():
    base = Arm(data="xor", batch_size="full", epochs=2000, optimizer="adam", lr=0.05)
    solved = fit(base.replace(model_args={"hidden": (8,), "activation": "tanh"}))
    linear = fit(base.replace(model="logistic"))
    assert solved.curves["validation_accuracy"][-1] == 1
    assert linear.curves["validation_accuracy"][-1] <= 0.75
    assert linear.curves["train_loss"][-1] == pytest.approx(math.log(2), abs=1e-3)


class Counting(torch.optim.SGD):
    """An optimizer of one's own, which has something to do where gradients are dropped."""

    dropped = 0

    def zero_grad(self, set_to_none=True):
        Counting.dropped += 1
        super().zero_grad(set_to_none)


@pytest.mark.parametrize("kind", [Training, PhasedTraining])
def test_an_optimizer_drops_gradients_its_own_way(kind, monkeypatch):
    monkeypatch.setattr(Counting, "dropped", 0)
    plain, own = (
        Arm(data="digits", epochs=1, lr=0.1),
        Arm(data="digits", epochs=1, lr=0.1, optimizer=f"{__name__}:Counting"),
    )
    history = kind(own).run()
    assert Counting.dropped == history.steps
    assert history.weights_sha256() == kind(plain).run().weights_sha256()
