"""Speed-up and efficiency from records: which arms are compared, and when they may not be."""

from __future__ import annotations

import dataclasses
import math

import pytest

from fake_runs import ENVIRONMENT, failed, read_parts, scaling_run, training_record
from nnbench import plots
from nnbench.claims import NOT_COMPARABLE, judge
from nnbench.config import Arm
from nnbench.efficiency import efficiencies, efficiency_rows
from nnbench.records import differences


def by_arm(records):
    return {of.arm: of for of in efficiencies(records)}


def test_strong_shares_the_batch_of_one_and_weak_multiplies_it():
    found = by_arm(scaling_run(ranks=(1, 2, 4))[1])
    assert {name: (of.kind, of.ranks, of.one) for name, of in found.items()} == {
        f"{n} ranks, {kind}": (kind, n, "1 rank") for n in (2, 4) for kind in ("strong", "weak")
    }


def test_the_speed_up_is_the_geometric_mean_over_pairs_of_a_seed():
    records = scaling_run(seeds=3)[1]
    rates = {name: [r.metrics["samples_per_s"] for r in records if r.arm["name"] == name]
             for name in ("1 rank", "2 ranks, weak")}  # fmt: skip
    of = by_arm(records)["2 ranks, weak"]
    ratios = [a / b for a, b in zip(rates["2 ranks, weak"], rates["1 rank"], strict=True)]
    assert of.speed_up.centre == pytest.approx(math.prod(ratios) ** (1 / 3))
    assert of.speed_up.n == 3
    assert of.efficiency.centre == pytest.approx(of.speed_up.centre / 2)
    assert of.efficiency.low < of.efficiency.centre < of.efficiency.high
    assert of.efficiency.high == pytest.approx(of.speed_up.high / 2)


def test_one_seed_has_no_interval():
    of = by_arm(scaling_run(seeds=1)[1])["2 ranks, strong"]
    assert of.efficiency.centre == pytest.approx(0.6, abs=0.05)
    assert (of.efficiency.low, of.efficiency.high) == (None, None)
    assert "(" not in efficiency_rows([of])[0]["efficiency"]


def test_the_rate_may_follow_the_batch_but_another_network_is_another_training():
    one = Arm(name="one", model="mlp", batch_size=64, lr=0.1)
    two = one.replace(name="two", ranks=2, batch_size=128, lr=0.2)
    other = two.replace(name="other", model="cnn")
    odd = two.replace(name="odd", batch_size=96)
    records = [
        training_record(arm, 0, scenario="s", accuracy=0.8, step_ms=2) for arm in (one, two, other, odd)
    ]
    assert {name: of.kind for name, of in by_arm(records).items()} == {"two": "weak"}


def test_a_bare_run_and_a_launch_are_not_comparable():
    scenario, records = scaling_run(launcher="python")
    reason = "NOT_COMPARABLE: launcher: python against torchrun"
    rows = efficiency_rows(efficiencies(records))
    assert [row["speed-up"] for row in rows] == ["NOT_COMPARABLE: launcher: torchrun against python"] * 2
    assert {row["efficiency"] for row in rows} == {"–"}
    verdict = judge(scenario.claims, records, "quick")[0]
    assert verdict.verdict == NOT_COMPARABLE
    assert "launcher: torchrun against python" in verdict.reason
    assert verdict.effect is None
    assert reason  # the words of the other direction are those of `differences`
    assert differences(records[0], records[-1]) == ["launcher: python against torchrun"]


def test_learned_metrics_compare_across_launchers():
    scenario, records = scaling_run(seeds=6, launcher="python")
    claim = dataclasses.replace(scenario.claims[0], metric="validation_accuracy")
    assert judge([claim], records, "quick")[0].verdict != NOT_COMPARABLE


def test_what_times_depend_on():
    record = scaling_run()[1][0]
    assert differences(record, record) == []

    def other(**environment):
        return dataclasses.replace(record, environment={**record.environment, **environment})

    assert differences(record, other(torch="9.9")) == ["torch: 2.10.0 against 9.9"]
    assert differences(record, other(world_size=4)) == ["world_size: 2 against 4"]
    assert differences(record, other(backend="gloo")) == ["backend: nothing against gloo"]
    assert differences(record, other(load_1min=9.0, memory_bytes=1)) == []
    assert differences(record, other(threads=2)) == ["threads: 1 against 2"]
    asked = dataclasses.replace(other(threads=2), arm={**record.arm, "threads": 2})
    assert differences(record, asked) == []  # the arm itself is about threads
    assert "launcher" not in ENVIRONMENT  # records of the first release say nothing of it


def test_a_failed_rank_leaves_no_efficiency():
    _, records = scaling_run()
    arm = Arm(name="2 ranks, weak", model="mlp", batch_size=512, epochs=2, ranks=2)
    lost = [failed(arm, seed, scenario="scaling", status="RANK_FAILED", reason="rank 1 of 2 was killed")
            for seed in range(3)]  # fmt: skip
    kept = [record for record in records if record.arm["name"] != arm.name]
    of = by_arm([*kept, *lost])[arm.name]
    assert (of.speed_up, of.efficiency) == (None, None)
    assert efficiency_rows([of])[0]["speed-up"] == "NOT RUN: no seed has both throughputs"


@pytest.mark.parametrize("ranks", [(1, 2), (1, 2, 4, 8)])
def test_the_plot_draws_throughput_and_efficiency(tmp_path, ranks):
    run = read_parts(tmp_path / "run.json", [scaling_run(ranks=ranks)])
    figure = plots.draw(run, run.scenario("scaling"), "scaling")
    left, right = figure.axes
    assert list(left.get_xticks()) == list(ranks)
    assert left.get_ylim()[0] == right.get_ylim()[0] == 0
    assert {text.get_text() for text in right.texts} == {"strong", "weak"}
    assert len(figure.numbers) == 2 * (len(ranks) - 1)
    assert figure.numbers["efficiency"].between(0.1, 1.1).all()
    assert all(path.stat().st_size for path in plots.save(figure, tmp_path, "scaling"))


def test_the_plot_of_one_rank_or_of_what_does_not_compare_says_so(tmp_path):
    for i, parts in enumerate((scaling_run(ranks=(1,)), scaling_run(launcher="python"))):
        run = read_parts(tmp_path / f"{i}.json", [parts])
        figure = plots.draw(run, run.scenario("scaling"), "scaling")
        assert any("Nothing to draw" in text.get_text() for text in figure.texts)
