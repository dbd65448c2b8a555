"""Blocks: run bench files in fresh processes, durably, and go on where a run was cut off."""

from nnbench.runner.account import Account, account
from nnbench.runner.blocks import BlockError, Outcome, Progress, Run
from nnbench.runner.lock import RunLock
from nnbench.runner.request import Request, clear, read_request

__all__ = [
    "Account",
    "BlockError",
    "Outcome",
    "Progress",
    "Request",
    "Run",
    "RunLock",
    "account",
    "clear",
    "read_request",
]
