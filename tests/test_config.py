"""Arms and probes: what they refuse, what they are called, and what makes two of them one."""

import hashlib
import json
import math
import re
import sys
from dataclasses import FrozenInstanceError, fields

import pytest

from nnbench.config import (
    DATA_SETS,
    MODELS,
    OPTIMIZERS,
    Arm,
    ConfigError,
    NnbenchError,
    Probe,
    arm_from,
    closest,
    load_object,
    plain,
)

OTHER_VALUES = {
    "data": "digits", "model": "cnn", "model_args": {"hidden": (8,)}, "optimizer": "adam",
    "optimizer_args": {"weight_decay": 0.1}, "lr": 0.2, "schedule": "cosine", "schedule_args": {"gamma": 0.5},
    "batch_size": 32, "sampling": "sequential", "epochs": 4, "max_steps": 7, "target_accuracy": 0.8,
    "init_seed": 5, "train_on": "tune", "train_samples": 9, "normalize": True, "precision": "float64", "device": "cpu",
    "threads": 2, "ranks": 2, "batch_norm": "global", "loader": "tensors", "loader_args": {"num_workers": 2},
    "execution": "in-backward", "framework": "bare", "memory_format": "channels_last",
    "label_smoothing": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "mpl"}, "model: unknown name 'mpl'; did you mean 'mlp'"),
        ({"model": "my_models.py"}, "or your own as package.module:factory"),
        ({"model": "a:b:c"}, "model: unknown name"),
        ({"model": None}, "model: unknown name None"),
        ({"model": ["mlp"]}, "model: unknown name"),
        ({"data": "fashion_mini"}, "data: unknown name 'fashion_mini'; did you mean 'fashion-mini'"),
        ({"optimizer": "sdg"}, "optimizer: unknown name 'sdg'; did you mean 'sgd'"),
        ({"schedule": "cosin"}, "schedule: unknown name 'cosin'; did you mean 'cosine'"),
        ({"sampling": "random"}, "sampling: unknown name 'random'"),
        ({"precision": "float16"}, "precision: unknown name 'float16'"),
        ({"precision": "bf16"}, "precision: unknown name 'bf16'; known: float32, float64, bf16-mixed"),
        ({"execution": "compile"}, "execution: unknown name 'compile'; did you mean 'compiled'"),
        ({"train_on": "validation"}, "train_on: unknown name 'validation'"),
        ({"device": "gpu"}, "device: expected auto, cpu, cuda or cuda:N, got 'gpu'"),
        ({"device": "cuda:x"}, "device: expected"),
        ({"device": None}, "device: expected"),
        ({"lr": 0}, "lr: expected a positive number"),
        ({"lr": -0.1}, "lr: expected"),
        ({"lr": math.nan}, "lr: expected"),
        ({"lr": math.inf}, "lr: expected"),
        ({"lr": "0.1"}, "lr: expected"),
        ({"lr": True}, "lr: expected"),
        ({"batch_size": 0}, "batch_size: expected 1, 2, … or 'full', got 0"),
        ({"batch_size": 64.0}, "batch_size: expected"),
        ({"batch_size": True}, "batch_size: expected"),
        ({"batch_size": "all"}, "batch_size: expected"),
        ({"epochs": 0}, "epochs: expected"),
        ({"epochs": 1.5}, "epochs: expected"),
        ({"threads": -1}, "threads: expected"),
        ({"ranks": 0}, "ranks: expected 1, 2, …, got 0"),
        ({"loader": "dataloder"}, "did you mean 'dataloader'"),
        ({"batch_norm": "sync"}, "batch_norm: unknown name 'sync'; known: local, global"),
        ({"memory_format": "nhwc"}, "memory_format: unknown name 'nhwc'; known: contiguous, channels_last"),
        ({"label_smoothing": 1}, "label_smoothing: expected 0 to below 1, got 1"),
        ({"label_smoothing": -0.1}, "label_smoothing: expected"),
        ({"label_smoothing": True}, "label_smoothing: expected"),
        ({"max_steps": 0}, "max_steps: expected"),
        ({"target_accuracy": 0}, "target_accuracy: expected"),
        ({"target_accuracy": 90}, "target_accuracy: expected a share above 0 and up to 1, got 90"),
        ({"init_seed": "1"}, "init_seed: expected"),
        ({"normalize": "false"}, "normalize: expected true or false, got 'false'"),
        ({"model_args": None}, "model_args: expected a mapping"),
        ({"model_args": (512, 512)}, "model_args: expected a mapping"),
        (
            {"model_args": {"hidden": {"deep": [math.nan]}}},
            "model_args.hidden.deep: expected a finite number",
        ),
        ({"optimizer_args": {"momentum": object()}}, "optimizer_args.momentum: expected a number, text"),
        ({"schedule_args": {"milestones": {1, 2}}}, "schedule_args.milestones: expected"),
    ],
    ids=str,
)
def test_a_bad_value_is_refused_by_name(values, message):
    with pytest.raises(ConfigError) as caught:
        Arm(**values)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"lr": "tuned"},
        {"batch_size": "full"},
        {"target_accuracy": 1},
        {"device": "cuda:3"},
        {"model": "my_package.my_module:make"},
        {"data": "mine:data"},
        {"max_steps": None},
        {"model_args": {"hidden": [1], "bias": None, "nested": {"a": "text", "b": False}}},
    ],
    ids=str,
)
def test_the_ends_of_what_is_allowed_are_allowed(values):
    arm = Arm(**values)
    assert {key: arm.config()[key] for key in values} == values


