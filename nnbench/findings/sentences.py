"""What the records of a scenario say, in plain words."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence

from nnbench.claims import by_block, interval_text, ratio_number, runs_by_arm
from nnbench.findings.centres import ACCURACY, arms_of, best_arm, means, values_of
from nnbench.findings.choosing import ARMS_MOST
from nnbench.metrics import metric, number
from nnbench.records import OK, Record, differences, records_by_arm
from nnbench.stats import (
    BLOCKS_LEAST,
    Estimate,
    binomial_error,
    block_ratio,
    paired_difference,
)
from nnbench.time_to_accuracy import times_to_accuracy

SEEDS_FOR_SMALL_DIFFERENCES = 6


def sentences(records: Sequence[Record], profile: str, may_diverge: Sequence[str] = ()) -> list[str]:
    """What the records of one scenario say, in plain words, each with its uncertainty."""
    found = [
        *_comparisons(records, profile),
        *_exact_sentence(records, "parameters"),
        *_exact_sentence(records, "receptive_field"),
        *_exact_sentence(records, "macs"),
        *_failure_sentences(records, may_diverge),
        *_doubt_sentences(records),
    ]  # fmt: skip
    measured = any(record.status == OK for record in records)  # a probe's own metrics stand in the table
    return found if measured else found or ["Nothing was measured."]


def _comparisons(records: Sequence[Record], profile: str) -> list[str]:
    """Who is ahead; where a scenario has several data sets, on each of them: they do not compare."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record.arm.get("data"):
            groups.setdefault(str(record.arm["data"]), []).append(record)
    if len(groups) < 2:
        return _of_one_data_set(records, profile)
    return [f"{data}: {text}" for data, mine in groups.items() for text in _of_one_data_set(mine, profile)]


def _of_one_data_set(records: Sequence[Record], profile: str) -> list[str]:
    return [
        *_accuracy_sentences(records, profile),
        *_time_sentences(records),
        *_target_sentences(records),
    ]


def _accuracy_sentences(records: Sequence[Record], profile: str) -> list[str]:
    ranked = sorted(means(records, ACCURACY).items(), key=lambda item: -item[1])
    if not ranked:
        return []
    best, share = ranked[0]
    seeds = len(_by_seed(records, best))
    of = f"mean of {seeds} seeds" if seeds > 1 else "one seed"
    text = f"{best} has the highest validation accuracy: {share * 100:.1f}\u00a0% ({of})."
    if len(ranked) == 1:
        return [text]
    return [f"{text} {_margin_text(records, best, ranked[1][0], profile)}"]


def _margin_text(records: Sequence[Record], best: str, second: str, profile: str) -> str:
    a, b = _by_seed(records, best), _by_seed(records, second)
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


def _by_seed(records: Sequence[Record], arm: str) -> dict[int, float]:
    """Seed -> mean accuracy over the blocks in which *arm* ended well."""
    values = values_of(records, arm, ACCURACY)
    seeds = sorted({seed for seed, _ in values})
    return {seed: statistics.fmean(x for (s, _), x in values.items() if s == seed) for seed in seeds}


def _against_margin(gap: Estimate, margin: float) -> str:
    bar = f"the margin of {margin * 100:.1f} point{'' if margin == 0.01 else 's'}"
    if gap.low is not None and gap.low > margin:
        return f"more than {bar}."
    if gap.high is not None and gap.high < margin:
        return f"less than {bar}, so the two are equally good for this purpose."
    return f"the interval does not clear {bar}, so the order of these two is not settled."


def _time_sentences(records: Sequence[Record]) -> list[str]:
    ranked = sorted(means(records, "train_s").items(), key=lambda item: item[1])
    if len(ranked) < 2 or ranked[0][1] <= 0:
        return []
    if unlike := _unlike(records, "train_s"):
        return [f"Training times are not compared: {unlike}."]
    (fast, least), (slow, most) = ranked[0], ranked[-1]
    head = f"{fast} trains fastest: {number(least)} s. {slow} takes {number(most)} s"
    return [f"{head}, {_ratio_text(records, (slow, fast), most / least)}"]


