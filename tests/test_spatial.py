"""Pooling, stride, padding, dilation and lesions: exact numbers, and what would flip their claims."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import nnbench.analysis.spatial as spatial
import nnbench.studies.lesions as lesions
from fake_runs import read_parts
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench import plots
from nnbench.claims import REFUTED, SUPPORTED
from nnbench.config import ConfigError
from nnbench.records import Record
from nnbench.studies.shifts import scaled

SCENARIOS = scenarios_of("test_spatial.py")


@pytest.mark.parametrize("side", [1, 7, 28, 33])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"), [(1, 1, 0, 1), (3, 2, 1, 1), (3, 1, 4, 4), (5, 4, 2, 1)]
)
def test_the_size_of_the_output_is_the_formula_s(side, kernel, stride, padding, dilation):
    if side + 2 * padding >= dilation * (kernel - 1) + 1:
        assert spatial.output_size(side, kernel, stride, padding, dilation)["formula_error"] == 0


@pytest.mark.parametrize(
    ("kernel", "stride", "expected"),
    [(3, 1, 1), (3, 2, 1), (3, 3, 1), (3, 4, 0.5625), (3, 5, 0.36), (5, 4, 1), (1, 2, 0.25)],
)
def test_a_stride_covers_the_square_of_kernel_over_stride(kernel, stride, expected):
    assert spatial.coverage(kernel, stride)["coverage"] == pytest.approx(expected, abs=1e-12)
    hidden = spatial.unseen_lesion(kernel, stride, 0)["lesion_change"] == 0
    assert hidden == (expected < 1)


@pytest.mark.parametrize(("padding", "expected"), [(0, (1, 3, 9)), (1, (4, 6, 9))])
def test_a_corner_is_used_less_than_the_middle(padding, expected):
    assert tuple(spatial.uses(padding).values()) == expected


@pytest.mark.parametrize(("side", "layers", "left"), [(28, 13, 2), (5, 2, 1), (2, 0, 2)])
def test_an_image_dies_without_padding(side, layers, left):
    assert spatial.valid_layers(side) == {"layers": layers, "output_side": left}


@pytest.mark.parametrize(
    ("dilations", "span", "density"),
    [
        ((1, 1, 1), 7, 1),
        ((2, 2, 2), 13, 0.290),
        ((1, 2, 4), 15, 1),
        ((1, 2, 3), 13, 1),
        ((1, 2, 5), 17, 1),
        ((4, 4, 4), 25, 0.078),
    ],
)
def test_dilations_have_their_span_and_holes(dilations, span, density):
    found = spatial.gridding(dilations)
    assert found.metrics["receptive_field"] == span
    assert found.metrics["density"] == pytest.approx(density, abs=5e-4)
    x = torch.zeros(1, 1, span, span, dtype=torch.float64, requires_grad=True)
    y = x
    for dilation in dilations:
        y = F.conv2d(y, torch.ones(1, 1, 3, 3, dtype=torch.float64), dilation=dilation)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient[0, 0].numpy().tolist() == found.arrays["seen"].tolist()


@pytest.mark.parametrize(("pool", "same"), [("max", True), ("average", False)])
def test_relu_and_max_pooling_change_places(pool, same):
    found = spatial.order_of_pool(pool, 3)
    assert (found["order_difference"] == 0) == same
    assert found["activated_first"] == 4 * found["activated_last"]


def test_what_sees_the_whole_image_does_not_mind_a_shift():
    changes = {pool: spatial.change_by_shift(pool, 0)["change_by_shift"] for pool in spatial.POOLS}
    assert changes["global max"] == 0
    assert changes["global average"] < 1e-6
    assert changes["max 4"] < changes["max 2"] < changes["none"]
    assert spatial.change_by_shift("none", 0, pixels=0)["change_by_shift"] == 0
    assert spatial.change_by_scale("max 4", 0, factor=1.0)["change_by_scale"] < 1e-6


def test_images_grow_about_their_centre():
    image = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    image[..., 4, 4] = 200
    assert scaled(image, 1.0).equal(image)
    larger = scaled(image, 3.0)
    assert larger[0, 0, 4, 4] == 200
    assert int((larger > 0).sum()) > 9
    assert int((scaled(torch.full_like(image, 9), 0.5) == 0).sum()) > 40
    with pytest.raises(ConfigError, match=r"scale: expected 0\.25 to 4, got 9"):
        scaled(image, 9)


# lesions


def test_half_of_the_images_have_a_lesion_of_one_of_the_sizes():
    x, sizes = lesions.lesions(400, torch.Generator().manual_seed(0))
    assert 0.4 < float((sizes > 0).float().mean()) < 0.6
    assert set(sizes.tolist()) == {0, 1, 2, 4, 8}
    eight = x[sizes == 8].amax((1, 2, 3)).mean()
    assert eight > x[sizes == 0].amax((1, 2, 3)).mean()


def test_which_mark_is_left_can_only_be_told_from_both():
    x, left = lesions.pairs(300, torch.Generator().manual_seed(0))
    assert 0.4 < float(left.float().mean()) < 0.6
    flipped = x.flip(-1)
    assert torch.allclose(x.mean((1, 2, 3)), flipped.mean((1, 2, 3)), atol=1e-6)  # the same marks in both
    columns = x[left == 1].mean((0, 1, 2))
    assert columns[:10].mean() > 0.1 > -0.1 > columns[-10:].mean()


def test_a_stride_loses_small_lesions():
    near, far = (lesions.lesion_recall(net, 0, epochs=3).metrics for net in ("stride 1", "stride 4"))
    assert near["lesion_1_recall"] > far["lesion_1_recall"] + 0.3
    assert far["lesion_8_recall"] > 0.9
    assert near["false_alarms"] == pytest.approx(0.05, abs=0.05)


@pytest.mark.parametrize("net", lesions.NETS)
def test_every_network_gives_one_logit_for_an_image(net):
    assert lesions.NETS[net]()(torch.randn(3, 1, 24, 24)).shape == (3,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spatial.coverage(0, 2), "kernel, stride: expected 1 or more, got 0, 2"),
        (lambda: spatial.change_by_shift("min 3", 0), "pool: expected one of none, max 2"),
        (lambda: spatial.order_of_pool("median", 0), "pool: expected max or average, got 'median'"),
        (lambda: lesions.lesion_recall("stride 9", 0, samples=8), "net: expected one of stride 1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


# the claims, and what would flip them


@pytest.mark.parametrize(
    ("name", "refuted"),
    [
        (
            "pooled-features",
            ["Features after max pooling of 4x4 are independent of a shift.", "And of scale."],
        ),
        ("pool-order", ["With average pooling neither."]),
        ("stride-coverage", []),
        ("padding", ["Padding treats a corner as it does the middle."]),
        ("dilation", ["With 2, 2, 2 too."]),
    ],
)
def test_the_claims_come_out(name, refuted):
    found = verdicts_of(SCENARIOS[name], seeds=range(6))
    assert [text for text, verdict in found.items() if verdict != SUPPORTED] == refuted


def test_a_pooling_that_is_none_flips_its_claim(monkeypatch):
    """A planted defect: it takes every fourth pixel."""
    monkeypatch.setitem(spatial.POOLS, "max 4", lambda x: x[..., ::4, ::4])
    found = verdicts_of(SCENARIOS["pooled-features"], seeds=range(3), only=("none", "max 4"))
    assert found["Max pooling of 4x4 halves the change by a shift of one pixel, nearly."] == REFUTED


def test_a_stride_that_steps_less_flips_its_claim(monkeypatch):
    sound = F.conv2d
    monkeypatch.setattr(
        spatial.F, "conv2d", lambda x, w, stride=1, **more: sound(x, w, stride=min(2, stride), **more)
    )
    found = verdicts_of(SCENARIOS["stride-coverage"], seeds=range(6))
    assert found["A 3x3 kernel, stride 4, looks at 56.25% of the pixels."] == REFUTED
    assert found["With a stride of 4 a lesion of one pixel can change nothing at all."] == REFUTED


@pytest.mark.parametrize("name", ["pooled-features", "small-lesions", "dilation", "several-scales"])
def test_every_plot_is_drawn(name, tmp_path):
    draw_all(SCENARIOS[name], records_of(SCENARIOS[name]), tmp_path)


def test_recalls_are_drawn_by_size(tmp_path):
    scenario = SCENARIOS["small-lesions"]
    arm = scenario.arms["quick"][0]
    records = [
        Record(scenario=scenario.name, arm={"name": arm.name, "id": arm.id, **arm.config()}, seed=seed,
               metrics={"lesion_1_recall": 0.5 + 0.1 * seed, "lesion_8_recall": 1.0})
        for seed in range(2)
    ]  # fmt: skip
    run = read_parts(tmp_path / "run.json", [(scenario, records)])
    numbers = plots.draw(run, run.plan["scenarios"][0], "recall_by_size").numbers
    assert list(numbers["side [px]"]) == [1, 8]
    assert list(numbers["found [%]"]) == [pytest.approx(55), 100]