def test_every_known_name_makes_an_arm():
    made = (
        [Arm(model=m) for m in MODELS]
        + [Arm(data=d) for d in DATA_SETS]
        + [Arm(optimizer=o) for o in OPTIMIZERS]
    )
    assert len({arm.id for arm in made}) == len(made) - 2  # mlp on fashion-mini with sgd came three times


def test_a_mistake_is_a_value_error_with_exit_code_2():
    assert issubclass(ConfigError, NnbenchError)
    assert issubclass(ConfigError, ValueError)
    assert ConfigError.exit_code == 2


def test_an_unknown_key_is_refused_with_the_nearest_one():
    with pytest.raises(
        ConfigError, match=r"unknown key 'batchsize'; did you mean 'batch_size'\? an arm has: name, "
    ):
        arm_from({"batchsize": 3})
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        Arm().replace(epoch=3)


def test_the_id_is_the_hash_of_what_differs_from_the_defaults():
    arm = Arm(model_args={"hidden": (8, 4)}, optimizer_args={"weight_decay": 1e-05}, epochs=3, ranks=1)
    said = {"kind": "training", "model_args": {"hidden": [8, 4]}, "optimizer_args": {"weight_decay": 1e-05}}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    assert arm.id == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_an_id_stays_what_it_is_when_arms_get_new_fields():
    assert Arm().id == "4851fce917d3e3ff"
    assert Arm(model="cnn", lr=0.5, batch_size=16, threads=2).id == "94485ed7d72c7858"


