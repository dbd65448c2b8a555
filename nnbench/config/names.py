"""What an arm may name: models, data sets, optimizers, and the choices of its other fields.

As ``name -> "module:function"``, so that ``--help`` and error messages can list them without importing
anything heavy. Your own model comes in as ``package.module:factory``.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nnbench.config.errors import ConfigError

MODELS: Mapping[str, str] = {
    "perceptron": "nnbench.models.perceptron:perceptron",
    "logistic": "nnbench.models.logistic:logistic",
    "mlp": "nnbench.models.mlp:mlp",
    "cnn": "nnbench.models.cnn:cnn",
    "lenet5": "nnbench.models.lenet5:lenet5",
    "alexnet": "nnbench.models.alexnet:alexnet",
}
DATA_SETS: Mapping[str, str] = {
    "fashion-mini": "nnbench.data.fashion_mini:fashion_mini",
    "digits": "nnbench.data.digits:digits",
    "xor": "nnbench.data.xor:xor",
    "synthetic": "nnbench.data.synthetic:synthetic",
    "mnist": "nnbench.data.mnist:mnist",
    "fashion-mnist": "nnbench.data.mnist:fashion_mnist",
    "mednist": "nnbench.data.mednist:mednist",
    "mednist-clean": "nnbench.data.mednist:mednist_clean",
    "mednist-28": "nnbench.data.mednist:mednist_28",
}
# A name is a torch.optim class, or what takes the same, with the keywords that the name stands for. Fused is
# a step in one pass over the weights, without temporary copies of them: for SGD it changed no time that could
# be measured.
OPTIMIZERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "sgd": ("torch.optim:SGD", {}),
    "momentum": ("torch.optim:SGD", {"momentum": 0.9}),
    "nesterov": ("torch.optim:SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("torch.optim:Adagrad", {"fused": True}),
    "rmsprop": ("torch.optim:RMSprop", {}),
    "adam": ("torch.optim:Adam", {"fused": True}),
    "adamw": ("torch.optim:AdamW", {"fused": True}),
    "lars": ("nnbench.optim.lars:LARS", {}),
    "lamb": ("nnbench.optim.lamb:lamb", {}),
    "slide-momentum": ("nnbench.optim.slides:SlideMomentum", {}),
    "slide-adagrad": ("nnbench.optim.slides:SlideAdagrad", {}),
    "slide-adams": ("nnbench.optim.slides:SlideAdams", {}),
}
# Optimizers whose step a CUDA graph can hold: what they are asked for beside, so that they count their steps
# on the device. All of them start from zeros, which a graph needs whose trial steps must leave no trace.
CAPTURABLE: Mapping[str, Mapping[str, Any]] = {
    "sgd": {},
    "momentum": {},
    "nesterov": {},
    "rmsprop": {"capturable": True},
    "adam": {"capturable": True},
    "adamw": {"capturable": True},
}
SCHEDULES = (
    "constant", "step", "multistep", "exponential", "linear", "polynomial", "inverse", "geometric",
    "cosine", "cosine-restarts", "cyclic", "onecycle",
)  # fmt: skip
SAMPLINGS = ("reshuffle", "shuffle-once", "sequential", "replacement")
LOADERS = ("tensors", "dataloader")
OWN_LOOP = "nnbench"
FRAMEWORKS = (OWN_LOOP, "bare", "lecture", "lightning", "skorch", "keras", "scikit-learn")
TORCH_FRAMEWORKS = ("bare", "lecture", "lightning", "skorch")  # they train any model of torch
BATCH_NORMS = ("local", "global")
BF16_MIXED = "bf16-mixed"
PRECISIONS = ("float32", "float64", BF16_MIXED)
COMPILED, CUDA_GRAPH = "compiled", "cuda-graph"
EXECUTIONS = ("eager", "in-backward", COMPILED, CUDA_GRAPH)
MEMORY_FORMATS = ("contiguous", "channels_last")
FULL_BATCH = "full"
TUNED = "tuned"


def closest(name: str, known: Sequence[str]) -> str:
    """'did you mean' for a misspelt *name*; empty where nothing known is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def known_or_path(what: str, name: str, table: Mapping[str, Any]) -> None:
    """Refuse a *name* that is neither in *table* nor ``package.module:factory``."""
    if isinstance(name, str) and (name in table or re.fullmatch(r"[\w.]+:\w+", name)):
        return
    raise ConfigError(
        f"{what}: unknown name {name!r}; {closest(str(name), list(table))}"
        f"known: {', '.join(table)}; or your own as package.module:factory"
    )


def load_object(path: str) -> Any:
    """Import ``package.module:name``.

    Raises:
        ConfigError: the path has no colon, or nothing is there.
    """
    module, _, name = path.partition(":")
    if not module.strip(".") or not name:
        raise ConfigError(f"{path!r}: expected package.module:name")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{path!r}: no module {error.name!r}; is its folder on PYTHONPATH?") from error
    if not hasattr(found, name):
        raise ConfigError(f"{path!r}: module {module!r} has no {name!r}")
    return getattr(found, name)
