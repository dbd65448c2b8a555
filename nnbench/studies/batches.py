"""How many steps a target takes at each batch, and what the noise of the gradient foretells of it.

M members, B samples of a step, C channels, H height, W width, K classes.
"""

from __future__ import annotations

import functools
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from nnbench.analysis.critical_batch import fit_critical_batch
from nnbench.analysis.noise_scale import Noise, averaged, exact_noise, two_batch_draws, two_batch_noise
from nnbench.config import ConfigError, ProbeResult
from nnbench.config.arm import arm_from
from nnbench.training import Training
from nnbench.training.loop import fresh_model, order_of
from nnbench.training.vectorised.stacked import StackedModel

TUNING_SEED = 1000  # and on: no run that a rate is for trains under the seeds that chose it
_LOOK = 1.03  # a look after each of the first steps, later after 3 % more: the same share at every batch


@dataclass(frozen=True)
class _Race:
    """A problem, as what is hashed: an arm's fields as JSON, a target, a grid of rates and a budget."""

    arm: str
    target: float
    rates: tuple[float, ...]
    most_steps: int
    tuning_seeds: int
    runs: int
    scored: int | None
    data_folder: Path | None


class _Lockstep:
    """Networks that take their steps of plain SGD together, each from its own seed and at its own rate."""

    def __init__(self, race: _Race, batch: int, members: Sequence[tuple[int, float]], train_on: str) -> None:
        arm = arm_from({**json.loads(race.arm), "batch_size": batch, "train_on": train_on})
        first = Training(arm, members[0][0], race.data_folder)
        self._images = first.train.decode(first.train.images)
        self._labels, self._batch = first.train.labels, first.batch
        scored = first.scored
        # spread evenly: the first 4,000 images of MNIST's test set are harder than the others, by 2 points
        count = min(race.scored or len(scored), len(scored))
        places = torch.arange(count) * len(scored) // count
        self._scored = scored.decode(scored.images[places]), scored.labels[places]
        models = [fresh_model(arm, seed, first.dataset, first.device) for seed, _ in members]
        self._model = StackedModel(models, self._images[:2], [0] * len(members))
        rates = torch.tensor([rate for _, rate in members])
        self._weights = [
            (weights, rates.view(-1, *[1] * (weights.ndim - 1)))
            for weights in self._model.parameters.values()
        ]
        self._orders = {seed: order_of(arm, seed, len(self._labels)) for seed, _ in members}
        self._seeds = [seed for seed, _ in members]
        self._left = {seed: torch.empty(0, dtype=torch.int64) for seed in self._orders}

    def step(self) -> None:
        """The next batch of each member's own order; the last one of an epoch holds what is left."""
        for seed, left in self._left.items():
            self._left[seed] = (
                left[self._batch :] if len(left) > self._batch else self._orders[seed].next_epoch()
            )
        chosen = torch.stack([self._left[seed][: self._batch] for seed in self._seeds])
        x = self._images.index_select(0, chosen.flatten())
        logits = self._model.train(True)(x.view(*chosen.shape, *x.shape[1:]))
        losses = F.cross_entropy(logits.flatten(0, 1), self._labels[chosen].flatten(), reduction="sum")
        # no member sees another's weights: each gets the gradient of its own mean loss
        gradients = torch.autograd.grad(losses / chosen.shape[1], [weights for weights, _ in self._weights])
        with torch.no_grad():
            for (weights, rates), gradient in zip(self._weights, gradients, strict=True):
                weights.sub_(rates * gradient)

    def accuracies(self) -> list[float]:
        """Of each member, on what is scored."""
        x, y = self._scored
        with torch.no_grad():
            logits = self._model.train(False)(x.expand(len(self._seeds), *x.shape))
        return [float(share) for share in (logits.argmax(-1) == y).double().mean(1)]


def _looks(most_steps: int) -> list[int]:
    """Steps after which the networks are scored."""
    steps, step = [], 0
    while step < most_steps:
        step = min(most_steps, max(step + 1, math.ceil(step * _LOOK)))
        steps.append(step)
    return steps


def _arrivals(
    race: _Race, batch: int, members: Sequence[tuple[int, float]], train_on: str, groups: int
) -> list[float]:
    """Steps of each member to the target, infinity for a miss; all stop once one of *groups* is all there.

    Members of a group stand side by side.
    """
    networks, steps = _Lockstep(race, batch, members, train_on), 0
    arrived = [math.inf] * len(members)
    size = len(members) // groups
    for look in _looks(race.most_steps):
        while steps < look:
            networks.step()
            steps += 1
        for place, accuracy in enumerate(networks.accuracies()):
            if accuracy >= race.target:
                arrived[place] = min(arrived[place], steps)
        if any(max(arrived[g * size : (g + 1) * size]) < math.inf for g in range(groups)):
            break
    return arrived


