"""The plot 'verdicts': every claim with an interval has its row, its numbers and its verdict."""

import dataclasses
import random

import pytest
from matplotlib.text import Text

from fake_runs import read_parts, training_record
from nnbench import plots
from nnbench.claims import Claim, Scenario
from nnbench.config import Arm

SLOW, FAST = Arm(name="slow", model="mlp"), Arm(name="fast", model="mlp", batch_size=128)
ARMS = dict.fromkeys(("smoke", "quick", "full"), (SLOW, FAST))


def claim(text, kind="compare", metric="train_s", **more):
    return Claim(text=text, kind=kind, metric=metric, **{"arms": ("fast", "slow"), **more})


CLAIMS = (
    claim("fast is faster"),
    claim("slow is faster", arms=("slow", "fast")),
    claim("they learn alike", "equivalent", "validation_accuracy"),
    claim("slow learns more", metric="validation_accuracy", arms=("slow", "fast")),
    claim("fast has 669,706 parameters", "exact", "parameters", arms=("fast",), value=669_706),
)


def drawn(tmp_path, claims=CLAIMS, blocks=8):
    scenario = Scenario(name="s", statement="s", question="Which is faster?", axis="epochs", arms=ARMS,
                        claims=claims, plots=("verdicts",), repeat="blocks")  # fmt: skip
    noise, records = random.Random(0), []
    for block in range(blocks):
        for arm, step_ms in ((SLOW, 2.0), (FAST, 1.0)):
            of = training_record(arm, block, scenario="s", accuracy=0.85, step_ms=step_ms)
            times = {"train_s": step_ms * noise.uniform(0.98, 1.02)}
            records.append(dataclasses.replace(of, block=block, metrics={**of.metrics, **times}))
    run = read_parts(tmp_path / "run.json", [(scenario, records)], seeds=blocks)
    return plots.draw(run, run.plan["scenarios"][0], "verdicts")


def texts(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))


def test_each_claim_with_an_interval_has_a_row_and_its_verdict(tmp_path):
    figure = drawn(tmp_path)
    times, points = figure.axes
    assert [len(axis.get_yticks()) for axis in (times, points)] == [2, 2]
    assert times.get_xscale() == "log"
    said = texts(figure)
    for word in ("fast is faster", "SUPPORTED", "REFUTED", "they learn alike", "Which is faster?"):
        assert word in said
    assert "669,706" not in said  # nothing to draw of what is exact


def test_the_numbers_have_every_claim_and_agree_with_what_is_drawn(tmp_path):
    figure = drawn(tmp_path)
    rows = figure.numbers.set_index("claim")
    assert len(rows) == len(CLAIMS)
    fast = rows.loc["fast is faster"]
    assert fast["low"] < fast["effect"] < fast["high"]
    assert fast["effect"] == pytest.approx(2.0, rel=0.03)
    assert (fast["unit"], fast["n"]) == ("times", 8)
    bars = [line.get_xdata() for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert any(list(bar) == [fast["low"], fast["high"]] for bar in bars)


@pytest.mark.parametrize("blocks", [1, 5])
def test_without_intervals_it_says_that_there_is_nothing_to_draw(tmp_path, blocks):
    figure = drawn(tmp_path, claims=CLAIMS[:2], blocks=blocks)
    assert "Nothing to draw" in texts(figure)
