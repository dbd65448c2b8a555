"""Seconds of every process that trains without compiling: torch's compiler, loaded only when it is used.

`torch.optim` imports torch._dynamo when an optimizer is made and at its first step (4 s of a core with torch
2.15), only to tell a compiler that may be tracing them what not to trace. Where nothing is compiled, both
calls do nothing. Until somebody asks the module for anything else, a stand-in answers them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_NAME = "torch._dynamo"


class _StandIn(ModuleType):
    """torch._dynamo until it is needed; whatever is not here loads the real one."""

    @staticmethod
    def graph_break(*_: Any, **__: Any) -> None:
        """Break the graph of a compiler that traces the caller: there is none while this stands in."""

    @staticmethod
    def disable(fn: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Callable[..., Any]:
        """Keep the compiler out of *fn*; the real one's wrapper takes over once it is loaded.

        Called without a function, as in ``@torch._dynamo.disable()``, it gives what takes one.
        """
        if fn is None:
            return _StandIn.disable

        def passed_on(*args: Any, **kwargs: Any) -> Any:
            return fn(*args, **kwargs)

        return passed_on

    def __getattr__(self, name: str) -> Any:
        # inspect asks every module for its __file__, amid imports too; a submodule's import needs __path__
        if name.startswith("__") and name != "__path__":
            raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")
        return getattr(_load(), name)


def _load() -> ModuleType:
    """The real module, in the stand-in's place."""
    import torch

    if isinstance(sys.modules.get(_NAME), _StandIn):
        del sys.modules[_NAME]
        if isinstance(vars(torch).get("_dynamo"), _StandIn):
            del torch._dynamo
    return importlib.import_module(_NAME)


def defer_compiler() -> None:
    """Put the stand-in where torch._dynamo would be, unless that is loaded already."""
    import torch

    if _NAME not in sys.modules:
        stand_in = _StandIn(_NAME)
        sys.modules[_NAME] = stand_in
        torch._dynamo = stand_in
