"""A claim: a sentence of the lecture that could turn out false, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nnbench.config import Arm, ConfigError, closest
from nnbench.metrics import METRICS, Metric

# Of these the unit is the block, and what counts is the ratio.
TIMED = ("timed", "energy")

# kind -> fewest and most arms, and what it takes beside text, metric and arms
_KINDS: Mapping[str, tuple[int, int | None, tuple[str, ...]]] = {
    "compare": (2, 2, ("direction", "margin")),
    "order": (2, None, ("direction", "margin")),
    "exact": (1, 1, ("value", "margin")),
    "between": (1, 1, ("low", "high")),
    "equivalent": (2, 2, ("margin",)),
    "slope": (3, None, ("over", "low", "high")),
    "rate": (1, 1, ("direction", "value", "low", "high")),
}
KINDS = tuple(_KINDS)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of the lecture that could turn out false.

    Kinds:
        compare: ``arms[0]`` is better than ``arms[1]`` in *metric*, by more than the margin.
        order: each of *arms* is better than the next.
        exact: *metric* of ``arms[0]`` is exactly *value*; with a margin, up to it: the rounding of print.
        between: *metric* of ``arms[0]`` lies between *low* and *high*: of what is learned its mean over the
            seeds, with its interval.
        equivalent: ``arms[0]`` and ``arms[1]`` differ by less than the margin.
        slope: *metric* grows with the factor *over* as its power, the exponent between *low* and *high*.
        rate: the share of seeds in which *metric* of ``arms[0]`` is at least *value* (at most, where lower
            is better) lies between *low* and *high*. Of a metric that is a share of trials already, as
            `Metric.nature` says, the share itself does; it takes no *value*.

    Attributes:
        direction: "higher" or "lower"; left empty, the metric's own better direction.
        margin: in the metric's recorded unit; left out, the metric's margin for the profile. Of a time or
            an energy it is a share: left out, differences below 2 % do not count; a margin of a claim's own
            m asks for more: better by the factor 1 + m, significantly; equivalent within that share.
        value: what an exact claim states, or the bar of a rate, in the metric's recorded unit.
        over: an arm's field, as `Scenario.factor` names it: ``batch_size``, ``model_args.depth``.
        low: least value, exponent or share; None for no bound.
        high: greatest value, exponent or share; None for no bound.
        slide: number of the lecture's slide that says so, a key of `nnbench.lecture.SLIDES`; left empty, the
            first of its scenario's.
        source: where the expectation comes from: a paper with its equation, "arithmetic".

    Raises:
        ConfigError: an unknown kind or metric, a number of arms that the kind does not take, a field that
            is missing, means nothing to the kind, or has no sensible value.
    """

    text: str
    kind: str
    metric: str
    arms: tuple[str, ...]
    direction: str = ""
    margin: float | None = None
    value: float | None = None
    over: str = ""
    low: float | None = None
    high: float | None = None
    slide: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        arms: Any = self.arms  # from JSON it may be anything
        object.__setattr__(self, "arms", (arms,) if isinstance(arms, str) else tuple(arms))
        if self.kind not in _KINDS:
            hint = closest(str(self.kind), KINDS)
            raise ConfigError(f"claim kind: unknown {self.kind!r}; {hint}known: {', '.join(KINDS)}")
        if self.metric not in METRICS:
            hint = closest(str(self.metric), list(METRICS))
            raise ConfigError(f"claim metric: unknown {self.metric!r}; {hint}known: {', '.join(METRICS)}")
        if self.direction not in ("", "higher", "lower"):
            raise ConfigError(f"claim direction: expected higher or lower, got {self.direction!r}")
        self._check_arms()
        self._check_fields()
        if self.kind in ("compare", "order", "rate") and not (self.direction or self.of.better):
            raise self._wrong(f"{self.metric} has no better end; name a direction")
        self._check_margin()
        self._check_value()
        self._check_bounds()

    @property
    def of(self) -> Metric:
        """The metric that it is about."""
        return METRICS[self.metric]

    @property
    def higher(self) -> bool:
        """Whether more is better; of a metric without a better end, for a claim that needs none, True."""
        return (self.direction or self.of.better or "higher") == "higher"

    @property
    def timed(self) -> bool:
        """Whether it is judged from the ratios of blocks."""
        return self.of.nature in TIMED and self.kind != "exact"

    def to_json(self) -> dict[str, Any]:
        """Plain values for run.json; ``Claim(**values)`` makes the claim again."""
        return {**self.__dict__, "arms": list(self.arms)}

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(f"claim {self.text!r}: {what}")

    def _check_arms(self) -> None:
        least, most, _ = _KINDS[self.kind]
        if len(self.arms) < least:
            raise self._wrong(f"{self.kind} needs more arms than {len(self.arms)}: {_count(least, most)}")
        if most is not None and len(self.arms) > most:
            raise self._wrong(
                f"{self.kind} takes {_count(least, most)}, got {len(self.arms)}; for more, take kind order"
            )
        for name in self.arms:
            if not isinstance(name, str) or self.arms.count(name) > 1:
                raise self._wrong(f"arms: expected names, each once, got {name!r} in {list(self.arms)}")

    def _check_fields(self) -> None:
        """Refuse what means nothing to the kind: it would look as if it counted."""
        takes = _KINDS[self.kind][2]
        for name in ("direction", "margin", "value", "over", "low", "high"):
            if getattr(self, name) not in (None, "") and name not in takes:
                raise self._wrong(
                    f"{name}={getattr(self, name)!r} means nothing to a claim of kind {self.kind}, "
                    f"which takes {', '.join(takes)}; leave it out"
                )

    def _check_margin(self) -> None:
        if self.margin is None:
            if self.kind == "equivalent" and not (self.of.margin or self.of.nature in (*TIMED, "memory")):
                raise self._wrong(f"{self.metric} has no margin of its own; give margin= in its unit")
            return
        margin, share = self._number("margin"), self.of.nature in TIMED
        if self.kind == "exact" and margin <= 0:
            raise self._wrong(f"margin of an exact claim: expected a number above 0, got {margin:g}")
        if self.kind == "equivalent" and (margin <= 0 or (share and margin >= 1)):
            expected = "a share between 0 and 1, such as 0.05" if share else "a number above 0"
            raise self._wrong(f"margin of an equivalence: expected {expected}, got {margin:g}")
        if share and margin <= -1:
            raise self._wrong(f"margin of {self.metric}: expected a share such as 0.5 (half), got {margin:g}")

    def _check_value(self) -> None:
        if "value" not in _KINDS[self.kind][2]:
            return
        if self.of.nature == "share" and self.kind == "rate":
            if self.value is not None:
                raise self._wrong(f"{self.metric} is a share of trials already: leave value= out")
            return
        if self.value is None:
            kind = "an exact claim" if self.kind == "exact" else "a rate"
            raise self._wrong(f"{kind} needs a value: give value= in the unit of {self.metric}")
        self._number("value")
        if self.kind == "rate" and self.of.nature != "learned":
            raise self._wrong(
                f"a rate counts seeds, and {self.metric} is {self.of.nature}; take a learned metric "
                "such as validation_accuracy, or one that is a share of trials"
            )

    def _check_bounds(self) -> None:
        if "low" not in _KINDS[self.kind][2]:
            return
        if self.kind == "slope":
            self._check_over()
        if self.kind == "between" and self.timed:
            raise self._wrong(
                f"{self.metric} is {self.of.nature}: elsewhere it is another one; compare it with an arm's"
            )
        ends = [name for name in ("low", "high") if getattr(self, name) is not None]
        if not ends:
            raise self._wrong(f"a {self.kind} needs low=, high= or both: without, nothing could refute it")
        low, high = (self._number(n) if n in ends else e for n, e in (("low", -math.inf), ("high", math.inf)))
        if low >= high:
            raise self._wrong(f"low must be below high, got {low:g} and {high:g}")
        if self.kind == "rate" and not (low < 1 and high > 0 and (low > 0 or high < 1)):
            raise self._wrong(
                f"a share lies between 0 and 1, so bounds of {low:g} to {high:g} could not be shown or not "
                "be refuted; give low= below 1, high= above 0, and at least one between"
            )

    def _check_over(self) -> None:
        known = [item.name for item in fields(Arm)]
        head = self.over.split(".")[0] if isinstance(self.over, str) else ""
        if head not in (*known, "args"):
            raise self._wrong(
                f"over: expected a field of an arm such as batch_size or model_args.depth; "
                f"{closest(head, known)}got {self.over!r}"
            )

    def _number(self, name: str) -> float:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self._wrong(f"{name}: expected a finite number, got {value!r}")
        return float(value)


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more arms"
    return f"{least} arm{'s' if least != 1 else ''}"
