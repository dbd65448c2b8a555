"""Bench files and their learning rates."""

import math
import sys
import tomllib
from pathlib import Path

import pytest

from nnbench.catalog import (
    Budget,
    Rate,
    Rates,
    arms_of,
    bench_files,
    load_scenarios,
    read_budget,
    read_rates,
    scenario_of_test,
    stale_rates,
    write_rates,
)
from nnbench.claims import PROFILES, Scenario
from nnbench.config import Arm, ConfigError, Probe
from nnbench.records import StorageError

BENCH = """
from nnbench import Arm, Scenario

scenario = Scenario(
    name={name!r}, statement="…", question="…?", axis="epochs",
    arms=dict.fromkeys(("smoke", "quick", "full"), (Arm(data="xor"),)),
)
"""


def write_bench(folder, file, name, extra=""):
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / file
    path.write_text(BENCH.format(name=name) + extra, encoding="utf-8")
    return path


def scenario(*arms, name="s"):
    return Scenario(
        name=name, statement="…", question="…?", axis="epochs", arms=dict.fromkeys(PROFILES, arms)
    )


def rate(**values):
    return Rate(**{"scenario": "s", "arm": "a", "profile": "quick", "lr": 0.1, "arm_id": "0" * 16, **values})


def rates_of(path, *rates):
    return Rates(path / "rates.toml", {(r.scenario, r.arm, r.profile): r for r in rates})


# bench files


def test_scenarios_come_by_file_name_and_then_as_they_stand(tmp_path):
    write_bench(tmp_path, "test_b.py", "b")
    write_bench(tmp_path, "test_a.py", "z", extra=BENCH.format(name="y").replace("scenario =", "second ="))
    (tmp_path / "conftest.py").write_text("raise SystemExit")
    (tmp_path / "notes_test.py").write_text("raise SystemExit")
    found = load_scenarios([tmp_path])
    assert [(file.name, s.name) for file, s in found] == [
        ("test_a.py", "z"), ("test_a.py", "y"), ("test_b.py", "b"),
    ]  # fmt: skip


def test_a_single_file_is_taken_whatever_its_name(tmp_path):
    file = write_bench(tmp_path, "mine.py", "mine")
    assert [s.name for _, s in load_scenarios([file])] == ["mine"]


def test_a_file_that_is_named_twice_is_read_once(tmp_path):
    file = write_bench(tmp_path, "test_a.py", "a")
    assert bench_files([tmp_path, file]) == [file]
    assert len(load_scenarios([tmp_path, file, file])) == 1


def test_two_files_of_one_name_do_not_hide_each_other(tmp_path):
    write_bench(tmp_path / "one", "test_a.py", "a")
    write_bench(tmp_path / "two", "test_a.py", "b")
    assert [s.name for _, s in load_scenarios([tmp_path / "one", tmp_path / "two"])] == ["a", "b"]
    modules = [m for m in sys.modules.values() if str(getattr(m, "__file__", "")).startswith(str(tmp_path))]
    assert [m.scenario.name for m in modules] == ["a", "b"]


def test_two_scenarios_of_one_name_are_refused(tmp_path):
    write_bench(tmp_path, "test_a.py", "same")
    write_bench(tmp_path, "test_b.py", "same")
    with pytest.raises(ConfigError, match=r"test_b\.py: a scenario named 'same' is defined elsewhere too"):
        load_scenarios([tmp_path])


def test_a_missing_path_and_an_empty_folder_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere: no such file or folder"):
        load_scenarios([tmp_path / "nowhere"])
    with pytest.raises(ConfigError, match=r"no bench files \(test_\*\.py\) in this folder"):
        load_scenarios([tmp_path])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import no_such_module_here\n", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("from nnbench import Arm\nArm(model='mpl')\n", "did you mean 'mlp'"),
        ("from nnbench import Arms\n", "has no attribute 'Arms'|cannot import name 'Arms'"),
    ],
)
def test_a_broken_bench_file_is_named(text, message, tmp_path):
    (tmp_path / "test_broken.py").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_scenarios([tmp_path])
    assert str(caught.value).startswith(f"{tmp_path / 'test_broken.py'}: ")


def test_a_file_that_is_no_python_is_refused(tmp_path):
    (tmp_path / "rates.toml").write_text("")
    with pytest.raises(ConfigError, match=r"rates\.toml: not a Python file"):
        load_scenarios([tmp_path / "rates.toml"])


class _Module:
    __name__ = "bench.test_mine"

    def __init__(self, **names):
        self.__dict__.update(names)


def test_a_test_function_measures_the_scenario_of_its_name():
    wide, deep = scenario(Arm(), name="wide-vs-deep"), scenario(Arm(), name="deep")
    module = _Module(x=deep, y=wide, z=3)
    assert scenario_of_test(module, "test_wide_vs_deep") is wide
    with pytest.raises(ConfigError, match="no Scenario named 'wide-vs-dep'; did you mean 'wide-vs-deep'"):
        scenario_of_test(module, "test_wide_vs_dep")
    with pytest.raises(ConfigError, match="found: none"):
        scenario_of_test(_Module(), "test_x")


# rates.toml


def test_rates_come_back_as_they_were(tmp_path):
    before = rates_of(
        tmp_path,
        rate(arm='b "quoted" \\ µ × \n [x]', lr=1e-05, grid=(1e-05, 0.1 + 0.2, 1.0), accuracy=(0.1, 0.5,
                                                                                               0.25),
             seeds=2, edge=True, nnbench="0.1.0", date="2026-11-22"),
        rate(arm="a", profile="full"),
        rate(scenario="../../x"),
    )  # fmt: skip
    write_rates(before)
    assert read_rates(tmp_path) == before
    assert [file.name for file in tmp_path.iterdir()] == ["rates.toml"]


