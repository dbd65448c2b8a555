"""Other frameworks: they train the same as nnbench's loop and the bare one, and what is missing is skipped."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math

import pytest
import torch

from nnbench.benchmarking import Measurement
from nnbench.catalog import load_scenarios
from nnbench.config import FRAMEWORKS, Arm, ConfigError
from nnbench.frameworks import FrameworkMissing, FrameworkTraining, training_of
from nnbench.frameworks.batches import ShuffledBatches
from nnbench.frameworks.job import Epochs, linear_layers
from nnbench.frameworks.training import _HOMES, WARMUP_STEPS
from nnbench.training import Listener, Training, fit
from test_house import BENCH_FILES

ARM = Arm(data="digits", model_args={"hidden": (32, 16)}, lr=0.2, batch_size=64, epochs=2, device="cpu")
BARE = ARM.replace(framework="bare")
PEERS = ("lightning", "skorch", "keras")
STEPS = math.ceil(1400 / 64)


def by(framework):
    """An arm of *framework*; the test is skipped where that is not installed."""
    if importlib.util.find_spec(_HOMES[framework][1]) is None:
        pytest.skip(f"{framework} is not installed: it is in the extra 'peers'")
    return ARM.replace(framework=framework)


def weights_of(training):
    return torch.cat([parameter.detach().flatten() for parameter in training.job.model.parameters()])


class Heard(Listener):
    def __init__(self):
        self.events = []

    def epoch_started(self, epoch):
        self.events.append(("started", epoch))

    def epoch_trained(self, epoch):
        self.events.append(("trained", epoch))

    def validated(self, epoch):
        self.events.append(("validated", epoch))


class Ticks:
    """A clock that is one second later whenever it is read."""

    def __init__(self):
        self.ns = 0

    def __call__(self):
        self.ns += 10**9
        return self.ns


# what torch alone can train


@pytest.mark.parametrize("changes", [{}, {"batch_size": 16}, {"batch_size": 2000}, {"normalize": True}])
def test_the_bare_loop_the_lectures_and_nnbenchs_are_one_training(changes):
    """The same steps on the same samples, to the same weights, bit for bit."""
    bare = training_of(BARE.replace(**changes), seed=3).run()
    own, lecture = (fit(arm.replace(**changes), seed=3) for arm in (ARM, ARM.replace(loader="dataloader")))
    assert (bare.steps, bare.samples) == (own.steps, own.samples) == (lecture.steps, lecture.samples)
    assert bare.samples == 2 * 1400
    assert bare.weights_sha256() == own.weights_sha256() == lecture.weights_sha256()
    assert bare.curves["validation_accuracy"][-1] == own.curves["validation_accuracy"][-1]


def test_two_seeds_are_two_trainings():
    assert training_of(BARE, 0).run().weights_sha256() != training_of(BARE, 1).run().weights_sha256()


def test_nnbench_is_trained_by_nnbench_and_refuses_what_is_not_its_own():
    assert isinstance(training_of(ARM), Training)
    with pytest.raises(ConfigError, match="framework: 'bare' has a loop of its own, and this is nnbench's"):
        fit(BARE)


def test_shuffled_batches_hold_every_sample_once_and_begin_anew():
    job = training_of(BARE.replace(batch_size=512)).job
    batches = ShuffledBatches(job)
    first, second = ([y for _, y in batches] for _ in range(2))
    assert [len(y) for y in first] == [512, 512, 376]
    assert len(batches) == 3
    assert batches.samples == 2800
    assert torch.equal(torch.cat(first).bincount(), job.labels.bincount())
    assert not torch.equal(torch.cat(first), torch.cat(second))
    batches.begin_anew()
    assert batches.samples == 0
    assert all(torch.equal(y, again) for y, (_, again) in zip(first, batches, strict=True))


def test_an_epoch_lasts_until_the_next_begins():
    heard = Heard()
    epochs = Epochs(heard)
    epochs.begin()
    epochs.begin()
    epochs.end()
    epochs.end()
    assert heard.events == [("started", 1), ("trained", 1), ("started", 2), ("trained", 2)]


@pytest.mark.parametrize("args", [{"activation": "tanh"}, {"dropout": 0.5}])
def test_a_model_that_would_have_to_be_built_anew_is_refused(args):
    model = Training(ARM.replace(model_args={"hidden": (8,), **args})).model
    with pytest.raises(ConfigError, match=r"model_args: keras trains linear layers with ReLU between them"):
        linear_layers(model, "keras")


def test_scikit_learn_refuses_two_classes():
    with pytest.raises(ConfigError, match="data: scikit-learn trains one output for two classes"):
        training_of(Arm(data="xor", framework="scikit-learn", batch_size=4)).run()


def test_another_device_is_skipped(monkeypatch):
    monkeypatch.setattr("nnbench.devices.choose_device", lambda name: torch.device("meta"))
    record = Measurement(BARE).record(0)
    assert record.status == "SKIPPED"
    assert record.reason == "framework: 'bare' is measured on a CPU, not on meta; give device='cpu'"


# all of them


def test_every_framework_has_a_home():
    assert tuple(_HOMES) == FRAMEWORKS[1:]


@pytest.mark.parametrize("framework", FRAMEWORKS[1:])
def test_each_learns_what_the_bare_loop_does_in_as_many_steps(framework):
    """Same first weights, same order: the same weights to rounding, in torch's frameworks bit for bit."""
    bare, other = training_of(BARE, seed=1), training_of(by(framework), seed=1)
    first = weights_of(other).clone()
    of_bare, of_other = bare.run(), other.run()
    assert (of_other.steps, of_other.samples) == (2 * STEPS, 2 * 1400) == (of_bare.steps, of_bare.samples)
    assert (weights_of(bare) - first).abs().max() > 0.05
    assert (weights_of(bare) - weights_of(other)).abs().max() < 1e-4
    if framework in ("lightning", "skorch"):
        assert of_other.weights_sha256() == of_bare.weights_sha256()
    accuracies = [each.curves["validation_accuracy"][-1] for each in (of_bare, of_other)]
    assert accuracies[0] > 0.3  # of ten classes
    assert accuracies[1] == pytest.approx(accuracies[0], abs=0.01)


