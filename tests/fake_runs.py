"""Runs with believable numbers, without training: for the tests of tables, plots and report."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nnbench.claims import Claim, Scenario, run_plan
from nnbench.config import Arm, Probe
from nnbench.records import OK, Record, strict_dumps, write_record, write_run
from nnbench.results import Run, read_results
from nnbench.stats import evenly

ENVIRONMENT = {
    "nnbench": "0.1.0", "python": "3.11.9", "torch": "2.10.0", "cuda": None, "system": "Linux x86_64",
    "cpu": "Imaginary CPU @ 2.0 GHz", "cores": 2, "memory_bytes": 8 * 2**30, "device": "cpu",
    "device_name": "Imaginary CPU @ 2.0 GHz", "threads": 1, "load_1min": 0.4, "omp_wait_policy": "PASSIVE",
}  # fmt: skip
DATA = {"name": "fashion-mini", "sha256": "ab" * 32, "train": 6000, "validation": 2000}
ALL_PLOTS = (
    "overview", "learning_curves", "accuracy_by_budget", "loss_by_step", "by_factor", "accuracy_against_cost",
)  # fmt: skip


def training_record(
    arm: Arm, seed: int, *, scenario: str, accuracy: float, step_ms: float, parameters: int = 669_706
) -> Record:
    """A record of *arm* that ends near *accuracy*, with noise that depends on the arm's name and the seed alone."""
    rng = random.Random(f"{arm.name} {seed}")
    batch = DATA["train"] if arm.batch_size == "full" else int(arm.batch_size)
    per_epoch = math.ceil(DATA["train"] / batch)
    steps = per_epoch * arm.epochs
    end = accuracy + rng.gauss(0, 0.004)
    accuracies = [end - 0.35 * math.exp(-1.1 * e) + rng.gauss(0, 0.004) for e in range(1, arm.epochs)] + [end]
    seconds = [per_epoch * step_ms / 1e3 * rng.uniform(0.98, 1.04) for _ in range(arm.epochs)]
    metrics = {
        "parameters": parameters, "steps": steps, "samples": 6000 * arm.epochs, "epochs": float(arm.epochs),
        "peak_bytes": int(180e6 + 4 * 4 * parameters + 3e3 * batch + rng.uniform(0, 2e6)),
        "warmup_s": 0.1, "warmup_steps": 9, "validation_accuracy": end, "validation_loss": 1.6 - 1.3 * end,
        "train_accuracy": end + 0.02, "train_loss": 1.5 - 1.3 * end, "train_s": sum(seconds),
        "epoch_s": seconds[0], "step_s": seconds[0] / per_epoch, "validation_s": 0.2,
        "samples_per_s": 6000 * arm.epochs / sum(seconds),
    }  # fmt: skip
    return Record(
        scenario=scenario, arm=arm_json(arm), seed=seed, metrics=metrics,
        curves={
            "train_loss": [1.6 - 1.3 * a for a in accuracies],
            "train_accuracy": [a + 0.01 for a in accuracies],
            "validation_loss": [1.7 - 1.3 * a for a in accuracies], "validation_accuracy": accuracies,
            "steps": [float(per_epoch * e) for e in range(1, arm.epochs + 1)],
            "samples": [6000.0 * e for e in range(1, arm.epochs + 1)],
            "train_s": [sum(seconds[:e]) for e in range(1, arm.epochs + 1)],
        },
        samples={"step_loss": _losses(rng, steps, batch),
                 "step_s": {"count": 2, "values": [step_ms / 1e3] * 2}},
        weights_sha256="cd" * 32, data=DATA, environment=ENVIRONMENT, started_at="2026-11-22T12:00:00+00:00",
    )  # fmt: skip


def _losses(rng: random.Random, steps: int, batch: int) -> dict[str, Any]:
    noise = min(0.8, 1.2 / math.sqrt(batch))
    picked = evenly(steps, 512)
    values = [0.35 + 1.95 * math.exp(-i * batch / 4000) + abs(rng.gauss(0, noise)) for i in picked]
    return {"count": steps, "values": values}


def arm_json(arm: Arm | Probe) -> dict[str, Any]:
    return {"name": arm.name, "id": arm.id, **arm.config()}


def failed(arm: Arm, seed: int, *, scenario: str, status: str, reason: str) -> Record:
    return Record(scenario=scenario, arm=arm_json(arm), seed=seed, status=status, reason=reason,
                  environment=ENVIRONMENT, started_at="2026-11-22T12:00:00+00:00")  # fmt: skip


