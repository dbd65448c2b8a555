"""How every figure looks: one width, one type size, one palette; nothing global is changed."""

from __future__ import annotations

import dataclasses
import math
import statistics
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from nnbench.findings import Choice, for_plots
from nnbench.metrics import Metric, heading, metric, number
from nnbench.records import OK, Record
from nnbench.results import Run, records_table
from nnbench.stats import Estimate, mean_interval, median_interval

WIDTH_IN = 10.0
TEXT_PT, TITLE_PT = 12.5, 16.0  # at 10 inches: readable from the last row of a lecture hall
INK, QUIET, ALARM = "#1a1a1a", "#5a5a5a", "#a3262a"
SMOKE_NOTE = "smoke: proves the code, not the claim"
# seaborn's "colorblind" without its yellow and pale pink, which vanish on white paper.
_COLOURS = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#56b4e9", "#8a5a2b", "#707070")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1)))
_PAD_IN = 0.13


@contextmanager
def styled() -> Iterator[None]:
    """The house style for what is drawn inside; everything is as before afterwards."""
    import seaborn as sns  # 2 s: asking for the names of the plots should not pay

    sizes = dict.fromkeys(("axes.labelsize", "xtick.labelsize", "ytick.labelsize", "font.size"), TEXT_PT)
    own: Any = {
        **sizes,
        "axes.titlesize": TEXT_PT + 0.5,
        "axes.edgecolor": "#b0b0b0",
        "axes.labelcolor": INK,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "grid.color": "#e4e4e4",
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.major.size": 3.5,
        "ytick.major.size": 3.5,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same picture everywhere
        "text.parse_math": False,  # a $ in a name is a $
        "figure.dpi": 160,  # as saved: at another one texts have other widths, and the layout is off
        "savefig.dpi": 160,
        "text.hinting": "none",
        "svg.hashsalt": "nnbench",
    }
    with mpl.rc_context(), sns.axes_style("ticks"), sns.plotting_context("notebook"), mpl.rc_context(own):
        yield


class Drawing(Figure):
    """A figure that knows the numbers it shows.

    Attributes:
        numbers: what is drawn, tidy; written as CSV beside the picture.
    """

    numbers: pd.DataFrame = pd.DataFrame()


