"""The noise floor and what it resolves, and the doctor's switches; the machine is made up."""

import json
import math

import pytest

import nnbench.doctor
import nnbench.selftest
from nnbench.cli import main
from nnbench.selftest import Design, Noise, measure_noise, noise_lines, run_self_test
from nnbench.selftest.floor import PILOT, WANTED
from nnbench.stats import resolution
from test_selftest import Machine


def noise(spread=0.03, plain_spread=0.05, block_s=6.0):
    return Noise(spread=spread, plain_spread=plain_spread, blocks=8, pairs=4, block_s=block_s)


def test_the_pilot_finds_the_spread_of_equal_work():
    machine = Machine(block_sd=0.2, side_sd=0.03)
    found = measure_noise(ask=machine, start_s=lambda: 3.0, design=Design(blocks=8, pairs=8, extra=0.0))
    assert found.spread == pytest.approx(0.03 * math.sqrt(2), rel=0.15)
    assert found.plain_spread == pytest.approx(0.03 * math.sqrt(2), rel=0.15)
    assert (found.blocks, found.pairs) == (8, 16)
    assert {a == b for request in machine.requests[1:] for a, b in request.pairs} == {True}


def test_the_pilot_takes_20_seconds_and_tells_how_far_it_is():
    machine, told = Machine(), []
    found = measure_noise(lambda *at: told.append(at), ask=machine, start_s=lambda: 3.0)
    assert told == [(i, 9) for i in range(1, 10)]
    sides_s = sum(2 * len(r.pairs) * r.rounds * PILOT.round_s for r in machine.requests[1:])
    assert sides_s == pytest.approx(19.2)
    assert found.block_s == pytest.approx(3.6, rel=0.2)  # the start, and two sides of 0.3 s


def test_a_block_costs_its_process_and_its_sides():
    assert [noise().blocks_in(minutes) for minutes in (1, 5, 30)] == [10, 50, 300]
    assert noise(block_s=7.0).blocks_in(1) == 8


def test_what_minutes_resolve_is_what_their_blocks_do_by_their_test():
    of = noise(block_s=7.0)
    assert of.smallest_effect(1) == resolution(of.spread, 8)
    assert of.smallest_effect(5) == resolution(of.spread, 42)
    assert of.smallest_effect(0.5) == math.inf
    assert of.smallest_effect(30) < of.smallest_effect(5) < of.smallest_effect(1)


def test_a_calm_machine_is_told_what_it_resolves():
    text = noise_lines(noise(0.01, 0.02))
    assert list(text) == ["noise floor", "in 1 min", "in 5 min", "in 30 min"]
    assert text["noise floor"].startswith("1.0% (2.0% with bursts)")
    assert text["in 5 min"] == "resolves 2.2% (50 blocks of 6.0 s each, with the start of torch)"
    assert "cannot" not in "".join(text.values())


def test_a_noisy_machine_is_told_what_it_cannot():
    text = noise_lines(noise(0.15, 0.20))
    assert text["in 1 min"].startswith("this machine cannot resolve 5% in 1 minute; resolves 2")
    assert text["in 5 min"].startswith("this machine cannot resolve 5% in 5 minutes; resolves ")
    assert text["in 30 min"].startswith("resolves ")


def test_too_few_blocks_are_told_so():
    text = noise_lines(noise(block_s=15.0))["in 1 min"]
    assert text.startswith("this machine cannot resolve 5% in 1 minute: 4 blocks of 15.0 s each")
    assert text.endswith("and a verdict needs 6")


def test_the_noise_is_strict_json():
    told = json.loads(json.dumps(noise(0.15, 0.20, block_s=15.0).to_json(), allow_nan=False))
    effects = told["smallest_effect_in_minutes"]
    assert effects["1"] is None
    assert effects["5"] > effects["30"] > WANTED / 2
    assert told["cannot_resolve_5_percent_in_minutes"][:2] == [1, 5]
    assert (told["spread"], told["block_s"]) == (0.15, 15.0)


# the command


@pytest.fixture
def made_up(monkeypatch):
    """A doctor that finds at once: facts, noise and self-test of no real machine."""
    asked = []
    monkeypatch.setattr(nnbench.doctor, "facts", lambda: {"cores": 2})

    def measure(progress):
        asked.append("noise")
        progress(1, 1)
        return noise()

    def test(campaigns, progress):
        asked.append(campaigns)
        machine = Machine(bias=1.2 if campaigns == 2 else 1.0)
        return run_self_test(campaigns, progress, design=Design(pairs=4, rounds=3), seed=1, ask=machine)

    monkeypatch.setattr(nnbench.doctor, "measure_noise", measure)
    monkeypatch.setattr(nnbench.selftest, "run_self_test", test)
    return asked


def run(capsys, *arguments):
    code = main(["doctor", *arguments])
    return code, capsys.readouterr().out


def test_the_doctor_ends_with_the_noise_floor(made_up, capsys):
    code, out = run(capsys)
    assert code == 0
    assert [line.split("  ")[0] for line in out.splitlines()] == [
        "cores", "noise floor", "in 1 min", "in 5 min", "in 30 min",
    ]  # fmt: skip
    found = json.loads(run(capsys, "--json")[1])
    assert found == {"cores": 2, "noise": noise().to_json()}


@pytest.mark.parametrize("flag", ["--quick", "--no-noise"])
def test_the_noise_floor_can_be_left_out(made_up, capsys, flag):
    assert run(capsys, flag) == (0, "cores              2\n")
    assert json.loads(run(capsys, flag, "--json")[1]) == {"cores": 2}
    assert made_up == []


def test_the_self_test_is_a_command(made_up, capsys):
    code, out = run(capsys, "--self-test")
    assert (code, made_up) == (0, [1])
    assert "the statistics hold on this machine" in out
    assert "cores" not in out
    code, out = run(capsys, "--self-test", "--campaigns", "3", "--json")
    assert (code, json.loads(out)["campaigns"]) == (0, 3)


def test_the_self_test_is_offered_where_people_compare_too(made_up, capsys):
    assert main(["ab", "--self-test", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["campaigns"] == 1
    assert main(["ab", "--self-test", "--campaigns", "2"]) == 1
    assert "DO NOT HOLD" in capsys.readouterr().out
    for brought in (["--", "true"], ["--epochs", "1"], ["bench"]):
        assert main(["ab", "--self-test", *brought]) == 2
        assert "--self-test brings its own work" in capsys.readouterr().err
    assert made_up == [1, 2]


def test_statistics_that_do_not_hold_are_exit_code_1(made_up, capsys):
    code, out = run(capsys, "--self-test", "--campaigns", "2")
    assert code == 1
    assert "DO NOT HOLD" in out


def test_wrong_usage_is_told(made_up, capsys):
    assert main(["doctor", "--self-test", "--campaigns", "0"]) == 2
    assert "--campaigns: expected 1 or more, got 0" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "--self-test", "--overhead"])
    assert made_up == []