def diverged(arm: Arm, seed: int, *, scenario: str) -> Record:
    """As `nnbench.benchmarking` records it: counts and memory, but neither times nor accuracies."""
    lost = (
        "validation_accuracy",
        "validation_loss",
        "train_accuracy",
        "train_loss",
        "train_s",
        "samples_per_s",
    )
    return Record(
        scenario=scenario, arm=arm_json(arm), seed=seed, status="DIVERGED",
        reason="the training loss is not finite from step 131 on",
        metrics={"parameters": 669_706, "steps": 131, "samples": 8384, "epochs": 1.4,
                 "peak_bytes": 190_000_000, **dict.fromkeys(lost)},
        missing=dict.fromkeys(lost, "the training is DIVERGED"),
        curves={"train_loss": [2.2], "train_accuracy": [0.2], "validation_loss": [2.3],
                "validation_accuracy": [0.1], "steps": [94.0], "samples": [6000.0], "train_s": [0.5]},
        samples={"step_loss": {"count": 131, "values": [2.3] * 120 + [50.0, 1e9, None, None, None, 1e8] * 1
                               + [None] * 5}},
        data=DATA, environment=ENVIRONMENT, started_at="2026-11-22T12:00:00+00:00",
    )  # fmt: skip


def scaling_run(
    seeds: int = 3, ranks: Sequence[int] = (1, 2), launcher: str = "torchrun"
) -> tuple[Scenario, list[Record]]:
    """A scenario and the records of one launch: 90 % of the ideal per doubling, 60 % where the batch is shared.

    The arms of one rank say that *launcher* started them.
    """
    base = Arm(name="1 rank", model="mlp", batch_size=256, epochs=2)
    arms, factors = [base], [1.0]
    for n in ranks[1:]:
        arms.append(base.replace(name=f"{n} ranks, strong", ranks=n))
        arms.append(base.replace(name=f"{n} ranks, weak", ranks=n, batch_size=256 * n))
        factors += [n * 0.6 ** math.log2(n), n * 0.9 ** math.log2(n)]
    scenario = _scenario(
        arms, name="scaling", statement="N processors are N times as fast.", question="How far does it carry?",
        axis="epochs", factor="ranks", plots=("scaling",),
        claims=[Claim(text="Two are faster than one.", kind="compare", metric="samples_per_s",
                      arms=(f"{ranks[1]} ranks, weak", "1 rank"))] if len(ranks) > 1 else (),
    )  # fmt: skip
    found = []
    for arm, factor in zip(arms, factors, strict=True):
        for seed in range(seeds):
            record = training_record(arm, seed, scenario="scaling", accuracy=0.8, step_ms=2)
            noise = random.Random(f"{arm.name} {seed} noise").uniform(0.97, 1.03)
            started = {"launcher": launcher if arm.ranks == 1 else "torchrun", "world_size": max(ranks)}
            found.append(dataclasses.replace(
                record, metrics={**record.metrics, "samples_per_s": 20_000 * factor * noise},
                environment={**ENVIRONMENT, **started},
            ))  # fmt: skip
    return scenario, found


def probe_record(probe: Probe, *, scenario: str, **metrics: float) -> Record:
    return Record(scenario=scenario, arm=arm_json(probe), seed=0, metrics=metrics, environment=ENVIRONMENT,
                  started_at="2026-11-22T12:00:00+00:00")  # fmt: skip


def _scenario(arms: Sequence[Arm | Probe], **values: Any) -> Scenario:
    return Scenario(arms=dict.fromkeys(("smoke", "quick", "full"), arms), **values)


