"""Scenarios and claims: what the lecture states, made falsifiable, and the verdict from records.

A claim is data. Its verdict is computed from records and never stored in them:

* A learned metric (accuracy, loss) is compared over paired seeds: the t interval of the differences at
  level 1 - 0.05/k for the k claims of the scenario that could err. SUPPORTED if it lies wholly beyond
  the margin, REFUTED if wholly short of it, else UNDECIDED. A diverged seed counts as a loss.
* An exact metric (parameters) is compared exactly; one record suffices.
* Time and memory need blocks (`nnbench.runner`): from one block they are UNDECIDED. Times of different
  machines, versions or launchers are NOT_COMPARABLE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nnbench.config import Arm, ConfigError, Probe, closest
from nnbench.metrics import METRICS, Metric, metric, number
from nnbench.records import OK, SCHEMA_VERSION, Record, differences
from nnbench.stats import Estimate, mean_interval

PROFILES = ("smoke", "quick", "full")
SEEDS: Mapping[str, int] = {"smoke": 1, "quick": 3, "full": 10}
REPEATS = ("once", "seeds", "blocks")
AXES = ("epochs", "steps", "samples", "seconds", "parameters", "receptive field", "nothing")

SUPPORTED, REFUTED, UNDECIDED, NOT_RUN = "SUPPORTED", "REFUTED", "UNDECIDED", "NOT RUN"
NOT_COMPARABLE = "NOT_COMPARABLE"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of the lecture that could turn out false.

    Kinds:
        compare: ``arms[0]`` is better than ``arms[1]`` in *metric*, by more than the margin.
        order: each of *arms* is better than the next.
        exact: *metric* of ``arms[0]`` is exactly *value*.

    Attributes:
        direction: "higher" or "lower"; left empty, the metric's own better direction.
        margin: in the metric's recorded unit; left out, the metric's margin for the profile.

    Raises:
        ConfigError: an unknown kind or metric, too few arms, an exact claim without a value.
    """

    text: str
    kind: str
    metric: str
    arms: tuple[str, ...]
    direction: str = ""
    margin: float | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "arms", tuple(self.arms))
        kinds = ("compare", "order", "exact")
        if self.kind not in kinds:
            raise ConfigError(f"claim kind: unknown {self.kind!r}; known: {', '.join(kinds)}")
        if self.metric not in METRICS:
            hint = closest(self.metric, list(METRICS))
            raise ConfigError(f"claim metric: unknown {self.metric!r}; {hint}known: {', '.join(METRICS)}")
        if self.direction not in ("", "higher", "lower"):
            raise ConfigError(f"claim direction: expected higher or lower, got {self.direction!r}")
        if self.kind != "exact" and not (self.direction or METRICS[self.metric].better):
            raise ConfigError(f"claim {self.text!r}: {self.metric} has no better end; name a direction")
        if self.kind == "exact" and self.value is None:
            raise ConfigError("an exact claim needs a value")
        if len(self.arms) < (1 if self.kind == "exact" else 2):
            raise ConfigError(f"claim {self.text!r}: {self.kind} needs more arms than {len(self.arms)}")

    def to_json(self) -> dict[str, Any]:
        """Plain values for run.json."""
        return {**self.__dict__, "arms": list(self.arms)}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A statement of the lecture, the question that makes it falsifiable, and what is measured for it.

    Attributes:
        name: short; ``test_<name>`` (with _ for -) in the same file is its test function.
        statement: what the lecture says.
        question: what would have to be seen if it were false.
        axis: on what the arms are equal, one of `AXES`.
        arms: profile -> arms.
        claims: judged from the records of one run.
        plots: names of figures, see `nnbench.plots`.
        factor: the column that the arms differ in (``batch_size``, ``model_args.depth``): the x of plots.
        repeat: "once" (exact things), "seeds" (learning), "blocks" (timing).
        remember: what to take away, in a sentence or two.
        may_diverge: names of arms whose divergence is a result and no failure.

    Raises:
        ConfigError: a profile without arms, two arms of one name, an unknown axis or repeat, a claim about
            an arm that no profile has.
    """

    name: str
    statement: str
    question: str
    axis: str
    arms: Mapping[str, Sequence[Arm | Probe]]
    claims: Sequence[Claim] = ()
    plots: Sequence[str] = ()
    factor: str = ""
    repeat: str = "seeds"
    remember: str = ""
    may_diverge: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.axis not in AXES:
            raise ConfigError(f"{self.name}: axis {self.axis!r}; expected one of {', '.join(AXES)}")
        if self.repeat not in REPEATS:
            raise ConfigError(f"{self.name}: repeat {self.repeat!r}; expected one of {', '.join(REPEATS)}")
        for profile in PROFILES:
            self._check_profile(profile, self.arms.get(profile, ()))
        known = list(dict.fromkeys(arm.name for arms in self.arms.values() for arm in arms))
        for name in (*(arm for claim in self.claims for arm in claim.arms), *self.may_diverge):
            if name not in known:
                hint = closest(name, known)
                raise ConfigError(f"{self.name}: no arm is named {name!r}; {hint}known: {', '.join(known)}")

    def _check_profile(self, profile: str, arms: Sequence[Arm | Probe]) -> None:
        if not arms:
            raise ConfigError(f"{self.name}: no arms for the profile {profile!r}")
        names = [arm.name for arm in arms]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{self.name}: two arms of profile {profile!r} are named {name!r}")

    def plan(self, arms: Sequence[Arm | Probe]) -> dict[str, Any]:
        """What run.json says of this scenario and the *arms* that will run, their rates resolved.

        It is enough to report the run after its bench file is gone.
        """
        return {
            "name": self.name,
            "statement": self.statement,
            "question": self.question,
            "axis": self.axis,
            "factor": self.factor,
            "repeat": self.repeat,
            "remember": self.remember,
            "plots": list(self.plots),
            "claims": [claim.to_json() for claim in self.claims],
            "arms": [{"name": arm.name, "id": arm.id, **arm.config()} for arm in arms],
            "may_diverge": list(self.may_diverge),
        }


def run_plan(
    scenarios: Sequence[Mapping[str, Any]], *, profile: str, command: str, version: str, seeds: int | None
) -> dict[str, Any]:
    """The content of run.json, written before the first arm.

    Args:
        scenarios: what `Scenario.plan` says of each.
        seeds: per arm that learns; None for the profile's own number.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "nnbench_version": version,
        "command": command,
        "profile": profile,
        "seeds": seeds or SEEDS[profile],
        "scenarios": list(scenarios),
    }


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the records say of a claim: the weakest pair of arms decides.

    Attributes:
        effect: how much better the first arm is, in the metric's recorded unit; None where there is none.
        reason: the sentence that explains the verdict.
    """

    claim: Claim
    verdict: str
    reason: str
    effect: Estimate | None = None


def judge(claims: Sequence[Claim], records: Sequence[Record], profile: str) -> list[Verdict]:
    """The verdict of each claim of one scenario, from that scenario's *records*."""
    sampled = sum(metric(claim.metric).nature != "exact" for claim in claims)
    level = 1 - 0.05 / max(1, sampled)
    return [_judge(claim, records, profile, level) for claim in claims]


