"""Planted: a LARS and a batch norm that are not what they are called; a claim of the bench file must turn."""

from pathlib import Path

import torch

from nnbench.benchmarking import Measurement, ProbeMeasurement
from nnbench.catalog import load_scenarios
from nnbench.claims import judge
from nnbench.config import Arm
from nnbench.models import ghost_norm
from nnbench.optim import lars
from nnbench.studies import batches
from planted import caught_by

BENCH = Path(__file__).parents[1] / "bench"
SEEDS = (0, 1, 2)


def verdict_of(file, text, seeds=SEEDS, **changes):
    """The verdict of the claim that begins with *text*, from its own arms with *changes*."""
    for _, scenario in load_scenarios([BENCH / file]):
        for claim in scenario.claims:
            if claim.text.startswith(text):
                arms = [arm for arm in scenario.arms["quick"] if arm.name in claim.arms]
                made = [arm.replace(name=arm.name, **changes) if changes else arm for arm in arms]
                records = [_measured(arm).record(seed) for arm in made for seed in seeds]
                return judge([claim], records, "quick")[0].verdict
    raise LookupError(text)


def _measured(arm):
    """Without the memory pass, which costs a process."""
    return Measurement(arm) if isinstance(arm, Arm) else ProbeMeasurement(arm)


def lars_mends_a_large_batch(monkeypatch, plant):
    plant(monkeypatch)
    assert verdict_of("test_large_batch.py", "LARS mends") == "SUPPORTED"


@caught_by(lars_mends_a_large_batch)
def lars_without_its_trust_ratio(monkeypatch):
    monkeypatch.setattr(lars, "trust_ratio", lambda weight, gradient, group: torch.ones(()))


def shared_statistics_mend_batch_norm(monkeypatch, plant):
    plant(monkeypatch)
    text = "Where 16 workers of two samples share"
    assert verdict_of("test_large_batch.py", text, train_samples=2000) == "SUPPORTED"


@caught_by(shared_statistics_mend_batch_norm)
def distributed_batch_norm_that_stays_local(monkeypatch):
    sound = ghost_norm.GhostBatchNorm2d.__init__
    monkeypatch.setattr(
        ghost_norm.GhostBatchNorm2d, "__init__", lambda self, channels, part: sound(self, channels, 2)
    )


def two_batches_measure_the_noise_scale(monkeypatch, plant):
    plant(monkeypatch)
    text = "Two batches measure the noise scale"
    assert verdict_of("test_useful_batch.py", text, seeds=range(6)) == "SUPPORTED"


@caught_by(two_batches_measure_the_noise_scale)
def the_mean_of_ratios_in_place_of_the_ratio_of_means(monkeypatch):
    def averaged(found):
        scales = [each.scale for each in found]
        return batches.Noise(signal=1.0, variance=sum(scales) / len(scales))

    monkeypatch.setattr(batches, "averaged", averaged)


@caught_by(two_batches_measure_the_noise_scale)
def noise_that_is_not_less_in_a_larger_batch(monkeypatch):
    """The variance of the mean taken for that of a sample: the division by 1/B - 1/B' forgotten."""
    sound = batches.two_batch_noise
    monkeypatch.setattr(
        batches, "two_batch_noise",
        lambda norms, sizes: [
            batches.Noise(signal=each.signal, variance=each.variance * (1 / sizes[0] - 1 / sizes[1]))
            for each in sound(norms, sizes)
        ],
    )  # fmt: skip
