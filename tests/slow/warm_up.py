"""How long a fresh process trains until its steps are steady: the figures behind the warm-up's length.

Run by hand on a quiet machine (a quarter of an hour)::

    OMP_WAIT_POLICY=PASSIVE python tests/slow/warm_up.py [processes]

Each row is measured in fresh processes. One of them trains an arm twice: first for some steps, as the warm-up
does ('cold'), then a fresh copy, as the measured training does ('after' so many steps of warm-up). Shown is the
median over processes of a step's time over that process's steady time (median of the second half of the second
training), the same in medians of five steps, and how many steps' time the first 12 take too long together. What
a warm-up of 60 steps leaves belongs to the training, and no warm-up takes it away.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from itertools import product

import torch

from nnbench.config import Arm
from nnbench.meters.timing import Stopwatch
from nnbench.training import StopTraining, Training

STEPS = 60
WARM_STEPS = (STEPS, 10, 3, 1)
MOST_S = 4.0
MODELS = {"logistic": {}, "mlp": {"hidden": (512, 512)}, "cnn": {}}
BATCHES = (16, 64, 256, 1024)


class Watch(Stopwatch):
    """Stops after `STEPS` steps, or after `MOST_S` seconds and 12 steps."""

    def __init__(self, warm_steps: int = STEPS) -> None:
        super().__init__(torch.device("cpu"))
        self.most = warm_steps

    def step_ended(self) -> None:
        super().step_ended()
        if len(self.step_ns) >= self.most or (len(self.step_ns) >= 12 and sum(self.step_ns) > MOST_S * 1e9):
            raise StopTraining


def one_process(model: str, batch_size: int, warm_steps: int) -> dict[str, list[int]]:
    arm = Arm(model=model, model_args=MODELS[model], batch_size=batch_size, lr=0.01, epochs=100, device="cpu")
    cold, warm = Watch(warm_steps), Watch()
    Training(arm).run(cold)
    Training(arm).run(warm)
    return {"cold": cold.step_ns, "warm": warm.step_ns}


def relative(series: list[list[int]], steady: list[float]) -> list[float]:
    """Median over the processes of each step's time over the steady time."""
    return [
        statistics.median(run[i] / s for run, s in zip(series, steady, strict=True))
        for i in range(min(map(len, series)))
    ]


def in_a_fresh_process(model: str, batch_size: int, warm_steps: int) -> dict[str, list[int]]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", model, str(batch_size), str(warm_steps)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def row(name: str, ratios: list[float]) -> str:
    shown = " ".join(
        f"{ratios[i - 1]:6.2f}" if i <= len(ratios) else "     -" for i in (1, 2, 3, 4, 5, 8, 10, 12)
    )
    fives = [statistics.median(ratios[i : i + 5]) for i in range(0, len(ratios) - 4, 5)]
    lost = sum(ratio - 1 for ratio in ratios[:12])
    return f"  {name:10} {shown} | {' '.join(f'{five:4.2f}' for five in fives):59} | {lost:6.2f}"


def cell(model: str, batch_size: int, processes: int) -> str:
    """The warm-ups of all lengths in turn, so that they share the machine's good and bad minutes."""
    found: dict[int, list[dict[str, list[int]]]] = {steps: [] for steps in WARM_STEPS}
    for _ in range(processes):
        for steps in WARM_STEPS:
            found[steps].append(in_a_fresh_process(model, batch_size, steps))
    lines = []
    for steps, runs in found.items():
        steady = [statistics.median(run["warm"][len(run["warm"]) // 2 :]) for run in runs]
        if not lines:
            lines.append(f"{model} b{batch_size}: a step takes {statistics.median(steady) / 1e6:.3f} ms")
            lines.append(row("cold", relative([run["cold"] for run in runs], steady)))
        warm = relative([run["warm"] for run in runs], steady)
        lines.append(row(f"after {steps}", warm))
    return "\n".join(lines)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(one_process(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
        return
    processes = int(sys.argv[1]) if sys.argv[1:] else 7
    print(
        "step         1      2      3      4      5      8     10     12 | medians of five steps | lost, in steps"
    )
    for model, batch_size in product(MODELS, BATCHES):
        print(cell(model, batch_size, processes), flush=True)


if __name__ == "__main__":
    main()