def _judge(claim: Claim, records: Sequence[Record], profile: str, level: float) -> Verdict:
    by_arm = {name: {(r.seed, r.block): r for r in records if r.arm["name"] == name} for name in claim.arms}
    for name, found in by_arm.items():
        if not any(record.status in (OK, "DIVERGED") for record in found.values()):
            why = next((f"{r.status}: {r.reason}" for r in found.values()), "it was not run")
            return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{name}: {why}")
    if claim.kind == "exact":
        return _judge_exact(claim, list(by_arm[claim.arms[0]].values()))
    verdicts = [
        _judge_pair(claim, by_arm[a], by_arm[b], (a, b), profile, level) for a, b in pairwise(claim.arms)
    ]
    # One refuted pair refutes an order, whatever the others say; else a pair without evidence, or with
    # evidence that does not count, leaves more open than one that more seeds would decide.
    rank = (REFUTED, NOT_RUN, NOT_COMPARABLE, UNDECIDED, SUPPORTED)
    return min(verdicts, key=lambda verdict: rank.index(verdict.verdict))


def _judge_exact(claim: Claim, records: Sequence[Record]) -> Verdict:
    values = [v for v in (record.metrics.get(claim.metric) for record in records) if v is not None]
    if not values:
        return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{claim.metric} was not measured")
    found = next((value for value in values if value != claim.value), values[0])  # one that differs decides
    verdict = SUPPORTED if found == claim.value else REFUTED
    effect = Estimate(centre=found, low=found, high=found, n=1)
    return Verdict(claim=claim, verdict=verdict, effect=effect,
                   reason=f"found {found:,}, claimed {claim.value:,}")  # fmt: skip


