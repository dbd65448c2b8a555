"""The live self-test on machines that are made up: what a campaign concludes, and how it is told."""

import itertools
import json
import math
import random

import pytest
from pytest_benchmark.utils import PercentageRegressionCheck

from nnbench.selftest import Design, lines, run_self_test
from nnbench.selftest.campaign import Pair, Side, gate_alarms, judge
from nnbench.stats import LESS, MORE, OPEN, SAME

ITERATIONS = 200_000
SMALL = Design(pairs=4, rounds=3)


class Machine:
    """Answers as a child would: an iteration takes 50 ns, times the noise of its block, side and round."""

    def __init__(self, *, block_sd=0.0, side_sd=0.004, bias=1.0, broken=()):
        self.block_sd, self.side_sd, self.bias, self.broken = block_sd, side_sd, bias, broken
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        if request.calibrate_s:
            return ITERATIONS
        rng = random.Random(request.seed)
        block = rng.lognormvariate(0, self.block_sd)
        return [[self._side(a, block, rng, request.rounds),
                 self._side(b * self.bias, block, rng, request.rounds)] for a, b in request.pairs]  # fmt: skip

    def _side(self, iterations, block, rng, rounds):
        side = block * rng.lognormvariate(0, self.side_sd)
        return [round(50 * iterations * side * rng.lognormvariate(0, 0.001)) for _ in range(rounds)]


def self_test(machine, campaigns=1, design=SMALL, **more):
    return run_self_test(campaigns, design=design, seed=1, ask=machine, **more)


def test_on_a_calm_machine_everything_is_found_and_nothing_else():
    found = self_test(Machine(block_sd=0.1))
    assert [row.alone for row in found.same] == [row.in_table for row in found.same] == [SAME] * 4
    assert [row.alone for row in found.more] == [row.in_table for row in found.more] == [MORE] * 4
    assert (found.false_alarms.centre, found.found.centre, found.found.n) == (0, 1, 4)
    assert found.covered.centre >= 0.75
    assert found.holds
    assert all(row.pair.true == pytest.approx(1.05, rel=1e-12) for row in found.more)


def test_the_gate_on_two_runs_calls_blocks_different_that_are_paired_well():
    alarms, hits = self_test(Machine(block_sd=0.1)).gate
    assert 0.2 < alarms < 0.5
    assert alarms < hits < 0.8
    assert self_test(Machine(side_sd=0.0001)).gate[0] == 0


def test_a_machine_that_favours_a_side_is_found_out():
    found = self_test(Machine(bias=1.1))
    assert found.false_alarms.centre == found.false_alarms_in_table.centre == 1
    assert (found.alarmed_tables.centre, found.alarmed_tables.n) == (1, 1)
    assert found.covered.centre == 0
    assert not found.holds
    assert "DO NOT HOLD" in lines(found)[-1]


def test_a_verdict_of_the_wrong_sign_is_no_find():
    found = self_test(Machine(bias=0.85))
    assert {row.alone for row in found.more} == {LESS}
    assert (found.found.centre, found.holds) == (0, False)


def test_a_machine_too_noisy_to_find_anything_does_not_hold():
    found = self_test(Machine(side_sd=0.3), design=Design(rounds=2))
    assert found.false_alarms.centre <= 0.10
    assert found.found_in_table.centre < 0.5
    assert not found.holds


def test_it_calibrates_once_and_every_block_is_asked_for_the_same_work_in_another_order():
    machine = Machine()
    found = self_test(machine, campaigns=2)
    first, *blocks = machine.requests
    assert (first.calibrate_s, first.pairs) == (0.010, ())
    assert len(blocks) == 2 * 15 == len({block.seed for block in blocks})
    assert {tuple(block.pairs) for block in blocks} == {((200_000, 200_000),) * 4 + ((200_000, 210_000),) * 4}
    assert {(block.rounds, block.calibrate_s) for block in blocks} == {(3, 0.0)}
    assert found.iterations == ITERATIONS


def test_campaigns_add_up_and_are_tables_of_their_own():
    found = self_test(Machine(), campaigns=3)
    assert len(found.same) == len(found.more) == found.found.n == 12
    raw = [row.found.p for row in found.more]
    tables = [raw[i : i + 4] for i in (0, 4, 8)]
    assert [row.p_holm for row in found.more] == pytest.approx(
        [
            max(sorted(table)[k] * (4 - k) for k in range(sorted(table).index(p) + 1))
            for table in tables
            for p in table
        ]
    )