def architectures(seeds: int) -> tuple[Scenario, list[Record]]:
    """Five networks that learn, one that ran out of memory, one that was skipped."""
    name = "architectures"
    numbers = {
        "logistic": (0.815, 0.15, 7_850), "mlp-512-512": (0.858, 1.9, 669_706),
        "lenet5": (0.845, 2.4, 61_706), "cnn-32-64": (0.886, 9.5, 225_034),
        "alexnet-1/8": (0.842, 14.0, 998_410),
    }  # fmt: skip
    arms = [Arm(name=label, model="logistic", lr=0.1, model_args={"label": label}) for label in numbers]
    big = Arm(name="alexnet", model="alexnet", lr=0.05)
    cuda = Arm(name="cnn-32-64/cuda", model="cnn", lr=0.05, device="cuda")
    records = [
        training_record(arm, seed, scenario=name, accuracy=a, step_ms=ms, parameters=count)
        for arm, (a, ms, count) in zip(arms, numbers.values(), strict=True)
        for seed in range(seeds)
    ]
    for seed in range(seeds):
        records.append(failed(big, seed, scenario=name, status="OOM",
                              reason="OutOfMemoryError: tried to allocate 2.1 GiB"))  # fmt: skip
        records.append(failed(cuda, seed, scenario=name, status="SKIPPED", reason="no CUDA device here"))
    claims = (
        Claim(text="A CNN is more accurate than an MLP", kind="compare", metric="validation_accuracy",
              arms=("cnn-32-64", "mlp-512-512")),
        Claim(text="Logistic regression is more accurate than an MLP", kind="compare",
              metric="validation_accuracy", arms=("logistic", "mlp-512-512")),
        Claim(text="Logistic regression has 7,850 parameters", kind="exact", metric="parameters",
              arms=("logistic",), value=7850),
        Claim(text="An MLP trains faster than a CNN", kind="compare", metric="train_s",
              arms=("mlp-512-512", "cnn-32-64")),
        Claim(text="AlexNet beats the small CNN", kind="compare", metric="validation_accuracy",
              arms=("alexnet", "cnn-32-64")),
    )  # fmt: skip
    return _scenario(
        [*arms, big, cuda], name=name, axis="epochs", claims=claims,
        statement="Convolutional networks use the structure of images; fully connected ones do not.",
        question="At equal epochs, is a small convolutional network more accurate than a multilayer "
                 "perceptron with three times its parameters?",
        plots=("overview", "learning_curves", "accuracy_against_cost"),
        remember="Weight sharing buys accuracy, and costs time.",
    ), records  # fmt: skip


def batching(seeds: int) -> tuple[Scenario, list[Record]]:
    """Batch sizes from one to the whole set; one rate that is too high, and diverges."""
    name = "batching"
    sizes = (1, 4, 16, 64, 256, 1024, "full")
    ends = (0.835, 0.857, 0.861, 0.855, 0.826, 0.772, 0.41)
    times = (0.9, 0.95, 1.1, 1.9, 5.5, 19.0, 105.0)
    arms = [Arm(model="mlp", model_args={"hidden": (512, 512)}, batch_size=size) for size in sizes]
    hot = Arm(name="mlp/b64/lr 10", model="mlp", lr=10.0)
    records = [
        training_record(arm, seed, scenario=name, accuracy=end, step_ms=ms)
        for arm, end, ms in zip(arms, ends, times, strict=True)
        for seed in range(seeds)
    ] + [diverged(hot, seed, scenario=name) for seed in range(seeds)]
    claim = Claim(text="Small batches learn more per epoch", kind="order", metric="validation_accuracy",
                  arms=("mlp-512-512/sgd/b16", "mlp-512-512/sgd/b256", "mlp-512-512/sgd/b1024"))  # fmt: skip
    return _scenario(
        [*arms, hot], name=name, axis="epochs", claims=(claim,), factor="batch_size",
        may_diverge=("mlp/b64/lr 10",),
        statement="Minibatches are the compromise between the deterministic and the crazy path.",
        question="Which batch size learns most per epoch, and is it also the one that learns most per "
                 "second?",
        plots=("overview", "accuracy_by_budget", "loss_by_step", "by_factor"),
        remember="Per epoch the small batches win, per second the middle ones.",
    ), records  # fmt: skip


def kernels(seeds: int) -> tuple[Scenario, list[Record]]:
    """Single kernels, and stacks of 3x3: two arms share the factor's value 3."""
    name = "kernel-size"
    rows = [(1, 1, 0.80), (3, 1, 0.858), (5, 1, 0.871), (7, 1, 0.874), (9, 1, 0.872), (3, 2, 0.879),
            (3, 3, 0.884)]  # fmt: skip
    arms = [
        Arm(name=f"{k}x{k}" if d == 1 else f"{d} times {k}x{k}", model="cnn",
            model_args={"kernel": k, "depth": d})
        for k, d, _ in rows
    ]  # fmt: skip
    records = [
        training_record(arm, seed, scenario=name, accuracy=a, step_ms=2 + 0.3 * k * k * d,
                        parameters=31_370 + 64 * 3 * k * k * d)
        for arm, (k, d, a) in zip(arms, rows, strict=True)
        for seed in range(seeds)
    ]  # fmt: skip
    claim = Claim(text="Two 3x3 beat one 5x5", kind="compare", metric="validation_accuracy",
                  arms=("2 times 3x3", "5x5"))  # fmt: skip
    return _scenario(
        arms, name=name, axis="epochs", claims=(claim,), factor="model_args.kernel",
        statement="Stacks of small kernels see as far as one large kernel, with fewer parameters.",
        question="Does a stack of 3x3 kernels reach the accuracy of one large kernel?",
        plots=("overview", "by_factor", "learning_curves"),
    ), records  # fmt: skip


