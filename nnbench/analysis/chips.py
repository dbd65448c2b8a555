"""Arithmetic of a table of large-batch trainings: how many times as fast, on how many times the chips."""

from __future__ import annotations

from collections.abc import Mapping

from nnbench.config import ConfigError


def chip_arithmetic(
    *, batch: int, chips: int, minutes: float | None = None, base_chips: int | None = None,
    base_minutes: float | None = None,
) -> Mapping[str, float]:  # fmt: skip
    """What a row of such a table says beside another.

    Args:
        batch: samples of a step over all *chips*.
        minutes: of the training, where the row tells.
        base_chips: of the row that it is compared with, which took *base_minutes*.

    Returns:
        ``chip_samples`` (of a step, per chip); with times also ``chip_speedup`` (times as fast as the other
        row) and ``chip_efficiency``, the speed-up over the times of chips: 1 is perfect.

    Raises:
        ConfigError: a number that is not above 0, or a time without one to compare it with.
    """
    times = {"minutes": minutes, "base_chips": base_chips, "base_minutes": base_minutes}
    given = {name: value for name, value in times.items() if value is not None}
    for name, value in {"batch": batch, "chips": chips, **given}.items():
        if not value > 0:
            raise ConfigError(f"{name}: expected a number above 0, got {value!r}")
    found = {"chip_samples": batch / chips}
    if minutes is None or base_chips is None or base_minutes is None:
        if given:
            raise ConfigError(
                f"minutes: expected {', '.join(times)} together or none, got {', '.join(given)}"
            )
        return found
    speedup = base_minutes / minutes
    return {**found, "chip_speedup": speedup, "chip_efficiency": speedup / (chips / base_chips)}
