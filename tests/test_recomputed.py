"""A4 and A5 over the curated runs: the table is the raw data, and no arm that was planned is lost."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from fake_runs import lecture, scaling_run, write_folder
from nnbench.cli import main
from nnbench.findings import counts
from nnbench.results import read_results
from recompute import COLUMNS, differences

TEXTS = {
    "arm",
    "seeds",
    "blocks",
    "status",
    "ranks",
    "against",
    "scaling",
    "speed-up",
    "efficiency",
    "pairs",
    "",
}
RUNS = [path.parent for path in (Path(__file__).parents[1] / "results").glob("*/run.json")]


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_every_printed_number_of_a_curated_run_is_that_of_its_files(folder, capsys):
    assert main(["table", str(folder)]) == 0
    printed = capsys.readouterr().out
    cells, wrong = differences(folder, printed)
    assert wrong == []
    assert cells > 200
    lines = printed.splitlines()
    heads = {
        head for line, below in pairwise(lines) if below.startswith("---") for head in re.split("  +", line)
    }
    assert heads - TEXTS <= set(COLUMNS)  # no column is passed over


def test_every_printed_number_of_runs_with_failures_and_scaling_is_that_of_its_files(tmp_path, capsys):
    for seeds in (1, 2, 3, 6):
        folder = write_folder(tmp_path / str(seeds), [*lecture(seeds), scaling_run(seeds)], seeds=seeds)
        assert main(["table", str(folder)]) == 0
        cells, wrong = differences(folder, capsys.readouterr().out)
        assert wrong == []
        assert cells > 100


def test_a_digit_that_is_changed_is_found(tmp_path, capsys):
    folder = write_folder(tmp_path / "run", lecture(3))
    main(["table", str(folder)])
    printed = capsys.readouterr().out
    where = printed.index(" ± ") - 1
    changed = printed[:where] + str((int(printed[where]) + 1) % 10) + printed[where + 1 :]
    assert len(differences(folder, changed)[1]) == 1


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_planned_is_the_sum_of_what_became_of_it(folder):
    run = read_results(folder)
    found = counts(run.plan, run.records)
    planned = found.pop("planned")
    assert planned == sum(found.values()) > 0
    assert planned == len(run.records) + found["missing"]
    assert run.rejected == ()


def test_there_is_a_curated_run():
    assert RUNS