_Runs = Mapping[tuple[int, int], Record]  # (seed, block) -> record


def _judge_pair(
    claim: Claim, a: _Runs, b: _Runs, names: tuple[str, str], profile: str, level: float
) -> Verdict:
    of = metric(claim.metric)
    sign = 1 if (claim.direction or of.better) == "higher" else -1
    pairs = [(a[run], b[run]) for run in sorted(set(a) & set(b))]
    found = [_difference(x, y, claim.metric) for x, y in pairs]
    gains = [sign * difference for difference in found if difference is not None]
    versus = f"{names[0]} against {names[1]}"
    if not gains:
        return Verdict(claim=claim, verdict=NOT_RUN, reason=f"{versus}: {claim.metric} was not measured")
    unlike = _unlike(pairs, of)
    if unlike:
        return Verdict(claim=claim, verdict=NOT_COMPARABLE, reason=f"{versus}: {unlike}")
    margin = of.margin.get(profile, 0.0) if claim.margin is None else claim.margin
    if of.nature == "exact":
        effect = Estimate(centre=gains[0], low=gains[0], high=gains[0], n=1)
    else:
        effect = mean_interval(gains, level)
    reason = f"{versus}: {_amount(effect, sign, of, level)}; margin {number(margin * of.scale)}"
    if of.nature in ("timed", "memory"):
        reason = f"{reason}; one block cannot decide about {of.label}: measure at least 6"
        return Verdict(claim=claim, verdict=UNDECIDED, reason=reason, effect=effect)
    lost = len(found) - len(gains)
    if lost and of.nature != "exact":
        reason = f"{reason}; {lost} of {len(found)} pairs have no {of.label}, since one of the two failed"
        return Verdict(claim=claim, verdict=UNDECIDED, reason=reason, effect=effect)
    if of.nature != "exact" and effect.n > 1 and effect.low == effect.high:
        reason = f"{reason}; all {effect.n} differences are identical, so their interval means nothing"
        return Verdict(claim=claim, verdict=UNDECIDED, reason=reason, effect=effect)
    return Verdict(claim=claim, verdict=_verdict(effect, margin), reason=reason, effect=effect)


def _unlike(pairs: Sequence[tuple[Record, Record]], of: Metric) -> str:
    """Why the times of *pairs* may not be compared; empty where they may, and for what is no time.

    Only measured pairs count: a failure may be recorded by another process than the one that failed.
    """
    if of.nature != "timed":
        return ""
    measured = [(x, y) for x, y in pairs if _difference(x, y, of.name) is not None]
    return "; ".join(dict.fromkeys(text for x, y in measured for text in differences(x, y)))


def _difference(a: Record, b: Record, name: str) -> float | None:
    x, y = (_learned_or_lost(record, name) for record in (a, b))
    return None if x is None or y is None else x - y


def _learned_or_lost(record: Record, name: str) -> float | None:
    """A diverged network predicts nothing: its accuracy counts as 0, so that the seed is a loss."""
    if record.status == "DIVERGED" and name.endswith("_accuracy"):
        return 0.0
    return record.metrics.get(name)


def _verdict(effect: Estimate, margin: float) -> str:
    if effect.low is None or effect.high is None:
        return UNDECIDED
    if effect.low > margin:
        return SUPPORTED
    return REFUTED if effect.high < margin or effect.low == effect.high else UNDECIDED


def _amount(effect: Estimate, sign: int, of: Metric, level: float) -> str:
    """'higher by 5.2 points (95 % interval 4.1 to 6.3, n = 3)'; the word follows what was found."""
    unit = "points" if of.unit == "%" else of.unit
    found = sign * effect.centre * of.scale
    text = f"{'higher' if found >= 0 else 'lower'} by {number(abs(found))} {unit}".rstrip()
    if effect.low is None or effect.high is None or effect.low == effect.high:
        return text
    facing = 1 if effect.centre >= 0 else -1
    ends = sorted(facing * end * of.scale for end in (effect.low, effect.high))
    interval = f"{100 * level:.4g}\u00a0% interval {number(ends[0])} to {number(ends[1])}"
    return f"{text} ({interval}, n = {effect.n})"
