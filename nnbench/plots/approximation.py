"""How near networks come to a function: errors by units, pieces by parameters, and the lines themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from nnbench.plots import style
from nnbench.plots.power_laws import power_law
from nnbench.plots.style import Drawing, Subject

_ROW_IN = 2.5
_COLUMNS = 3


def approximation_error(subject: Subject) -> Drawing:
    """The greatest error against the number of units, a line for each way to choose the weights."""
    name = "sup_error" if subject.has("sup_error") else "drawn_sup_error"
    read = "Where a line falls as steeply as the dotted one, twice the units make a quarter of the error."
    return power_law(subject, "units", name, read, guide=-2.0)


def pieces_by_parameters(subject: Subject) -> Drawing:
    """Straight pieces against parameters: a line for depth, and one for width."""
    read = "Each dot is a network that is the tent map exactly: its folds double the pieces."
    return power_law(subject, "parameters", "line_pieces", read)


def fitted_lines(subject: Subject) -> Drawing:
    """The function that was wanted and the one that was found, a panel for each arm."""
    found = {arm: arrays for arm in subject.arms if (arrays := subject.arrays(arm)) and "found" in arrays}
    if not found:
        return style.nothing_to_draw(subject, "a line")
    columns = min(_COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    figure = style.canvas(
        subject, rows * _ROW_IN, title=str(subject.plan["question"]),
        how_to_read="Grey: what is wanted; coloured: what the network of the first seed gives.",
        notes=style.not_shown(subject, list(found)),
    )  # fmt: skip
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    looks = subject.looks
    for panel, (arm, arrays) in zip(panels, found.items(), strict=False):
        panel.plot(arrays["x"], arrays["wanted"], color="#b8b8b8", lw=3.2)
        panel.plot(arrays["x"], arrays["found"], color=looks[arm].colour, lw=1.6)
        panel.set_title(arm, loc="left", color=looks[arm].text)
    for panel in panels[len(found) :]:
        panel.set_visible(False)
    for panel in panels[: len(found)][-columns:]:
        panel.tick_params(labelbottom=True)
    figure.numbers = _lines(found)
    return figure


def _lines(found: Mapping[str, Mapping[str, Sequence[float]]]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame({"arm": arm, **{name: arrays[name] for name in ("x", "wanted", "found")}})
            for arm, arrays in found.items()
        ],
        ignore_index=True,
    )
