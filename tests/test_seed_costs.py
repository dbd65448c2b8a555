"""What a seed costs: the probe, and the plot 'cost_per_seed'."""

from __future__ import annotations

import dataclasses

import pytest
from matplotlib.text import Text

from fake_runs import probe_record, read_parts
from fakes import FakeClock
from nnbench import plots
from nnbench.benchmarking import seed_costs
from nnbench.benchmarking.seed_costs import seed_cost
from nnbench.claims import PROFILES, Scenario
from nnbench.config import ConfigError, Probe
from nnbench.training import History, Training
from nnbench.training.vectorised import VectorisedTraining

XOR = {"data": "xor", "model_args": {"hidden": (4,)}, "batch_size": "full", "epochs": 2}


@pytest.mark.parametrize(("together", "trainings"), [(False, 4), (True, 1)])
def test_what_all_take_is_shared_among_the_seeds(monkeypatch, together, trainings):
    """Each training takes a second of this clock: four one after the other, or one of all four."""
    clock, kind = FakeClock(), VectorisedTraining if together else Training
    seen = []

    def run(self):
        seen.append(getattr(self, "seeds", None) or self.seed)
        clock.advance_s(1)
        history = History(None, steps=3)
        return [history] * 4 if together else history

    monkeypatch.setattr(kind, "run", run)
    monkeypatch.setattr(seed_costs.time, "perf_counter_ns", clock)
    assert seed_cost(XOR, 4, together) == {"seed_s": trainings / 4, "steps": 3}
    assert seen == ([(0, 1, 2, 3)] if together else [0, 1, 2, 3])


@pytest.mark.parametrize("together", [False, True])
def test_a_real_seed_costs_something(together):
    found = seed_cost(XOR, 2, together)
    assert found["seed_s"] > 0
    assert found["steps"] == 2


@pytest.mark.parametrize("seeds", [0, -1, 1.5, "2"])
def test_a_number_of_seeds_is_a_count(seeds):
    with pytest.raises(ConfigError, match="seeds: expected 1, 2"):
        seed_cost(XOR, seeds)


def test_what_no_arm_takes_is_named():
    with pytest.raises(ConfigError, match="unknown key 'hidden'"):
        seed_cost({"hidden": (4,)})


# the plot

COSTS = {("net", 1): 10.0, ("net", 8): 2.0, ("net", 32): 1.0, ("other", 1): 5.0}


def probe(net, seeds):
    args = {"arm": {"data": net}, "seeds": 2 if seeds == 1 else seeds, "together": seeds > 1}
    name = f"{net}, {seeds} as one" if seeds > 1 else f"{net}, one by one"
    return Probe(name=name, function="nnbench.benchmarking.seed_costs:seed_cost", args=args)


def drawn(tmp_path, costs, blocks=1):
    arms = [probe(*key) for key in COSTS]
    scenario = Scenario(
        name="many", statement="…", question="What does a seed cost?", axis="steps", repeat="blocks",
        arms=dict.fromkeys(PROFILES, arms), plots=("cost_per_seed",),
    )  # fmt: skip
    records = [
        dataclasses.replace(
            probe_record(probe(*key), scenario="many", seed_s=cost / 1e3 * (1 + 0.01 * block)),
            block=block,
        )
        for block in range(blocks)
        for key, cost in costs.items()
    ]
    run = read_parts(tmp_path / "run.json", [(scenario, records)])
    return plots.draw(run, run.plan["scenarios"][0], "cost_per_seed")


def read(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))


def test_a_line_for_each_network_from_one_by_one_on(tmp_path):
    figure = drawn(tmp_path, COSTS)
    rows = figure.numbers
    assert list(rows[rows["network"] == "net"]["seeds"]) == [1, 8, 32]
    assert list(rows[rows["network"] == "net"]["time per seed [ms]"]) == pytest.approx([10, 2, 1])
    assert "net: 10 times as fast" in read(figure)
    assert "Median of 1 block: no interval." in read(figure)


def test_blocks_give_intervals(tmp_path):
    figure = drawn(tmp_path, COSTS, blocks=8)
    assert figure.numbers["low"].notna().all()
    assert "Median of 8 blocks; bars: 95 % interval." in read(figure)


def test_arms_without_a_time_are_named(tmp_path):
    figure = drawn(tmp_path, {("net", 1): 10.0, ("net", 8): 2.0})
    assert "Not shown: net, 32 as one (NOT RUN), other, one by one (NOT RUN)" in read(figure)


def test_without_times_there_is_nothing_to_draw(tmp_path):
    assert "Nothing to draw" in read(drawn(tmp_path, {}))
