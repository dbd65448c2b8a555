"""Many seeds as one model: each member's trajectory is that of its seed trained alone."""

import math

import pytest
import torch

import seeded_models
from nnbench import Arm
from nnbench.config import OPTIMIZERS, SAMPLINGS, SCHEDULES
from nnbench.training import Training
from nnbench.training.vectorised import NotVectorisable, VectorisedTraining, refusal
from nnbench.training.vectorised.chain import chain_of
from nnbench.training.vectorised.dropout_streams import give_dropout
from nnbench.training.vectorised.stacked import StackedModel

TINY = Arm(data="digits", model="mlp", model_args={"hidden": (16, 16)}, batch_size=48, max_steps=100, epochs=9,
           lr=0.1, precision="float64", device="cpu")  # fmt: skip
CNN = {"model": "cnn", "model_args": {"channels": (4,)}, "max_steps": 40}
DROPOUT = {"model_args": {"hidden": (16, 16), "dropout": 0.3}}
LENET = {"data": "fashion-mini", "model": "lenet5", "model_args": {}, "max_steps": 20, "batch_size": 16,
         "train_on": "tune"}  # fmt: skip
XOR = {"data": "xor", "model_args": {"hidden": (4,), "activation": "tanh"}, "batch_size": "full"}
SEEDS = (0, 3, 4)


def own(name):
    return {"model": f"seeded_models:{name}", "model_args": {}}


def weights(history):
    return {name: tensor.detach() for name, tensor in history.model.state_dict().items()}


def assert_same(arm, seeds=SEEDS, within=1e-10, training=None):
    """Curves, counts and weights of the members are those of the seeds one by one."""
    training = training or VectorisedTraining(arm, seeds)
    for seed, member in zip(seeds, training.run(), strict=True):
        alone = Training(arm, seed).run()
        assert (member.status, member.first_bad_step) == (alone.status, alone.first_bad_step)
        assert (member.steps, member.samples) == (alone.steps, alone.samples)
        assert list(member.curves) == list(alone.curves)
        for name, values in alone.curves.items():
            assert member.curves[name] == pytest.approx(values, abs=within, rel=within), name
        if alone.status == "OK":
            for name, tensor in weights(alone).items():
                torch.testing.assert_close(weights(member)[name], tensor, atol=within, rtol=within)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"batch_size": 1, "lr": 0.01},
        {"batch_size": "full", "max_steps": 5},
        {"batch_size": 96},  # of 1,400 samples: the last step holds 56
        {"max_steps": None, "epochs": 2},
        {"init_seed": 7},
        {"normalize": True},
        {"train_on": "tune"},
        {"threads": 2},
        {"model_args": {"hidden": (), "init": "he"}},
        {"model_args": {"hidden": (8,), "activation": "gelu"}},
        DROPOUT,
        {**DROPOUT, "batch_size": 96},
        {**DROPOUT, **XOR, "model_args": {"hidden": (8,), "dropout": 0.5}},
        {"data": "synthetic", "normalize": True},
        XOR,
        {**XOR, "optimizer": "adam", "lr": 0.01},
        {"model": "logistic", "model_args": {}},
        {"model": "perceptron", "model_args": {}},
        {**CNN},
        {**CNN, "model_args": {"channels": (4,), "batch_norm": True}},
        {**CNN, "model_args": {"channels": (3, 4), "pool": "average", "hidden": (8,)}, "optimizer": "adam"},
        LENET,
    ],
    ids=str,
)
def test_a_member_is_its_seed_alone(change):
    assert_same(TINY.replace(**change))


@pytest.mark.parametrize("name", ["sequential", "TwoDropouts", "Tied", "Modal", "Frozen", "Hooked"])
def test_so_are_those_of_a_model_of_ones_own(name):
    assert_same(TINY.replace(**own(name)))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_with_every_optimizer(optimizer):
    """Whoever adds one decides whether it keeps the members apart; if it does not, it is refused."""
    arm = TINY.replace(optimizer=optimizer, lr=0.01)
    if not refusal(arm):
        assert_same(arm)
    assert not refusal(TINY)


@pytest.mark.parametrize(
    ("optimizer", "arguments"),
    [
        ("sgd", {"momentum": 0.8, "weight_decay": 0.01, "dampening": 0.1}),
        ("adam", {"amsgrad": True, "weight_decay": 0.01}),
        ("adamw", {"foreach": True}),
        ("rmsprop", {"centered": True, "momentum": 0.5}),
        ("adagrad", {"lr_decay": 0.01}),
    ],
)
def test_with_arguments_of_the_optimizer(optimizer, arguments):
    assert_same(TINY.replace(optimizer=optimizer, optimizer_args=arguments, lr=0.01))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_with_every_schedule(schedule):
    arguments = {"multistep": {"milestones": [1, 2]}}.get(schedule, {})
    assert_same(TINY.replace(schedule=schedule, schedule_args=arguments, optimizer="momentum", lr=0.01))


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_with_every_sampling(sampling):
    assert_same(TINY.replace(sampling=sampling))


