"""Arms: what is measured, complete and frozen.

An `Arm` is one training; a `Probe` is a measurement that is no training. Both refuse unknown keys
and bad values when they are made, in microseconds and without torch, and both are identified by the
hash of their canonical configuration; a name is only a label.
"""

from nnbench.config.arm import Arm, arm_from
from nnbench.config.canonical import plain
from nnbench.config.errors import ConfigError, NnbenchError, install_line
from nnbench.config.names import (
    BATCH_NORMS,
    BF16_MIXED,
    CAPTURABLE,
    COMPILED,
    CUDA_GRAPH,
    DATA_SETS,
    EXECUTIONS,
    FRAMEWORKS,
    FULL_BATCH,
    LOADERS,
    MEMORY_FORMATS,
    MODELS,
    OPTIMIZERS,
    OWN_LOOP,
    PRECISIONS,
    SAMPLINGS,
    SCHEDULES,
    TUNED,
    closest,
    known_or_path,
    load_object,
)
from nnbench.config.probe import Probe, ProbeResult

__all__ = [
    "BATCH_NORMS", "BF16_MIXED", "CAPTURABLE", "COMPILED", "CUDA_GRAPH", "DATA_SETS", "EXECUTIONS",
    "FRAMEWORKS", "FULL_BATCH", "LOADERS", "MEMORY_FORMATS", "MODELS", "OPTIMIZERS", "OWN_LOOP",
    "PRECISIONS", "SAMPLINGS", "SCHEDULES", "TUNED",
    "Arm", "ConfigError", "NnbenchError", "Probe", "ProbeResult",
    "arm_from", "closest", "install_line", "known_or_path", "load_object", "plain",
]  # fmt: skip
