"""How long runs of many records take: figures to read, with ``-rP``; nothing here depends on a duration."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from big_runs import write_big
from nnbench.records import folder
from nnbench.records.index import FILE

READ = """
import json, resource, sys, time
from nnbench.records import read_records
from nnbench.results import load_run
from pathlib import Path
start = time.perf_counter()
records, rejected = read_records(Path(sys.argv[1]))
read_s = time.perf_counter() - start
del records
start = time.perf_counter()
rows = len(load_run(sys.argv[1])) if sys.argv[2] == "table" else 0
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([read_s, time.perf_counter() - start, rows, peak]))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """20 scenarios of 50 arms, 10 seeds and 10 blocks: 100,000 records, 0.9 GB."""
    made = write_big(tmp_path_factory.mktemp("big"), 20, 50, 10, 10)
    time.sleep(folder._TICK_NS / 1e9 + 1)  # what was written just now is not indexed yet
    return made


def read(run, what):
    ended = subprocess.run([sys.executable, "-c", READ, str(run), what], capture_output=True, text=True,
                           check=True)  # fmt: skip
    return json.loads(ended.stdout)


def test_a_hundred_thousand_records(run):
    built_s, _, _, built_gib = read(run, "records")
    assert (run / FILE).exists()
    read_s, table_s, rows, gib = read(run, "table")
    assert rows == 100_000
    print(f"index built in {built_s:.0f} s ({built_gib:.2f} GiB); read in {read_s:.1f} s, and once more with the "
          f"table in {table_s:.1f} s ({gib:.2f} GiB)")  # fmt: skip


@pytest.mark.parametrize(("scenarios", "arms"), [(1, 1000), (20, 50)])
def test_a_report_of_a_thousand_arms(tmp_path, scenarios, arms):
    run = write_big(tmp_path / "run", scenarios, arms, 6, 1)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "nnbench", "report", str(run), "-o", str(tmp_path / "report")],
                   check=True, capture_output=True)  # fmt: skip
    page = tmp_path / "report" / "report.html"
    print(f"{scenarios} x {arms} arms x 6 seeds: {time.perf_counter() - start:.0f} s, "
          f"{page.stat().st_size / 1e6:.1f} MB")  # fmt: skip
    assert page.stat().st_size < 10e6
