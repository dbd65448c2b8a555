"""Scenarios: a statement of the lecture, made falsifiable; and how much a run of them does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nnbench.claims.claim import Claim
from nnbench.claims.slope import factor_of
from nnbench.config import Arm, ConfigError, Probe, closest
from nnbench.records import SCHEMA_VERSION

PROFILES = ("smoke", "quick", "lecture", "full")
# Per arm that learns: from 6 on, a t interval is narrow enough to be of use.
SEEDS: Mapping[str, int] = {"smoke": 1, "quick": 6, "lecture": 10, "full": 10}
# Fresh processes for what is timed: from 6 on there is a test, and 15 find 5 % where blocks spread by 5 %.
BLOCKS: Mapping[str, int] = {"smoke": 1, "quick": 6, "lecture": 10, "full": 15}
REPEATS = ("once", "seeds", "blocks")
AXES = ("epochs", "steps", "samples", "seconds", "parameters", "receptive field", "nothing")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A statement of the lecture, the question that makes it falsifiable, and what is measured for it.

    Attributes:
        name: short; ``test_<name>`` (with _ for -) in the same file is its test function.
        statement: what the lecture says.
        question: what would have to be seen if it were false.
        axis: on what the arms are equal, one of `AXES`.
        arms: profile -> arms; without ``lecture``, that has the arms of ``quick``.
        claims: judged from the records of one run.
        plots: names of figures, see `nnbench.plots`.
        factor: the column that the arms differ in (``batch_size``, ``model_args.depth``): the x of plots.
        repeat: "once" (exact things), "seeds" (learning), "blocks" (timing): block b runs every arm once,
            under seed b. The other two run in one block only.
        remember: what to take away, in a sentence or two.
        inexact: where the slide says more, or something else, than is so.
        slides: numbers of the lecture's slides that it measures, keys of `nnbench.lecture.SLIDES`.
        source: where the expectations of its claims come from, unless they say.
        may_diverge: names of arms whose divergence is a result and no failure.

    Raises:
        ConfigError: a profile without arms, two arms of one name, an unknown axis or repeat, a claim about
            an arm that no profile has, or over a factor that one of its arms has not.
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
    inexact: str = ""
    slides: Sequence[str] = ()
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arms", {"lecture": self.arms.get("quick", ()), **self.arms})
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
        for claim in self.claims:
            self._check_factor(claim)

    def _check_profile(self, profile: str, arms: Sequence[Arm | Probe]) -> None:
        if not arms:
            raise ConfigError(f"{self.name}: no arms for the profile {profile!r}")
        names = [arm.name for arm in arms]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{self.name}: two arms of profile {profile!r} are named {name!r}")

    def _check_factor(self, claim: Claim) -> None:
        for arm in (arm for arms in self.arms.values() for arm in arms if claim.over):
            # how many samples the whole set has is known from the records only
            if arm.name in claim.arms and factor_of(arm.config(), claim.over, {"train": 1}) is None:
                raise ConfigError(
                    f"{self.name}: claim {claim.text!r} needs a number above 0 in {claim.over}, and arm "
                    f"{arm.name!r} has none; name another field in over=, or other arms"
                )

    def claims_in(self, profile: str) -> list[Claim]:
        """The claims about arms that *profile* has: of the others a run of it has nothing to say.

        Each has its slide and its source, its own or the scenario's.
        """
        names = {arm.name for arm in self.arms[profile]}
        return [self._told(claim) for claim in self.claims if names.issuperset(claim.arms)]

    def _told(self, claim: Claim) -> Claim:
        slide = claim.slide or next(iter(self.slides), "")
        return replace(claim, slide=slide, source=claim.source or self.source)

    def plan(self, arms: Sequence[Arm | Probe], profile: str) -> dict[str, Any]:
        """What run.json says of this scenario and the *arms* of *profile* that will run, rates resolved.

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
            "inexact": self.inexact,
            "slides": list(self.slides),
            "plots": list(self.plots),
            "claims": [claim.to_json() for claim in self.claims_in(profile)],
            "arms": [{"name": arm.name, "id": arm.id, **arm.config()} for arm in arms],
            "may_diverge": list(self.may_diverge),
        }


def run_plan(
    scenarios: Sequence[Mapping[str, Any]],
    *,
    profile: str,
    command: str,
    version: str,
    seeds: int | None,
    first_seed: int = 0,
    blocks: int = 1,
    threads: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The content of run.json, written before the first arm.

    Args:
        scenarios: what `Scenario.plan` says of each.
        seeds: per arm that learns; None for the profile's own number. They count from *first_seed*.
        blocks: fresh processes for the scenarios that repeat by blocks.
        threads: scenario -> arm -> the threads chosen for it and what was tried, where they were chosen.
    """
    chosen = {"threads": dict(threads)} if threads else {}
    return {
        "schema_version": SCHEMA_VERSION,
        "nnbench_version": version,
        "command": command,
        "profile": profile,
        "seeds": seeds or SEEDS[profile],
        "first_seed": first_seed,
        "blocks": blocks,
        **chosen,
        "scenarios": list(scenarios),
    }
