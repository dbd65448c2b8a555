"""S3 and S8: the disk fills up in the middle of a run, or cannot be written to at all."""

import subprocess
import time

import pytest

from nnbench.findings import counts
from nnbench.records import OK
from real_runs import Bench, end_of

ARMS = 'base.replace(name="a"), base.replace(name="b", lr=0.5)'
SEEDS = 16
LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY)); "
    "from nnbench.cli import main; sys.exit(main())"
)


def mounted(folder, *options):
    """Mount a small file system at *folder*, which is made; skips where that is not permitted."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except OSError as error:
        pytest.skip(f"mount is not here: {error}")
    if done.returncode:
        pytest.skip(f"mounting is not permitted: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path):
    """A bench whose run folder lies on a file system of 96 KiB."""
    bench = Bench(tmp_path, ARMS)
    mounted(bench.run_folder, "size=96k")
    yield bench
    subprocess.run(["umount", "--lazy", str(bench.run_folder)], check=True, timeout=10)


def failed_and_gone_on(bench, code, *words):
    """The run fails with *words*, keeps what it has, and goes on when there is room."""
    process = bench.start("run", "bench", "-o", "run", "--seeds", str(SEEDS), code=code)
    _, err = end_of(process, 5)
    ended = time.time()
    assert err.startswith("nnbench: cannot write ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    last = max(path.stat().st_mtime for path in bench.run_folder.rglob("*"))
    assert ended - last < 5
    kept = bench.table()
    assert kept.rejected == ()
    assert 2 < len(kept.records) < 2 * SEEDS
    assert {record.status for record in kept.records} == {OK}
    return kept.records


def test_a_full_disk_ends_the_run_which_goes_on_when_there_is_room(small_disk):
    bench = small_disk
    kept = failed_and_gone_on(bench, "", "run/", ": No space left on device; choose another folder")
    subprocess.run(["mount", "-o", "remount,size=8m", str(bench.run_folder)], check=True, timeout=10)
    complete(bench, kept)


def test_a_limit_of_the_size_of_files_is_met_in_the_same_way(tmp_path):
    bench = Bench(tmp_path, ARMS)
    kept = failed_and_gone_on(bench, LIMITED, "run/journal.jsonl: ")
    complete(bench, kept)


def complete(bench, kept):
    out, _ = bench.complete()
    run = bench.table()
    assert counts(run.plan, run.records)["OK"] == 2 * SEEDS == len(run.records)
    assert f"{2 * SEEDS} planned = {2 * SEEDS} OK" in out
    assert bench.run_twice() == []
    for record in kept:
        assert record in run.records


def test_a_disk_that_is_read_only_is_told_before_the_first_arm(tmp_path):
    bench = Bench(tmp_path, ARMS)
    mounted(bench.run_folder, "ro")
    try:
        start = time.monotonic()
        _, err = end_of(bench.start("run", "bench", "-o", "run"), 5)
        assert time.monotonic() - start < 2
        assert err == "nnbench: cannot write run/lock: Read-only file system; choose another folder\n"
        _, err = end_of(bench.start("run", "bench", "-o", "run/deeper"), 5)
        assert err.startswith("nnbench: cannot write run/deeper/lock: Read-only file system")
        assert list(bench.run_folder.iterdir()) == []
    finally:
        subprocess.run(["umount", str(bench.run_folder)], check=True, timeout=10)
