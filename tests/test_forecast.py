"""How long a run will take: trials under a fake clock, sums over a plan, and one real run of the command."""

from __future__ import annotations

import pytest

from fakes import FakeClock
from nnbench import forecast
from nnbench.claims import PROFILES, Scenario, run_plan
from nnbench.config import Arm, ConfigError, Probe
from nnbench.forecast import MEMORY_PASS_S, RECORD_S, expected
from nnbench.records import Journal
from nnbench.runner.forecasting import foretold
from real_runs import Bench, end_of

TICK_S = 0.001
DIGITS = Arm(data="digits", model="logistic", batch_size=100, epochs=4, device="cpu")
STEPS = 14  # of 1,400 training images


def ticking():
    """Every reading is a millisecond after the last: so is each step, each build, each scored batch."""
    return FakeClock(tick_ns=1_000_000)


def test_steps_epochs_and_validation_are_added_up():
    """397 images are scored at once: 1 ms; a build is 1 ms too."""
    found = expected(DIGITS, clock=ticking())
    built_s = 2 * TICK_S  # and compiled, were it
    assert found.seed_s == pytest.approx(built_s + 4 * STEPS * TICK_S + 4 * TICK_S + RECORD_S)
    assert found.once_s == pytest.approx(4 * TICK_S)  # a build and a first step, to warm up
    assert found.first_s == MEMORY_PASS_S


def test_steps_that_will_not_be_made_do_not_count():
    whole, cut = (expected(arm, clock=ticking()) for arm in (DIGITS, DIGITS.replace(max_steps=20)))
    assert whole.seed_s - cut.seed_s == pytest.approx((4 * STEPS - 20) * TICK_S + 2 * TICK_S)


def test_a_loader_that_starts_slowly_does_so_in_every_epoch(monkeypatch):
    """The first batch of a loop comes after a second, the others at once."""
    from nnbench.training.batches import Samples

    clock, sliced = ticking(), Samples._sliced

    def slow(self, order, batch):
        clock.advance_s(1)
        yield from sliced(self, order, batch)

    monkeypatch.setattr(Samples, "_sliced", slow)
    assert expected(DIGITS, clock=clock).seed_s == pytest.approx(4 + 0.079, abs=0.01)


def test_an_arm_of_ranks_is_tried_as_one_of_them():
    two = expected(DIGITS.replace(ranks=2, batch_size=200), clock=ticking())
    assert two.seed_s == pytest.approx(expected(DIGITS, clock=ticking()).seed_s)


def test_a_probe_runs_once():
    probe = Probe(name="p", function="nnbench.analysis.receptive_field:conv_stack",
                  args={"kernel_sizes": (3,), "channels": 4})  # fmt: skip
    assert expected(probe, clock=ticking()).seed_s == pytest.approx(TICK_S)


def test_another_framework_is_two_short_trainings(monkeypatch):
    """5 s of imports once, 0.2 s for each training, 0.01 s for each step."""
    from nnbench.frameworks import FrameworkTraining

    clock, first = FakeClock(), [5.0]

    def warm_up(self, steps):
        clock.advance_s(0.2 + 0.01 * steps + (first.pop() if first else 0))

    monkeypatch.setattr(FrameworkTraining, "warm_up", warm_up)
    arm = DIGITS.replace(framework="bare", model="mlp", model_args={"hidden": (8,)})
    found = expected(arm, clock=clock)
    assert found.seed_s == pytest.approx(0.2 + 4 * STEPS * 0.01 + RECORD_S)
    assert found.once_s == pytest.approx(5 + 0.3)


def test_what_an_arm_cannot_do_is_raised():
    with pytest.raises(ConfigError, match="depth"):
        expected(DIGITS.replace(model_args={"depth": 3}))


# sums over a plan


def plan(repeat, blocks, *arms):
    scenario = Scenario(name="s", statement="s", question="q", axis="epochs", repeat=repeat,
                        arms=dict.fromkeys(PROFILES, arms))  # fmt: skip
    return run_plan(
        [scenario.plan(arms, "quick")], profile="quick", command="c", version="0", seeds=3, blocks=blocks
    )


def row(arm, **changes):
    return {"scenario": "s", "arm": arm.name, "seed_s": 2.0, "once_s": 0.5, "first_s": 0.25, "launched": False,
            **changes}  # fmt: skip


def test_seeds_of_one_block_share_what_is_done_once():
    found = foretold([row(DIGITS)], plan("seeds", 1, DIGITS), start_s=4.0)
    assert found.scenarios == {"s": 3 * 2.0 + 0.5 + 0.25}
    assert (found.blocks, found.starts_s, found.total_s) == (1, 4.0, 10.75)


def test_each_block_starts_anew_and_the_memory_pass_is_the_firsts():
    found = foretold([row(DIGITS)], plan("blocks", 6, DIGITS), start_s=4.0)
    assert found.scenarios == {"s": 6 * 2.5 + 0.25}
    assert found.starts_s == 24


def test_torchrun_starts_once_more_in_each_block():
    found = foretold([row(DIGITS, launched=True)], plan("blocks", 2, DIGITS), start_s=4.0)
    assert found.starts_s == 2 * 3 * 4.0


def test_what_cannot_be_tried_counts_as_nothing_and_is_named():
    other = DIGITS.replace(name="other")
    rows = [row(DIGITS), {"scenario": "s", "arm": "other", "launched": False, "reason": "no data"}]
    found = foretold(rows, plan("seeds", 1, DIGITS, other), start_s=1.0)
    assert found.scenarios == {"s": 6.75}
    assert found.unknown == {"s, other": "no data"}


# the command


def test_the_command_measures_nothing_and_tells(tmp_path):
    arms = 'base.replace(name="a"), base.replace(name="ill", model="own:missing")'
    bench = Bench(tmp_path, arms, repeat="blocks")
    out, _ = end_of(bench.start("run", "--forecast", "--blocks", "3"), 0)
    assert "3 blocks, about " in out
    assert "tiny" in out
    assert "not counted: tiny, ill: " in out
    assert not Journal(tmp_path / "run").entries()
    assert sorted(path.name for path in tmp_path.glob("[!._]*")) == ["bench", "own.py"]


def test_a_mistake_in_a_bench_file_is_told(tmp_path):
    bench = Bench(tmp_path, 'base.replace(name="a", nothing=1)')
    _, err = end_of(bench.start("run", "--forecast"), 2)
    assert "nothing" in err


def test_no_trial_is_longer_than_it_must(monkeypatch):
    """Half a second of steps is enough for an arm that would take a day."""
    monkeypatch.setattr(forecast, "TRIAL_S", 0.5)
    clock = FakeClock(tick_ns=100_000_000)
    day = expected(DIGITS.replace(epochs=60_000), clock=clock)
    assert day.seed_s > 86_000
    assert clock.readings < 100
