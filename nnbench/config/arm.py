"""One training, complete and frozen."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar

from nnbench.config.canonical import digest, frozen, plain
from nnbench.config.errors import ConfigError
from nnbench.config.executions import check_execution
from nnbench.config.names import (
    BATCH_NORMS,
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
    TORCH_FRAMEWORKS,
    TUNED,
    closest,
    known_or_path,
)


def _setting(default: Any, help_text: str) -> Any:
    """A field whose help text serves `nnbench train --help` too."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"help": help_text})
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True, kw_only=True, eq=False)
class Arm:
    """One training: data, model, optimizer, schedule, batch size, sampling, budget, machine part.

    Example:
        >>> Arm(model="mlp", model_args={"hidden": (512, 512)}, lr=0.1, batch_size=64).name
        'mlp-512-512/sgd/b64'

    Raises:
        ConfigError: an unknown name or a value out of range; the message names both.
    """

    name: str = _setting("", "label in tables and plots (default: made from model, optimizer, batch)")
    data: str = _setting("fashion-mini", "data set")
    model: str = _setting("mlp", "model, or your own as package.module:factory")
    model_args: Mapping[str, Any] = _setting({}, "arguments of the model")
    optimizer: str = _setting("sgd", "optimizer")
    optimizer_args: Mapping[str, Any] = _setting({}, "arguments of the optimizer")
    lr: float | str = _setting(0.1, "learning rate; 'tuned' reads rates.toml beside the bench file")
    schedule: str = _setting("constant", "learning-rate schedule")
    schedule_args: Mapping[str, Any] = _setting({}, "arguments of the schedule")
    batch_size: int | str = _setting(64, "samples per step over all ranks; 'full' is the whole training set")
    sampling: str = _setting("reshuffle", "order of the samples")
    epochs: int = _setting(3, "passes over the training set")
    max_steps: int | None = _setting(None, "stop after that many steps, even within an epoch")
    target_accuracy: float | None = _setting(
        None, "validation accuracy that ends the training, and whose time is taken, 0 to 1"
    )
    init_seed: int | None = _setting(None, "seed of the first weights (default: the seed of the run)")
    train_on: str = _setting("train", "'train', or 'tune' to hold back its last sixth and score on it")
    train_samples: int | None = _setting(None, "learn from that many training samples, always the same ones")
    normalize: bool = _setting(False, "standardize pixels by the training set's mean and deviation")
    label_smoothing: float = _setting(0.0, "share of each label that all classes share while training")
    loader: str = _setting(
        "tensors", "'tensors' slices them, 'dataloader' is the lecture's Dataset + DataLoader"
    )
    loader_args: Mapping[str, Any] = _setting(
        {}, "arguments of the DataLoader, such as num_workers; transform=NAME is its data set's"
    )
    framework: str = _setting(OWN_LOOP, "whose loop trains: nnbench's, a bare one, or another framework's")
    precision: str = _setting(
        "float32", "number format; 'bf16-mixed' multiplies in bfloat16 and keeps float32 weights"
    )
    device: str = _setting("auto", "auto, cpu, cuda or cuda:N")
    threads: int = _setting(1, "intra-op threads on a CPU, of each rank")
    ranks: int = _setting(1, "processes that share each batch, by DistributedDataParallel")
    batch_norm: str = _setting("local", "batch statistics of each rank ('local') or of all ('global')")
    execution: str = _setting(
        "eager",
        "'eager' runs layer by layer, 'in-backward' also changes linear weights in the backward pass, "
        "'compiled' is torch.compile, 'cuda-graph' replays whole steps",
    )
    memory_format: str = _setting("contiguous", "order of the pixels in memory; 'channels_last' is NHWC")

    kind: ClassVar[str] = "training"

    def __post_init__(self) -> None:
        for name in ("model_args", "optimizer_args", "schedule_args", "loader_args"):
            if not isinstance(getattr(self, name), Mapping):
                raise ConfigError(f"{name}: expected a mapping, got {getattr(self, name)!r}")
            object.__setattr__(self, name, frozen(getattr(self, name), name))
        self._check_names()
        self._check_numbers()
        self._check_framework()
        if self.lr != TUNED:
            object.__setattr__(self, "lr", float(self.lr))  # 1 and 1.0 are one rate: they hash alike
        if not self.name:
            object.__setattr__(self, "name", self._label())

    def _check_names(self) -> None:
        known_or_path("model", self.model, MODELS)
        known_or_path("data", self.data, DATA_SETS)
        known_or_path("optimizer", self.optimizer, OPTIMIZERS)
        self._check_choice("schedule", SCHEDULES)
        self._check_choice("sampling", SAMPLINGS)
        self._check_choice("loader", LOADERS)
        self._check_choice("framework", FRAMEWORKS)
        self._check_choice("batch_norm", BATCH_NORMS)
        self._check_choice("precision", PRECISIONS)
        self._check_choice("execution", EXECUTIONS)
        self._check_choice("memory_format", MEMORY_FORMATS)
        self._check_choice("train_on", ("train", "tune"))
        if not (isinstance(self.device, str) and re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device)):
            raise ConfigError(f"device: expected auto, cpu, cuda or cuda:N, got {self.device!r}")

    def _check_choice(self, name: str, choices: Sequence[str]) -> None:
        value = getattr(self, name)
        if value not in choices:
            hint = closest(str(value), choices)
            raise ConfigError(f"{name}: unknown name {value!r}; {hint}known: {', '.join(choices)}")

    def _check_numbers(self) -> None:
        if self.lr != TUNED and not (_is_number(self.lr) and 0 < float(self.lr) < math.inf):
            raise ConfigError(f"lr: expected a positive number or {TUNED!r}, got {self.lr!r}")
        if self.batch_size != FULL_BATCH and not _is_count(self.batch_size):
            raise ConfigError(f"batch_size: expected 1, 2, … or {FULL_BATCH!r}, got {self.batch_size!r}")
        self._check_counts()
        self._check_shares()
        if not isinstance(self.normalize, bool):
            raise ConfigError(f"normalize: expected true or false, got {self.normalize!r}")
        if not (_is_number(self.label_smoothing) and 0 <= self.label_smoothing < 1):
            raise ConfigError(f"label_smoothing: expected 0 to below 1, got {self.label_smoothing!r}")
        target = self.target_accuracy
        if target is not None and not (_is_number(target) and 0 < target <= 1):
            raise ConfigError(f"target_accuracy: expected a share above 0 and up to 1, got {target!r}")

    def _check_counts(self) -> None:
        for name in ("epochs", "threads", "ranks"):
            if not _is_count(getattr(self, name)):
                raise ConfigError(f"{name}: expected 1, 2, …, got {getattr(self, name)!r}")
        for name in ("max_steps", "train_samples"):
            if getattr(self, name) is not None and not _is_count(getattr(self, name)):
                raise ConfigError(f"{name}: expected 1, 2, … or nothing, got {getattr(self, name)!r}")
        if self.init_seed is not None and type(self.init_seed) is not int:
            raise ConfigError(f"init_seed: expected a whole number or nothing, got {self.init_seed!r}")

    def _check_shares(self) -> None:
        """Ranks take equal shares of a batch: an average over ranks is then one over the samples."""
        if self.batch_size != FULL_BATCH and int(self.batch_size) % self.ranks:
            raise ConfigError(
                f"batch_size: {self.batch_size} cannot be shared equally by {self.ranks} ranks; "
                f"take a multiple of {self.ranks}"
            )
        check_execution(self)
        if self.loader_args and self.loader != "dataloader":
            raise ConfigError(f"loader_args: given for the loader {self.loader!r}, which takes none")

    def _check_framework(self) -> None:
        """What others are asked for is what they all have: plain SGD, on a perceptron or a torch model."""
        if self.framework == OWN_LOOP:
            return
        if self.lr == TUNED:
            raise ConfigError(f"lr: {TUNED!r} is for nnbench's own loop; give {self.framework!r} a number")
        if self.framework == "lecture" and self.normalize:
            raise ConfigError("normalize: the framework 'lecture' only divides by 255; take false")
        for name, default in _DEFAULTS.items():
            value = getattr(self, name)
            if name == "model" and self.framework in TORCH_FRAMEWORKS:
                continue
            if name not in _OF_ANY_FRAMEWORK and value != default:
                raise ConfigError(
                    f"{name}: {value!r} is for nnbench's own loop; the framework {self.framework!r} takes "
                    f"{default!r} alone"
                )

    def _label(self) -> str:
        model = self.model.rpartition(":")[2]
        hidden = self.model_args.get("hidden") or self.model_args.get("channels")
        if isinstance(hidden, (list, tuple)):
            model += "".join(f"-{width}" for width in hidden)
        batch = "full" if self.batch_size == FULL_BATCH else f"b{self.batch_size}"
        ranks = f"/r{self.ranks}" if self.ranks > 1 else ""
        framework = "" if self.framework == OWN_LOOP else f"/{self.framework}"
        return f"{model}/{self.optimizer}/{batch}{ranks}{framework}"

    def config(self) -> dict[str, Any]:
        """The whole configuration as plain JSON values, name excluded."""
        return {
            "kind": self.kind,
            **{item.name: plain(getattr(self, item.name)) for item in fields(self) if item.name != "name"},
        }

    @property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of what differs from the defaults, name excluded.

        A field that a later version adds thus changes no id; a default must never change.
        """
        return digest({key: value for key, value in self.config().items() if value != _DEFAULTS.get(key)})

    def replace(self, **changes: Any) -> Arm:
        """This arm with some fields changed; a name made from the old fields is made anew."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        if self.name == self._label():
            values["name"] = ""
        return arm_from({**values, **changes})

    def vary(self, **axes: Sequence[Any]) -> tuple[Arm, ...]:
        """One arm for each combination of the given fields' values.

        Example:
            >>> [arm.name for arm in Arm(model="logistic").vary(batch_size=(16, 64))]
            ['logistic/sgd/b16', 'logistic/sgd/b64']
        """
        points = itertools.product(*axes.values())
        return tuple(self.replace(**dict(zip(axes, point, strict=True))) for point in points)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arm) and (self.name, self.id) == (other.name, other.id)

    def __hash__(self) -> int:
        return hash((self.name, self.id))


# A mapping's default is empty.
_DEFAULTS = {item.name: {} if item.default is MISSING else item.default for item in fields(Arm)}
# What may differ where another framework trains.
_OF_ANY_FRAMEWORK = (
    "name", "data", "model_args", "lr", "batch_size", "epochs", "init_seed", "train_on", "normalize",
    "device", "threads", "framework",
)  # fmt: skip


def arm_from(values: Mapping[str, Any]) -> Arm:
    """An arm from a mapping of fields, as a file or a command line gives them.

    Raises:
        ConfigError: a key that no arm has, or a bad value.
    """
    known = [item.name for item in fields(Arm)]
    for key in values:
        if key not in known:
            raise ConfigError(f"unknown key {key!r}; {closest(key, known)}an arm has: {', '.join(known)}")
    return Arm(**values)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