def test_ranks_take_equal_shares_of_a_batch():
    with pytest.raises(ConfigError, match="batch_size: 65 cannot be shared equally by 2 ranks; take a mult"):
        Arm(batch_size=65, ranks=2)
    assert Arm(batch_size="full", ranks=2).name == "mlp/sgd/full/r2"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"execution": "in-backward", "ranks": 2}, "has no gradients that 2 ranks could average"),
        ({"execution": "in-backward", "precision": "bf16-mixed"}, "not in that of 'bf16-mixed'; take 'eager'"),
        ({"execution": "compiled", "ranks": 2, "batch_norm": "global"}, "or batch_norm 'local'"),
        ({"execution": "cuda-graph", "device": "cpu"}, "needs a CUDA device, and the arm asks for the CPU"),
        ({"execution": "cuda-graph", "ranks": 2}, "holds the steps of one process, not of 2 ranks"),
        ({"execution": "cuda-graph", "schedule": "cosine"}, "the schedule 'cosine' changes it; take 'constant'"),
        ({"execution": "cuda-graph", "optimizer": "adagrad"}, "steps of adagrad; take one of sgd, momentum, "),
        ({"execution": "cuda-graph", "optimizer": "my.module:Mine"}, "cannot hold the steps of my.module:Mine"),
        ({"execution": "cuda-graph", "optimizer_args": {"dampening": 0.1}}, "another first step with dampening"),
        (
            {"execution": "cuda-graph", "optimizer": "adam", "optimizer_args": {"capturable": False}},
            "needs optimizer_args without differentiable, and with capturable",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_an_execution_that_cannot_do_the_rest_is_refused_with_the_way_out(changes, message):
    with pytest.raises(ConfigError, match=f"execution: {changes['execution']!r} .*{re.escape(message)}"):
        Arm(**changes)


def test_arguments_of_a_loader_need_the_loader():
    with pytest.raises(ConfigError, match="loader_args: given for the loader 'tensors', which takes none"):
        Arm(loader_args={"num_workers": 2})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"framework": "ligthning"}, "unknown name 'ligthning'; did you mean 'lightning'"),
        (
            {"model": "cnn", "framework": "keras"},
            "model: 'cnn' is for nnbench's own loop; the framework 'keras' takes 'mlp' alone",
        ),
        ({"optimizer": "adam"}, "optimizer: 'adam' is for nnbench's own loop"),
        ({"loader": "dataloader"}, "loader: 'dataloader' is for nnbench's own loop"),
        ({"max_steps": 5}, "max_steps: 5 is for nnbench's own loop; the framework 'bare' takes None alone"),
        ({"ranks": 2}, "ranks: 2 is for nnbench's own loop"),
        (
            {"framework": "lecture", "normalize": True},
            "normalize: the framework 'lecture' only divides by 255",
        ),
        ({"lr": "tuned"}, "lr: 'tuned' is for nnbench's own loop; give 'bare' a number"),
    ],
)
def test_another_framework_is_asked_for_nothing_that_it_would_ignore(changes, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Arm(**{"framework": "bare", **changes})


def test_another_framework_stands_in_the_name():
    assert Arm(framework="keras").name == "mlp/sgd/b64/keras"


@pytest.mark.parametrize("name", [item.name for item in fields(Arm) if item.name != "name"])
def test_every_field_but_the_name_makes_another_arm(name):
    # so that loader_args are allowed; other frameworks have no loader
    arm = Arm(name="x") if name == "framework" else Arm(name="x", loader="dataloader")
    changed = arm.replace(**{name: OTHER_VALUES[name]})
    assert changed.id != arm.id
    assert changed != arm


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"name": "a"}, {"name": "b"}),
        ({"lr": 1}, {"lr": 1.0}),
        ({"model_args": {"a": 1, "b": 2}}, {"model_args": {"b": 2, "a": 1}}),
        ({"model_args": {"hidden": [8, 4]}}, {"model_args": {"hidden": (8, 4)}}),
        ({}, {"epochs": 3}),
    ],
)
def test_what_does_not_change_the_training_does_not_change_the_id(one, same):
    assert Arm(**one).id == Arm(**same).id


def test_arms_are_equal_by_name_and_id():
    assert Arm(name="a") == Arm(name="a")
    assert len({Arm(name="a"), Arm(name="a"), Arm(name="b"), Arm(name="a", epochs=9)}) == 3
    assert Arm(name="a") != Probe(name="a", function="m:f")


def test_an_arm_survives_json():
    arm = Arm(model_args={"hidden": (8, 4)}, batch_size="full", lr="tuned", schedule_args={"gamma": 0.1})
    values = json.loads(json.dumps(arm.config()))
    assert values.pop("kind") == "training"
    assert arm_from({**values, "name": arm.name}) == arm