@pytest.mark.parametrize("framework", FRAMEWORKS[1:])
def test_each_announces_its_epochs_and_the_one_validation(framework):
    heard = Heard()
    training_of(by(framework)).run(heard)
    assert heard.events == [
        ("started", 1), ("trained", 1), ("started", 2), ("trained", 2), ("validated", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("framework", FRAMEWORKS[1:])
def test_each_warms_up_on_a_copy(framework):
    training = training_of(by(framework))
    before = weights_of(training).clone()
    assert training.warm_up() == WARMUP_STEPS
    assert torch.equal(weights_of(training), before)


@pytest.mark.parametrize("framework", FRAMEWORKS[1:])
def test_each_leaves_a_record(framework):
    record = Measurement(by(framework), clock=Ticks()).record(0)
    assert (record.status, record.reason) == ("OK", None)
    got = record.metrics
    assert (got["steps"], got["samples"], got["epochs"]) == (2 * STEPS, 2800, 2.0)
    assert got["train_s"] == 2.0  # a second for each epoch: the clock is read at its two ends alone
    assert got["samples_per_s"] == 1400.0
    assert got["warmup_steps"] == WARMUP_STEPS
    assert 0.3 < got["validation_accuracy"] < 1
    assert record.curves["validation_accuracy"] == [None, got["validation_accuracy"]]
    assert record.missing["step_s"] == f"the loop of {framework} tells of its epochs, not of its steps"
    assert record.evidence["framework"].startswith(f"{framework} ")
    json.dumps(record.to_json(), allow_nan=False)


def test_a_rate_that_is_too_high_diverges():
    record = Measurement(BARE.replace(lr=1e9)).record(0)
    assert (record.status, record.reason) == ("DIVERGED", "the validation loss is not finite")
    assert record.metrics["train_s"] is None
    assert record.missing["train_s"] == "the training is DIVERGED"


# what is not installed


@pytest.mark.parametrize("framework", PEERS)
def test_what_is_not_installed_is_skipped_with_the_line_that_installs_it(framework, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    arm = ARM.replace(framework=framework)
    line = f"{framework} is not installed: pip install -e '.[peers]' in a checkout of nnbench"
    with pytest.raises(FrameworkMissing) as caught:
        FrameworkTraining(arm)
    assert str(caught.value) == line
    record = Measurement(arm).record(0)
    assert (record.status, record.reason) == ("SKIPPED", line)


def test_keras_on_another_backend_is_told(monkeypatch):
    arm = by("keras")
    module = importlib.import_module("nnbench.frameworks.keras")
    monkeypatch.setattr(module.keras.backend, "backend", lambda: "jax")
    with pytest.raises(ConfigError, match="keras runs on 'jax' in this process"):
        training_of(arm).run()


# the scenario


def scenario(name="frameworks"):
    (file,) = [path for path in BENCH_FILES if path.name == "test_frameworks.py"]
    return {found.name: found for _, found in load_scenarios([file])}[name]


def test_the_scenario_has_every_framework_and_the_fastest_way():
    found = scenario()
    for arms in found.arms.values():
        assert {arm.framework for arm in arms} == set(FRAMEWORKS)
        assert sum(arm.execution == "in-backward" for arm in arms) * 8 == len(arms)
    assert {arm.batch_size for arm in found.arms["quick"]} == {64}
    assert {arm.batch_size for arm in found.arms["full"]} == {16, 64, 1024}


def test_every_framework_must_be_shown_to_learn_the_same():
    of = scenario()
    equal = {claim.arms for claim in of.claims if claim.kind == "equivalent"}
    alike = {"bare, batch 64", "lecture, batch 64", "nnbench in backward, batch 64"}
    others = {arm.name for arm in of.arms["quick"]} - alike
    assert equal == {(name, "bare, batch 64") for name in others}


HANDS = ("framework", "loader", "execution")


def test_the_arms_of_a_batch_size_differ_in_who_trains_alone():
    for arms in scenario().arms.values():
        for size in {arm.batch_size for arm in arms}:
            same = [arm.config() for arm in arms if arm.batch_size == size]
            for config in same:
                for hand in HANDS:
                    del config[hand]
            assert all(config == same[0] for config in same)


def test_every_training_of_nnbenchs_has_one_by_hand():
    for arms in scenario("hand-written").arms.values():
        trainings = {True: set(), False: set()}
        for arm in arms:
            config = {key: value for key, value in arm.config().items() if key not in HANDS}
            trainings[arm.framework == "bare"].add(json.dumps(config, sort_keys=True))
        assert trainings[True] == trainings[False]


@pytest.mark.parametrize(
    "changes", [{"model": "cnn", "model_args": {"channels": (4,)}}, {"model": "logistic", "model_args": {}}]
)
def test_the_bare_loop_trains_any_model_of_torch_as_nnbench_does(changes):
    bare = training_of(BARE.replace(**changes)).run()
    assert bare.weights_sha256() == fit(ARM.replace(**changes)).weights_sha256()


def test_a_model_with_a_loss_of_its_own_is_refused():
    arm = BARE.replace(model="perceptron", model_args={}, data="xor", batch_size=2)
    with pytest.raises(ConfigError, match="model: 'perceptron' has a loss of its own, and 'bare' trains on"):
        training_of(arm)
