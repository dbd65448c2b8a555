"""Which of very many arms or claims are shown, and the sentence that says so: nobody reads a thousand rows.

A sentence counts what it leaves out: '20 of 1,000 arms: the 10 best and the 10 worst in validation accuracy'.
Where there are few, nothing is chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from nnbench.claims import REFUTED, SUPPORTED, UNDECIDED
from nnbench.efficiency import Efficiency, efficiencies
from nnbench.findings.centres import means
from nnbench.metrics import Metric, metric
from nnbench.records import Record
from nnbench.stats import evenly
from nnbench.summary import COLUMNS
from nnbench.time_to_accuracy import TimeToAccuracy, times_to_accuracy

# More than these, and some are chosen; of more arms, a plot shows a dozen.
ARMS_MOST, CLAIMS_MOST, PLOT_ARMS = 24, 24, 12
ALL_ARMS = "all: nnbench table RUN --csv FILE"
ALL_CLAIMS = "all: verdicts(run, most=None) in the notebook of nnbench report RUN"
_ENDS = 10  # so many of the best, and of the worst


@dataclass(frozen=True)
class Choice:
    """Some of the arms of a scenario, in the order in which to show them, and a sentence that says which."""

    arms: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class _Ranking:
    """The arms of a scenario: those that have metric *by*, best first, and the others in the plan's order."""

    by: Metric | None
    ranked: Sequence[str]
    unranked: Sequence[str]
    claimed: Sequence[str]  # named by claims, in their order

    def choice(self, picked: Sequence[str], how: str, most: int) -> Choice:
        """*picked* arms, which are told as *how*, and those of claims and without a number, *most* in all."""
        total = len(self.ranked) + len(self.unranked)
        claimed = self.claimed[: most // 3]
        more = [arm for arm in claimed if arm not in picked]
        parts = [how]
        if len(claimed) < len(self.claimed):
            parts.append(f"{len(claimed)} of {len(self.claimed)} that claims name")
        elif more:
            parts.append(f"{len(more)} more that claims name")
        others = [arm for arm in self.unranked if arm not in (*picked, *more)] if self.by else []
        others = others[: most // 6]
        if others:
            parts.append(f"{len(others)} of {len(self.unranked):,} without a number")
        shown = {*picked, *more, *others}
        arms = tuple(arm for arm in (*self.ranked, *self.unranked) if arm in shown)
        return Choice(arms, f"{len(arms)} of {total:,} arms: {', '.join(parts)}")

    def room(self, most: int) -> int:
        """How many arms may be picked by rank, so that with the others there are *most*."""
        return most - min(len(self.claimed), most // 3) - min(len(self.unranked), most // 6)


def _ranking(plan: Mapping[str, Any], records: Sequence[Record]) -> _Ranking | None:
    """The arms of a scenario by accuracy, else by the first column that tells good from bad; None of few."""
    arms = list(dict.fromkeys(str(arm["name"]) for arm in (*plan["arms"], *(r.arm for r in records))))
    if len(arms) <= ARMS_MOST:
        return None
    there = set(arms)
    named = dict.fromkeys(str(arm) for claim in plan.get("claims", ()) for arm in claim.get("arms", ()))
    claimed = [arm for arm in named if arm in there]
    measured = dict.fromkeys(name for record in records for name in record.metrics)
    for name in dict.fromkeys((*COLUMNS, *measured)):
        if metric(name).better and name in measured and (found := means(records, name)):
            ranked = sorted(found, key=lambda arm: found[arm], reverse=metric(name).better == "higher")
            return _Ranking(metric(name), ranked, [arm for arm in arms if arm not in found], claimed)
    return _Ranking(None, [], arms, claimed)


def for_table(plan: Mapping[str, Any], records: Sequence[Record]) -> Choice | None:
    """The best and the worst arms, those of claims, some without a number; None where all are shown."""
    of = _ranking(plan, records)
    if of is None:
        return None
    if of.by is None:
        return _in_plan_order(of, ARMS_MOST)
    best, worst = _ends(of.ranked, min(_ENDS, of.room(ARMS_MOST) // 2))
    how = f"the {len(best)} best and the {len(worst)} worst in {of.by.label}"
    return of.choice([*best, *worst], how, ARMS_MOST)


def for_plots(plan: Mapping[str, Any], records: Sequence[Record]) -> Choice | None:
    """A dozen arms, the same in all plots of a scenario; None where all are shown.

    They are evenly spread over the ranks, from the best to the worst: the ends alone would look like a gap.
    """
    of = _ranking(plan, records)
    if of is None:
        return None
    if of.by is None:
        return _in_plan_order(of, PLOT_ARMS)
    picked = [of.ranked[i] for i in evenly(len(of.ranked), of.room(PLOT_ARMS))]
    how = f"{len(picked)} evenly from the best to the worst in {of.by.label}"
    return of.choice(picked, how, PLOT_ARMS)


def _in_plan_order(of: _Ranking, most: int) -> Choice:
    picked = [of.unranked[i] for i in evenly(len(of.unranked), most - min(len(of.claimed), most // 3))]
    return of.choice(picked, f"{len(picked)} evenly in the order of the plan", most)


def whole_groups(
    plan: Mapping[str, Any], records: Sequence[Record], groups: Iterable[Sequence[str]], most: int = PLOT_ARMS
) -> Choice | None:
    """Arms that only mean something together, such as one rank and many; None where all are shown.

    Args:
        groups: the names of their arms; where there are none, the choice is that of `for_plots`.
        most: how many groups there may be; those with arms that claims name come first, up to a half.
    """
    found = list(groups)
    total = len(plan["arms"])
    if not found:
        return for_plots(plan, records)
    named = {str(arm) for claim in plan.get("claims", ()) for arm in claim.get("arms", ())}
    claimed = [i for i, group in enumerate(found) if named.intersection(group)][: (most + 1) // 2]
    rest = [i for i in range(len(found)) if i not in claimed]
    picked = sorted([*claimed, *(rest[i] for i in evenly(len(rest), most - len(claimed)))])
    arms = tuple(dict.fromkeys(arm for i in picked for arm in found[i]))
    if total <= ARMS_MOST or len(arms) == total:
        return None
    of = f"{len(picked)} of {len(found):,} groups that belong together"
    return Choice(arms, f"{len(arms)} of {total:,} arms, from {of}")


class _OfArm(Protocol):
    @property
    def arm(self) -> str: ...


_Row = TypeVar("_Row", bound=_OfArm)


def few_efficiencies(records: Sequence[Record]) -> tuple[list[Efficiency], str]:
    """The efficiencies of a scenario; of very many arms the best and the worst, and a sentence."""
    found = efficiencies(records)
    return _ends_of(found, [-of.efficiency.centre if of.efficiency else None for of in found], "efficiency")


def few_times(records: Sequence[Record]) -> tuple[list[TimeToAccuracy], str]:
    """The times to accuracy of a scenario; of very many arms the best and the worst, and a sentence."""
    found = times_to_accuracy(records)
    return _ends_of(found, [of.seconds.centre if of.seconds else None for of in found], "time to target")


def _ends_of(rows: Sequence[_Row], costs: Sequence[float | None], by: str) -> tuple[list[_Row], str]:
    """The lower the cost, the better; of the rows without one, a few come last."""
    if len({row.arm for row in rows}) <= ARMS_MOST:
        return list(rows), ""
    order = sorted((cost, i) for i, cost in enumerate(costs) if cost is not None)
    ranked = [rows[i] for _, i in order]
    lost = [row for row, cost in zip(rows, costs, strict=True) if cost is None]
    best, worst = _ends(ranked, _ENDS)
    told = (
        f"{len(best) + len(worst)} of {len(rows):,}: the {len(best)} best and the {len(worst)} worst in {by}"
    )
    few = lost[: ARMS_MOST - 2 * _ENDS]
    more = f", then {len(few)} of {len(lost):,} without a number" if few else ""
    return [*best, *worst, *few], told + more


def _ends(ranked: Sequence[Any], most: int) -> tuple[Sequence[Any], Sequence[Any]]:
    """The first *most* and the last *most*; none of them twice."""
    return ranked[:most], ranked[most:][-most:]


def of_claims(verdicts: Sequence[str], most: int | None = CLAIMS_MOST) -> tuple[list[int], str]:
    """Places of the claims to show, of which the *verdicts* are known, and the sentence that says so.

    Of more than *most* (None: of any number), those that are REFUTED come before the SUPPORTED, and these
    before the open ones.
    """
    if most is None or len(verdicts) <= most:
        return list(range(len(verdicts))), ""
    kinds = list(dict.fromkeys((REFUTED, SUPPORTED, UNDECIDED, *verdicts)))
    first = sorted(range(len(verdicts)), key=lambda i: kinds.index(verdicts[i]))
    shown = sorted(first[:most])
    picked = [verdicts[i] for i in shown]
    parts = [f"{picked.count(kind)} of {verdicts.count(kind):,} {kind}" for kind in kinds if kind in verdicts]
    return shown, f"{len(shown)} of {len(verdicts):,} claims: {', '.join(parts)}"
