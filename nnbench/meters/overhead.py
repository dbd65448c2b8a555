"""What being observed costs: nnbench's loop against one written by hand over the same tensors.

Both train the lecture's 512/512 network with SGD on the same data, one after the other in one process, in
random order within each pair; the ratio of a pair compares neighbours in time. Model and optimizer are
made outside the timed region on both sides, the shuffling of the samples inside.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from nnbench import devices, models
from nnbench.config import Arm
from nnbench.data import load
from nnbench.meters.timing import Stopwatch
from nnbench.stats import Estimate, paired_ratio
from nnbench.training import Listener, Training

# Steps per side of a pair: about a third of a second on one core.
STEPS = {1: 600, 16: 375, 64: 94, 1024: 12}


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """Throughput of nnbench's observed loop over that of a hand-written one; 1 is no cost."""

    batch_size: int
    ratio: Estimate


def loop_overhead(pairs: int = 10, threads: int = 1) -> Iterator[Overhead]:
    """The ratio for each batch size of `STEPS`, from *pairs* pairs after one that is thrown away."""
    for batch_size, steps in STEPS.items():
        arm = Arm(
            model="mlp", batch_size=batch_size, epochs=2, max_steps=steps, threads=threads, device="cpu"
        )
        sides: list[Callable[[Arm], float]] = [observed, by_hand]
        rates: dict[Callable[[Arm], float], list[float]] = {side: [] for side in sides}
        for _ in range(pairs + 1):
            for side in random.sample(sides, 2):
                rates[side].append(side(arm))
        yield Overhead(batch_size=batch_size, ratio=paired_ratio(rates[observed][1:], rates[by_hand][1:]))


def listening_s(
    listener: Callable[[], Listener], *, steps: int = 20_000, pairs: int = 9, borders: Sequence[str] = ()
) -> float:
    """Seconds that *listener* takes of each step: loops of empty steps, with it and with a deaf one.

    Args:
        listener: makes a fresh one, so that none keeps the steps of all loops.
        borders: phases announced in each step, besides its end.
    """
    differences = []
    for _ in range(pairs):
        listening, deaf = (
            _empty_steps_ns(listener(), steps, borders),
            _empty_steps_ns(Listener(), steps, borders),
        )
        differences.append((listening - deaf) / steps / 1e9)
    return statistics.median(differences)


def _empty_steps_ns(listener: Listener, steps: int, borders: Sequence[str]) -> int:
    listener.epoch_started(1)
    ended, phase_ended = listener.step_ended, listener.phase_ended
    start = time.perf_counter_ns()
    for _ in range(steps):
        for phase in borders:
            phase_ended(phase)
        ended()
    return time.perf_counter_ns() - start


def observed(arm: Arm) -> float:
    """Samples per second of nnbench's loop, as a benchmark observes it."""
    training = Training(arm)
    watch = Stopwatch(training.device)
    history = training.run(watch, validate=False)
    return history.samples / (sum(watch.epoch_ns) / 1e9)


def by_hand(arm: Arm) -> float:
    """Samples per second of the loop that anybody would write."""
    train = load(arm.data).train
    images, labels = train.images.float() / 255, train.labels
    model = models.build(arm.model, images.shape[1:], 10, arm.model_args)
    optimizer = torch.optim.SGD(model.parameters(), lr=float(arm.lr))
    steps = samples = 0
    with devices.settings(arm.threads):
        start = time.perf_counter_ns()
        while steps < (arm.max_steps or 0):
            order = torch.randperm(len(images))
            for i in range(0, len(images), int(arm.batch_size)):
                chosen = order[i : i + int(arm.batch_size)]
                optimizer.zero_grad()
                loss = F.cross_entropy(model(images[chosen]), labels[chosen])
                loss.backward()
                optimizer.step()
                steps, samples = steps + 1, samples + len(chosen)
                if steps == arm.max_steps:
                    break
        elapsed_ns = time.perf_counter_ns() - start
    return samples / (elapsed_ns / 1e9)
