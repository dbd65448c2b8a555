"""One block of the self-test, as its fresh process runs it: pairs of sides whose true ratio is known.

A side is rounds of pure arithmetic. Its work is counted in iterations, never in seconds: a side that sleeps
or spins on the clock would be right whatever the machine does.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Clock = Callable[[], int]
Work = Callable[[int], object]

WARM_UP_ROUNDS = 5
_CALIBRATIONS = 15
# +5 % of a multiple of 20 is a whole number of iterations: the true ratio is known exactly.
_GRAIN = 20


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a child is asked for.

    Attributes:
        pairs: (iterations of a round of side A, of side B) of each pair.
        rounds: of a side.
        seed: of the order of the pairs and of the two sides within each.
        calibrate_s: not 0: how many iterations take so many seconds, and nothing else.
    """

    pairs: Sequence[tuple[int, int]] = ()
    rounds: int = 1
    seed: int = 0
    calibrate_s: float = 0.0


def answer(request: Request, *, clock: Clock = time.perf_counter_ns, work: Work | None = None) -> Any:
    """The iterations of a calibration; else for each pair the two lists of round times in ns, A's and B's."""
    work = work or arithmetic
    if request.calibrate_s:
        return _calibrated(request.calibrate_s, clock, work)
    times: list[list[list[int]]] = [[[], []] for _ in request.pairs]
    for _ in range(WARM_UP_ROUNDS):
        work(request.pairs[0][0])
    for pair, side in order(len(request.pairs), request.seed):
        times[pair][side] = _side(request.pairs[pair][side], request.rounds, clock, work)
    return times


def order(pairs: int, seed: int) -> Iterator[tuple[int, int]]:
    """(pair, side) in the order in which a block runs them: pairs are shuffled, and the sides of each."""
    shuffled = random.Random(seed)
    for pair in shuffled.sample(range(pairs), pairs):
        for side in shuffled.sample((0, 1), 2):
            yield pair, side


def arithmetic(iterations: int) -> float:
    """So many multiplications and additions, in Python: needs no import, allocates nothing that grows."""
    value = 1.0
    for _ in range(iterations):
        value = value * 0.999 + 0.1
    return value


def _side(iterations: int, rounds: int, clock: Clock, work: Work) -> list[int]:
    times = []
    for _ in range(rounds):
        start = clock()
        work(iterations)
        times.append(clock() - start)
    return times


def _calibrated(seconds: float, clock: Clock, work: Work) -> int:
    """Iterations that take *seconds* where nothing disturbs: told from the fastest of several rounds."""
    iterations = 1000
    while True:
        fastest = min(_side(iterations, _CALIBRATIONS, clock, work)) / 1e9
        if fastest >= seconds / 4:
            return max(1, round(iterations * seconds / fastest / _GRAIN)) * _GRAIN
        iterations *= 2