@dataclass(frozen=True)
class Look:
    """Colour, marker and dashes of one arm: any two of them tell it apart in grey print too."""

    colour: str
    marker: str
    dashes: Any

    @property
    def text(self) -> tuple[float, float, float]:
        """The colour, darkened until letters of it read on white."""
        red, green, blue = to_rgb(self.colour)
        share = min(1.0, 0.32 / max(1e-9, 0.3 * red + 0.59 * green + 0.11 * blue))
        return (red * share, green * share, blue * share)

    def marked(self, size: float) -> dict[str, Any]:
        """Keywords of a marker; a white rim parts it from its neighbours, but eats thin shapes."""
        rim = self.colour if self.marker in "PX*" else "white"
        return {"marker": self.marker, "ms": size, "mec": rim, "mew": 0.7, "color": self.colour}


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A look for each arm, in order."""
    return {
        name: Look(
            _COLOURS[i % len(_COLOURS)],
            _MARKERS[i % len(_MARKERS)],
            _DASHES[(i + i // len(_COLOURS)) % len(_DASHES)],
        )
        for i, name in enumerate(names)
    }


@dataclass(frozen=True)
class Subject:
    """One scenario of a run, ready to be drawn.

    Attributes:
        frame: one row per record, see `nnbench.results.records_table`.
        arms: names, in the order of the plan.
        choice: which of very many arms these are; empty where there are no others.
    """

    run: Run
    plan: Mapping[str, Any]
    frame: pd.DataFrame
    arms: tuple[str, ...]
    choice: str = ""
    _values: dict[tuple[str, str], list[float]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def done(self) -> pd.DataFrame:
        """The records that are OK."""
        return self.frame[self.frame["status"] == OK]

    @property
    def looks(self) -> dict[str, Look]:
        """A look for each arm: the same in every figure of the scenario."""
        return looks(self.arms)

    def values(self, arm: str, name: str) -> list[float]:
        """Metric *name* of the OK records of *arm*, in the unit of print.

        A time of a disturbed block counts only where there is no other, as in the tables.
        """
        key = arm, name
        if key not in self._values:  # asked for many times over
            self._values[key] = self._found(arm, name)
        return list(self._values[key])

    def _found(self, arm: str, name: str) -> list[float]:
        if name not in self.frame:
            return []
        found = self.done.loc[self.done["arm"] == arm, [name, "quality"]].dropna(subset=[name])
        if metric(name).nature in ("timed", "energy"):
            calm = found[~found["quality"].str.split().map(lambda flags: "INVALID" in flags)]
            found = calm if len(calm) else found
        return [float(value) * metric(name).scale for value in found[name]]

    def interval(self, arm: str, name: str) -> Estimate | None:
        """The 95 % interval of metric *name*: over seeds of what is learned, over blocks of a time."""
        values = self.values(arm, name)
        nature = metric(name).nature
        if not values or nature in ("exact", "memory"):
            return None
        blocks = self.done.loc[self.done["arm"] == arm, "block"].nunique()
        if nature != "learned" and blocks < len(values):
            return None  # times of one process are not independent
        of = mean_interval(values) if nature == "learned" else median_interval(values)
        return None if of.low is None or of.high is None else of

    def arrays(self, arm: str) -> Mapping[str, Any]:
        """The arrays of the first OK record of *arm*, by seed and block; none where it has none."""
        own = self.run.of(str(self.plan["name"]))
        done = [r for r in own if r.arm["name"] == arm and r.status == OK and r.arrays]
        first = min(done, key=lambda record: (record.seed, record.block), default=None)
        return {} if first is None else dict(first.arrays)

    def has(self, name: str) -> bool:
        """Whether any arm has metric *name*."""
        return any(self.values(arm, name) for arm in self.arms)

    def trouble(self, arm: str) -> str:
        """The statuses of *arm* that are not OK, "" where all is well: ``2 of 3 DIVERGED``."""
        statuses = list(self.frame.loc[self.frame["arm"] == arm, "status"])
        bad = [status for status in statuses if status != OK]
        if not statuses:
            return "NOT RUN"
        if len(set(bad)) == 1 and len(bad) == len(statuses):
            return str(bad[0])
        return ", ".join(f"{bad.count(s)} of {len(statuses)} {s}" for s in dict.fromkeys(bad))

    @property
    def seeds(self) -> int:
        """The most seeds that an arm was measured with."""
        return int(self.done.groupby("arm")["seed"].nunique().max()) if len(self.done) else 0


# Which of very many arms a plot shows, from the scenario's plan and records; None where it shows all.
Chooser = Callable[[Mapping[str, Any], Sequence[Record]], Choice | None]


def all_arms(plan: Mapping[str, Any], records: Sequence[Record]) -> None:
    """The `Chooser` that leaves none out."""


def subject_of(run: Run, plan: Mapping[str, Any], choose: Chooser = for_plots) -> Subject:
    """The scenario of *plan* in *run*; arms that have records but no plan come last.

    Of very many arms there are those that *choose* takes, in its order, and no others in any field.
    """
    choice = choose(plan, run.of(str(plan["name"])))
    if choice is not None:
        run = run.only(str(plan["name"]), choice.arms)
        few = subject_of(run, run.plan["scenarios"][0], all_arms)
        return dataclasses.replace(few, choice=f"Showing {choice.text}.")
    frame = records_table(dataclasses.replace(run, records=run.of(str(plan["name"]))))
    names = [str(arm["name"]) for arm in plan["arms"]]
    return Subject(run, plan, frame, tuple(dict.fromkeys([*names, *map(str, frame["arm"])])))


def text_width(text: str, points: float, *, bold: bool = False) -> float:
    """Width of one line of *text*, in inches."""
    font = FontProperties(family="DejaVu Sans", size=points, weight="bold" if bold else "normal")
    width: float = text_to_path.get_text_width_height_descent(text, font, False)[0]
    return width / 72


def wrap(text: str, width_in: float, points: float, *, bold: bool = False) -> list[str]:
    """Lines of *text*, none of them wider than *width_in*; a word without end is broken."""
    text = " ".join(text.split())
    most = max(1, len(text))
    while True:
        lines = textwrap.wrap(text, most, break_on_hyphens=False) or [""]
        if most == 1 or max(text_width(line, points, bold=bold) for line in lines) <= width_in:
            return lines
        most = max(1, int(min(most, max(map(len, lines))) * 0.97))


def wrap_name(name: str, width_in: float, points: float, *, bold: bool = False) -> list[str]:
    """Lines of an arm's *name*, which may break after a slash."""
    return [line.replace("/ ", "/") for line in wrap(name.replace("/", "/ "), width_in, points, bold=bold)]


