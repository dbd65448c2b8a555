"""What a run has to do, from its plan alone."""

import pytest

from nnbench.records import record_id
from nnbench.work import planned, seeds_in


@pytest.mark.parametrize(
    ("repeat", "kind", "block", "blocks", "expected"),
    [
        ("seeds", "training", 0, 1, (0, 1, 2)),
        ("seeds", "training", 0, 6, (0, 1, 2)),
        ("seeds", "training", 1, 6, ()),
        ("once", "training", 0, 6, (0,)),
        ("once", "probe", 0, 6, (0,)),
        ("once", "probe", 1, 6, ()),
        ("seeds", "probe", 0, 6, (0,)),
        ("blocks", "training", 0, 1, (0, 1, 2)),  # one block gives all its seeds
        ("blocks", "training", 0, 6, (0,)),
        ("blocks", "training", 5, 6, (5,)),
        ("blocks", "training", 7, 6, (7,)),  # an extra block
        ("blocks", "probe", 4, 6, (0,)),
        ("blocks", "probe", 0, 1, (0,)),
    ],
)
def test_the_seeds_of_a_block(repeat, kind, block, blocks, expected):
    assert seeds_in(repeat, kind == "training", block=block, blocks=blocks, seeds=3) == expected


def test_seeds_count_from_the_first():
    of = {"block": 0, "blocks": 1, "seeds": 3, "first": 10}
    assert seeds_in("seeds", True, **of) == seeds_in("blocks", True, **of) == (10, 11, 12)
    assert seeds_in("once", True, **of) == (10,)
    assert seeds_in("once", False, **of) == (0,)
    assert seeds_in("blocks", True, **{**of, "block": 2, "blocks": 6}) == (12,)


def test_a_run_does_everything_once():
    arms = [{"name": name, "id": f"{i:016x}", "kind": "training"} for i, name in enumerate("ab")]
    scenarios = [{"name": repeat, "repeat": repeat, "arms": arms} for repeat in ("once", "seeds", "blocks")]
    work = planned({"blocks": 4, "seeds": 3, "scenarios": scenarios})
    assert len(work) == len({each.id for each in work}) == 2 * (1 + 3 + 4)
    assert {each.scenario for each in work if each.timed} == {"blocks"}
    assert [
        each
        for block in range(4)
        for each in planned({"blocks": 4, "seeds": 3, "scenarios": scenarios}, block)
    ] == work
    last = work[-1]
    assert last.id == record_id("blocks", arms[1], 3, 3)


def test_a_plan_of_before_blocks_is_one_block():
    plan = {"seeds": 2, "scenarios": [{"name": "s", "arms": [{"name": "a", "id": "0" * 16}]}]}
    assert [(each.seed, each.block) for each in planned(plan)] == [(0, 0), (1, 0)]
