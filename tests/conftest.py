"""Warnings are errors here, and only here: a new torch must not break a stranger's benchmark."""

import pytest
import torch

pytest_plugins = ["pytester"]


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "error")
    # seaborn 0.13.2 on matplotlib 3.11: mended upstream, not released
    config.addinivalue_line("filterwarnings", "ignore:vert. bool w:Warning")
    # coverage and the plugin under test are loaded before pytest rewrites asserts
    config.addinivalue_line("filterwarnings", "ignore::pytest.PytestAssertRewriteWarning")


@pytest.fixture(autouse=True)
def _one_thread():
    """Two test processes of two spinning threads each would wait for one another."""
    torch.set_num_threads(1)
