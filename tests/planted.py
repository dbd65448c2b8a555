"""Defects and the checks that must catch them: checks plant what they are given, see test_planted_defects."""

from collections import defaultdict

DEFECTS = defaultdict(list)


def caught_by(check):
    """The defect below must be caught by *check*."""

    def register(plant):
        DEFECTS[check].append(plant)
        return plant

    return register


def nothing(monkeypatch):
    """The sound pipeline."""
