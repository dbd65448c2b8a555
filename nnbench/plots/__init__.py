"""Tables to figures: `draw` one by name, `save` it as PNG and SVG with its numbers as CSV.

A plot of your own is a function from a `Subject` to a `Drawing`, registered in `PLOTS`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nnbench.config import ConfigError, closest
from nnbench.findings import for_plots
from nnbench.plots.approximation import approximation_error, fitted_lines, pieces_by_parameters
from nnbench.plots.arms import accuracy_against_cost, overview
from nnbench.plots.batches import noise_scale_by_step, steps_against_batch
from nnbench.plots.curves import accuracy_by_budget, learning_curves, loss_by_step
from nnbench.plots.descent import floor_by_rate, losses_at_the_edge, losses_by_order, well_ends
from nnbench.plots.descents import descent_on_surfaces, gradient_walks, steps_by_kappa
from nnbench.plots.factors import by_factor, choose_lines
from nnbench.plots.fields import effective_fields, field_growth
from nnbench.plots.frameworks import choose_trainings, framework_tax
from nnbench.plots.gradients import gradient_by_layer
from nnbench.plots.large_batches import accuracy_by_rate_rule, large_batch_table
from nnbench.plots.limits import roofline
from nnbench.plots.optimizer_costs import performance_profile, state_against_step_time
from nnbench.plots.paths import loss_surface_paths, progress_by_epoch
from nnbench.plots.pointing import pointing_maps
from nnbench.plots.practice import call_trace, cross_entropy_curve, embeddings, memory_formats
from nnbench.plots.rates import range_test, rates_of_schedules, sharpness_by_step
from nnbench.plots.scaling import choose_series, scaling
from nnbench.plots.seeds import choose_networks, cost_per_seed
from nnbench.plots.sharing import accuracy_by_shift, encoding_stages
from nnbench.plots.sheet import contact_sheet
from nnbench.plots.spatial import dilation_holes, fine_and_far, recall_by_size
from nnbench.plots.style import Chooser, Drawing, Subject, all_arms, styled, subject_of
from nnbench.plots.tuned_rates import accuracy_by_rate
from nnbench.plots.verdicts import verdicts
from nnbench.plots.xor import decision_regions, linear_xor, solve_rate
from nnbench.records import StorageError, write_atomic
from nnbench.results import Run
from nnbench.tabular import to_csv

__all__ = ["PLOTS", "Drawing", "Subject", "contact_sheet", "draw", "save"]

Plot = Callable[[Run, Mapping[str, Any]], Figure]
# Plots that need certain arms together choose for themselves; the claims are judged from all arms.
_CHOOSERS: Mapping[Callable[[Subject], Drawing], Chooser] = {
    by_factor: choose_lines,
    scaling: choose_series,
    framework_tax: choose_trainings,
    cost_per_seed: choose_networks,
    verdicts: all_arms,
}


def _plot(function: Callable[[Subject], Drawing]) -> Plot:
    """*function* in the house style, as a function of a run and a scenario's plan."""
    choose = _CHOOSERS.get(function, for_plots)

    def drawn(run: Run, scenario_plan: Mapping[str, Any]) -> Figure:
        with styled():
            figure = function(subject_of(run, scenario_plan, choose))
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # each save would do the layout again
            return figure

    drawn.__doc__ = function.__doc__
    return drawn


PLOTS: dict[str, Plot] = {
    function.__name__: _plot(function)
    for function in (
        overview,
        learning_curves,
        accuracy_by_budget,
        loss_by_step,
        by_factor,
        accuracy_against_cost,
        scaling,
        framework_tax,
        roofline,
        cost_per_seed,
        steps_against_batch,
        noise_scale_by_step,
        accuracy_by_rate_rule,
        large_batch_table,
        verdicts,
        approximation_error,
        pieces_by_parameters,
        fitted_lines,
        accuracy_by_shift,
        encoding_stages,
        gradient_by_layer,
        pointing_maps,
        well_ends,
        losses_at_the_edge,
        range_test,
        loss_surface_paths,
        progress_by_epoch,
        call_trace,
        cross_entropy_curve,
        embeddings,
        memory_formats,
        rates_of_schedules,
        sharpness_by_step,
        losses_by_order,
        floor_by_rate,
        recall_by_size,
        dilation_holes,
        fine_and_far,
        effective_fields,
        field_growth,
        solve_rate,
        decision_regions,
        linear_xor,
        gradient_walks,
        steps_by_kappa,
        descent_on_surfaces,
        accuracy_by_rate,
        state_against_step_time,
        performance_profile,
    )
}


def draw(run: Run, scenario_plan: Mapping[str, Any], name: str) -> Figure:
    """The plot called *name* of one scenario of *run*.

    Raises:
        ConfigError: no plot of that name.
    """
    if name not in PLOTS:
        raise ConfigError(f"unknown plot {name!r}; {closest(name, list(PLOTS))}known: {', '.join(PLOTS)}")
    return PLOTS[name](run, scenario_plan)


def safe_stem(text: str) -> str:
    """*text* as a file name of letters, digits, dots and dashes: a name never becomes a path."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:100] or "plot"


def save(figure: Figure, folder: str | Path, stem: str, *, small: bool = False) -> list[Path]:
    """Write *figure* as PNG (160 dpi) and SVG into *folder*, its numbers as CSV beside them.

    Args:
        small: for a page of very many: a PNG of 256 colours, a third of the bytes, and no SVG.

    Returns:
        The paths of the PNG and the SVG, or of the small PNG alone.

    Raises:
        StorageError: the folder cannot be written to.
    """
    folder, stem = Path(folder), safe_stem(stem)
    paths = [folder / f"{stem}.{kind}" for kind in (("png",) if small else ("png", "svg"))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with styled(), tempfile.TemporaryDirectory(dir=folder, prefix=".plot.") as parts:
            for path in paths:
                part = Path(parts) / path.name
                _write(figure, part, small=small)
                os.replace(part, path)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}; choose another folder") from error
    if isinstance(figure, Drawing) and len(figure.numbers):
        write_atomic(folder / f"{stem}.csv", to_csv(figure.numbers))
    return paths


def _write(figure: Figure, path: Path, *, small: bool) -> None:
    if path.suffix == ".svg":
        figure.savefig(path, metadata={"Date": None})  # without the date the same run gives the same bytes
    elif not small:
        figure.savefig(path)
    else:
        from PIL import Image  # comes with matplotlib

        figure.savefig(path, pil_kwargs={"compress_level": 1})  # it is written again
        with Image.open(path) as picture:
            few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(path)
