"""S1: fifty kills at random times in one run after another; see tests/test_kill_points.py."""

import random
import signal
import time

from real_runs import Bench, end_of

ARMS = ", ".join(f'base.replace(name="{name}", lr={lr}, epochs=400)' for name, lr in
                 (("a", 0.1), ("b", 0.2), ("c", 0.5), ("d", 1.0)))  # fmt: skip
KILLS, LONGEST_S = 50, 9.0


def test_fifty_kills_at_random_times_lose_nothing_and_run_nothing_twice(tmp_path):
    reference = Bench(tmp_path / "reference", ARMS)
    reference.complete("--seeds", "3")
    expected = reference.learned()
    rng, kills, runs = random.Random(1), 0, 0
    while kills < KILLS:
        bench = Bench(tmp_path / f"run-{runs}", ARMS)
        runs += 1
        before: set[object] = set()
        while kills < KILLS:
            process = bench.begin("--seeds", "3")
            time.sleep(rng.uniform(0.1, LONGEST_S))
            if process.poll() is not None:
                end_of(process, 0)
                break
            process.send_signal(signal.SIGKILL)
            end_of(process, None)
            kills += 1
            assert bench.nobody_is_left(5)
            assert before <= set(bench.records())
            before = set(bench.records())
            assert not bench.rejected()
        bench.complete("--seeds", "3")
        assert bench.run_twice() == []
        assert bench.learned() == expected
