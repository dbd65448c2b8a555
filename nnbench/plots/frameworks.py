"""What other hands than one's own cost: throughput of each framework against the bare loop."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from nnbench.claims import Blocks, by_block, runs_by_arm
from nnbench.config import FULL_BATCH
from nnbench.findings import ARMS_MOST, Choice, whole_groups
from nnbench.plots import style
from nnbench.plots.style import INK, QUIET, TEXT_PT, Drawing, Look, Subject
from nnbench.records import Record
from nnbench.stats import Estimate, block_ratio, evenly

_NAME = "samples_per_s"
_BARE = "bare"
# Whose hands train, and how: all that may differ from the bare loop.
_HANDS = ("name", "id", "framework", "loader", "loader_args", "execution", "threads")
_ROW_IN, _HEAD_IN = 0.34, 0.85


@dataclass(frozen=True)
class _Share:
    """An arm against the bare loop of its training.

    Attributes:
        who: the arm's name without its batch size.
        rate: its samples per second, median over blocks.
        share: its throughput over the bare loop's, paired by block; None where nothing compares.
        reason: why there is none.
    """

    arm: str
    who: str
    batch_size: int | str
    rate: float | None
    share: Estimate | None
    reason: str = ""


def framework_tax(subject: Subject) -> Drawing:
    """Samples per second of each framework as a share of the bare loop's, for each batch size."""
    shares = _shares(subject)
    drawn = [of for of in shares if of.share]
    if len({of.who for of in drawn}) < 2:
        return style.nothing_to_draw(subject, "a throughput to hold against that of a bare loop")
    whose = list(dict.fromkeys(of.who for of in drawn))
    sizes = sorted({of.batch_size for of in drawn}, key=lambda size: (size == FULL_BATCH, size))
    looks = dict(zip(sizes, style.looks([str(size) for size in sizes]).values(), strict=True))
    lost = [f"{of.arm} ({of.reason})" for of in shares if not of.share]
    blocks = max(of.share.n for of in drawn if of.share)
    read = f"100 % is the loop written by hand. {blocks} block{'s' if blocks > 1 else ''}, paired"
    read += "; bars: 95 % interval." if any(of.share.low for of in drawn if of.share) else ": no interval."
    figure = style.canvas(
        subject, _ROW_IN * len(whose) * max(2, len(sizes)) + _HEAD_IN, title=str(subject.plan["question"]),
        how_to_read=read, notes=[f"Not shown: {', '.join(lost)}"] if lost else [],
    )  # fmt: skip
    axis = figure.subplots()
    _rows(axis, drawn, whose, looks)
    _heads(axis, looks)
    figure.numbers = _numbers(shares)
    return figure


