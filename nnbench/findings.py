"""What the numbers say: verdicts and plain sentences, computed from records. Pure functions."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nnbench.claims import NOT_RUN, Claim, judge
from nnbench.config import ConfigError
from nnbench.metrics import heading, metric, number
from nnbench.records import OK, Record, differences
from nnbench.stats import Estimate, binomial_error, mean_interval, paired_difference

ACCURACY = "validation_accuracy"
SEEDS_FOR_SMALL_DIFFERENCES = 6
# axis of equality -> the metric that counts it
AXIS_METRICS = {
    "epochs": "epochs", "steps": "steps", "samples": "samples", "seconds": "train_s",
    "parameters": "parameters", "receptive field": "receptive_field",
}  # fmt: skip
_EQUAL = 0.02  # arms within 2 % are equal


def values_of(records: Sequence[Record], arm: str, name: str) -> dict[tuple[int, int], float]:
    """(seed, block) -> metric *name* in its recorded unit, of the OK records of *arm*."""
    found = {
        (r.seed, r.block): r.metrics.get(name) for r in records if r.arm["name"] == arm and r.status == OK
    }
    return {key: float(value) for key, value in found.items() if value is not None}


def arms_of(records: Sequence[Record]) -> list[str]:
    """Names of the arms, in the order of first appearance."""
    return list(dict.fromkeys(str(record.arm["name"]) for record in records))


def _means(records: Sequence[Record], name: str) -> dict[str, float]:
    columns = {arm: list(values_of(records, arm, name).values()) for arm in arms_of(records)}
    centre = statistics.fmean if metric(name).nature == "learned" else statistics.median
    return {arm: centre(values) for arm, values in columns.items() if values}


def best_arm(records: Sequence[Record]) -> tuple[str, float] | None:
    """The arm with the highest mean validation accuracy, and that share; None where nothing learned."""
    means = _means(records, ACCURACY)
    return max(means.items(), key=lambda item: item[1]) if means else None


def sentences(records: Sequence[Record], profile: str, may_diverge: Sequence[str] = ()) -> list[str]:
    """What the records of one scenario say, in plain words, each with its uncertainty."""
    found = [
        *_accuracy_sentences(records, profile),
        *_time_sentences(records),
        *_target_sentences(records),
        *_exact_sentence(records, "parameters"),
        *_exact_sentence(records, "receptive_field"),
        *_exact_sentence(records, "macs"),
        *_failure_sentences(records, may_diverge),
        *_doubt_sentences(records),
    ]  # fmt: skip
    return found or ["Nothing was measured."]


def _accuracy_sentences(records: Sequence[Record], profile: str) -> list[str]:
    ranked = sorted(_means(records, ACCURACY).items(), key=lambda item: -item[1])
    if not ranked:
        return []
    best, share = ranked[0]
    seeds = len(values_of(records, best, ACCURACY))
    of = f"mean of {seeds} seeds" if seeds > 1 else "one seed"
    text = f"{best} has the highest validation accuracy: {share * 100:.1f}\u00a0% ({of})."
    if len(ranked) == 1:
        return [text]
    return [f"{text} {_margin_text(records, best, ranked[1][0], profile)}"]


def _margin_text(records: Sequence[Record], best: str, second: str, profile: str) -> str:
    a, b = values_of(records, best, ACCURACY), values_of(records, second, ACCURACY)
    both = sorted(set(a) & set(b))
    if not both:
        return f"Next is {second}, with no seed in common."
    gap = paired_difference([a[key] for key in both], [b[key] for key in both])
    margin = metric(ACCURACY).margin.get(profile, 0.0)
    head = f"Next is {second}, {gap.centre * 100:.1f} points lower"
    if gap.low is None or gap.high is None:
        return f"{head}; from one seed there is no interval."
    head += f" (95 % interval {gap.low * 100:.1f} to {gap.high * 100:.1f}, paired by seed)"
    return f"{head}: {_against_margin(gap, margin)}"


def _against_margin(gap: Estimate, margin: float) -> str:
    bar = f"the margin of {margin * 100:.1f} point{'' if margin == 0.01 else 's'}"
    if gap.low is not None and gap.low > margin:
        return f"more than {bar}."
    if gap.high is not None and gap.high < margin:
        return f"less than {bar}, so the two are equally good for this purpose."
    return f"the interval does not clear {bar}, so the order of these two is not settled."


def _time_sentences(records: Sequence[Record]) -> list[str]:
    ranked = sorted(_means(records, "train_s").items(), key=lambda item: item[1])
    if len(ranked) < 2 or ranked[0][1] <= 0:
        return []
    if unlike := _unlike(records, "train_s"):
        return [f"Training times are not compared: {unlike}."]
    (fast, least), (slow, most) = ranked[0], ranked[-1]
    blocks = len({record.block for record in records})
    doubt = " One block gives no verdict about time." if blocks == 1 else ""
    return [
        f"{fast} trains fastest: {number(least)} s. {slow} takes {number(most)} s, "
        f"{number(most / least)} times as long.{doubt}"
    ]


def _unlike(records: Sequence[Record], name: str) -> str:
    """Why the times *name* of *records* may not be ranked; empty where they may."""
    timed = [record for record in records if record.status == OK and record.metrics.get(name) is not None]
    return "; ".join(dict.fromkeys(text for record in timed for text in differences(timed[0], record)))


def _target_sentences(records: Sequence[Record]) -> list[str]:
    ranked = sorted(_means(records, "target_s").items(), key=lambda item: item[1])
    if not ranked or _unlike(records, "target_s"):
        return []
    targets = {r.arm.get("target_accuracy") for r in records if r.arm.get("target_accuracy")}
    goal = f"{next(iter(targets)):.0%} accuracy" if len(targets) == 1 else "the target accuracy"
    return [f"{ranked[0][0]} reaches {goal} first, after {number(ranked[0][1])} s of training."]


def _exact_sentence(records: Sequence[Record], name: str) -> list[str]:
    means = _means(records, name)
    if len(means) < 2:
        return []
    least, most = min(means.values()), max(means.values())
    label, unit = metric(name).label.capitalize(), metric(name).unit
    unit = f" {unit}" if unit else ""
    if least == most:
        return [f"{label}: {least:,.0f}{unit} in every arm."]
    few, many = (_some([a for a, value in means.items() if value == end]) for end in (least, most))
    ratio = f", {number(most / least)} times as many" if least > 0 and not unit else ""
    return [f"{label}: from {least:,.0f}{unit} ({few}) to {most:,.0f}{unit} ({many}){ratio}."]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _failure_sentences(records: Sequence[Record], may_diverge: Sequence[str]) -> list[str]:
    found = []
    for arm in arms_of(records):
        mine = [record for record in records if record.arm["name"] == arm]
        for status, count in Counter(r.status for r in mine if r.status != OK).items():
            reason = next(record.reason for record in mine if record.status == status)
            expected = " This was expected." if status == "DIVERGED" and arm in may_diverge else ""
            found.append(f"{arm}: {status} in {count} of {len(mine)} ({reason}).{expected}")
    return found


def _doubt_sentences(records: Sequence[Record]) -> list[str]:
    best = best_arm(records)
    if best is None:
        return []
    found = []
    sizes = {int(r.data["validation"]) for r in records if r.data.get("validation")}
    if len(sizes) == 1:
        n = sizes.pop()
        error = binomial_error(min(1.0, best[1]), n) * 100
        found.append(
            f"The validation set has {n:,} images: counting them has a standard error of {error:.1f} points "
            f"at {best[1] * 100:.0f}\u00a0%, whatever the number of seeds."
        )
    seeds = max(len({key[0] for key in values_of(records, arm, ACCURACY)}) for arm in arms_of(records))
    if seeds < SEEDS_FOR_SMALL_DIFFERENCES:
        head = (
            "One seed says nothing about chance"
            if seeds == 1
            else f"With {seeds} seeds the intervals are wide"
        )
        found.append(
            f"{head}: small differences are not to be believed; take {SEEDS_FOR_SMALL_DIFFERENCES} or more."
        )
    return found


def equality(records: Sequence[Record], axis: str) -> str:
    """On what the arms are equal, and whether they are: the first thing to ask of a comparison."""
    name = AXIS_METRICS.get(axis)
    if name is None:
        return "The arms are equal in nothing that is counted here: read the other columns too."
    means = _means(records, name)
    if not means:
        return f"The arms are meant to be equal in {axis}, which was not measured."
    low, high = min(means.values()), max(means.values())
    if high <= low * (1 + _EQUAL):
        return f"The arms are equal in {axis}; in what else they differ stands beside it."
    return (
        f"The arms are meant to be equal in {axis}, but {axis} range from {number(low)} to {number(high)}: "
        "weigh the comparison accordingly."
    )


def axes_rows(records: Sequence[Record], axis: str) -> list[dict[str, str]]:
    """One row per arm: the axis of equality first, then the other axes, as text."""
    first = AXIS_METRICS.get(axis)
    names = [first] if first else []
    names += [name for name in AXIS_METRICS.values() if name != first]
    columns = {name: _means(records, name) for name in names}
    rows = []
    for arm in arms_of(records):
        row = {"arm": arm}
        for name, means in columns.items():
            if means:
                row[heading(metric(name))] = _count_text(name, means[arm]) if arm in means else "–"
        rows.append(row)
    return rows


def _count_text(name: str, value: float) -> str:
    whole = metric(name).nature != "timed" and float(value).is_integer()
    return f"{value:,.0f}" if whole else number(value)


def verdict_rows(records: Sequence[Record], plan: Mapping[str, Any], profile: str) -> list[dict[str, str]]:
    """One row per claim of a scenario's *plan*: the claim, its verdict, and the reason."""
    claims: list[Claim] = []
    unknown: list[dict[str, str]] = []
    for values in plan.get("claims", ()):
        try:
            claims.append(Claim(**{**values, "arms": tuple(values["arms"])}))
        except (ConfigError, TypeError, KeyError) as error:
            reason = f"this nnbench cannot judge it: {error}"
            unknown.append({"claim": str(values.get("text")), "verdict": NOT_RUN, "reason": reason})
    judged = judge(claims, records, profile)
    return [{"claim": v.claim.text, "verdict": v.verdict, "reason": v.reason} for v in judged] + unknown


