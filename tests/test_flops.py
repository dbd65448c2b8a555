"""Counted operations against closed forms; what cannot be counted is None with the module's name."""

import itertools
import math

import pytest
import torch
from torch import nn

from nnbench import models
from nnbench.config import MODELS
from nnbench.meters import flops
from nnbench.meters.flops import Flops, conv2d_flops, count, linear_flops, mfu

GRID = [
    (k, s, p, d, g)
    for k, s, p, d, g in itertools.product((1, 3, 5, 7), (1, 2, 3), (0, 1, 2), (1, 2), (1, 2, 4))
]


class Flat(nn.Module):
    """A dense head behind any body: (B, C, H, W) -> (B, 3)."""

    def __init__(self, body, features):
        super().__init__()
        self.body, self.head = body, nn.Linear(features, 3)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


# closed forms against the counter


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation", "groups"), GRID)
def test_a_convolution_is_counted_as_its_closed_form(kernel, stride, padding, dilation, groups):
    """Two in a row: the first needs no gradient of its input, the second does."""
    image = (17, 14)
    make = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    body = nn.Sequential(nn.Conv2d(8, 4, 1), nn.Conv2d(4, 12, kernel, **make))
    features = math.prod(body(torch.zeros(1, 8, *image)).shape)
    parts = [
        conv2d_flops(8, 4, 1, image=image, first=True),
        conv2d_flops(4, 12, kernel, image=image, **make),
        linear_flops(features, 3),
    ]
    found = count(Flat(body, features), (8, *image))
    assert (found.forward, found.backward) == tuple(sum(column) for column in zip(*parts, strict=True))
    alone = count(Flat(body[1], features), (4, *image))
    first = conv2d_flops(4, 12, kernel, image=image, **make, first=True)
    assert (alone.forward, alone.backward) == (first[0] + parts[2][0], first[1] + parts[2][1])


def test_the_closed_forms_on_known_numbers():
    assert conv2d_flops(3, 64, 3, image=(28, 28), padding=1) == (2 * 27 * 64 * 784, 4 * 27 * 64 * 784)
    assert linear_flops(784, 10, first=True) == (15680, 15680)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"groups": 2}, "groups"), ({"kernel": 9}, "leaves nothing"), ({"dilation": 4}, "leaves")],
)
def test_impossible_convolutions_are_refused(wrong, word):
    with pytest.raises(ValueError, match=word):
        conv2d_flops(**{"inputs": 3, "outputs": 4, "kernel": 3, "image": (5, 5), **wrong})


def layers_in_closed_form(model, input_shape):
    """Sum over the layers of *model*, from the shapes that each one makes."""
    modules, shape, first, sums = dict(model.named_modules()), tuple(input_shape), True, [0, 0]
    for name, output in models.shape_trace(model, input_shape):
        layer, own = modules[name], (0, 0)
        if isinstance(layer, nn.Linear):
            own = linear_flops(layer.in_features, layer.out_features, first=first)
        elif isinstance(layer, nn.Conv2d):
            own = conv2d_flops(
                layer.in_channels, layer.out_channels, layer.kernel_size[0], image=shape[1:], first=first,
                stride=layer.stride[0], padding=layer.padding[0], dilation=layer.dilation[0],
            )  # fmt: skip
        first = first and not own[0]
        sums, shape = [sums[0] + own[0], sums[1] + own[1]], output
    return tuple(sums)


ARGUMENTS = {
    "mlp": ({}, {"hidden": (7, 5, 3), "dropout": 0.5}, {"hidden": ()}),
    "cnn": ({}, {"kernel_size": 5, "stride": 2, "batch_norm": True, "pool": "none", "hidden": (9,)},
            {"convs_per_block": 3, "dilation": 2, "padding": 3}),
    "lenet5": ({}, {"activation": "relu", "pool": "max"}),
    "alexnet": ({"width": 0.125}, {"width": 0.25, "dropout": 0.0}),
}  # fmt: skip


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64)], ids=str)
@pytest.mark.parametrize(
    ("name", "arguments"), [(n, a) for n in MODELS for a in ARGUMENTS.get(n, ({},))], ids=str
)
def test_every_model_is_counted_as_the_sum_of_its_layers(name, arguments, shape):
    model = models.build(name, shape, 10, arguments)
    found = count(model, shape)
    assert (found.forward, found.backward) == layers_in_closed_form(model, shape)
    assert found.per_sample == found.forward + found.backward
    assert (found.uncounted, found.reason) == ((), None)


