"""Verdicts as rows, what needs more blocks, whether all is accounted for, and what is said of times."""

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest

from fake_runs import architectures, batching, lecture, plan_of, scaling_run
from nnbench import findings
from nnbench.claims import Claim
from nnbench.efficiency import efficiencies
from nnbench.records import record_from_json
from nnbench.stats import block_ratio

RESULTS = Path(__file__).parents[1] / "results/cpu-2-cores"
COLUMNS = ["claim", "verdict", "effect", "interval", "n", "reason"]


def in_blocks(records):
    """Each seed in a block of its own."""
    return [dataclasses.replace(record, block=record.seed) for record in records]


def arm(records, name):
    return [record for record in records if record.arm["name"] == name]


def rows(records, *claims, profile="quick"):
    return findings.verdict_rows(records, {"claims": [claim.to_json() for claim in claims]}, profile)


def claim(kind="compare", metric="validation_accuracy", arms=("cnn-32-64", "mlp-512-512"), **values):
    return Claim(text=f"{kind} {metric}", kind=kind, metric=metric, arms=arms, **values)


# rows


def test_a_row_has_effect_interval_and_number():
    # weights that are equal would be copies of one trial
    records = [
        dataclasses.replace(r, weights_sha256=f"{r.seed:064x}") for r in in_blocks(architectures(6)[1])
    ]
    found = rows(
        records,
        claim(),
        claim(metric="train_s"),
        claim(metric="train_s", arms=("mlp-512-512", "cnn-32-64")),
        claim(metric="peak_bytes"),
        claim("exact", "parameters", ("logistic",), value=7850),
        claim(metric="parameters", arms=("logistic", "lenet5")),
        claim("rate", arms=("cnn-32-64",), value=0.8, low=0.3),
        claim("equivalent"),
        claim(arms=("alexnet", "cnn-32-64")),
    )
    assert all(list(row) == COLUMNS for row in found)
    assert [row["verdict"] for row in found] == [
        "SUPPORTED", "REFUTED", "SUPPORTED", "UNDECIDED", "SUPPORTED", "SUPPORTED", "SUPPORTED", "REFUTED", "NOT RUN",
    ]  # fmt: skip
    counted = [row["n"] for row in found]
    assert counted == ["6 seeds", "6 blocks", "6 blocks", *["–"] * 3, "6 seeds", "6 seeds", "–"]
    effects = [row["effect"] for row in found]
    assert re.fullmatch(r"\+\d\.\d+ points", effects[0])
    assert re.fullmatch(r"0\.[12]\d\dx", effects[1])
    assert re.fullmatch(r"[45]\.\d\dx", effects[2])
    assert effects[3].endswith(" MiB")
    assert effects[4:7] == ["7,850", "-53,856", "100\u00a0%"]
    assert effects[8] == "–"
    assert found[4]["interval"] == found[5]["interval"] == found[8]["interval"] == "–"
    low, high = (float(x) for x in found[0]["interval"].split(" to "))
    assert low < float(effects[0].split()[0]) < high
    assert found[6]["interval"] == "42.9 to 100"
    assert "P(cnn-32-64 is better) = 1.00" in found[0]["reason"]


def test_an_effect_points_where_the_number_goes():
    records = architectures(6)[1]
    worse = rows(records, claim(metric="validation_loss"))[0]
    assert worse["effect"].startswith("-")
    assert worse["effect"].endswith(" nat")
    low, high = (float(x) for x in worse["interval"].split(" to "))
    assert low < float(worse["effect"].split()[0]) < high < 0


def test_an_exponent_is_a_row_too():
    records = in_blocks(batching(6)[1])
    arms = tuple(dict.fromkeys(r.arm["name"] for r in records if r.arm["batch_size"] in (1, 64, 1024)))[:3]
    found = rows(records, claim("slope", "step_s", arms, over="batch_size", high=1.0))[0]
    assert (found["verdict"], found["n"]) == ("SUPPORTED", "6 blocks")
    low, high = (float(x) for x in found["interval"].split(" to "))
    assert 0 < low <= float(found["effect"]) <= high < 1