@pytest.mark.parametrize(
    "change", [{}, DROPOUT, {"optimizer": "adam", "lr": 0.001}, CNN, LENET, XOR], ids=str
)
def test_in_single_precision_to_rounding(change):
    assert_same(TINY.replace(**change, precision="float32"), within=1e-4)


def test_which_models_need_no_vmap():
    def chain(arm):
        model = Training(arm).model
        give_dropout(model)
        return chain_of(model)

    assert [name for name, _ in chain(TINY)][::2] == ["layers.linear1", "layers.linear2", "layers.output"]
    assert len(chain(TINY.replace(**own("sequential")))) == 4
    for change in (CNN, own("TwoDropouts"), own("Tied"), own("Modal"), own("Hooked"), own("Deciding")):
        assert chain(TINY.replace(**change)) is None


# divergence


def test_a_member_that_diverges_ends_there_and_the_others_go_on():
    arm = TINY.replace(**own("sometimes_wild"), max_steps=None, epochs=2)
    training = VectorisedTraining(arm, range(6))
    assert_same(arm, range(6), training=training)
    ended = [history.first_bad_step for history in training.tally.histories(training.models)]
    assert ended.count(None) == 2
    for place, (seed, step) in enumerate(zip(range(6), ended, strict=True)):
        losses = training.step_losses(place)
        assert len(losses) == (step or 2 * 30)
        assert torch.isfinite(losses).all() == (step is None), seed


@pytest.mark.parametrize("change", [{}, DROPOUT, {"optimizer": "adam"}, {"model": "perceptron", "model_args": {}},
                                    {**CNN, "model_args": {"channels": (4,), "batch_norm": True}}], ids=str)  # fmt: skip
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_not_a_number_does_not_leak_to_other_members(change, poison):
    arm = TINY.replace(**{**change, "max_steps": 35})
    clean, poisoned = (VectorisedTraining(arm, SEEDS) for _ in range(2))
    with torch.no_grad():
        for parameter in poisoned.parameters.values():
            parameter[1] = poison
    before, after = clean.run(), poisoned.run()
    assert after[1].status == "DIVERGED" or "perceptron" in arm.model  # whose loss is a count of mistakes
    for place in (0, 2):
        assert after[place].curves == before[place].curves
        for name, tensor in weights(before[place]).items():
            assert torch.equal(weights(after[place])[name], tensor), name


def test_where_all_have_diverged_the_training_ends():
    arm = TINY.replace(
        model_args={"hidden": (16,), "activation": "identity"}, lr=1e30, max_steps=None, epochs=50
    )
    training = VectorisedTraining(arm, SEEDS)
    assert [history.status for history in training.run()] == 3 * ["DIVERGED"]
    assert training.tally.steps == 30  # one epoch of 50
    assert_same(arm)


# what is refused


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ranks": 2}, "it trains in 2 ranks"),
        ({"target_accuracy": 0.9}, "each ends when it has reached its target"),
        ({"loader": "dataloader"}, "its samples come through the loader 'dataloader'"),
        ({"optimizer": "torch.optim:Adafactor"}, "the optimizer torch.optim:Adafactor may look at more than one"),
        (own("OwnLoss"), "its model brings a loss of its own"),
        (own("OneDropoutTwice"), "its dropout layer 'early' is used twice in one pass"),
        (own("FunctionalDropout"), "random operation"),
        (own("Deciding"), "data-dependent control flow"),
        (own("Reading"), "vmap"),
        (own("InPlace"), "output with shape [12] doesn't match the broadcast shape [3, 12]"),
        (own("WithoutRunningStatistics"), "vmap"),
        (own("HiddenState"), "its outputs depend on more than its parameters"),
        (own("of_any_size"), "stack"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_exact_is_refused_with_the_reason(change, why):
    arm = TINY.replace(**change)
    with pytest.raises(NotVectorisable) as caught:
        VectorisedTraining(arm, SEEDS)
    assert str(caught.value).startswith(f"{arm.name}: its seeds cannot train as one model: ")
    assert why in str(caught.value)


def test_dropout_is_refused_where_it_draws_in_a_way_of_its_own():
    training = Training(TINY.replace(**DROPOUT))
    with pytest.raises(NotVectorisable, match="dropout draws its numbers on meta in a way of its own"):
        StackedModel(
            [training.model.to("meta")], torch.empty(2, 1, 8, 8, device="meta", dtype=torch.float64), [0]
        )


def test_making_and_running_it_leaves_the_global_random_numbers_alone():
    before = torch.get_rng_state()
    VectorisedTraining(TINY.replace(**DROPOUT, max_steps=3), SEEDS).run()
    assert torch.equal(torch.get_rng_state(), before)
    assert seeded_models.UNITS  # the models above are found by name