def canvas(
    subject: Subject, height_in: float, *, title: str, how_to_read: str, notes: Sequence[str] = ()
) -> Drawing:
    """An empty figure under its title, with *height_in* left for the panels.

    The title is the finding or the question; *how_to_read* stands below it, *notes* at the bottom.
    """
    room = WIDTH_IN - 2 * _PAD_IN
    blocks = [
        ([SMOKE_NOTE] if subject.run.profile == "smoke" else [], TEXT_PT, ALARM, True),
        (wrap(title, room, TITLE_PT, bold=True), TITLE_PT, INK, True),
        (wrap(how_to_read, room, TEXT_PT) if how_to_read else [], TEXT_PT, QUIET, False),
        (wrap(subject.choice, room, TEXT_PT) if subject.choice else [], TEXT_PT, INK, False),
    ]
    foot = [line for note in notes for line in wrap(note, room, TEXT_PT)]
    top = sum(len(lines) * points for lines, points, _, _ in blocks) * 1.3 / 72 + 2 * _PAD_IN
    bottom = len(foot) * TEXT_PT * 1.3 / 72 + (_PAD_IN if foot else 0)
    height = height_in + top + bottom
    figure = Drawing(figsize=(WIDTH_IN, height), layout="constrained")
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, bottom / height, 1, height_in / height), w_pad=0.1, h_pad=0.08)
    y = height - _PAD_IN
    for lines, points, colour, bold in [*blocks, (foot, TEXT_PT, QUIET, False)]:
        y = bottom if lines is foot else y
        for line in lines:
            figure.text(
                _PAD_IN / WIDTH_IN, y / height, line, va="top", size=points, color=colour,
                weight="bold" if bold else "normal", in_layout=False,
            )  # fmt: skip
            y -= points * 1.3 / 72
    return figure


def not_shown(subject: Subject, shown: Sequence[str]) -> list[str]:
    """The note that names the arms that have nothing to draw, with the reason."""
    missing = [arm for arm in subject.arms if arm not in shown]
    if not missing:
        return []
    return ["Not shown: " + ", ".join(f"{arm} ({subject.trouble(arm) or 'not measured'})" for arm in missing)]


def seeds_text(subject: Subject) -> str:
    """'1 seed' or '3 seeds'."""
    return "1 seed: no interval" if subject.seeds == 1 else f"{subject.seeds} seeds"


def nothing_to_draw(subject: Subject, what: str) -> Drawing:
    """A figure that says why it is empty."""
    figure = canvas(subject, 0.9, title=str(subject.plan["question"]), how_to_read="")
    figure.text(0.5, 0.45 / figure.get_figheight(), f"Nothing to draw: no arm has {what}.",
                ha="center", color=QUIET)  # fmt: skip
    return figure


def axis_label(of: Metric, more: str = "") -> str:
    """'training time [s]', or '…, log scale'."""
    return heading(of) + more


def log_axis(axis_of: Axes, which: str, low: float, high: float, most: int = 4) -> None:
    """Make an axis logarithmic from *low* to *high*, with at most *most* plain numbers as ticks."""
    set_scale, set_limits = getattr(axis_of, f"set_{which}scale"), getattr(axis_of, f"set_{which}lim")
    set_scale("log")
    set_limits(low, high)
    axis = getattr(axis_of, f"{which}axis")
    axis.set_major_locator(FixedLocator(log_ticks(low, high, most)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between *low* and *high*: powers of ten, with 2 and 5 between them where few."""
    for steps, stride in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3), ((1,), 4)):
        exponents = range(-12, 20, stride)
        ticks = [step * 10.0**e for e in exponents for step in steps if low <= step * 10.0**e <= high]
        if len(ticks) <= most:
            break
    return ticks if len(ticks) > 1 else [value for value in _linear_ticks(low, high) if value > 0]


def _linear_ticks(low: float, high: float) -> list[float]:
    ticks = MaxNLocator(nbins=4, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in ticks if low <= tick <= high]


def thinned(
    ticks: Sequence[float], limits: tuple[float, float], width_in: float, *, log: bool
) -> list[float]:
    """The *ticks* whose texts do not touch on an axis of *width_in* between *limits*."""
    low, high = (math.log10(x) for x in limits) if log else limits
    kept: list[float] = []
    free = -math.inf
    for tick in ticks:
        place = ((math.log10(tick) if log else tick) - low) / (high - low) * width_in
        half = text_width(short(tick), TEXT_PT) / 2
        if place - half >= free:
            kept.append(tick)
            free = place + half + 0.1
    return kept


def short(value: float) -> str:
    """A tick: 0.05, 20, 1500, 20k, 3M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scale = 1e3 if unit == "k" else limit
            return f"{value / scale:.4g}{unit}"
    return f"{value:.4g}"


def centre(name: str, values: Sequence[float]) -> float:
    """What stands for *values*: the mean of what is learned, the median of anything else."""
    return statistics.fmean(values) if metric(name).nature == "learned" else statistics.median(values)


def amount(name: str, value: float) -> str:
    """*value* as text, with the decimals that the metric deserves."""
    of = metric(name)
    if of.nature == "learned":
        return (
            f"{value:.1f}" if of.unit == "%" else f"{value:.3f}" if 0.01 < abs(value) < 10 else number(value)
        )
    if of.nature == "exact":
        return f"{value:,.0f}" if abs(value) < 1e7 else f"{value / 1e6:,.1f}M"
    return number(value)
