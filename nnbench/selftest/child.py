"""Start a fresh process, hand it its request, bring its answer back; it never outlives this one."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from nnbench.config import NnbenchError
from nnbench.processes import child_environment, die_with_parent
from nnbench.selftest.block import Request

Ask = Callable[[Request], Any]
# A block takes half a minute; ten times that is a machine on which nothing can be measured.
_TIMEOUT_S = 300.0


class BlockFailed(NnbenchError):
    """A block's process ended without its answer."""

    exit_code = 5


def ask(request: Request, timeout_s: float = _TIMEOUT_S) -> Any:
    """What a fresh process answers to *request*.

    It is in a session of its own: Ctrl-C is for this process, which kills it on its way out; and the kernel
    ends it if this process is killed itself.

    Raises:
        BlockFailed: it failed, was killed or took longer than *timeout_s*.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "nnbench.selftest"], env=child_environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, preexec_fn=die_with_parent,
    ) as process:  # fmt: skip
        try:
            out, said = process.communicate(json.dumps(dataclasses.asdict(request)), timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise BlockFailed(f"a block of the self-test took longer than {timeout_s:.0f} s") from error
        finally:
            process.kill()
    if process.returncode != 0:
        last = (said.strip().splitlines() or [""])[-1]
        raise BlockFailed(f"a block of the self-test ended with {process.returncode}: {last}")
    return json.loads(out)
