"""The control flow of a training: each call left out, nnbench's own loop, and defects planted in it."""

from __future__ import annotations

import pytest
import torch

import nnbench.studies.control_flow as flow
import nnbench.studies.loader_arithmetic as sums
import nnbench.training.loop as loop
import nnbench.training.steps as steps
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench.claims import REFUTED, SUPPORTED
from nnbench.config import ConfigError
from nnbench.data import Dataset
from nnbench.data.dataset import DataMissing

SCENARIOS = scenarios_of("test_control_flow.py")
OWN = ("nnbench",)


def found(forget, **more):
    return flow.loop_without(forget, 0, epochs=2, **more).metrics


def test_the_loop_by_hand_does_no_harm():
    right = found("nothing")
    assert right["left_over_gradient"] == 0
    assert right["changed_by_validation"] == right["kept_by_validation"] == right["tells_two_things"] == 0
    assert right["told_accuracy"] == right["validation_accuracy"] > 0.5


def test_what_each_omission_does_and_nothing_else():
    harm = {
        "zero_grad": {"left_over_gradient"},
        "eval": {"changed_by_validation", "tells_two_things"},
        "no_grad": {"kept_by_validation"},
        "train": set(),
    }
    names = set().union(*harm.values())
    for forget, expected in harm.items():
        assert {name for name in names if found(forget)[name] > 0} == expected, forget
    assert found("train")["validation_accuracy"] != found("nothing")["validation_accuracy"]


def test_the_calls_are_those_of_the_slides():
    calls = flow.loop_without("nothing", 0, epochs=2).arrays["calls"]
    epoch = [0, 2, 3] * 11 + [4] * 4  # 1,400 training and 397 validation images in batches of 128
    assert list(calls) == epoch * 2
    without_eval = flow.loop_without("eval", 0, epochs=2).arrays["calls"]
    assert list(without_eval) == [5 if call == 4 else call for call in epoch] * 2
    without_no_grad = flow.loop_without("no_grad", 0, epochs=2).arrays["calls"]
    assert list(without_no_grad) == [6 if call == 4 else call for call in epoch] * 2
    without_train = list(flow.loop_without("train", 0, epochs=2).arrays["calls"])
    assert without_train == epoch + [1 if call == 0 else call for call in epoch]


def test_a_seed_gives_the_same_run_and_leaves_torch_s_alone():
    before = torch.random.get_rng_state()
    assert (
        flow.loop_without("nothing", 3, epochs=1).metrics == flow.loop_without("nothing", 3, epochs=1).metrics
    )
    assert (
        flow.loop_without("nothing", 3, epochs=1).metrics != flow.loop_without("nothing", 4, epochs=1).metrics
    )
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_unknown_call_is_refused():
    with pytest.raises(ConfigError, match=r"forget: expected one of nothing, zero_grad, .*, got 'backward'"):
        flow.loop_without("backward", 0)


# nnbench's own loop, and defects planted in it: each turns the claim of its name


def own_verdicts():
    return verdicts_of(SCENARIOS["control-flow"], "smoke", seeds=(0, 1), only=OWN)


def test_nnbench_s_loop_passes():
    assert set(own_verdicts().values()) == {SUPPORTED}
    assert len(own_verdicts()) == 7


def _keeps_gradients(monkeypatch):
    monkeypatch.setattr(steps, "zero_grad", lambda optimizer: None)


def _validates_in_training_mode(monkeypatch):
    sound = torch.nn.Module.eval
    monkeypatch.setattr(torch.nn.Module, "eval", lambda self: sound(self).train())


def _validates_with_gradients(monkeypatch):
    sound = loop.validation_step

    def step(*given):
        with torch.enable_grad():
            return tuple(part.detach() for part in sound(*given))

    monkeypatch.setattr(loop, "validation_step", step)


def _validates_on_training_data(monkeypatch):
    sound = Dataset.split
    monkeypatch.setattr(Dataset, "split", lambda self, *asked: (sound(self, *asked)[0],) * 2)


@pytest.mark.parametrize(
    ("plant", "turned"),
    [
        (_keeps_gradients, "No older gradient is in its steps."),
        (_validates_in_training_mode, "Its validation changes nothing"),
        (_validates_in_training_mode, "Asked twice, it says the same."),
        (_validates_with_gradients, "It keeps nothing for a backward pass."),
        (_validates_on_training_data, "No image that it is scored on has it trained on."),
    ],
)
def test_a_planted_defect_turns_a_claim(monkeypatch, plant, turned):
    plant(monkeypatch)
    verdict = next(verdict for text, verdict in own_verdicts().items() if text.startswith(turned))
    assert verdict == REFUTED


# loaders


@pytest.mark.parametrize(
    ("samples", "batch", "drop_last", "steps_", "last"),
    [(60_000, 16, False, 3750, 16), (42_000, 16, False, 2625, 16), (16_954, 16, False, 1060, 10),
     (16_954, 16, True, 1059, 16), (5, 8, False, 1, 5), (5, 8, True, 0, 0)],
)  # fmt: skip
def test_the_sums_of_a_loader(samples, batch, drop_last, steps_, last):
    told = sums.loader_sums(samples, batch, drop_last=drop_last).metrics
    assert (told["loader_steps"], told["last_batch"]) == (steps_, last)
    assert told["met_twice"] == told["orders_differ"] == 0


def test_a_shuffled_loader_has_another_order_each_epoch():
    told = sums.loader_sums(1000, 16, shuffle=True).metrics
    assert (told["orders_differ"], told["met_share"], told["met_twice"]) == (1, 1, 0)


def test_labels_and_contents_are_read_from_the_set(tmp_path, monkeypatch):
    assert sums.label_at("xor", 0)["label"] in (0, 1)
    told = sums.contents("xor")
    assert told["classes"] == 2
    assert told["leaked_images"] == told["validation_images"] == 4  # it is scored on its own four corners
    with pytest.raises(ConfigError, match=r"place: expected 0 to \d+, got 99999999"):
        sums.label_at("xor", 99999999)
    for name in ("NNBENCH_DATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(DataMissing):
        sums.label_at("mnist", 10, tmp_path)
    with pytest.raises(ConfigError, match="expected 1, 2, …, got 0 and 16"):
        sums.loader_sums(0, 16)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_plot_is_drawn(name, tmp_path):
    draw_all(SCENARIOS[name], records_of(SCENARIOS[name]), tmp_path)