def counts(plan: Mapping[str, Any], records: Sequence[Record]) -> dict[str, int]:
    """Count the plan: planned = OK + expected + failed + SKIPPED + missing.

    ``expected`` are arms that diverged as their scenario foretold; ``missing`` were planned and have
    no record: the run was cut off.
    """
    found = {"planned": 0, "OK": 0, "expected": 0, "failed": 0, "SKIPPED": 0, "missing": 0}
    names = {str(scenario["name"]) for scenario in plan["scenarios"]}
    for scenario in plan["scenarios"]:
        expected = scenario.get("may_diverge", ())
        for arm in scenario["arms"]:
            mine = [r for r in records if (r.scenario, r.arm["name"]) == (scenario["name"], arm["name"])]
            _count(found, mine, _planned(plan, scenario, arm), arm["name"] in expected)
    loose = [record for record in records if record.scenario not in names]
    _count(found, loose, len(loose), False)
    return found


def _planned(plan: Mapping[str, Any], scenario: Mapping[str, Any], arm: Mapping[str, Any]) -> int:
    learns = scenario.get("repeat", "seeds") == "seeds" and arm.get("kind") != "probe"
    return int(plan.get("seeds", 1)) if learns else 1


def _count(found: dict[str, int], records: Sequence[Record], planned: int, expected: bool) -> None:
    found["planned"] += max(planned, len(records))
    found["missing"] += max(0, planned - len(records))
    for record in records:
        if record.status in (OK, "SKIPPED"):
            found[record.status] += 1
        else:
            found["expected" if expected and record.status == "DIVERGED" else "failed"] += 1


def interval_text(samples: Sequence[float]) -> str:
    """'88.4 ± 0.3' of samples in the unit of print; without ± below two."""
    of = mean_interval(samples)
    if of.low is None or of.high is None:
        return f"{of.centre:.1f}"
    return f"{of.centre:.1f} ± {(of.high - of.low) / 2:.1f}"