def test_the_lecture_s_networks_have_known_numbers():
    mlp = count(models.build("mlp", (1, 28, 28), 10), (1, 28, 28))
    weights = 784 * 512 + 512 * 512 + 512 * 10
    assert (mlp.forward, mlp.backward) == (2 * weights, 4 * weights - 2 * 784 * 512)


@pytest.mark.parametrize("name", MODELS)
def test_the_count_is_linear_in_the_batch(name, monkeypatch):
    model = models.build(name, (1, 28, 28), 10)
    two = count(model, (1, 28, 28))
    monkeypatch.setattr(flops, "_BATCH", 7)
    assert count(model, (1, 28, 28)) == two


def test_the_meta_device_and_the_cpu_count_alike():
    model = models.build("cnn", (1, 28, 28), 10, {"batch_norm": True})
    on = [
        flops._counted(model, (1, 28, 28), torch.float32, torch.device(device)) for device in ("meta", "cpu")
    ]
    assert on[0] == on[1]


def test_double_precision_has_the_same_count():
    model = models.build("cnn", (1, 28, 28), 10)
    assert count(model.double(), (1, 28, 28), torch.float64) == count(model.float(), (1, 28, 28))


def test_an_lstm_is_counted_where_it_is_taken_apart():
    """On the meta device; four gates, 3 steps. The first hidden state is no one's output."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = nn.LSTM(5, 7, batch_first=True), nn.Linear(7, 4)

        def forward(self, x):
            return self.head(self.encoder(x)[0][:, -1])

    gates, head = 4 * 7, linear_flops(7, 4)
    forward = 3 * 2 * (5 + 7) * gates
    found = count(Reader(), (3, 5))
    assert (found.forward, found.backward) == (forward + head[0], forward + 2 * 2 * 7 * gates + head[1])


# what the counter does not see


class WithTable(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.encoder(x.flatten(1)[:, :2].long()).reshape(len(x), -1)[:, :4])


class Bilinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.pair, self.head = nn.Bilinear(4, 4, 6), nn.Linear(6, 3)

    def forward(self, x):
        x = x.flatten(1)[:, :4]
        return self.head(self.pair(x, x))


class OnTheCpuOnly(nn.Module):
    """Asks for a number, which a tensor of shapes alone does not have."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        assert x.sum().item() == 0
        return self.inner(x)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.LSTM(4, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.encoder(x.flatten(1)[:, :4].unsqueeze(1))[0][:, 0])


class ThroughNumpy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        return torch.from_numpy(x.detach().numpy() @ w.detach().numpy())

    @staticmethod
    def backward(ctx, grad):
        return None, torch.ones(4, 3)


