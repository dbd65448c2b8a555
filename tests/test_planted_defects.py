"""Defects that benchmarks have been published with, planted one by one: each must be caught.

A check builds a pipeline, plants the defect that it is given, and looks. It must pass where nothing is planted
and fail under each of its defects. Where nnbench itself looks for the defect, the check asks nnbench.
"""

# each registers its checks and defects
import pytest

import planted_batches  # noqa: F401
import planted_learning  # noqa: F401
import planted_timing  # noqa: F401
from nnbench.records import RecordError
from planted import DEFECTS, nothing


@pytest.mark.parametrize("check", DEFECTS, ids=lambda check: check.__name__)
def test_a_sound_pipeline_passes(check, monkeypatch):
    check(monkeypatch, nothing)


@pytest.mark.parametrize(
    ("check", "plant"),
    [
        pytest.param(check, plant, id=f"{plant.__name__}-{check.__name__}")
        for check in DEFECTS
        for plant in DEFECTS[check]
    ],
)
def test_a_planted_defect_is_caught(check, plant, monkeypatch):
    with pytest.raises((AssertionError, RecordError)):
        check(monkeypatch, plant)
