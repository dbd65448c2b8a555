"""Models: the lecture's numbers and shapes, closed forms, and what is said about wrong arguments."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nnbench.config import MODELS, ConfigError
from nnbench.models import build, parameter_count, shape_trace
from nnbench.models.activations import ACTIVATIONS
from nnbench.models.perceptron import Perceptron

FASHION, DIGITS = (1, 28, 28), (1, 8, 8)
SMALL: Mapping[str, Mapping[str, Any]] = {
    "mlp": {"hidden": (16,)},
    "cnn": {"channels": (4, 8)},
    "alexnet": {"width": 0.0625},
}


def meta(name: str, shape: tuple[int, int, int], classes: int, **model_args: Any) -> nn.Module:
    """A model of which only the shapes exist."""
    with torch.device("meta"):
        return build(name, shape, classes, model_args)


# The lecture's printed numbers


@pytest.mark.parametrize(("logits", "loss"), [([5.0, 1, -2], 0.0190450), ([1.0, 5, -2], 4.0190449)])
def test_the_lectures_cross_entropies(logits: list[float], loss: float) -> None:
    value = F.cross_entropy(torch.tensor([logits], dtype=torch.float64), torch.tensor([0])).item()
    assert value == pytest.approx(loss, abs=1e-6)
    by_hand = math.log(sum(math.exp(z) for z in logits)) - logits[0]
    assert value == pytest.approx(by_hand, abs=1e-12)


def test_the_lectures_batch_of_colour_images() -> None:
    images = torch.empty(8, 3, 224, 224, device="meta")
    assert images.shape == (8, 3, 224, 224)
    assert images.flatten(1).shape == images.view(8, -1).shape == (8, 150528)


def test_the_lectures_logistic_regression() -> None:
    model = build("logistic", FASHION, 10)
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}
    assert shapes == {"linear.weight": (10, 784), "linear.bias": (10,)}
    assert model(torch.rand(3, *FASHION)).shape == (3, 10)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "model_args", "parameters"),
    [
        ("logistic", FASHION, 10, {}, 7_850),
        ("perceptron", FASHION, 10, {}, 7_850),
        ("mlp", FASHION, 10, {}, 669_706),
        ("mlp", FASHION, 10, {"width": 512, "depth": 2}, 669_706),
        ("mlp", FASHION, 10, {"hidden": ()}, 7_850),
        ("mlp", DIGITS, 10, {"hidden": [20]}, 64 * 20 + 20 + 20 * 10 + 10),
        ("mlp", DIGITS, 10, {"width": 20}, 64 * 20 + 20 + 20 * 21 + 20 * 10 + 10),
        ("mlp", DIGITS, 10, {"depth": 1}, 64 * 512 + 512 + 512 * 10 + 10),
        ("lenet5", FASHION, 10, {}, 61_706),
        ("lenet5", (1, 32, 32), 10, {}, 61_706),
        ("alexnet", (3, 224, 224), 1000, {}, 61_100_840),
        ("alexnet", (3, 224, 224), 10, {"dropout": 0.1}, 57_044_810),
        ("cnn", FASHION, 10, {}, (9 * 16 + 16) + (9 * 16 * 32 + 32) + (32 * 49 * 10 + 10)),
        ("cnn", DIGITS, 4, {"channels": [5], "hidden": [7]}, (9 * 5 + 5) + (5 * 16 * 7 + 7) + (7 * 4 + 4)),
        (
            "cnn", FASHION, 10,
            {"channels": (4,), "kernel_size": 5, "convs_per_block": 2, "batch_norm": True},
            (25 * 4 + 2 * 4) + (25 * 4 * 4 + 2 * 4) + (4 * 196 * 10 + 10),
        ),
    ],
)  # fmt: skip
def test_parameters_match_their_closed_forms(
    name: str, shape: tuple[int, int, int], classes: int, model_args: Mapping[str, Any], parameters: int
) -> None:
    assert parameter_count(meta(name, shape, classes, **model_args)) == parameters


@pytest.mark.parametrize(("kernel", "parameters"), [(3, 1_792), (5, 4_864)])
def test_the_lectures_first_convolutions(kernel: int, parameters: int) -> None:
    model = meta("cnn", (3, 224, 224), 10, channels=(64,), kernel_size=kernel)
    first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    assert parameter_count(first) == parameters


@pytest.mark.parametrize("width", [1, 0.125])
def test_the_small_alexnet_matches_its_closed_form(width: float) -> None:
    c1, c2, c3, c4, units = (int(width * full) for full in (64, 192, 384, 256, 4096))
    convolutions = (25 * c1 + c1) + (25 * c1 * c2 + c2) + 9 * (c2 * c3 + c3 * c4 + c4 * c4) + c3 + 2 * c4
    dense = (c4 * units + units) + (units * units + units) + (units * 10 + 10)
    model = meta("alexnet", FASHION, 10, width=width)
    assert parameter_count(model) == convolutions + dense
    kinds = [type(layer).__name__ for layer in model.modules()]
    assert [kinds.count(kind) for kind in ("Conv2d", "MaxPool2d", "Linear", "Dropout")] == [5, 3, 3, 2]


def test_alexnet_takes_torchvisions_form_only_for_colour_images_of_63_pixels_and_width_1() -> None:
    assert type(meta("alexnet", (3, 63, 63), 10)).__module__.startswith("torchvision")
    for shape, width in (((3, 62, 63), 1), ((1, 63, 63), 1), ((3, 63, 63), 0.5)):
        assert type(meta("alexnet", shape, 10, width=width)).__module__ == "nnbench.models.alexnet"
    full = meta("alexnet", (3, 63, 63), 10, dropout=0.25)
    assert {layer.p for layer in full.modules() if isinstance(layer, nn.Dropout)} == {0.25}
    assert shape_trace(full, (3, 63, 63))[-1] == ("classifier.6", (10,))


# What goes in and out


@pytest.mark.parametrize("shape", [FASHION, DIGITS])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_runs_forward_and_backward(name: str, shape: tuple[int, int, int]) -> None:
    least = {"lenet5": "12x12", "alexnet": "16x16"}.get(name)
    if least and shape == DIGITS:
        with pytest.raises(ConfigError, match=rf"model {name}: input 8x8: .* need .*{least} or more"):
            build(name, shape, 10)
        return
    torch.manual_seed(0)
    model = build(name, shape, 10, SMALL.get(name, {}))
    x, y = torch.rand(5, *shape), torch.arange(5)
    logits = model(x)
    assert logits.shape == (5, 10)
    getattr(model, "loss", F.cross_entropy)(logits, y).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.count_nonzero() > 0, key


@pytest.mark.parametrize("name", MODELS)
def test_the_first_weights_depend_on_the_seed_alone(name: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        model = build(name, FASHION, tuple("0123456789"), SMALL.get(name, {}))
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert torch.equal(weights(1), weights(1))
    # Rosenblatt's perceptron starts at zero, whatever the seed.
    assert torch.equal(weights(1), weights(2)) == (name == "perceptron")


def test_lenet5_has_the_papers_maps() -> None:
    shapes = dict(shape_trace(build("lenet5", FASHION, 10), FASHION))
    assert {name.rpartition(".")[2]: shape for name, shape in shapes.items() if ".A" not in name} == {
        "C1": (6, 28, 28), "S2": (6, 14, 14), "C3": (16, 10, 10), "S4": (16, 5, 5),
        "C5": (120,), "F6": (84,), "output": (10,),
    }  # fmt: skip
    kinds = {type(layer) for layer in build("lenet5", (1, 12, 12), 10).modules()}
    assert {nn.Tanh, nn.AvgPool2d} <= kinds
    changed = {
        type(layer) for layer in build("lenet5", FASHION, 10, {"activation": "relu", "pool": "max"}).modules()
    }
    assert {nn.ReLU, nn.MaxPool2d} <= changed
    assert not {nn.Tanh, nn.AvgPool2d} & changed


@pytest.mark.parametrize(
    ("model_args", "last_map"),
    [
        ({}, (32, 7, 7)),
        ({"pool": "average"}, (32, 7, 7)),
        ({"pool": "none"}, (32, 28, 28)),
        ({"pool": "none", "padding": 0, "kernel_size": 5}, (32, 20, 20)),
        ({"pool": "none", "padding": 1, "kernel_size": (5, 2)}, (32, 27, 27)),
        ({"pool": "none", "stride": 2}, (32, 7, 7)),
        ({"pool": "none", "stride": (3, 1), "convs_per_block": 2}, (32, 10, 10)),
        ({"pool": "none", "dilation": 2, "padding": 0}, (32, 20, 20)),
        ({"pool": "none", "dilation": (1, 3), "kernel_size": (7, 3)}, (32, 28, 28)),
        ({"channels": [3, 3, 3], "batch_norm": True, "activation": "gelu"}, (3, 3, 3)),
    ],
)
def test_the_cnns_images_get_the_sizes_that_the_arguments_say(
    model_args: Mapping[str, Any], last_map: tuple[int, ...]
) -> None:
    model = meta("cnn", FASHION, 10, **model_args)
    maps = [shape for _, shape in shape_trace(model, FASHION) if len(shape) == 3]
    assert maps[-1] == last_map
    assert model(torch.empty(2, *FASHION, device="meta")).shape == (2, 10)


def test_each_convolution_of_a_block_is_normalized_and_activated() -> None:
    model = build("cnn", DIGITS, 3, {"channels": [2], "convs_per_block": 2, "batch_norm": True})
    names = [name.rpartition(".")[2] for name, _ in shape_trace(model, DIGITS)]
    assert names == [
        "conv1_1", "norm1_1", "activation1_1", "conv1_2", "norm1_2", "activation1_2", "pool1", "output",
    ]  # fmt: skip


def test_dropout_and_activation_reach_every_hidden_layer() -> None:
    model = build("mlp", DIGITS, 10, {"hidden": (4, 5), "dropout": 0.5, "activation": "tanh"})
    kinds = [type(layer).__name__ for layer in model.modules()]
    assert kinds[2:] == ["Linear", "Tanh", "Dropout", "Linear", "Tanh", "Dropout", "Linear"]
    assert not any(isinstance(layer, nn.Dropout) for layer in build("mlp", DIGITS, 10).modules())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_keeps_the_shape(name: str) -> None:
    z = torch.linspace(-3, 3, 7)
    output = ACTIVATIONS[name]()(z)
    assert output.shape == z.shape
    assert torch.equal(output, z) == (name == "identity")


def test_the_shape_trace_leaves_the_model_as_it_was() -> None:
    model = build("cnn", DIGITS, 10, {"channels": [2], "batch_norm": True})
    model.features.eval()  # type: ignore[union-attr]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    shape_trace(model, DIGITS)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_shared_weight_counts_once() -> None:
    layer = nn.Linear(3, 3)
    assert parameter_count(nn.Sequential(layer, nn.ReLU(), layer)) == 12


# Rosenblatt's rule


@pytest.mark.parametrize("batch", [1, 4])
def test_a_step_of_sgd_is_rosenblatts_rule(batch: int) -> None:
    torch.manual_seed(0)
    model, rate = build("perceptron", (1, 1, 3), 4).double(), 0.1
    assert isinstance(model, Perceptron)
    optimizer = torch.optim.SGD(model.parameters(), rate)
    weight, bias = torch.zeros(4, 3).double(), torch.zeros(4).double()
    for _ in range(20):
        x, y = torch.randn(batch, 1, 1, 3).double(), torch.randint(4, (batch,))
        optimizer.zero_grad()
        model.loss(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        change_w, change_b = torch.zeros_like(weight), torch.zeros_like(bias)
        for sample, label in zip(x.flatten(1), y.tolist(), strict=True):
            for unit in range(4):
                fired = 1.0 if weight[unit] @ sample + bias[unit] >= 0 else 0.0
                error = (1.0 if unit == label else 0.0) - fired
                change_w[unit] += rate * error * sample / batch
                change_b[unit] += rate * error / batch
        weight, bias = weight + change_w, bias + change_b
        torch.testing.assert_close(model.linear.weight.detach(), weight, rtol=0, atol=1e-12)
        torch.testing.assert_close(model.linear.bias.detach(), bias, rtol=0, atol=1e-12)
    assert weight.count_nonzero() > 0


def test_the_perceptrons_loss_is_half_the_number_of_wrong_units() -> None:
    model = build("perceptron", (1, 1, 2), 3)
    net = torch.tensor([[1.0, -1, -1], [1.0, 0, -1], [-1.0, -1, -1]])
    # right; the first unit fires wrongly and the second rightly (0 fires); the third stays silent wrongly
    assert model.loss(net, torch.tensor([0, 1, 2])).item() == pytest.approx((0 + 0.5 + 0.5) / 3)  # type: ignore[operator]


def _accuracies(model: nn.Module, labels: list[int], epochs: int) -> list[float]:
    """Accuracy on the four points of a truth table after each epoch of single-sample steps."""
    points = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]).reshape(4, 1, 1, 2)
    targets = torch.tensor(labels)
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    loss_of = getattr(model, "loss", F.cross_entropy)
    seen = []
    for _ in range(epochs):
        for index in range(4):
            optimizer.zero_grad()
            loss_of(model(points[index : index + 1]), targets[index : index + 1]).backward()
            optimizer.step()
        seen.append((model(points).argmax(1) == targets).double().mean().item())
    return seen


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [0, 1, 1, 1]], ids=["and", "or"])
def test_the_perceptron_learns_what_a_line_separates(labels: list[int]) -> None:
    seen = _accuracies(build("perceptron", (1, 1, 2), 2), labels, 30)
    assert seen[-10:] == [1.0] * 10, "once learned, nothing changes any more"


def test_the_perceptron_cannot_learn_xor_and_a_hidden_layer_can() -> None:
    assert max(_accuracies(build("perceptron", (1, 1, 2), 2), [0, 1, 1, 0], 200)) <= 0.75
    torch.manual_seed(0)
    hidden = build("mlp", (1, 1, 2), 2, {"hidden": (32,)})
    assert _accuracies(hidden, [0, 1, 1, 0], 30)[-1] == 1.0


# What is said about mistakes


@pytest.mark.parametrize(
    ("name", "model_args", "message"),
    [
        ("mlp", {"hiden": 3}, r"unknown key 'hiden'; did you mean 'hidden'\? mlp takes: hidden=None, "),
        ("logistic", {"hidden": 3}, "unknown key 'hidden'; logistic takes: no arguments"),
        ("mlp", {"classes": 3}, "'classes' comes from the data set"),
        ("mlp", {"hidden": 512}, r"model mlp: hidden: expected a list such as \(512, 512\), got 512"),
        ("mlp", {"hidden": (512, 0)}, r"model mlp: hidden\[1\]: expected 1, 2, …, got 0"),
        ("mlp", {"hidden": (8,), "depth": 2}, "hidden: cannot be given beside width or depth"),
        ("mlp", {"depth": 0}, "depth: expected 1, 2, …, got 0"),
        ("mlp", {"width": True}, "width: expected 1, 2, …, got True"),
        ("mlp", {"dropout": 1}, "dropout: expected a number from 0 to below 1, got 1"),
        ("mlp", {"activation": "rely"}, "activation: unknown name 'rely'; did you mean 'relu'"),
        ("cnn", {"channels": ()}, "channels: expected one number or more"),
        ("cnn", {"kernel_size": (3, 3, 3)}, "kernel_size: expected one number or one for each of 2 blocks"),
        ("cnn", {"kernel_size": "3"}, "kernel_size: expected 1, 2, …, got '3'"),
        ("cnn", {"kernel_size": 4}, "padding: 'same' needs odd kernels, got kernel_size 4"),
        ("cnn", {"padding": "valid"}, "padding: unknown name 'valid'; known: same"),
        ("cnn", {"padding": -1}, "padding: expected 0, 1, …, got -1"),
        ("cnn", {"pool": "mean"}, "pool: unknown name 'mean'; known: max, average, none"),
        ("cnn", {"batch_norm": 1}, "batch_norm: expected true or false, got 1"),
        ("cnn", {"channels": [4] * 5}, "block 5, pooling: the image is 1x1 there, and a window of 2x2"),
        (
            "cnn", {"kernel_size": 9, "padding": 0, "channels": (4, 4, 4)},
            "block 3, convolution 1: the image is 1x1 there, and a window of 9x9 with padding 0",
        ),
        ("lenet5", {"pool": "none"}, "pool: unknown name 'none'; known: average, max"),
        ("alexnet", {"width": 0}, "width: expected a number above 0, got 0"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_with_what_is_accepted(
    name: str, model_args: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build(name, FASHION, 10, model_args)


def test_wrong_names_shapes_and_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'lenet5'"):
        build("lenet", FASHION, 10)
    with pytest.raises(ConfigError, match=r"expected \(C, H, W\) and 2 or more classes"):
        build("mlp", (28, 28), 10)
    with pytest.raises(ConfigError, match="2 or more classes"):
        build("mlp", FASHION, ("only",))
    with pytest.raises(
        ConfigError, match="model alexnet: input 7x28: a stride and three poolings need images of 16x16"
    ):
        build("alexnet", (1, 7, 28), 10)


def test_your_own_model_is_called_with_shape_classes_and_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_models.py").write_text(
        "import math\nfrom torch import nn\n"
        "def good(*, input_shape, classes, bias=True, **options):\n"
        "    assert options in ({}, {'nested': {'list': [1, 2]}})\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), classes, bias=bias))\n"
        "def needy(input_shape, classes, size):\n    return nn.Identity()\n"
        "def bad(input_shape, classes):\n    return 3\n"
        "def deaf(input_shape):\n    return nn.Identity()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = build("own_models:good", FASHION, ("a", "b"), {"bias": False, "nested": {"list": (1, 2)}})
    assert parameter_count(model) == 784 * 2
    assert shape_trace(model, FASHION) == [("0", (784,)), ("1", (2,))]
    with pytest.raises(ConfigError, match="missing a required argument: 'size'"):
        build("own_models:needy", FASHION, 2)
    with pytest.raises(ConfigError, match=r"returned int, expected a torch\.nn\.Module"):
        build("own_models:bad", FASHION, 2)
    with pytest.raises(ConfigError, match="unexpected keyword argument 'classes'"):
        build("own_models:deaf", FASHION, 2)
    with pytest.raises(ConfigError, match="unknown key 'sze'; did you mean 'size'"):
        build("own_models:needy", FASHION, 2, {"sze": 1})


def test_building_our_own_models_does_not_import_torchvision() -> None:
    code = (
        "import sys; from nnbench.models import build\n"
        "[build(name, (1, 28, 28), 10) for name in ('perceptron', 'logistic', 'mlp', 'cnn', 'lenet5')]\n"
        "build('alexnet', (1, 28, 28), 10, {'width': 0.125})\n"
        "assert 'torchvision' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_he_weights_keep_the_signal_through_depth_and_torchs_do_not() -> None:
    """He et al. 2015: variance 2 / fan-in keeps the second moment of ReLU layers; torch's third fades."""
    torch.manual_seed(0)
    x = torch.rand(256, *FASHION)
    spread = {}
    for init in ("he", "torch"):
        model = build("mlp", FASHION, 10, {"depth": 8, "width": 256, "init": init})
        with torch.no_grad():
            spread[init] = float((model(x) - model(torch.zeros(1, *FASHION))).std() / x.std())
    assert spread["he"] > 5 * spread["torch"]
    for name in ("mlp", "cnn", "alexnet"):
        layers = [*build(name, FASHION, 10, {"init": "he"}).modules()]
        drawn = [layer for layer in layers if isinstance(layer, (nn.Linear, nn.Conv2d))]
        assert all(float(layer.bias.detach().abs().max()) == 0 for layer in drawn if layer.bias is not None)
        fan_in = drawn[-1].weight[0].numel()
        assert float(drawn[-1].weight.detach().std()) == pytest.approx((2 / fan_in) ** 0.5, rel=0.1)