def _ratio_text(records: Sequence[Record], names: tuple[str, str], ratio: float) -> str:
    """How many times as long the first arm takes; it is no verdict, since nobody has claimed it before."""
    rows = by_block(names, runs_by_arm(records), "train_s").rows
    if len(rows) < BLOCKS_LEAST or not all(x > 0 for row in rows for x in row):
        have = f"{len(rows)} block{'s' if len(rows) != 1 else ''}"
        more = f"{have}, and an interval needs {BLOCKS_LEAST}: nnbench run --blocks {BLOCKS_LEAST}"
        return f"{number(ratio)} times as long ({more})."
    found = block_ratio([row[0] for row in rows], [row[1] for row in rows])
    of = found.ratio
    if of.low is None or of.high is None:
        return f"{ratio_number(of.centre)} times as long ({found.reason})."
    return (
        f"{ratio_number(of.centre)} times as long (95 % interval {interval_text(of, ratio_number)}, {of.n} "
        "blocks; exploratory, no verdict: only a claim, made before the run, gets one)."
    )


def _unlike(records: Sequence[Record], name: str) -> str:
    """Why the times *name* of *records* may not be ranked; empty where they may."""
    timed = [record for record in records if record.status == OK and record.metrics.get(name) is not None]
    return "; ".join(dict.fromkeys(text for record in timed for text in differences(timed[0], record)))


def _target_sentences(records: Sequence[Record]) -> list[str]:
    if _unlike(records, "target_s"):
        return []
    found, texts = times_to_accuracy(records), []
    for goal in dict.fromkeys(of.target for of in found):
        # by the mean over seeds, as in the table: a recipe that misses once is not first
        steady = [(of.seconds.centre, of) for of in found if of.target == goal and of.seconds]
        least, first = min(steady, key=lambda item: item[0], default=(math.inf, None))
        if first is not None and math.isfinite(least):
            seeds = f", mean of {first.seeds} seeds" if first.seeds > 1 else ""
            texts.append(
                f"{first.arm} reaches {goal:.0%} accuracy first, after {number(least)} s of training{seeds}."
            )
    return texts


def _exact_sentence(records: Sequence[Record], name: str) -> list[str]:
    found = means(records, name)
    if len(found) < 2:
        return []
    least, most = min(found.values()), max(found.values())
    label, unit = metric(name).label.capitalize(), metric(name).unit
    unit = f" {unit}" if unit else ""
    if least == most:
        return [f"{label}: {least:,.0f}{unit} in every arm."]
    few, many = (_some([a for a, value in found.items() if value == end]) for end in (least, most))
    ratio = f", {number(most / least)} times as many" if least > 0 and not unit else ""
    return [f"{label}: from {least:,.0f}{unit} ({few}) to {most:,.0f}{unit} ({many}){ratio}."]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _failure_sentences(records: Sequence[Record], may_diverge: Sequence[str]) -> list[str]:
    arms = records_by_arm(records)
    if len(arms) > ARMS_MOST:
        return _failures_by_status(records, may_diverge)
    found = []
    for arm, mine in arms.items():
        for status, count in Counter(r.status for r in mine if r.status != OK).items():
            reason = next(record.reason for record in mine if record.status == status)
            expected = " This was expected." if status == "DIVERGED" and arm in may_diverge else ""
            found.append(f"{arm}: {status} in {count} of {len(mine)} ({reason}).{expected}")
    return found


def _failures_by_status(records: Sequence[Record], may_diverge: Sequence[str]) -> list[str]:
    """A sentence for each status, where one for each of very many arms would be a page."""
    found = []
    for status in dict.fromkeys(record.status for record in records if record.status != OK):
        mine = [record for record in records if record.status == status]
        arms = arms_of(mine)
        expected = sum(arm in may_diverge for arm in arms) if status == "DIVERGED" else 0
        text = f" This was expected of {expected} of these {len(arms):,} arms." if expected else ""
        head = f"{status} in {len(mine):,} of {len(records):,} measurements, by arm: {_some(arms)}"
        found.append(f"{head} (of the first: {mine[0].reason}).{text}")
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
    arms = records_by_arm(records)
    seeds = max(len({key[0] for key in values_of(mine, arm, ACCURACY)}) for arm, mine in arms.items())
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
