"""Threads are chosen by proof: noise chooses one thread, and what is faster is found."""

import random

import pytest
import torch

from nnbench import Arm
from nnbench.thread_tuning import ThreadChoice, candidates, choose_threads, chosen

TINY = Arm(data="digits", model="logistic", batch_size=1, device="cpu")


def noisy(seconds, deviation, seed):
    """Slices of that many seconds by number of threads, times noise."""
    numbers = random.Random(seed)
    return lambda threads: seconds[threads] * numbers.lognormvariate(0, deviation)


@pytest.mark.parametrize(
    ("cores", "expected"), [(1, ()), (2, (2,)), (6, (2, 4, 6)), (8, (2, 4, 8)), (3, (2, 3))]
)
def test_powers_of_two_and_all_cores_are_tried(cores, expected):
    assert candidates(cores) == expected


def test_the_fastest_of_those_that_are_faster_is_taken():
    choice = chosen((2, 4, 8), noisy({1: 1.0, 2: 0.7, 4: 0.5, 8: 0.9}, 0.03, 0))
    assert choice.threads == 4
    assert [of.threads for of in choice.tried] == [2, 4, 8]
    assert choice.tried[1].low < choice.tried[1].ratio < choice.tried[1].high
    assert choice.tried[1].ratio == pytest.approx(2, rel=0.1)
    assert choice.to_json()["tried"][0]["threads"] == 2


@pytest.mark.parametrize("seconds", [{1: 1.0, 2: 1.0}, {1: 1.0, 2: 1.5}, {1: 1.0, 2: 1.01}])
def test_what_is_not_faster_is_not_taken(seconds):
    taken = [chosen((2,), noisy(seconds, 0.1, seed)).threads for seed in range(200)]
    assert taken.count(2) <= 10  # 5 % two-sided are 2.5 % on this side: 5 expected


def test_ten_percent_are_found_in_the_noise_of_a_shared_machine():
    taken = [chosen((2,), noisy({1: 1.0, 2: 0.9}, 0.04, seed)).threads for seed in range(100)]
    assert taken.count(2) >= 95


def test_both_directions_alternate():
    seen = []

    def seconds_of(threads):
        seen.append(threads)
        return 1.0 + len(seen) / 1000

    chosen((2, 4), seconds_of, rounds=2)
    assert seen == [4, 2, 1, 1, 2, 4]


def test_a_real_arm_is_calibrated_and_leaves_the_threads_as_they_were():
    before = torch.get_num_threads()
    choice = choose_threads(TINY, cores=2)
    assert choice.threads in (1, 2)
    assert [of.threads for of in choice.tried] == [2]
    assert torch.get_num_threads() == before


def test_one_core_has_no_choice():
    assert choose_threads(TINY, cores=1) == ThreadChoice(threads=1)


def test_ranks_keep_what_their_arm_says():
    assert choose_threads(TINY.replace(batch_size=2, ranks=2, threads=3)) == ThreadChoice(threads=3)
