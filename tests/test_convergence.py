"""Does the faster one still learn? The one-sided test, its three answers, and what it refuses."""

import math
import random

import pytest
import scipy.stats

from nnbench.stats import LEARNS_ALIKE, LEARNS_WORSE, UNSETTLED, convergence

BASE = [0.851, 0.846, 0.858, 0.849, 0.853, 0.842, 0.850, 0.847]


def head(loss, sd=0.002, seed=1):
    rng = random.Random(seed)
    return [x - loss + rng.gauss(0, sd) for x in BASE]


def test_the_test_is_scipys_one_sided_paired_t_test():
    for loss in (0, 0.001, 0.02, -0.01):
        expected = scipy.stats.ttest_rel(head(loss), BASE, alternative="less")
        found = convergence(BASE, head(loss), margin=0.01)
        assert found.p == pytest.approx(expected.pvalue)
        ends = scipy.stats.ttest_rel(head(loss), BASE).confidence_interval(0.90)
        assert (found.gain.low, found.gain.high) == pytest.approx((ends.low, ends.high))


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (head(0.02), LEARNS_WORSE),
        (head(-0.02), LEARNS_ALIKE),  # better is as good
        (head(0), LEARNS_ALIKE),
        ([x + y for x, y in zip(BASE, [0.03, -0.03] * 4, strict=True)], UNSETTLED),
        ([0.0, *BASE[1:]], UNSETTLED),  # one seed diverged
        ([0.0] * 8, LEARNS_WORSE),
        (BASE, LEARNS_ALIKE),
        ([x - 0.25 for x in BASE], LEARNS_WORSE),
    ],
)
def test_the_three_answers(found, verdict):
    assert convergence(BASE, found, margin=0.01).verdict == verdict


def test_a_loss_within_the_margin_is_worse_where_it_is_certain():
    found = convergence(BASE, head(0.005, 0.001), margin=0.01)
    assert found.verdict == LEARNS_WORSE
    assert found.gain.high > -0.01


def test_the_reason_says_points_p_and_seeds():
    found = convergence(BASE, head(0.02), margin=0.01)
    assert found.reason.startswith("accuracy -2.")
    assert found.reason.endswith("8 seeds")
    open_ = convergence(BASE, [0.0, *BASE[1:]], margin=0.01)
    assert "a loss of 1.0 points is not excluded" in open_.reason


@pytest.mark.parametrize(
    ("base", "found"), [([], []), (BASE[:5], head(0.2)[:5]), (BASE, head(0.2)[:7]), (BASE[:6], head(0.2))]
)
def test_too_few_or_unequal_seeds_settle_nothing(base, found):
    answer = convergence(base, found, margin=0.01)
    assert (answer.verdict, answer.gain, answer.p) == (UNSETTLED, None, None)
    assert "the test needs 6" in answer.reason


def test_equal_accuracies_are_alike_without_a_test():
    assert convergence([0.9, 0.8], [0.9, 0.8], margin=0.01).verdict == LEARNS_ALIKE


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_accuracy_is_refused_even_where_both_sides_have_it(bad):
    for base in ([*BASE[1:], bad], BASE):
        with pytest.raises(ValueError, match="must be finite"):
            convergence(base, [*BASE[1:], bad], margin=0.01)