def test_records_that_contradict_each_other_are_no_evidence():
    records = architectures(3)[1]
    found = rows([*records, records[0]], claim(), claim("exact", "parameters", ("logistic",), value=7850))
    assert [row["verdict"] for row in found] == ["NOT RUN", "NOT RUN"]
    assert all("seed reuse" in row["reason"] for row in found)


def test_an_unknown_claim_is_a_row_of_its_own():
    plan = {"claims": [claim().to_json(), {**claim().to_json(), "kind": "later"}, {"text": "no arms"}]}
    found = findings.verdict_rows(architectures(3)[1], plan, "quick")
    assert [list(row) for row in found] == [COLUMNS] * 3
    assert [row["verdict"] for row in found[1:]] == ["NOT RUN", "NOT RUN"]
    assert "cannot judge it" in found[1]["reason"]


# what needs more blocks


def timed(repeat, seeds=3, **plan):
    scenario, records = architectures(seeds)
    return plan_of([dataclasses.replace(scenario, repeat=repeat)]) | plan, records


def test_a_run_of_one_block_says_which_claims_need_more():
    plan, records = timed("blocks")
    assert findings.may_need(plan, records) == (
        "One block decides nothing about time. For 'An MLP trains faster than a CNN': "
        "nnbench run bench --blocks 6 -o DIR"
    )
    assert findings.may_need(plan | {"blocks": 6}, records) == ""
    assert findings.may_need(plan | {"profile": "smoke"}, records) == ""
    assert findings.may_need(plan, []) == ""
    assert findings.may_need(plan, [*records, records[0]]) == ""


def test_blocks_do_not_help_where_a_scenario_does_not_repeat_by_them():
    plan, records = timed("seeds")
    assert findings.may_need(plan, records) == (
        "'An MLP trains faster than a CNN' cannot be decided as planned: give the scenario repeat='blocks'"
    )


# counts


def counted(plan, records):
    found = findings.counts(plan, records)
    assert found["planned"] == sum(value for key, value in found.items() if key != "planned")
    return found


def test_blocks_are_planned_for_what_repeats_by_them_alone():
    (one, one_records), (two, two_records), *_ = lecture(3)
    plan = plan_of([dataclasses.replace(one, repeat="blocks"), two]) | {"blocks": 3}
    records = [*in_blocks(one_records), *two_records]
    assert counted(plan, records)["missing"] == 0
    assert counted(plan, records)["planned"] == len(records)
    assert counted(plan, records[2:])["missing"] == 2
    assert counted(plan, []) == {
        "planned": len(records), "OK": 0, "expected": 0, "failed": 0, "SKIPPED": 0, "missing": len(records),
    }  # fmt: skip


def test_extra_blocks_and_strangers_count_without_hiding_what_is_missing():
    scenario, records = architectures(5)
    plan = plan_of([dataclasses.replace(scenario, repeat="blocks")]) | {"blocks": 3}
    made = in_blocks(records)
    assert counted(plan, made)["planned"] == len(made)
    cut = [r for r in made if (r.arm["name"], r.block) != ("lenet5", 1)]
    assert counted(plan, cut)["missing"] == 1
    stranger = dataclasses.replace(records[0], scenario="other")
    assert counted(plan, [*made, stranger])["planned"] == len(made) + 1
    assert counted(plan, [*made, made[0]])["missing"] == 0


# sentences


def test_with_six_blocks_the_slowest_and_the_fastest_have_a_ratio_and_no_verdict():
    records = in_blocks(architectures(6)[1])
    slow, fast = ([r.metrics["train_s"] for r in arm(records, name)] for name in ("alexnet-1/8", "logistic"))
    ratio = block_ratio(slow, fast).ratio
    text = next(text for text in findings.sentences(records, "quick") if "fastest" in text)
    assert (
        f"{ratio.centre:.1f} times as long (95 % interval {ratio.low:.1f} to {ratio.high:.1f}, 6 blocks"
        in text
    )
    assert "exploratory, no verdict" in text