class OwnOp(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.weight, self.how = nn.Parameter(torch.ones(4, 3)), how
        self.head = nn.Linear(3, 3)

    def forward(self, x):
        return self.head(self.how(x.flatten(1)[:, :4], self.weight))


@pytest.mark.parametrize(
    ("model", "uncounted"),
    [
        (WithTable(nn.Embedding(9, 4)), "encoder (Embedding)"),
        (WithTable(nn.EmbeddingBag(9, 4)), "encoder (EmbeddingBag)"),
        (WithTable(nn.Embedding(9, 4, sparse=True)), "encoder (Embedding)"),
        (Bilinear(), "pair (Bilinear)"),
        (OnTheCpuOnly(Recurrent()), "inner.encoder (LSTM)"),  # one fused operation there
        (OwnOp(lambda x, w: (x[:, :, None] * w).sum(1)), "the model (OwnOp)"),
        (OwnOp(ThroughNumpy.apply), "the model (OwnOp)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_weights_of_which_nothing_was_seen_give_no_figure(model, uncounted):
    found = count(model, (1, 4, 4))
    assert found.uncounted == (uncounted,)
    assert (found.forward, found.backward, found.per_sample) == (None, None, None)
    assert found.reason == f"uncounted: {uncounted}"


class Tokens(nn.Module):
    """Positions that are added, a class token, factors per channel, layer norm, attention, weight norm."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, 5, 8))
        self.token, self.factor = nn.Parameter(torch.zeros(1, 1, 8)), nn.Parameter(torch.ones(1, 1, 8))
        self.unused = nn.Linear(3, 3)
        self.norm = nn.LayerNorm((5, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.utils.parametrizations.weight_norm(nn.Linear(8, 3))

    def forward(self, x):
        x = torch.cat([self.token.expand(len(x), 1, 8), x.reshape(len(x), 4, 8)], 1) + self.positions
        x = self.norm(x * self.factor)
        return self.head(self.attention(x, x, x, need_weights=False)[0][:, 0])


def test_weights_that_take_part_in_no_product_do_not_matter():
    found = count(Tokens(), (1, 4, 8))
    assert found.reason is None
    tokens, width = 5, 8
    products = 2 * tokens * width * 3 * width + 2 * 2 * tokens * tokens * width + 2 * tokens * width * width
    assert found.forward == products + linear_flops(8, 3)[0]


def test_a_tied_weight_counts_as_often_as_it_is_used():
    layer = nn.Linear(6, 6)
    assert count(nn.Sequential(nn.Flatten(), layer, layer), (1, 2, 3)).forward == 2 * linear_flops(6, 6)[0]


def test_a_transposed_grouped_convolution_costs_its_input_positions():
    body = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2))
    found = count(Flat(body, 6 * 11 * 11), (4, 5, 5))
    once, head = 2 * 25 * 9 * 4 * 3, linear_flops(6 * 121, 3)
    first = conv2d_flops(4, 4, 1, image=(5, 5), first=True)
    assert (found.forward, found.backward) == (once + head[0] + first[0], 2 * once + head[1] + first[1])


# the model afterwards, and failures


def test_the_model_is_left_as_it_was():
    model = OnTheCpuOnly(models.build("cnn", (1, 8, 8), 3, {"batch_norm": True, "channels": (2,)}))
    model.inner.features.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert count(model, (1, 8, 8)).reason is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(weight.grad is None and weight.device.type == "cpu" for weight in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_counting_inside_no_grad_counts_both_passes():
    model = models.build("logistic", (1, 4, 4), 3)
    with torch.no_grad():
        assert count(model, (1, 4, 4)).per_sample == 4 * 16 * 3


def test_a_model_that_fails_gives_the_reason():
    found = count(nn.Linear(5, 2), (1, 4, 4))
    assert found.per_sample is None
    assert "RuntimeError" in found.reason
    assert found.uncounted == ()


def test_a_model_without_weights_has_no_gradient_and_gives_the_reason():
    assert "does not require grad" in count(nn.Flatten(), (1, 4, 4)).reason


def test_frozen_layers_need_no_backward_pass():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Linear(8, 3))
    model[1].requires_grad_(False)
    found = count(model, (1, 4, 4))
    assert (found.forward, found.backward) == (2 * 16 * 8 + 2 * 8 * 3, linear_flops(8, 3, first=True)[1])


# the share of the peak


def test_the_share_of_the_peak():
    assert mfu(25e9, 100e9) == (0.25, None)
    assert mfu(0.0, 100e9) == (0.0, None)
    assert mfu(105e9, 100e9) == (1.05, None)


@pytest.mark.parametrize(
    ("rate", "peak", "word"),
    [(106e9, 100e9, "1.06 of the peak"), (1.0, 0.0, "no peak"), (1.0, math.inf, "no peak"),
     (1.0, math.nan, "no peak"), (math.nan, 1.0, "no rate"), (-1.0, 1.0, "no rate")],
)  # fmt: skip
def test_nonsense_is_refused_with_a_reason(rate, peak, word):
    share, reason = mfu(rate, peak)
    assert share is None
    assert word in reason


def test_half_a_figure_is_none():
    assert Flops(forward=1, backward=None).per_sample is None
