"""Which executions go with which other fields of an arm: refused at once, with the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnbench.config.errors import ConfigError
from nnbench.config.names import BF16_MIXED, CAPTURABLE, COMPILED, CUDA_GRAPH

if TYPE_CHECKING:
    from nnbench.config.arm import Arm


def check_execution(arm: Arm) -> None:
    """Refuse an execution that cannot do what the arm's other fields ask for.

    Raises:
        ConfigError: the message says why, and what to take instead.
    """
    checks = {"in-backward": _against_in_backward, COMPILED: _against_compiled, CUDA_GRAPH: _against_graphs}
    why = checks[arm.execution](arm) if arm.execution in checks else ""
    if why:
        raise ConfigError(f"execution: {arm.execution!r} {why}")


def _against_in_backward(arm: Arm) -> str:
    if arm.ranks > 1:
        return f"has no gradients that {arm.ranks} ranks could average; take 'eager'"
    if arm.precision == BF16_MIXED:
        return f"changes weights by products in their own format, not in that of {BF16_MIXED!r}; take 'eager'"
    return ""


def _against_compiled(arm: Arm) -> str:
    if arm.ranks > 1 and arm.batch_norm == "global":
        return "cannot follow batch norm that talks to other ranks; take 'eager', or batch_norm 'local'"
    return ""


def _against_graphs(arm: Arm) -> str:
    """A graph holds a step as it was: its numbers of the host, and its kernels, on one device."""
    asked = arm.optimizer_args
    if arm.device == "cpu":
        return "needs a CUDA device, and the arm asks for the CPU; take 'eager' or 'compiled'"
    if arm.ranks > 1:
        return f"holds the steps of one process, not of {arm.ranks} ranks; take 'eager' or 'compiled'"
    if arm.schedule != "constant":
        return f"repeats one rate, and the schedule {arm.schedule!r} changes it; take 'constant' or 'eager'"
    if arm.schedule_args.get("warmup"):
        return "repeats one rate, and a warm-up changes it; leave out schedule_args, or take 'eager'"
    if arm.optimizer not in CAPTURABLE:
        return f"cannot hold the steps of {arm.optimizer}; take one of {', '.join(CAPTURABLE)}, or 'eager'"
    if asked.get("dampening"):
        return "starts momentum from zeros, which is another first step with dampening; take 'eager'"
    if asked.get("differentiable") or asked.get("capturable") is False:
        return "needs optimizer_args without differentiable, and with capturable; take 'eager' for these"
    return ""