@functools.lru_cache(maxsize=256)
def _tuned_rate(race: _Race, batch: int) -> float | None:
    """The rate at which all tuning seeds are first at the target on the tune split; None where none is.

    All rates run in lockstep with one budget, so that the race may end when the first is there.
    """
    seeds = range(TUNING_SEED, TUNING_SEED + race.tuning_seeds)
    members = [(seed, rate) for rate in race.rates for seed in seeds]
    arrived = _arrivals(race, batch, members, "tune", len(race.rates))
    for place, rate in enumerate(race.rates):
        if max(arrived[place * len(seeds) : (place + 1) * len(seeds)]) < math.inf:
            return rate
    return None


@functools.lru_cache(maxsize=4096)
def _steps(race: _Race, batch: int, rate: float, seed: int) -> tuple[float, ...]:
    """Steps to the target on validation, infinity for a miss, of each run of *seed*."""
    return tuple(_arrivals(race, batch, [(own, rate) for own in _runs(race, seed)], "train", 1))


def _runs(race: _Race, seed: int) -> range:
    """Seeds of the runs whose median is the number of *seed*: its own, and no other's."""
    return range(race.runs * seed, race.runs * (seed + 1))


def _race(
    *, arm: Mapping[str, Any], target: float, rates: Sequence[float], most_steps: int,
    tuning_seeds: int = 3, runs: int = 1, scored: int | None = None, data_folder: Path | None = None,
) -> _Race:  # fmt: skip
    """Checked; what the probes below share."""
    if not rates or not all(rate > 0 for rate in rates):
        raise ConfigError(f"rates: expected a grid of numbers above 0 such as (0.25, 0.5), got {list(rates)}")
    if not 0 < target <= 1:
        raise ConfigError(f"target: expected an accuracy above 0 and up to 1, got {target!r}")
    for name, count in {"most_steps": most_steps, "tuning_seeds": tuning_seeds, "runs": runs}.items():
        if count < 1:
            raise ConfigError(f"{name}: expected 1, 2, …, got {count!r}")
    fields = json.dumps(dict(arm), sort_keys=True)
    return _Race(fields, target, tuple(sorted(rates)), most_steps, tuning_seeds, runs, scored, data_folder)


def steps_to_target(*, batch: int, seed: int, data_folder: Path | None = None, **problem: Any) -> ProbeResult:
    """Steps and samples until a validation accuracy, at the rate that suits the batch best.

    Shallue et al. 2019 ("Measuring the Effects of Data Parallelism on Neural Network Training", JMLR 20,
    arXiv 1811.03600), section 4: the rate is chosen anew for every batch, here from one grid, on the tune
    split and under seeds of its own. The network is scored after each step at first, later whenever 3 %
    more steps are done.

    Args:
        batch: samples of a step.
        problem: *arm* (fields of an `nnbench.Arm` trained by plain SGD), *target* (accuracy), *rates* (the
            grid), *most_steps* (budget of every run), *tuning_seeds*, *runs* (whose median counts), *scored*
            (samples scored, evenly spread; all, if left out).

    Returns:
        ``steps_to_target``, ``samples_to_target``, ``tuned_rate``, and ``rate_at_edge``: 1 where the grid
        ends at that rate. What was not reached is None.

    Raises:
        ConfigError: an empty grid, a target that is no accuracy, or what no arm has.
    """
    race = _race(**problem, data_folder=data_folder)
    rate = _tuned_rate(race, batch)
    steps = math.inf if rate is None else statistics.median(_steps(race, batch, rate, seed))
    metrics: dict[str, Any] = {
        "tuned_rate": rate,
        "rate_at_edge": None if rate is None else int(rate in (race.rates[0], race.rates[-1])),
        "steps_to_target": steps if steps < math.inf else None,
        "samples_to_target": steps * batch if steps < math.inf else None,
    }
    why = f"{race.target:.1%} not reached within {race.most_steps} steps"
    return ProbeResult(metrics=metrics, missing={name: why for name, v in metrics.items() if v is None})


