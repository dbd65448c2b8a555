"""The one registry of metrics: what a number in a record means and how it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a number in a record means.

    Attributes:
        unit: as printed, after scaling; empty for a count.
        scale: multiply the recorded number by it to print it in *unit*.
        better: "higher", "lower", or None where neither is.
        nature: "exact" (arithmetic), "learned" (varies with the seed), "timed", "energy", "memory".
        margin: smallest difference that a claim takes for one, in the recorded number's unit.
    """

    name: str
    label: str
    unit: str = ""
    scale: float = 1.0
    better: str | None = None
    nature: str = "exact"
    margin: Mapping[str, float] = field(default_factory=dict)


_POINT = {"smoke": 0.01, "quick": 0.01, "full": 0.003}
_LEARNED: dict[str, Any] = {"nature": "learned"}
# Where a training step spends its time; with `other` they sum to the time of the train loop.
PHASES = ("load", "copy", "forward", "backward", "communication", "optimizer", "other")

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="validation_accuracy", label="validation accuracy", unit="%", scale=100,
               better="higher", margin=_POINT, **_LEARNED),
        Metric(name="validation_loss", label="validation loss", unit="nat", better="lower", **_LEARNED),
        Metric(name="train_accuracy", label="training accuracy", unit="%", scale=100,
               better="higher", margin=_POINT, **_LEARNED),
        Metric(name="train_loss", label="training loss", unit="nat", better="lower", **_LEARNED),
        Metric(name="train_s", label="training time", unit="s", better="lower", nature="timed"),
        Metric(name="epoch_s", label="time per epoch", unit="s", better="lower", nature="timed"),
        Metric(name="step_s", label="time per step", unit="ms", scale=1e3, better="lower", nature="timed"),
        Metric(name="samples_per_s", label="throughput", unit="samples/s", better="higher", nature="timed"),
        Metric(name="target_s", label="time to target", unit="s", better="lower", nature="timed"),
        Metric(name="validation_s", label="validation time", unit="s", better="lower", nature="timed"),
        Metric(name="warmup_s", label="warm-up", unit="s", nature="timed"),
        Metric(name="compile_s", label="compile, capture", unit="s", better="lower", nature="timed"),
        Metric(name="step_p90_s", label="step, 90 %", unit="ms", scale=1e3, better="lower", nature="timed"),
        Metric(name="step_p99_s", label="step, 99 %", unit="ms", scale=1e3, better="lower", nature="timed"),
        *(
            Metric(name=f"{phase}_s", label=f"{phase} per step", unit="ms", scale=1e3, better="lower",
                   nature="timed")
            for phase in PHASES
        ),
        Metric(name="observing_share", label="cost of looking at phases", unit="%", scale=100,
               better="lower", nature="timed"),
        Metric(name="command_s", label="wall time", unit="s", better="lower", nature="timed"),
        Metric(name="energy_j", label="energy", unit="J", better="lower", nature="energy"),
        Metric(name="sample_j", label="energy per sample", unit="mJ", scale=1e3, better="lower",
               nature="energy"),
        Metric(name="flops_per_sample", label="FLOPs per sample", unit="MFLOP", scale=1e-6, better="lower"),
        Metric(name="flops_per_s", label="arithmetic", unit="GFLOP/s", scale=1e-9, better="higher",
               nature="timed"),
        Metric(name="mfu", label="share of the matrix-product peak", unit="%", scale=100, better="higher",
               nature="timed"),
        Metric(name="peak_flops_per_s", label="matrix-product peak", unit="GFLOP/s", scale=1e-9,
               better="higher", nature="timed"),
        Metric(name="moved_bytes", label="moved per step, at least", unit="MiB", scale=2**-20,
               better="lower"),
        Metric(name="bandwidth_bytes_per_s", label="bandwidth", unit="GB/s", scale=1e-9, better="higher",
               nature="timed"),
        Metric(name="limit_share", label="of the device's limit", unit="%", scale=100, better="higher",
               nature="timed"),
        Metric(name="seed_s", label="time per seed", unit="ms", scale=1e3, better="lower", nature="timed"),
        Metric(name="probe_s", label="probe time", unit="ms", scale=1e3, better="lower", nature="timed"),
        Metric(name="peak_bytes", label="peak memory", unit="MiB", scale=2**-20, better="lower",
               nature="memory"),
        Metric(name="parameter_bytes", label="parameters", unit="MiB", scale=2**-20, better="lower"),
        Metric(name="gradient_bytes", label="gradients", unit="MiB", scale=2**-20, better="lower"),
        Metric(name="optimizer_bytes", label="optimizer state", unit="MiB", scale=2**-20, better="lower"),
        Metric(name="activation_bytes", label="activations", unit="MiB", scale=2**-20, better="lower"),
        Metric(name="rest_bytes", label="rest of the peak", unit="MiB", scale=2**-20, nature="memory"),
        Metric(name="reserved_bytes", label="reserved by the allocator", unit="MiB", scale=2**-20,
               better="lower", nature="memory"),
        Metric(name="device_used_bytes", label="used on the device", unit="MiB", scale=2**-20,
               better="lower", nature="memory"),
        Metric(name="parameters", label="parameters", better="lower"),
        Metric(name="receptive_field", label="receptive field", unit="px", better="higher"),
        Metric(name="layers", label="layers"),
        Metric(name="macs", label="multiply-adds per image", better="lower"),
        Metric(name="steps", label="steps"),
        Metric(name="samples", label="samples"),
        Metric(name="epochs", label="epochs"),
    )
}  # fmt: skip


def metric(name: str) -> Metric:
    """The registered metric, or a bare one for a number that a probe of the user's returns."""
    return METRICS.get(name, Metric(name=name, label=name.replace("_", " ")))


def heading(of: Metric) -> str:
    """Column head: label and unit."""
    return f"{of.label} [{of.unit}]" if of.unit else of.label


def number(value: float) -> str:
    """Three significant digits, with thousands separated."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