@pytest.mark.parametrize("blocks", [1, 5])
def test_with_fewer_blocks_it_is_said_what_is_needed(blocks):
    records = in_blocks(architectures(blocks)[1])
    text = next(text for text in findings.sentences(records, "quick") if "fastest" in text)
    have = f"{blocks} block{'s' if blocks > 1 else ''}"
    assert text.endswith(f"times as long ({have}, and an interval needs 6: nnbench run --blocks 6).")


def test_ratios_that_are_identical_have_no_interval():
    records = in_blocks(architectures(6)[1])
    same = [dataclasses.replace(r, metrics={**r.metrics, "train_s": 1.0 + (r.arm["name"] == "lenet5")})
            for r in records if r.status == "OK"]  # fmt: skip
    text = next(text for text in findings.sentences(same, "quick") if "fastest" in text)
    assert "2.00 times as long (all 6 ratios are identical" in text


def test_an_arm_that_misses_its_target_once_does_not_reach_it_first():
    records = architectures(3)[1]

    def reached(name, times):
        return [
            dataclasses.replace(r, arm={**r.arm, "target_accuracy": 0.8}, metrics={**r.metrics, "target_s": t},
                                missing={"target_s": "not reached"})
            for r, t in zip(arm(records, name), times, strict=True)
        ]  # fmt: skip

    lucky, steady = reached("lenet5", [0.1, 0.1, None]), reached("cnn-32-64", [2.0, 3.0, 4.0])
    text = " ".join(findings.sentences([*lucky, *steady], "quick"))
    assert "cnn-32-64 reaches 80% accuracy first, after 3 s of training, mean of 3 seeds." in text
    assert "first, after" not in " ".join(findings.sentences(lucky, "quick"))


def test_data_sets_do_not_compare():
    records = architectures(3)[1]
    other = [
        dataclasses.replace(r, arm={**r.arm, "name": "x", "data": "mnist"}) for r in arm(records, "lenet5")
    ]
    texts = findings.sentences([*records, *other], "quick")
    assert texts[0].startswith("fashion-mini: ")
    assert "mnist: x has the highest validation accuracy" in texts[2]
    assert findings.sentences(records, "quick")[:2] == [
        text.removeprefix("fashion-mini: ") for text in texts[:2]
    ]


def test_a_seed_in_two_blocks_is_one_seed():
    records = architectures(3)[1]
    twice = [*records, *(dataclasses.replace(r, block=1) for r in records)]
    assert "(mean of 3 seeds)" in findings.sentences(twice, "quick")[0]


# what is curated and what scales


def test_the_curated_run_is_still_read_counted_and_judged():
    plan = json.loads((RESULTS / "run.json").read_text(encoding="utf-8"))["run"]
    records = []
    for path in sorted((RESULTS / "records").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        records.append(record_from_json(content.get("record", content)))
    found = counted(plan, records)
    assert (found["missing"], found["planned"]) == (0, len(records))
    for scenario in plan["scenarios"]:
        mine = [record for record in records if record.scenario == scenario["name"]]
        for row in findings.verdict_rows(mine, scenario, plan["profile"]):
            assert row["verdict"] in ("SUPPORTED", "REFUTED", "UNDECIDED")
            assert row["reason"]
    assert findings.may_need(plan, records) == ""  # its six blocks decide about time


def test_speed_ups_are_paired_by_block_where_there_are_blocks():
    records = scaling_run(seeds=4)[1]
    halves = [dataclasses.replace(record, block=record.seed // 2) for record in records]
    of = next(of for of in efficiencies(halves) if of.kind == "weak")
    assert of.speed_up.n == 2
    rates = [[r.metrics["samples_per_s"] for r in arm(records, name)] for name in ("2 ranks, weak", "1 rank")]
    ratios = [
        (m[0] + m[1]) / (o[0] + o[1]) for m, o in ((rates[0][:2], rates[1][:2]), (rates[0][2:], rates[1][2:]))
    ]
    assert of.speed_up.centre == pytest.approx(math.sqrt(ratios[0] * ratios[1]))
    assert next(of for of in efficiencies(records) if of.kind == "weak").speed_up.n == 4
    clock = [dataclasses.replace(r, quality=("CLOCK",)) for r in records]
    assert all(of.speed_up is None for of in efficiencies(clock))