def test_an_arm_cannot_be_changed_not_even_deep_inside():
    sizes = [8, 4]
    arm = Arm(model_args={"hidden": sizes, "deep": {"a": 1}})
    before = arm.id
    sizes.append(2)
    assert arm.id == before
    with pytest.raises(FrozenInstanceError):
        arm.lr = 1.0
    with pytest.raises(TypeError):
        arm.model_args["new"] = 1
    with pytest.raises(TypeError):
        arm.model_args["deep"]["a"] = 2
    assert arm.model_args["hidden"] == (8, 4)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "mlp/sgd/b64"),
        ({"model_args": {"hidden": (512, 256)}}, "mlp-512-256/sgd/b64"),
        ({"model": "cnn", "model_args": {"channels": [16, 32]}, "optimizer": "adam"}, "cnn-16-32/adam/b64"),
        ({"model_args": {"hidden": 3}}, "mlp/sgd/b64"),
        ({"model": "package.module:make", "batch_size": "full"}, "make/sgd/full"),
        ({"name": "mine"}, "mine"),
    ],
)
def test_the_name_is_made_from_model_optimizer_and_batch(values, name):
    assert Arm(**values).name == name


def test_replace_makes_a_made_name_anew_and_keeps_a_given_one():
    assert Arm().replace(batch_size=16).name == "mlp/sgd/b16"
    assert Arm(name="mine").replace(batch_size=16).name == "mine"
    assert Arm(name="mine").replace(name="other").name == "other"
    arm = Arm(lr=0.5, epochs=7)
    assert arm.replace(epochs=3).replace(epochs=7) == arm
    assert arm.epochs == 7


def test_vary_makes_one_arm_for_each_combination_in_order():
    arms = Arm(model="logistic", lr=0.5).vary(batch_size=(16, 64), optimizer=("sgd", "adam"))
    assert [arm.name for arm in arms] == [
        "logistic/sgd/b16", "logistic/adam/b16", "logistic/sgd/b64", "logistic/adam/b64",
    ]  # fmt: skip
    assert {arm.lr for arm in arms} == {0.5}
    assert Arm().vary() == (Arm(),)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "p", "function": "module.function"}, "expected package.module:function"),
        ({"name": "p", "function": "m:f g"}, "expected package.module:function"),
        ({"name": "", "function": "m:f"}, "a probe needs one"),
        ({"name": "p", "function": "m:f", "args": {"x": math.inf}}, "args.x: expected a finite number"),
    ],
)
def test_a_bad_probe_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Probe(**values)


def test_a_probe_is_its_function_and_its_arguments():
    probe = Probe(name="p", function="m:f", args={"kernels": [3, 3]})
    assert probe.config() == {"kind": "probe", "function": "m:f", "args": {"kernels": [3, 3]}}
    assert probe.id == Probe(name="q", function="m:f", args={"kernels": (3, 3)}).id
    assert probe.id != Probe(name="p", function="m:f", args={"kernels": (3, 5)}).id
    assert probe.id != Probe(name="p", function="m:g", args={"kernels": (3, 3)}).id
    assert len({probe, Probe(name="p", function="m:f", args={"kernels": (3, 3)})}) == 1
    with pytest.raises(TypeError):
        probe.args["kernels"] = ()


def test_plain_gives_json_values_back():
    arm = Arm(model_args={"a": ({"b": (1, 2)},)})
    assert plain(arm.model_args) == {"a": [{"b": [1, 2]}]}
    assert type(plain(arm.model_args)) is dict


def test_closest_says_nothing_where_nothing_is_near():
    assert closest("mpl", ["mlp", "cnn"]) == "did you mean 'mlp'? "
    assert closest("transformer", ["mlp", "cnn"]) == ""


def test_load_object_finds_what_is_there():
    assert load_object("math:sqrt") is math.sqrt


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("math", "expected package.module:name"),
        ("math:", "expected package.module:name"),
        (":sqrt", "expected package.module:name"),
        ("math:squareroot", "module 'math' has no 'squareroot'"),
        ("no_such_module_here:f", "no module 'no_such_module_here'; is its folder on PYTHONPATH"),
    ],
)
def test_load_object_says_what_is_wrong(path, message):
    with pytest.raises(ConfigError, match=message):
        load_object(path)


def test_an_error_inside_the_users_module_is_not_taken_for_a_missing_name(tmp_path, monkeypatch):
    (tmp_path / "users_broken_module.py").write_text("import math\nmath.no_such_thing\ndef make(): ...\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(AttributeError, match="no_such_thing"):
        load_object("users_broken_module:make")


def test_every_field_of_an_arm_has_a_help_text():
    assert [item.name for item in fields(Arm) if not item.metadata.get("help")] == []
