"""Blocks: run bench files in fresh processes, durably, and go on where a run was cut off."""

from nnbench.runner.account import Account, account
from nnbench.runner.blocks import BlockError, Outcome, Progress, Run
from nnbench.runner.forecasting import Forecast, forecast
from nnbench.runner.lock import RunLock
from nnbench.runner.request import Request, clear, read_request

__all__ = [
    "Account",
    "BlockError",
    "Forecast",
    "Outcome",
    "Progress",
    "Request",
    "Run",
    "RunLock",
    "account",
    "clear",
    "forecast",
    "read_request",
]