def test_progress_is_told_after_each_block():
    told = []
    self_test(Machine(), campaigns=2, progress=lambda *at: told.append(at))
    assert told == [(i, 30) for i in range(1, 31)]


def test_left_as_it_is_a_campaign_is_what_was_agreed():
    machine = Machine()
    found = run_self_test(ask=machine)
    assert len(machine.requests[1:]) == 15
    assert all((len(r.pairs), r.rounds) == (40, 30) for r in machine.requests[1:])
    assert (len(found.same), len(found.more), found.campaigns) == (20, 20, 1)
    assert run_self_test(ask=machine).seed != found.seed


def test_it_is_strict_json_with_every_pair():
    found = self_test(Machine())
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (told["holds"], told["campaigns"], told["blocks"], told["seed"]) == (True, 1, 15, 1)
    assert told["found"] == {"centre": 1.0, "low": found.found.low, "high": 1.0, "n": 4}
    assert [row["alone"] for row in told["pairs_more"]] == ["more"] * 4
    assert told["pairs_more"][0].keys() >= {"true", "centre", "low", "high", "p", "p_holm", "spread", "n"}
    assert len(told["pairs_same"][3]["block_ratios"]) == 15
    assert told["minutes_per_verdict"] == pytest.approx(found.seconds / 60 / 8)


def test_it_is_told_in_words():
    text = "\n".join(lines(self_test(Machine(block_sd=0.1), campaigns=2)))
    assert text.startswith("2 campaigns of 15 blocks, sides of 3 rounds of 10 ms; B does +5% work; load ")
    assert (
        "false alarms on A/A      0 of 8 (0–37 %); by Holm 0 of 8 (0–37 %), in 0 of 2 (0–84 %) tables" in text
    )
    assert "+5% found on A/B         8 of 8 (63–100 %); by Holm in tables of 4 8 of 8 (63–100 %)" in text
    assert "minutes per verdict" in text
    assert "the statistics hold on this machine" in text


def test_few_blocks_leave_everything_open_and_prove_nothing():
    found = self_test(Machine(), design=Design(blocks=5, pairs=20, rounds=1))
    assert {row.alone for row in [*found.same, *found.more]} == {OPEN}
    assert {row.p_holm for row in found.same} == {None}
    assert not found.holds
    json.dumps(found.to_json(), allow_nan=False)


# judging


def test_a_row_without_a_test_takes_no_part_in_the_correction():
    rng = random.Random(1)
    blocks = [
        [(Side(1, 1), Side(1, 1)), *((Side(1, 1), Side(rng.lognormvariate(0.05, 0.03), 1)) for _ in "ab")]
        for _ in range(15)
    ]
    rows = judge(blocks, [1, 1.05, 1.05])
    assert (rows[0].found.p, rows[0].p_holm, rows[0].alone, rows[0].covered) == (None, None, OPEN, False)
    small, large = sorted([rows[1], rows[2]], key=lambda row: row.found.p)
    assert small.p_holm == pytest.approx(2 * small.found.p)
    assert large.p_holm == pytest.approx(max(large.found.p, small.p_holm))


def test_the_ratio_is_of_medians_and_the_gate_of_means():
    design = Design(blocks=15, pairs=1, rounds=3)

    def burst(request):
        jitter = random.Random(request.seed).uniform(0.999, 1.001)
        a = [1000, 1000, 1000]
        return ITERATIONS if request.calibrate_s else [[a, [1000 * jitter, 1000 * jitter, 5000]]] * 2

    found = run_self_test(design=design, seed=1, ask=burst)
    assert found.same[0].found.ratio.centre == pytest.approx(1, abs=0.001)
    assert found.same[0].alone == SAME
    assert found.gate == (1, 1)


def test_the_gate_is_pytest_benchmarks():
    rng = random.Random(6)
    sides = [tuple(Side(0, rng.lognormvariate(0, 0.05)) for _ in "ab") for _ in range(12)]
    gate = PercentageRegressionCheck("mean", 5)
    expected = [
        bool(gate.fails({"mean": sides[j][1].mean_s}, {"mean": sides[i][0].mean_s}))
        for i, j in itertools.permutations(range(12), 2)
    ]
    assert gate_alarms(Pair(true=1, sides=sides)) == (sum(expected), 12 * 11)
    assert 0 < sum(expected) < len(expected)


def test_no_time_of_a_side_is_a_mistake_and_not_a_verdict():
    with pytest.raises(ValueError, match="positive finite"):
        judge([[(Side(0.0, 0.0), Side(math.inf, 1.0))]] * 15, [1.0])