def choose_trainings(plan: Mapping[str, Any], records: Sequence[Record]) -> Choice | None:
    """Of very many arms, whole trainings: the bare loop with all that train the same."""
    groups: dict[str, list[str]] = {}
    for arm in sorted(plan["arms"], key=lambda arm: arm.get("framework") != _BARE):
        if arm.get("framework") == _BARE or _training(arm) in groups:
            groups.setdefault(_training(arm), []).append(str(arm["name"]))
    few = [[group[i] for i in evenly(len(group), ARMS_MOST)] for group in groups.values()]
    rows = max(map(len, few), default=1)
    return whole_groups(plan, records, few, most=ARMS_MOST // rows)


def _shares(subject: Subject) -> list[_Share]:
    """Every planned arm against the bare loop of its training, in the order of the plan."""
    runs = runs_by_arm(subject.run.of(str(subject.plan["name"])))
    arms = [arm for arm in subject.plan["arms"] if "framework" in arm]  # a probe has none
    bare = {_training(arm): str(arm["name"]) for arm in arms if arm.get("framework") == _BARE}
    found = []
    for arm in arms:
        name, size = str(arm["name"]), arm["batch_size"]
        rates = subject.values(name, _NAME)
        rate = statistics.median(rates) if rates else None
        share, reason = None, "no bare loop of its training"
        if (partner := bare.get(_training(arm))) is not None:
            blocks = by_block((name, partner), runs, _NAME)
            share, reason = _share(blocks, is_bare=name == partner)
        trouble = subject.trouble(name)
        who = name.removesuffix(f", batch {size}")
        found.append(_Share(name, who, size, rate, share, "" if share else trouble or reason))
    return found


def _training(arm: Mapping[str, Any]) -> str:
    """What is trained, whoever trains it."""
    return json.dumps({key: value for key, value in arm.items() if key not in _HANDS}, sort_keys=True)


def _share(blocks: Blocks, *, is_bare: bool) -> tuple[Estimate | None, str]:
    if blocks.unlike:
        return None, f"NOT_COMPARABLE: {blocks.unlike}"
    if not blocks.rows:
        return None, blocks.uneven or "no block has both"
    if is_bare:
        return Estimate(centre=1.0, low=None, high=None, n=len(blocks.rows)), ""
    own, bare = zip(*blocks.rows, strict=True)
    return block_ratio(own, bare).ratio, ""


def _rows(axis: Axes, shares: Sequence[_Share], whose: Sequence[str], looks: dict[int | str, Look]) -> None:
    """A row for each framework, and in it a mark for each batch size, the smallest on top."""
    sizes, most = list(looks), 1.0
    for of in shares:
        assert of.share is not None
        aside = (sizes.index(of.batch_size) - (len(sizes) - 1) / 2) * 0.8 / max(2, len(sizes))
        y, look = whose.index(of.who) + aside, looks[of.batch_size]
        if of.share.low is not None and of.share.high is not None:
            ends = [100 * of.share.low, 100 * of.share.high]
            axis.plot(ends, [y, y], color=look.colour, lw=2.4, solid_capstyle="butt")
            most = max(most, of.share.high)
        most = max(most, of.share.centre)
        axis.plot([100 * of.share.centre], [y], ls="", **look.marked(8))
        if of.rate is not None:
            axis.annotate(
                f"{of.rate:,.0f}", (1.0, y), xycoords=("axes fraction", "data"), xytext=(66, 0),
                textcoords="offset points", ha="right", va="center", size=TEXT_PT, color=look.text,
            )  # fmt: skip
    axis.axvline(100, color=QUIET, lw=1.2, ls=(0, (4, 3)), zorder=0.6)
    for border in range(1, len(whose)):
        axis.axhline(border - 0.5, color="#e4e4e4", lw=0.8, zorder=0.5)
    axis.set_xlim(0, 104 * most)
    axis.set_ylim(len(whose) - 0.5, -0.5)
    axis.set_yticks(range(len(whose)), whose)
    axis.tick_params(axis="y", length=0, labelcolor=INK)
    axis.spines["left"].set_visible(False)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    axis.set_xlabel("throughput, as a share of the bare loop's")
    axis.grid(axis="x")
    axis.set_axisbelow(True)


def _heads(axis: Axes, looks: dict[int | str, Look]) -> None:
    """Above the rows: which mark is which batch size, and what the numbers at the right are."""
    axis.annotate(
        "samples/s", (1.0, 1.0), xycoords="axes fraction", xytext=(66, 9), textcoords="offset points",
        ha="right", va="bottom", size=TEXT_PT, color=QUIET,
    )  # fmt: skip
    if len(looks) > 1:
        for size, look in looks.items():
            axis.plot([], [], lw=2.4, label=f"batch {size}", **look.marked(8))
        axis.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=len(looks), frameon=False, borderaxespad=0.2,
            handlelength=1.6,
        )  # fmt: skip


def _numbers(shares: Sequence[_Share]) -> pd.DataFrame:
    rows = []
    for of in shares:
        share = of.share
        rows.append({
            "arm": of.arm, "batch size": of.batch_size, "throughput [samples/s]": of.rate,
            "share of the bare loop": share.centre if share else None, "low": share.low if share else None,
            "high": share.high if share else None, "blocks": share.n if share else 0, "reason": of.reason,
        })  # fmt: skip
    return pd.DataFrame(rows)
