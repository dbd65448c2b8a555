"""Speed-up and efficiency from records: which arms are compared, and when they may not be."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest

from fake_runs import failed, read_parts, scaling_run, training_record, write_json
from nnbench.cli import main
from nnbench.config import Arm
from nnbench.efficiency import efficiencies, efficiency_rows
from nnbench.report import notebook
from nnbench.report.tables import scaling


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


@pytest.mark.parametrize("first", [0, 1])
def test_an_arm_may_scale_one_arm_up_strongly_and_another_weakly(first):
    one = Arm(name="one", model="mlp", batch_size=64)
    ones = [one, one.replace(name="one, twice the batch", batch_size=128)]
    arms = [ones[first], ones[1 - first], one.replace(name="two", ranks=2, batch_size=128)]
    records = [training_record(arm, 0, scenario="s", accuracy=0.8, step_ms=2) for arm in arms]
    assert [(of.kind, of.one) for of in efficiencies(records)] == [
        ("strong", "one, twice the batch"),
        ("weak", "one"),
    ]


def test_without_an_arm_of_one_rank_or_for_probes_there_is_no_row():
    records = [record for record in scaling_run()[1] if record.arm["ranks"] > 1]
    probe = dataclasses.replace(records[0], arm={"name": "p", "id": "0" * 16, "kind": "probe", "args": {}})
    assert efficiencies([*records, probe]) == []
    assert efficiency_rows([]) == []


def test_a_bare_run_and_a_launch_are_not_comparable():
    rows = efficiency_rows(efficiencies(scaling_run(launcher="python")[1]))
    assert [row["status"] for row in rows] == ["NOT_COMPARABLE: launcher: torchrun against python"] * 2
    assert {(row["speed-up"], row["efficiency"], row["pairs"]) for row in rows} == {("–", "–", "–")}


def test_pairs_that_are_invalid_do_not_count():
    records = scaling_run(seeds=3)[1]
    doubtful = [
        dataclasses.replace(record, quality=("INVALID",)) if record.seed == 2 else record
        for record in records
    ]
    assert {of.speed_up.n for of in efficiencies(doubtful)} == {2}
    lost = [dataclasses.replace(record, quality=("INVALID",)) for record in records]
    assert {of.reason for of in efficiencies(lost)} == {"NOT RUN: no seed has two valid throughputs"}


def test_a_row_is_the_numbers_as_text():
    row = efficiency_rows([by_arm(scaling_run(seeds=3)[1])["2 ranks, weak"]])[0]
    assert list(row) == ["arm", "ranks", "against", "scaling", "speed-up", "efficiency", "pairs"]
    assert (row["ranks"], row["scaling"], row["pairs"]) == ("2", "weak", "3")
    assert re.fullmatch(r"1\.\d+ \(1\.\d+ to 1\.\d+\)", row["speed-up"])
    assert re.fullmatch(r"\d\d\s% \(\d\d to \d\d\)", row["efficiency"])


def test_a_failed_rank_leaves_no_efficiency():
    _, records = scaling_run()
    arm = Arm(name="2 ranks, weak", model="mlp", batch_size=512, epochs=2, ranks=2)
    lost = [failed(arm, seed, scenario="scaling", status="RANK_FAILED", reason="rank 1 of 2 was killed")
            for seed in range(3)]  # fmt: skip
    kept = [record for record in records if record.arm["name"] != arm.name]
    of = by_arm([*kept, *lost])[arm.name]
    assert (of.speed_up, of.efficiency) == (None, None)
    rows = efficiency_rows(efficiencies([*kept, *lost]))
    assert [row["status"] for row in rows] == ["OK", "NOT RUN: no seed has two valid throughputs"]


@pytest.mark.parametrize(("ranks", "rows"), [((1, 2, 4), 4), ((1,), 0)])
def test_the_report_has_the_table_only_where_there_is_something_in_it(tmp_path, ranks, rows):
    run = read_parts(tmp_path / "run.json", [scaling_run(ranks=ranks)])
    assert len(scaling(run, "scaling")) == rows
    cells = [cell.source for cell in notebook.build(run, "run.json").cells]
    assert ("table(scaling(run, 'scaling'))" in cells) == (rows > 0)


def test_nnbench_table_prints_the_rows_below_the_summary(tmp_path, capsys):
    path = write_json(tmp_path / "run.json", [scaling_run()])
    assert main(["table", str(path)]) == 0
    summary, scaled = capsys.readouterr().out.strip().split("\n\n")
    assert "status" in summary
    assert "2 ranks, weak" in scaled
    assert "efficiency" in scaled
