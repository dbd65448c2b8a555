"""The size of a batch: the fit of its regimes, the noise of its gradient, races in lockstep, large
batches."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

import nnbench.studies.batches as batches
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench import Arm, models
from nnbench.analysis.critical_batch import fit_critical_batch
from nnbench.analysis.noise_scale import (
    averaged,
    exact_noise,
    per_sample_squares,
    two_batch_draws,
    two_batch_noise,
)
from nnbench.claims import SUPPORTED
from nnbench.config import ConfigError
from nnbench.training import Listener, Training

USEFUL, LARGE = scenarios_of("test_useful_batch.py"), scenarios_of("test_large_batch.py")
EASY = {
    "arm": {"data": "digits", "model": "mlp", "model_args": {"hidden": (8,)}}, "target": 0.3,
    "rates": (0.125, 0.5), "most_steps": 100, "tuning_seeds": 1,
}  # fmt: skip


# the fit


@pytest.mark.parametrize(("least", "critical"), [(226, 120), (10, 4000), (5000, 3)])
def test_a_fit_finds_what_the_steps_were_made_of(least, critical):
    sizes = (8, 32, 128, 512, 2048)
    found = fit_critical_batch(sizes, [least * (1 + critical / b) for b in sizes])
    assert found.steps_least == pytest.approx(least, rel=1e-4)
    assert found.critical_batch == pytest.approx(critical, rel=1e-4)
    assert found.largest_error < 1e-4
    assert found.steps(critical) == pytest.approx(2 * least, rel=1e-4)


def test_the_fit_of_the_measured_steps_of_science():
    """Steps of an MLP on MNIST at five batches, fitted by hand elsewhere: 226 and 120, within 12 %."""
    found = fit_critical_batch((8, 32, 128, 512, 2048), (3800, 962, 483, 272, 236))
    assert found.steps_least == pytest.approx(226, rel=0.03)
    assert found.critical_batch == pytest.approx(120, rel=0.06)
    assert found.largest_error < 0.125


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [((8, 8, 8), (1, 2, 3)), ((8, 16), (1, 2)), ((1, 2, 3), (1, 2)), ((1, 2, 4), (1, 0, 2))],
)
def test_what_cannot_be_fitted_is_refused(sizes, steps):
    with pytest.raises(ConfigError):
        fit_critical_batch(sizes, steps)


# the noise of the gradient


def network(kind):
    torch.manual_seed(3)
    if kind == "dense":
        return models.build("mlp", (1, 4, 4), 3, {"hidden": (6, 5)})
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8, 3)
    )


@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_the_noise_is_that_of_every_single_sample(kind):
    model = network(kind)
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(30, 1, 4, 4, generator=draw), torch.randint(3, (30,), generator=draw)
    rows = []
    for one, label in zip(x, y, strict=True):
        parts = torch.autograd.grad(F.cross_entropy(model(one[None]), label[None]), list(model.parameters()))
        rows.append(torch.cat([part.flatten() for part in parts]).double())
    each = torch.stack(rows)
    found = exact_noise(model, x, y)
    assert found.signal == pytest.approx(float(each.mean(0).square().sum()), rel=1e-4)
    assert found.variance == pytest.approx(float(each.var(0, unbiased=False).sum()), rel=1e-4)
    assert found.scale == pytest.approx(found.variance / found.signal)
    torch.testing.assert_close(
        per_sample_squares(model, x, y).double(), each.square().sum(1), rtol=1e-4, atol=1e-7
    )


def test_two_batches_estimate_it_without_bias():
    """Norms as of gradients of a known signal and variance: their parts come out, their ratio's median does
    not."""
    draw = torch.Generator().manual_seed(1)
    signal, deviation, sizes, weights = torch.full((50,), 0.02), 1.0, (8, 64), 50
    norms = torch.stack([
        (signal + deviation / math.sqrt(size) * torch.randn(20000, weights, generator=draw)).square().sum(1)
        for size in sizes
    ], 1).double()  # fmt: skip
    found = averaged(two_batch_noise(norms, sizes))
    assert found.variance == pytest.approx(weights * deviation**2, rel=0.02)
    assert found.signal == pytest.approx(float(signal.square().sum()), abs=0.02)


def test_draws_of_all_samples_have_the_exact_norm():
    model, draw = network("dense"), torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 1, 4, 4, generator=draw), torch.randint(3, (40,), generator=draw)
    norms = two_batch_draws(model, x, y, (4, 400), 300, 0)
    exact = exact_noise(model, x, y)
    assert float(norms[:, 1].mean()) == pytest.approx(exact.signal + exact.variance / 400, rel=0.1)
    assert float(norms[:, 0].mean()) == pytest.approx(exact.signal + exact.variance / 4, rel=0.25)


@pytest.mark.parametrize("layer", [torch.nn.BatchNorm1d(16), torch.nn.Dropout()])
def test_a_network_without_a_gradient_of_one_sample_is_refused(layer):
    model = torch.nn.Sequential(torch.nn.Flatten(), layer, torch.nn.Linear(16, 3))
    with pytest.raises(ConfigError, match="has no gradient of a single sample"):
        exact_noise(model, torch.randn(4, 1, 4, 4), torch.zeros(4, dtype=torch.int64))


# races


class _Stop(Listener):
    """The validation accuracy after each of the looks."""

    def __init__(self, training, looks):
        self.training, self.looks, self.done, self.seen = training, looks, 0, []

    def step_ended(self):
        self.done += 1
        if self.done in self.looks:
            self.seen.append(self.training.score()[1])


def test_networks_in_lockstep_are_as_each_alone():
    race = batches._race(**{**EASY, "most_steps": 40})
    looks = batches._looks(40)
    arrived = batches._arrivals(race, 32, [(0, 0.125), (1, 0.5)], "train", 1)
    for (seed, rate), steps in zip([(0, 0.125), (1, 0.5)], arrived, strict=True):
        training = Training(Arm(**EASY["arm"], batch_size=32, lr=rate, epochs=40, max_steps=40), seed)
        alone = _Stop(training, looks)
        training.run(alone, validate=False)
        first = next((look for look, share in zip(looks, alone.seen, strict=True) if share >= 0.3), math.inf)
        assert steps == first


def test_every_share_of_the_steps_is_looked_at_alike():
    looks = batches._looks(3000)
    assert looks[:5] == [1, 2, 3, 4, 5]
    assert looks[-1] == 3000
    assert all(b <= max(a + 1, math.ceil(a * 1.03)) for a, b in itertools.pairwise(looks))


def test_steps_to_a_target_and_what_was_missed():
    found = batches.steps_to_target(batch=32, seed=0, **EASY).metrics
    assert found["tuned_rate"] in EASY["rates"]
    assert found["samples_to_target"] == 32 * found["steps_to_target"]
    assert found["rate_at_edge"] == 1  # of two rates each is an end
    missed = batches.steps_to_target(batch=32, seed=0, **{**EASY, "target": 1.0, "most_steps": 3})
    assert missed.metrics["steps_to_target"] is None
    assert missed.missing["steps_to_target"] == "100.0% not reached within 3 steps"
    fit = batches.critical_batch(batches=(8, 32, 128), seed=0, **{**EASY, "target": 1.0, "most_steps": 3})
    assert fit.missing["critical_batch"] == "the target is missed at batch 8, 32, 128"


def test_the_tuned_rate_is_that_of_other_seeds_and_the_tune_split(monkeypatch):
    batches._tuned_rate.cache_clear()
    seen = []
    sound = batches._arrivals

    def spy(race, batch, members, train_on, groups):
        seen.append((train_on, {seed for seed, _ in members}))
        return sound(race, batch, members, train_on, groups)

    monkeypatch.setattr(batches, "_arrivals", spy)
    batches._steps.cache_clear()
    batches.steps_to_target(batch=16, seed=4, **EASY)
    assert seen == [("tune", {batches.TUNING_SEED}), ("train", {4})]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rates": ()}, "rates: expected a grid of numbers above 0"),
        ({"rates": (0.1, -1)}, "rates: expected a grid of numbers above 0"),
        ({"target": 93}, "target: expected an accuracy above 0 and up to 1, got 93"),
        ({"most_steps": 0}, "most_steps: expected 1, 2, …, got 0"),
    ],
)
def test_a_race_that_is_none_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        batches.steps_to_target(batch=8, seed=0, **{**EASY, **change})


# the lecture's table


def test_the_table_s_sums():
    verdicts = verdicts_of(LARGE["large-batch-table"])
    # 8 hours over 2.2 minutes is 218.2 times, on 256 times the chips: slower than that
    assert [text for text, verdict in verdicts.items() if verdict != SUPPORTED] == [
        "The speed grows with the chips: at least 256 times."
    ]


@pytest.mark.parametrize(
    ("scenarios", "name"), [(USEFUL, name) for name in USEFUL] + [(LARGE, name) for name in LARGE]
)
def test_every_plot_is_drawn(scenarios, name, tmp_path):
    draw_all(scenarios[name], records_of(scenarios[name]), tmp_path)