def receptive_field() -> tuple[Scenario, list[Record]]:
    """Probes: exact numbers, nothing learned."""
    name = "receptive-field"
    rows = {"one 3x3": (3, 1, 1_792), "two 3x3": (5, 2, 38_720), "three 3x3": (7, 3, 75_648),
            "one 5x5": (5, 1, 4_864), "one 7x7": (7, 1, 9_472)}  # fmt: skip
    probes = [Probe(name=label, function="bench.kernels:field", args={"label": label}) for label in rows]
    records = [
        probe_record(probe, scenario=name, receptive_field=field, layers=layers, parameters=count,
                     macs=count * 784)
        for probe, (field, layers, count) in zip(probes, rows.values(), strict=True)
    ]  # fmt: skip
    claims = (
        Claim(text="Three 3x3 see 7 pixels", kind="exact", metric="receptive_field",
              arms=("three 3x3",), value=7),
        Claim(text="One 7x7 has fewer parameters", kind="compare", metric="parameters",
              arms=("one 7x7", "three 3x3")),
    )  # fmt: skip
    return _scenario(
        probes, name=name, axis="receptive field", claims=claims, repeat="once", plots=("overview",),
        statement="Two 3x3 see as much as one 5x5.",
        question="How far do stacks of 3x3 see, and at what cost?",
    ), records  # fmt: skip


def grid(arms: int, seeds: int, *, long_names: bool = False) -> tuple[Scenario, list[Record]]:
    """Any number of arms and seeds: the widths of an MLP."""
    made, records = [], []
    for i in range(arms):
        label = f"mlp-{2 ** (i + 2)}-{2 ** (i + 2)}/momentum/b64" if long_names else ""
        width = 2 ** (i + 2)
        made.append(Arm(name=label, model="mlp", model_args={"hidden": (width,), "width": width}, epochs=8))
        for seed in range(seeds):
            records.append(training_record(
                made[i], seed, scenario="grid", accuracy=0.88 - 0.3 * math.exp(-0.6 * (i + 1)),
                step_ms=0.5 * 1.5**i, parameters=800 * 2 ** (i + 2)))  # fmt: skip
    return _scenario(
        made, name="grid", axis="epochs", factor="model_args.width", plots=ALL_PLOTS,
        statement="Wider is better.",
        question="How wide must a hidden layer be before accuracy stops growing?",
    ), records  # fmt: skip


def plan_of(scenarios: Sequence[Scenario], profile: str = "quick", seeds: int = 3) -> dict[str, Any]:
    plans = [each.plan(each.arms[profile], profile) for each in scenarios]
    command = "pytest bench/ --benchmark-json=out.json"
    return run_plan(plans, profile=profile, command=command, version="0.1.0", seeds=seeds)


Parts = Sequence[tuple[Scenario, list[Record]]]


def lecture(seeds: int = 3) -> Parts:
    """The four scenarios."""
    return [architectures(seeds), batching(seeds), kernels(seeds), receptive_field()]


def write_folder(folder: Path, parts: Parts, *, profile: str = "quick", seeds: int = 3) -> Path:
    """A run folder."""
    write_run(folder, plan_of([scenario for scenario, _ in parts], profile, seeds))
    for _, records in parts:
        for record in records:
            write_record(folder, record)
    return folder


def benchmark_json(parts: Parts, *, profile: str = "quick", seeds: int = 3) -> dict[str, Any]:
    """What ``pytest --benchmark-json`` writes, as far as nnbench reads it."""
    records = [record.to_json(whole=True) for _, records in parts for record in records]
    plan = plan_of([scenario for scenario, _ in parts], profile, seeds)
    outcomes = {f"bench/test_x.py::test_{r['scenario']}[{r['arm']['name']}]":
                "passed" if r["status"] == OK else "failed" for r in records}  # fmt: skip
    return {"machine_info": {}, "benchmarks": [],
            "nnbench": {**plan, "outcomes": outcomes, "records": records}}  # fmt: skip


def write_json(path: Path, parts: Parts, *, profile: str = "quick", seeds: int = 3) -> Path:
    path.write_text(strict_dumps(benchmark_json(parts, profile=profile, seeds=seeds)), encoding="utf-8")
    return path


def read_parts(path: Path, parts: Parts, **plan: Any) -> Run:
    """The run that *parts* make, through a file."""
    return read_results(write_json(path, parts, **plan))


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change the JSON in *path* in place."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