def critical_batch(
    *, batches: Sequence[int], seed: int, data_folder: Path | None = None, **problem: Any
) -> ProbeResult:
    """Fit S = S_min (1 + B_crit / B) to the steps that `steps_to_target` finds at *batches*.

    What a probe of this process has trained already is not trained again.

    Returns:
        ``least_steps`` S_min, ``critical_batch`` B_crit, ``critical_batch_error`` (a share, at worst); None
        where one of the batches misses the target.
    """
    found = [steps_to_target(batch=b, seed=seed, data_folder=data_folder, **problem).metrics for b in batches]
    steps = [each["steps_to_target"] for each in found]
    if missed := [batch for batch, step in zip(batches, steps, strict=True) if step is None]:
        lost = ("least_steps", "critical_batch", "critical_batch_error")
        why = f"the target is missed at batch {', '.join(map(str, missed))}"
        return ProbeResult(metrics=dict.fromkeys(lost), missing=dict.fromkeys(lost, why))
    fit = fit_critical_batch(batches, steps)
    return ProbeResult(
        metrics={"least_steps": fit.steps_least, "critical_batch": fit.critical_batch,
                 "critical_batch_error": fit.largest_error},
        arrays={"batches": torch.tensor(batches).numpy(), "steps": torch.tensor(steps).numpy()},
    )  # fmt: skip


def noise_scale(
    *, arm: Mapping[str, Any], steps: int, small: int, big: int, draws: int, seed: int,
    data_folder: Path | None = None,
) -> ProbeResult:  # fmt: skip
    """The gradient noise scale of a network after so many *steps*: exact, and from two batches.

    Args:
        arm: fields of an `nnbench.Arm`; all its training samples count.
        small: samples of the smaller batch.
        big: samples of the larger batch.
        draws: pairs of batches.

    Returns:
        ``noise_scale`` (from every sample's gradient), ``two_batch_noise_scale`` (signal and variance of the
        draws averaged apart), ``two_batch_ratio`` of the two, and ``median_of_ratios``: the median of the
        draws' own ratios over the exact one, the shortcut that goes wrong.

    Raises:
        ConfigError: steps below 0, batches out of order, or a network with batch norm or dropout.
    """
    training = _trained(arm, steps, seed, data_folder)
    exact = _exact(training)
    norms = two_batch_draws(training.model, *_samples(training), (small, big), draws, seed)
    found = two_batch_noise(norms, (small, big))
    estimate = averaged(found)
    return ProbeResult(
        metrics={
            "noise_scale": exact.scale, "two_batch_noise_scale": estimate.scale,
            "two_batch_ratio": estimate.scale / exact.scale,
            "median_of_ratios": statistics.median(each.scale for each in found) / exact.scale,
        },
        arrays={"norms": norms.numpy()},
    )  # fmt: skip


def _trained(arm: Mapping[str, Any], steps: int, seed: int, data_folder: Path | None) -> Training:
    """A training of *arm* after so many steps; validation has no part in it."""
    if steps < 0:
        raise ConfigError(f"steps: expected 0, 1, …, got {steps}")
    # as many epochs as steps are enough
    most = max(1, steps)
    training = Training(arm_from({**arm, "epochs": most, "max_steps": most}), seed, data_folder)
    if steps:
        training.run(validate=False)
    return training


def _samples(training: Training) -> tuple[torch.Tensor, torch.Tensor]:
    return training.train.decode(training.train.images), training.train.labels


def _exact(training: Training) -> Noise:
    return exact_noise(training.model, *_samples(training))


def foretold_batch(
    *, batches: Sequence[int], batch: int, looks: int, seed: int, data_folder: Path | None = None,
    **problem: Any,
) -> ProbeResult:  # fmt: skip
    """The noise scale along trainings to the target, beside the critical batch of the same target.

    The scale is that of the signal and the variance, each averaged over *looks* evenly spaced states of the
    trainings at *batch* and its tuned rate, until the target: McCandlish et al. 2018, 2.4.

    Returns:
        ``noise_scale``, ``critical_batch``, and ``foretold_ratio``, the first over the second.
    """
    race = _race(**problem, data_folder=data_folder)
    fit = critical_batch(batches=batches, seed=seed, data_folder=data_folder, **problem).metrics
    rate = _tuned_rate(race, batch)
    steps = (math.inf,) if rate is None else _steps(race, batch, rate, seed)
    if fit["critical_batch"] is None or not max(steps) < math.inf:
        lost = ("noise_scale", "critical_batch", "foretold_ratio")
        return ProbeResult(metrics=dict.fromkeys(lost), missing=dict.fromkeys(lost, "the target is missed"))
    arm = {**problem["arm"], "batch_size": batch, "lr": rate}
    states = [
        (own, round(last * look / (looks - 1)))
        for own, last in zip(_runs(race, seed), steps, strict=True)
        for look in range(looks)
    ]
    found = [_exact(_trained(arm, at, own, data_folder)) for own, at in states]
    scale = averaged(found).scale
    critical = fit["critical_batch"]
    return ProbeResult(
        metrics={"noise_scale": scale, "critical_batch": critical, "foretold_ratio": scale / critical}
    )
