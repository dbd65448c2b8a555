"""Run folders of any size, fast: what `fake_runs` makes, varied as real records vary, and written without fsync.

python tests/big_runs.py FOLDER SCENARIOS ARMS SEEDS BLOCKS
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fake_runs import ALL_PLOTS, ENVIRONMENT, plan_of, training_record
from nnbench.claims import Claim, Scenario
from nnbench.config import Arm
from nnbench.records import Record, strict_dumps, write_run

_UNREAD = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq: No such file or directory"
_NO_METER = (
    "no CPU package under /sys/class/powercap: a virtual machine and most ARM processors have none; elsewhere "
    "try 'sudo modprobe intel_rapl_msr'"
)
MISSING = {"flops_per_sample": "measured once per run, in its first block", "energy_j": _NO_METER,
           "sample_j": _NO_METER}  # fmt: skip


def big_scenario(name: str, arms: int) -> Scenario:
    """*arms* widths and rates of an MLP."""
    made = [
        Arm(name=f"mlp-{width}/lr {rate}", model="mlp", model_args={"hidden": (width,), "width": width}, lr=rate,
            epochs=5, batch_size=1024)
        for width, rate in ((16 + 8 * (i // 10), round(0.01 * 1.5 ** (i % 10), 4)) for i in range(arms))
    ]  # fmt: skip
    claim = Claim(text="Wide learns more than narrow.", kind="compare", metric="validation_accuracy",
                  arms=(made[-1].name, made[0].name))  # fmt: skip
    return Scenario(
        name=name, arms=dict.fromkeys(("smoke", "quick", "full"), made), axis="epochs", factor="model_args.width",
        statement="Wider is better.", question="How wide must a hidden layer be before accuracy stops growing?",
        plots=ALL_PLOTS, claims=(claim,), repeat="blocks",
    )  # fmt: skip


def big_records(scenario: Scenario, seeds: int, blocks: int) -> Iterator[Record]:
    """A record of every arm, seed and block; some arms diverge, some records are noisy.

    Those of one arm and seed differ in what differs between blocks: times, evidence, the load.
    """
    rng = random.Random(scenario.name)
    for i, arm in enumerate(scenario.arms["quick"]):
        width = int(arm.model_args["width"])  # type: ignore[union-attr]
        end = 0.88 - 0.3 * math.exp(-width / 100) - 0.004 * (i % 10 - 4) ** 2
        for seed in range(seeds):
            first = training_record(arm, seed, scenario=scenario.name, accuracy=end, step_ms=0.5 + width / 400,
                                    parameters=795 * width + 10)  # fmt: skip
            for block in range(blocks):
                yield lost(first, block) if i % 97 == 96 else in_block(first, block, rng)


def in_block(record: Record, block: int, rng: random.Random) -> Record:
    """*record* as another block would have it."""
    slow = rng.uniform(0.97, 1.06)
    times = {name: value * slow for name, value in record.metrics.items() if name.endswith("_s") and value}
    metrics = {**record.metrics, **times, "samples_per_s": (record.metrics["samples_per_s"] or 0) / slow,
               **dict.fromkeys(MISSING)}  # fmt: skip
    quality = ("NOISY",) if slow > 1.05 else ()
    paid = {**record.curves, "train_s": [value * slow for value in record.curves["train_s"] if value]}
    step_s = metrics["step_s"]
    steps = [step_s * rng.uniform(0.9, 1.3) for _ in range(record.samples["step_loss"]["count"])]
    samples = {**record.samples, "step_s": {"count": len(steps), "values": steps[:512]}}
    return dataclasses.replace(
        record, block=block, metrics=metrics, missing=MISSING, curves=paid, samples=samples, quality=quality,
        evidence=_evidence(rng),
        environment={**ENVIRONMENT, "load_1min": rng.randrange(300) / 128},
    )  # fmt: skip


def lost(record: Record, block: int) -> Record:
    """*record* had it diverged in its second epoch."""
    learned = {name for name in record.metrics if name.endswith(("_accuracy", "_loss", "_s"))}
    return dataclasses.replace(
        record, block=block, status="DIVERGED", reason="the training loss is not finite from step 9 on",
        metrics={name: None if name in learned else value for name, value in record.metrics.items()},
        missing=dict.fromkeys(learned, "the training is DIVERGED"), weights_sha256=None,
        curves={name: [*values[:1], None] for name, values in record.curves.items()},
        samples={"step_loss": {"count": 9, "values": [2.3, 2.9, 4.1, 50.0, 1e9, None, None, None, None]}},
    )  # fmt: skip


def _evidence(rng: random.Random) -> dict[str, Any]:
    return {
        "wall_s": rng.random(), "cpu_share": rng.uniform(0.8, 1), "wait_share": rng.random() / 8, "wait_s": rng.random(),
        "steal_share": 0.0, "involuntary_switches": rng.randrange(400), "load_1min": rng.randrange(300) / 100,
        "freq_min_mhz": None, "freq_max_mhz": None, "governor": None, "throttled": None, "suspended_s": 1.49e-07,
        "unknown": dict.fromkeys(("freq_min_mhz", "freq_max_mhz", "governor", "throttled"), _UNREAD),
        "position": rng.randrange(50),
    }  # fmt: skip


def sealed_text(record: Record) -> str:
    """The file of *record*, as `nnbench.records.write_record` writes it."""
    body = strict_dumps(record.to_json())
    return f'{{"sha256": "{hashlib.sha256(body.encode()).hexdigest()}", "record": {body}}}\n'


def write_big(folder: Path, scenarios: int, arms: int, seeds: int, blocks: int) -> Path:
    """A run folder of *scenarios* x *arms* x *seeds* x *blocks* records."""
    made = [big_scenario(f"grid-{i + 1:02d}", arms) for i in range(scenarios)]
    write_run(folder, {**plan_of(made, seeds=seeds), "blocks": blocks})
    (folder / "records").mkdir(exist_ok=True)
    for scenario in made:
        for record in big_records(scenario, seeds, blocks):
            (folder / "records" / f"{record.id}.json").write_text(sealed_text(record), encoding="utf-8")
    return folder


if __name__ == "__main__":
    write_big(Path(sys.argv[1]), *map(int, sys.argv[2:]))
