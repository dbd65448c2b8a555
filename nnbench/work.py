"""What a run has to do: which arm under which seed in which block; computed from its plan alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nnbench.records import record_id


@dataclass(frozen=True)
class Work:
    """One arm under one seed in one block: what leaves one record.

    Attributes:
        arm: as the plan has it, with name and id.
        timed: whether its scenario repeats by blocks, so that its times can decide.
    """

    scenario: str
    arm: Mapping[str, Any]
    seed: int
    block: int
    timed: bool

    @property
    def id(self) -> str:
        """The id of the record."""
        return record_id(self.scenario, self.arm, self.seed, self.block)


def is_seeded(arm: Mapping[str, Any]) -> bool:
    """Whether an arm, as the plan has it, runs under seeds: a training, or a probe that asks for them."""
    return arm.get("kind") != "probe" or arm.get("seeded") is True


def seeds_in(
    repeat: str, seeded: bool, *, block: int, blocks: int, seeds: int, first: int = 0
) -> tuple[int, ...]:
    """The seeds under which an arm runs in *block* of *blocks*.

    A scenario that repeats by ``blocks`` runs once in each, under the seed of the block's number: blocks pair
    its times and seeds its accuracies. All others run in block 0, under each seed or, with ``once``, under
    one. A run of a single block gives all its seeds to both. Seeds count from *first*; an arm that is not
    *seeded* has none, and its record says 0.
    """
    if repeat == "blocks" and (blocks > 1 or not seeded):
        return (first + block,) if seeded else (0,)
    if block:
        return ()
    if not seeded:
        return (0,)
    return tuple(range(first, first + seeds)) if repeat != "once" else (first,)


def planned(plan: Mapping[str, Any], block: int | None = None) -> list[Work]:
    """The work of *block*, or of all blocks, in the order of the plan."""
    blocks, first = int(plan.get("blocks", 1)), int(plan.get("first_seed", 0))
    return [
        Work(str(scenario["name"]), arm, seed, number, scenario.get("repeat") == "blocks")
        for number in (range(blocks) if block is None else (block,))
        for scenario in plan["scenarios"]
        for arm in scenario["arms"]
        for seed in seeds_in(
            str(scenario.get("repeat", "seeds")), is_seeded(arm),
            block=number, blocks=blocks, seeds=int(plan.get("seeds", 1)), first=first,
        )
    ]  # fmt: skip