def test_the_file_is_toml_sorted_and_says_who_wrote_it(tmp_path):
    rates = [rate(arm="b"), rate(arm="a", profile="quick"), rate(arm="a", profile="full"), rate(scenario="r")]
    write_rates(rates_of(tmp_path, *rates))
    text = (tmp_path / "rates.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["rate"]
    keys = [(row["scenario"], row["arm"], row["profile"]) for row in rows]
    assert keys == sorted(keys)
    assert set(rows[0]) == set(Rate.__dataclass_fields__)
    assert text.startswith("# Written by `nnbench tune`")
    write_rates(rates_of(tmp_path, *reversed(rates)))
    assert (tmp_path / "rates.toml").read_text(encoding="utf-8") == text


def test_no_file_and_no_rates_are_no_rates(tmp_path):
    assert read_rates(tmp_path) == Rates(tmp_path / "rates.toml")
    write_rates(Rates(tmp_path / "rates.toml"))
    assert read_rates(tmp_path) == Rates(tmp_path / "rates.toml")


@pytest.mark.parametrize(
    "text",
    ["rate = [", "[[rate]]\nlr = 1", '[[rate]]\nsurprise = "x"', "rate = [1]", "rate = 1", '"', "\udcff"],
)
def test_a_file_that_cannot_be_understood_says_what_to_do(text, tmp_path):
    (tmp_path / "rates.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StorageError, match=r"rates\.toml: .*write it anew with 'nnbench tune'"):
        read_rates(tmp_path)


def test_a_rate_that_is_no_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_rates(rates_of(tmp_path, rate(lr=math.nan)))
    assert list(tmp_path.iterdir()) == []


def test_a_profile_without_a_rate_of_its_own_takes_that_of_quick(tmp_path):
    quick, full = rate(lr=0.1), rate(lr=0.2, profile="full")
    rates = rates_of(tmp_path, quick, full)
    assert rates.find("s", "a", "full") is full
    assert rates.find("s", "a", "smoke") is quick
    assert rates.find("s", "b", "quick") is None
    assert rates_of(tmp_path, full).find("s", "a", "quick") is None


# arms with their rates


def test_tuned_rates_are_filled_in_and_others_left(tmp_path):
    probe = Probe(name="p", function="m:f")
    of = scenario(Arm(name="a", lr="tuned"), Arm(name="b", lr=0.5), probe)
    arms = arms_of(of, "quick", rates_of(tmp_path, rate(lr=0.25), rate(arm="b", lr=9.0)))
    assert [getattr(arm, "lr", None) for arm in arms] == [0.25, 0.5, None]
    assert [arm.name for arm in arms] == ["a", "b", "p"]
    assert arms[2] is probe


def test_changes_apply_to_trainings_and_keep_their_names(tmp_path):
    of = scenario(Arm(lr="tuned"), Arm(name="b"), Probe(name="p", function="m:f"))
    arms = arms_of(of, "quick", rates_of(tmp_path, rate(arm="mlp/sgd/b64")), {"threads": 2, "batch_size": 8})
    assert [arm.name for arm in arms] == ["mlp/sgd/b64", "b", "p"]
    assert [arm.threads for arm in arms[:2]] == [2, 2]
    assert [arm.batch_size for arm in arms[:2]] == [8, 8]


def test_a_rate_that_nobody_tuned_names_the_command(tmp_path):
    of = scenario(Arm(name="a", lr="tuned"))
    with pytest.raises(ConfigError) as caught:
        arms_of(of, "quick", rates_of(tmp_path, rate(scenario="other")))
    assert f"s: no tuned rate for the arm 'a' in {tmp_path / 'rates.toml'}" in str(caught.value)
    assert f"run: nnbench tune {tmp_path} --scenario s" in str(caught.value)


def test_a_rate_is_stale_when_its_arm_changed_since(tmp_path):
    tuned, changed = Arm(name="a", lr="tuned"), Arm(name="b", lr="tuned", epochs=9)
    of = scenario(tuned, changed, Arm(name="never", lr="tuned"), Probe(name="p", function="m:f"))
    rates = rates_of(
        tmp_path,
        rate(arm="a", arm_id=tuned.id),
        rate(arm="b", arm_id=changed.replace(epochs=3).id),
        rate(arm="p"),
    )
    assert stale_rates(of, "quick", rates) == ["b"]
    # another profile borrows the rate knowingly
    assert stale_rates(of, "full", rates) == []


# budgets.toml


def test_a_folder_says_how_long_it_may_take(tmp_path):
    assert read_budget(tmp_path, "quick") is None
    (tmp_path / "budgets.toml").write_text("[quick]\nblocks = 6\nminutes = 1.5")
    assert read_budget(tmp_path, "quick") == Budget(minutes=1.5, blocks=6)
    assert read_budget(tmp_path, "full") is None


@pytest.mark.parametrize(
    "text", ["[quick", "[quick]\nblocks = 6", "quick = 15", "[quick]\nblocks = 6\nminutes = 'a'"]
)
def test_a_budget_that_is_none_says_what_is_wanted(tmp_path, text):
    (tmp_path / "budgets.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"budgets.toml: expected \[quick\] with minutes and blocks"):
        read_budget(tmp_path, "quick")


def test_the_budgets_of_bench_are_there():
    folder = Path(__file__).parents[1] / "bench"
    assert {profile: read_budget(folder, profile).minutes for profile in ("smoke", "quick", "lecture")} == {
        "smoke": 3, "quick": 15, "lecture": 90,
    }  # fmt: skip
