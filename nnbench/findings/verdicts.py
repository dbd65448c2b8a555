"""The claims of a scenario and their verdicts, as rows of text; and which of them need more blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnbench.claims import (
    NOT_RUN,
    TIMED,
    UNDECIDED,
    Claim,
    Verdict,
    as_told,
    interval_text,
    judge,
    ratio_number,
    unit_of,
)
from nnbench.config import ConfigError
from nnbench.metrics import number
from nnbench.records import Record, RecordError
from nnbench.stats import BLOCKS_LEAST, Estimate

_NOTHING = "–"
COLUMNS = ("claim", "verdict", "effect", "interval", "n", "reason")


def verdict_rows(records: Sequence[Record], plan: Mapping[str, Any], profile: str) -> list[dict[str, str]]:
    """One row per claim of a scenario's *plan*; keys are `COLUMNS`, values are text.

    A claim that cannot be judged, by its kind or by its records, is NOT RUN with the reason.
    """
    claims, rows = claims_of(plan)
    try:
        return [_row(verdict) for verdict in judge(claims, records, profile)] + rows
    except RecordError as error:
        return [_bare_row(claim.text, str(error)) for claim in claims] + rows


def claims_of(plan: Mapping[str, Any]) -> tuple[list[Claim], list[dict[str, str]]]:
    """The claims of a scenario's *plan*, and rows for those that this nnbench does not know."""
    claims, unknown = [], []
    for values in plan.get("claims", ()):
        try:
            claims.append(Claim(**{**values, "arms": tuple(values["arms"])}))
        except (ConfigError, TypeError, KeyError) as error:
            unknown.append(_bare_row(str(values.get("text")), f"this nnbench cannot judge it: {error}"))
    return claims, unknown


def _bare_row(text: str, reason: str) -> dict[str, str]:
    return dict(zip(COLUMNS, (text, NOT_RUN, _NOTHING, _NOTHING, _NOTHING, reason), strict=True))


def _row(of: Verdict) -> dict[str, str]:
    effect, interval = effect_text(of)
    unit = "block" if of.claim.of.nature in TIMED else "seed"
    if of.claim.of.nature == "share":
        unit = "trial"
    counted = of.claim.of.nature in (*TIMED, "learned", "share") and of.claim.kind != "exact" and of.n
    n = f"{of.n} {unit}{'s' if of.n != 1 else ''}" if counted else _NOTHING
    reason = "; ".join([of.reason, *of.details])
    return dict(zip(COLUMNS, (of.claim.text, of.verdict, effect, interval, n, reason), strict=True))


def effect_text(of: Verdict) -> tuple[str, str]:
    """Effect and interval of a verdict, such as '+3.5 points' or '1.32x', and '2.1 to 4.9'."""
    if of.ratio is not None:
        told = as_told(of.claim, of.ratio.ratio)[0]
        return f"{ratio_number(told.centre)}x", interval_text(told, ratio_number) or _NOTHING
    if of.effect is None:
        return _NOTHING, _NOTHING
    if of.claim.kind in ("exact", "slope"):
        of_one = of.claim.kind == "exact"
        return (
            (f"{of.effect.centre:,.7g}", _NOTHING) if of_one else (number(of.effect.centre), _ends(of.effect))
        )
    if of.claim.kind == "rate":
        share = _scaled(of.effect, 100)
        return f"{number(share.centre)}\u00a0%", _ends(share)
    if of.claim.kind == "between":
        told = _scaled(of.effect, of.claim.of.scale)
        return f"{number(told.centre)} {of.claim.of.unit}".rstrip(), _ends(told)
    sign = 1 if of.claim.higher or of.claim.kind == "equivalent" else -1
    found = _scaled(of.effect, sign * of.claim.of.scale)
    plus = "+" if found.centre > 0 else ""
    return f"{plus}{number(found.centre)} {unit_of(of.claim.of)}".rstrip(), _ends(found)


def _scaled(of: Estimate, scale: float) -> Estimate:
    if of.low is None or of.high is None:
        return Estimate(centre=scale * of.centre, low=None, high=None, n=of.n)
    low, high = sorted((scale * of.low, scale * of.high))
    return Estimate(centre=scale * of.centre, low=low, high=high, n=of.n)


def _ends(of: Estimate) -> str:
    return _NOTHING if of.low == of.high else interval_text(of)


def may_need(plan: Mapping[str, Any], records: Sequence[Record]) -> str:
    """Which claims of the run *plan* need more blocks, and the command; empty where none does.

    It is for a run of one block. Where a scenario does not repeat by blocks, more of them would not help,
    and that is what is said. A smoke run is told nothing: it decides nothing anyway.
    """
    if plan["profile"] == "smoke" or int(plan.get("blocks", 1)) > 1:
        return ""
    waiting: dict[bool, list[str]] = {True: [], False: []}
    for scenario in plan["scenarios"]:
        mine = [record for record in records if record.scenario == scenario["name"]]
        waiting[scenario.get("repeat") == "blocks"] += _waiting(scenario, mine, str(plan["profile"]))
    parts = []
    if waiting[True]:
        more = f"nnbench run bench --blocks {BLOCKS_LEAST} -o DIR"
        parts.append(f"One block decides nothing about time. For {_list(waiting[True])}: {more}")
    if waiting[False]:
        parts.append(
            f"{_list(waiting[False])} cannot be decided as planned: give the scenario repeat='blocks'"
        )
    return ". ".join(parts)


def _waiting(scenario: Mapping[str, Any], records: Sequence[Record], profile: str) -> list[str]:
    """The texts of the claims about time that are open for want of blocks."""
    try:
        judged = judge(claims_of(scenario)[0], records, profile)
    except RecordError:
        return []
    return [
        of.claim.text
        for of in judged
        if of.verdict == UNDECIDED and of.claim.of.nature in TIMED and of.n < BLOCKS_LEAST
    ]


def _list(texts: Sequence[str]) -> str:
    return ", ".join(f"'{text.rstrip('.')}'" for text in texts)
