"""How fast nnbench's loop is: against one written by hand, the lecture's, and other frameworks'.

python tests/slow/speed.py [PAIRS] [WORDS]     (12 pairs, all lines; a quarter of an hour on a quiet machine)

Each pair runs both sides one after the other, up to a second each, in alternating order, in this
process; the ratio of their samples per second and its interval are those of `nnbench.stats.block_ratio`. It
prints and judges nothing: what decides are the claims of bench/, block by block.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from nnbench import devices
from nnbench.config import Arm, NnbenchError
from nnbench.frameworks import FrameworkTraining
from nnbench.frameworks.job import Epochs
from nnbench.meters.peaks import matmul_peak
from nnbench.meters.timing import Stopwatch
from nnbench.stats import block_ratio
from nnbench.training import Training

CPU = devices.choose_device("cpu")
# Up to a second, at most the data set four times.
STEPS = {1: 800, 16: 750, 64: 282, 256: 94, 1024: 24, 4096: 6}
MLP = Arm(data="fashion-mini", model="mlp", model_args={"hidden": (512, 512)}, lr=0.01, device="cpu")
PEERS = ("lightning", "skorch", "keras", "scikit-learn")

Rate = Callable[[], float]


def steps_of(arm: Arm) -> int:
    """As many as make what an epoch takes once a small part of it."""
    return STEPS[int(arm.batch_size)] * (2 if arm.model == "logistic" else 1)


def own(arm: Arm) -> float:
    """Samples per second of nnbench's loop."""
    watch = Stopwatch(CPU)
    history = Training(arm.replace(max_steps=steps_of(arm), epochs=4)).run(watch, validate=False)
    return history.samples / (sum(watch.epoch_ns) / 1e9)


def by(framework: str, arm: Arm) -> float:
    """The same of another's, whose epochs hold as many steps."""
    training, watch = FrameworkTraining(arm.replace(framework=framework)), Stopwatch(CPU)
    samples = steps_of(arm) * int(arm.batch_size)
    epochs = -(-samples // len(training.job.labels))
    few = slice(0, samples // epochs)
    job = replace(
        training.job, images=training.job.images[few], pixels=training.job.pixels[few],
        labels=training.job.labels[few], epochs=epochs,
    )  # fmt: skip
    with devices.settings(arm.threads):
        done = training._train(job, Epochs(watch))
    return done.samples / (sum(watch.epoch_ns) / 1e9)


def comparisons() -> Iterator[tuple[str, Rate, Rate]]:
    """Name, and the two sides."""
    sizes = {size: MLP.replace(batch_size=size) for size in STEPS}
    others = {
        "logistic regression": MLP.replace(model="logistic", model_args={}, batch_size=16),
        "CNN 16-32": MLP.replace(model="cnn", model_args={"channels": (16, 32)}, batch_size=64),
    }
    for size in (1, 16, 64, 256, 1024):
        yield (
            f"nnbench / bare, batch {size}",
            lambda a=sizes[size]: own(a),
            lambda a=sizes[size]: by("bare", a),
        )
    for name, arm in others.items():
        yield f"nnbench / bare, {name}", lambda a=arm: own(a), lambda a=arm: by("bare", a)
    fastest = {size: arm.replace(execution="in-backward") for size, arm in sizes.items()}
    for size in (1, 16, 64, 1024):
        yield (
            f"in backward / bare, batch {size}",
            lambda a=fastest[size]: own(a),
            lambda a=sizes[size]: by("bare", a),
        )
    for size in (16, 64, 1024):
        for peer in PEERS:
            yield (
                f"nnbench / {peer}, batch {size}",
                lambda a=sizes[size]: own(a),
                lambda p=peer, a=sizes[size]: by(p, a),
            )
    settings = {
        "in backward": {"execution": "in-backward"},
        "bf16-mixed": {"precision": "bf16-mixed"},
        "two threads": {"threads": 2},
    }
    for size in (16, 64, 1024):
        for setting, changes in settings.items():
            fast = sizes[size].replace(**changes)
            yield (
                f"{setting} / lecture, batch {size}",
                lambda a=fast: own(a),
                lambda a=sizes[size]: by("lecture", a),
            )


def shares() -> None:
    """Of the matrix-product peak, measured before and after each."""
    for size in (1024, 4096):
        arm = MLP.replace(batch_size=size)
        found = []
        for _ in range(5):
            peaks = [matmul_peak(CPU, budget_s=0.5).flops_per_s or 0.0]
            rate = own(arm)
            peaks.append(matmul_peak(CPU, budget_s=0.5).flops_per_s or 0.0)
            found.append(rate * FLOPS / (sum(peaks) / 2))
        print(
            f"share of the peak, batch {size}: {sorted(found)[2]:.3f} ({min(found):.3f} to {max(found):.3f})"
        )


# forward, weights' gradients, and the inputs' but for the first layer
FLOPS = 2 * (2 * (784 * 512 + 512 * 512 + 512 * 10) + (512 * 512 + 512 * 10))


def main() -> None:
    """Print a line for each comparison."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    words = sys.argv[2] if len(sys.argv) > 2 else ""
    for name, one, other in comparisons():
        if words not in name:
            continue
        try:
            one(), other()  # what comes first imports
        except NnbenchError as error:
            print(f"{name}: {error}")
            continue
        rates = [(one(), other()) if i % 2 else (other(), one())[::-1] for i in range(pairs)]
        ratio = block_ratio([a for a, _ in rates], [b for _, b in rates]).ratio
        fastest = sorted(a for a, _ in rates)[pairs // 2]
        print(
            f"{name}: {ratio.centre:.3f} ({ratio.low:.3f} to {ratio.high:.3f}), {fastest:,.0f} samples/s",
            flush=True,
        )
    if not words or words in "share of the peak":
        shares()


if __name__ == "__main__":
    main()
