"""Shared weights: exact counts, equivariance, images that move, pixels that are permuted, an encoder's stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import nnbench.analysis.weight_sharing as weight_sharing
from fake_runs import read_parts
from nnbench import Arm, fit, plots
from nnbench.analysis.encoding import stage
from nnbench.benchmarking import ProbeMeasurement
from nnbench.catalog import load_scenarios
from nnbench.claims import REFUTED, SUPPORTED, judge
from nnbench.config import ConfigError
from nnbench.data import load
from nnbench.records import Arrays, Record
from nnbench.studies.permuted import permuted
from nnbench.studies.shifts import accuracy_under_shift, shifted

BENCH = Path(__file__).parents[1] / "bench"
SCENARIOS = {each.name: each for _, each in load_scenarios([BENCH / "test_weight_sharing.py"])}
TINY = {"data": "digits", "model_args": {"hidden": (8,)}, "max_steps": 30, "lr": 0.3}


def verdicts(name, seeds=range(3)):
    scenario = SCENARIOS[name]
    records = [
        ProbeMeasurement(arm, scenario=name).record(seed)
        for arm in scenario.arms["quick"]
        for seed in (seeds if arm.seeded else (0,))
    ]
    return {of.claim.text: of.verdict for of in judge(scenario.claims_in("quick"), records, "quick")}


# layers


@pytest.mark.parametrize(
    ("kind", "expected"), [("convolution", 80), ("locally connected", 62_720), ("dense", 4_923_520)]
)
def test_the_parameters_of_eight_maps(kind, expected):
    assert weight_sharing.parameters(kind) == {"parameters": expected}


def test_windows_with_equal_weights_everywhere_are_a_convolution():
    convolution = weight_sharing.layer_of("convolution", 4, 6)
    local = weight_sharing.layer_of("locally connected", 4, 6)
    with torch.no_grad():
        local.weight.copy_(convolution.weight.reshape(4, 9, 1).expand(4, 9, 36))
        local.bias.copy_(convolution.bias[:, None].expand(4, 36))
    x = torch.randn(3, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(local(x), convolution(x))


def test_only_shared_weights_move_with_the_image():
    errors = {
        kind: weight_sharing.equivariance(kind, 0)["equivariance_error"] for kind in weight_sharing.KINDS
    }
    assert errors["convolution"] == 0
    assert errors["dense"] > 1
    assert errors["locally connected"] > 1


def test_a_stride_breaks_it_between_its_steps():
    def error(shift):
        return weight_sharing.equivariance("convolution", 0, shift=shift, stride=2)["equivariance_error"]

    assert error(2) == 0
    assert error(1) > 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "round"}, "kind: expected one of dense, locally connected, convolution, got 'round'"),
        ({"kind": "convolution", "kernel": 4}, "kernel: expected an odd side"),
        ({"kind": "dense", "stride": 2}, "stride: 2 is for a convolution"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        weight_sharing.layer_of(**{"channels": 2, "side": 6, **values})


# images that move


def test_images_move_by_whole_pixels_and_leave_black():
    image = torch.arange(1, 13, dtype=torch.uint8).reshape(1, 1, 3, 4)
    assert shifted(image, 0, 0).equal(image)
    assert shifted(image, 1, 0)[0, 0].tolist() == [[0, 0, 0, 0], [1, 2, 3, 4], [5, 6, 7, 8]]
    assert shifted(image, 0, -2)[0, 0].tolist() == [[3, 4, 0, 0], [7, 8, 0, 0], [11, 12, 0, 0]]
    with pytest.raises(ConfigError, match="expected less than the 3x4 pixels, got 3, 0"):
        shifted(image, 3, 0)


def test_where_nothing_has_moved_it_is_the_training_s_own_accuracy():
    found = accuracy_under_shift(TINY, seed=1, shifts=(0, 2)).metrics
    history = fit(Arm(**TINY), seed=1)
    assert found["shifted_0_accuracy"] == pytest.approx(history.curves["validation_accuracy"][-1])
    assert found["shifted_2_accuracy"] < found["shifted_0_accuracy"] - 0.1


def test_one_that_looks_at_no_place_does_not_mind():
    """A model of the sum of all pixels sees no shift, as long as nothing leaves the image."""
    inner = torch.zeros(5, 1, 9, 9, dtype=torch.uint8)
    inner[..., 3:6, 3:6] = 200
    assert shifted(inner, 2, -2).sum((1, 2, 3)).equal(inner.sum((1, 2, 3)))


def test_a_training_that_diverges_says_so():
    with pytest.raises(ConfigError, match="lr: 1e\\+30 diverges"):
        accuracy_under_shift({**TINY, "lr": 1e30}, seed=0)


# permuted pixels


def test_permuted_images_have_the_same_pixels_elsewhere():
    whole = load("digits")
    mixed = permuted(whole)
    assert mixed.sha256 != whole.sha256
    assert mixed.input_shape == whole.input_shape
    a, b = whole.train.images.flatten(1), mixed.train.images.flatten(1)
    assert a.sort(1).values.equal(b.sort(1).values)
    assert not a.equal(b)
    columns = {tuple(column.tolist()) for column in a.T}
    assert all(tuple(column.tolist()) in columns for column in b.T)  # alike in every image


# an encoder


def test_the_stages_of_an_encoder():
    stages = [stage((64, 128, 256), number, image=64, batch=16) for number in (1, 2, 3)]
    assert [of["stage_side"] for of in stages] == [32, 16, 8]
    assert [of["stage_bytes"] for of in stages] == [
        4 * 16 * 64 * 32**2,
        4 * 16 * 128 * 16**2,
        4 * 16 * 256 * 8**2,
    ]
    assert [of["parameters"] for of in stages] == [1792, 73_856, 295_168]
    assert [of["kept_bytes"] // of["stage_bytes"] for of in stages] == [4, 4, 4]
    with pytest.raises(ConfigError, match="number: expected a stage of 1 to 2, got 3"):
        stage((4, 8), 3)


# the claims, and what would flip them


def test_the_exact_claims_hold():
    assert set(verdicts("shared-weights").values()) == {SUPPORTED}
    found = verdicts("encoding")
    assert [text for text, verdict in found.items() if verdict == REFUTED] == [
        "The data shrink: the last stage holds less than an eighth of the image's 786,432 bytes."
    ]


def test_a_convolution_that_pads_with_zeros_flips_the_claim_that_it_moves_with_the_image(monkeypatch):
    claim = "The output of a convolution moves with the image, exactly."
    assert verdicts("equivariance")[claim] == SUPPORTED
    sound = weight_sharing.layer_of

    def padded(kind, channels, side, kernel=3, stride=1):
        if kind != "convolution":
            return sound(kind, channels, side, kernel, stride)
        return torch.nn.Conv2d(1, channels, kernel, stride, kernel // 2)

    monkeypatch.setattr(weight_sharing, "layer_of", padded)
    assert verdicts("equivariance")[claim] == REFUTED


def test_windows_that_share_after_all_flip_theirs(monkeypatch):
    claim = "Nor does that of windows whose weights are not shared."
    sound = weight_sharing.layer_of
    monkeypatch.setattr(
        weight_sharing, "layer_of",
        lambda kind, *of: sound("convolution" if kind == "locally connected" else kind, *of),
    )  # fmt: skip
    assert verdicts("equivariance")[claim] == REFUTED


# plots


def moved_record(arm, seed):
    metrics = {f"shifted_{shift}_accuracy": 0.9 - 0.1 * shift + 0.01 * seed for shift in (0, 2, 4)}
    return Record(
        scenario="accuracy-under-shift", arm={"name": arm.name, "id": arm.id, **arm.config()}, seed=seed,
        metrics=metrics, arrays=Arrays.of({"shift": np.array([0, 2, 4])}),
    )  # fmt: skip


@pytest.mark.parametrize("seeds", [1, 3])
def test_accuracy_is_drawn_against_the_shift(seeds, tmp_path):
    scenario = SCENARIOS["accuracy-under-shift"]
    records = [moved_record(arm, seed) for arm in scenario.arms["quick"][:2] for seed in range(seeds)]
    run = read_parts(tmp_path / "run.json", [(scenario, records)])
    numbers = plots.draw(run, run.plan["scenarios"][0], "accuracy_by_shift").numbers
    assert list(numbers["moved by [px]"]) == [0, 2, 4] * 2
    assert list(numbers["arm"].unique()) == [arm.name for arm in scenario.arms["quick"][:2]]
    assert numbers["low"].notna().all() == (seeds > 1)


def test_stages_are_drawn_to_scale(tmp_path):
    scenario = SCENARIOS["encoding"]
    records = [ProbeMeasurement(arm, scenario="encoding").record(0) for arm in scenario.arms["quick"]]
    run = read_parts(tmp_path / "run.json", [(scenario, records)])
    numbers = plots.draw(run, run.plan["scenarios"][0], "encoding_stages").numbers
    assert list(numbers["side [px]"]) == [32, 16, 8, 4]


@pytest.mark.parametrize("plot", ["accuracy_by_shift", "encoding_stages"])
def test_a_run_with_nothing_to_draw_says_so(plot, tmp_path):
    run = read_parts(tmp_path / "run.json", [(SCENARIOS["encoding"], [])])
    assert not len(plots.draw(run, run.plan["scenarios"][0], plot).numbers)
