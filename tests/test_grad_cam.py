"""Grad-CAM against a library, its completeness, the pointing game, and what would flip the claims."""

from __future__ import annotations

import pytest
import torch

import nnbench.studies.pointing as pointing
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench import models
from nnbench.analysis.grad_cam import grad_cam, raw_maps
from nnbench.claims import REFUTED
from nnbench.config import ConfigError
from nnbench.data import load

SCENARIO = scenarios_of("test_gradcam.py")["gradcam"]


@pytest.fixture(autouse=True)
def afresh():
    pointing._networks.cache_clear()


def networks():
    torch.manual_seed(0)
    yield pointing.PointNet(), "features", torch.rand(5, 1, 28, 56)
    yield (
        models.build("cnn", (1, 28, 28), 10, {"channels": (4, 6)}),
        "features.activation2_1",
        torch.rand(3, 1, 28, 28),
    )


@pytest.mark.parametrize("which", [0, 1])
def test_it_is_captum_s(which):
    captum = pytest.importorskip("captum.attr")
    net, layer, x = list(networks())[which]
    classes = torch.arange(len(x)) % 10
    theirs = captum.LayerGradCam(net, net.get_submodule(layer)).attribute(x, classes, relu_attributions=True)
    torch.testing.assert_close(grad_cam(net, layer, x, classes), theirs[:, 0].detach(), rtol=1e-5, atol=1e-7)


def test_after_a_mean_and_a_linear_layer_the_map_sums_to_the_logit():
    net = pointing.PointNet().double()
    x, classes = torch.rand(4, 1, 28, 56, dtype=torch.float64), torch.tensor([0, 3, 9, 1])
    logits = net(x).gather(1, classes[:, None])[:, 0] - net.head.bias[classes]
    torch.testing.assert_close(raw_maps(net, "features", x, classes).sum((1, 2)), logits.detach())


def test_it_leaves_the_model_as_it_was():
    net = pointing.PointNet()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.no_grad():
        maps = grad_cam(net, "features", torch.rand(2, 1, 28, 56), torch.tensor([1, 2]))
    assert not maps.requires_grad
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
    assert all(weight.grad is None for weight in net.parameters())
    assert not net.features._forward_hooks


@pytest.mark.parametrize(
    ("layer", "classes", "message"),
    [
        ("convs", [1], "no module 'convs'; there are features"),
        ("head", [1], r"'head' gives \(1, 10\), expected maps"),
        ("features", [1, 2], "expected one for each of 1 images, got 2"),
    ],
)
def test_bad_arguments_are_named(layer, classes, message):
    with pytest.raises(ConfigError, match=message):
        grad_cam(pointing.PointNet(), layer, torch.rand(1, 1, 28, 56), torch.tensor(classes))


# the game


def test_a_single_garment_lies_beside_scattered_pixels_of_another():
    split = pointing.two_kinds(load("fashion-mini").validation)
    assert set(split.labels.tolist()) == {1, 9}
    canvas, labels = pointing.single(split, torch.Generator().manual_seed(0))
    assert canvas.shape == (400, 1, 28, 56)
    whole = split.images[:, 0].float() / 255
    left = (canvas[:, 0, :, :28] == whole).all((1, 2))
    right = (canvas[:, 0, :, 28:] == whole).all((1, 2))
    assert bool((left ^ right).all())
    assert 0.3 < float(left.float().mean()) < 0.7
    assert labels.equal(split.labels)


def test_pairs_are_of_two_kinds():
    split = pointing.two_kinds(load("fashion-mini").validation)
    canvas, classes = pointing.pairs(split, 100, torch.Generator().manual_seed(0))
    assert (classes[:, 0] != classes[:, 1]).all()
    assert len(canvas) == len(classes) > 30


def test_a_map_hits_where_its_greatest_value_is():
    maps = torch.zeros(3, 7, 14)
    maps[0, 2, 3] = maps[1, 2, 10] = 1.0  # left, right, empty
    assert pointing._hits(maps, 0) == pytest.approx((1 / 3, 1 / 3))
    assert pointing._hits(maps, 1) == pytest.approx((1 / 3, 1 / 3))


def test_ranks_agree_with_scipy_s():
    from scipy.stats import spearmanr

    a, b = torch.rand(1, 5, 6), torch.rand(1, 5, 6)
    expected = spearmanr(a.flatten().numpy(), b.flatten().numpy()).statistic
    assert pointing._rank_correlation(a, b) == pytest.approx(expected, abs=1e-9)


def test_a_trained_network_points_and_an_untrained_one_less():
    trained, untrained = (pointing.pointing_game(state, 1).metrics for state in ("trained", "untrained"))
    assert trained["canvas_accuracy"] > 0.95
    assert trained["pointing_share"] > 0.9
    assert untrained["pointing_share"] < 0.8
    assert trained["completeness_error"] < 1e-4
    assert pointing.pointing_game("trained", 1).metrics == trained
    with pytest.raises(ConfigError, match="state: expected one of trained, untrained"):
        pointing.pointing_game("drunk", 1)


def test_grad_cam_with_the_wrong_sign_flips_its_claim(monkeypatch):
    """A planted defect: what speaks against a class is shown."""
    sound = pointing.raw_maps
    monkeypatch.setattr(pointing, "raw_maps", lambda *of: -sound(*of))
    found = verdicts_of(SCENARIO, seeds=range(2), only=("trained",))
    assert found["The trained network points at the right one in 19 of 20 pictures."] == REFUTED


def test_every_plot_is_drawn(tmp_path):
    draw_all(SCENARIO, records_of(SCENARIO), tmp_path)
