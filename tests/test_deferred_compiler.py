"""torch's compiler is loaded when it is used, and not before."""

import subprocess
import sys

import pytest

from nnbench.config import OPTIMIZERS

TRAIN = """
import sys, torch
from nnbench import Arm, fit
from nnbench.deferred_compiler import _StandIn
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", TRAIN + code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_training_with_any_optimizer_and_schedule_leaves_it_out():
    # LAMB is another package's, which brings what it brings
    paths = {name: path for name, (path, _) in OPTIMIZERS.items() if name != "lamb"}
    own = [name for name, path in paths.items() if path.startswith(("torch.", "nnbench."))]
    code = f"""
for optimizer in {own!r}:
    fit(Arm(data="xor", model="logistic", optimizer=optimizer, schedule="onecycle", batch_size=2, epochs=2))
print(isinstance(sys.modules["torch._dynamo"], _StandIn), "sympy" in sys.modules)
"""
    assert run(code) == ["True", "False"]


def test_so_do_seeds_that_train_as_one_model():
    """`backward` with a gradient of one's own would import sympy: two seconds, and within the first run."""
    code = """
from nnbench.training.vectorised import VectorisedTraining
for model in ("logistic", "perceptron", "mlp"):
    VectorisedTraining(Arm(data="xor", model=model, optimizer="adam", batch_size=2, epochs=2), range(3)).run()
print(isinstance(sys.modules["torch._dynamo"], _StandIn), "sympy" in sys.modules)
"""
    assert run(code) == ["True", "False"]


def test_the_same_weights_are_learned_with_and_without_it():
    code = """
arm = Arm(data="xor", model="mlp", optimizer="adam", batch_size=2, epochs=3)
first = fit(arm).weights_sha256()
import torch._dynamo.config
print(isinstance(sys.modules["torch._dynamo"], _StandIn), first == fit(arm).weights_sha256())
"""
    assert run(code) == ["False", "True"]


@pytest.mark.parametrize("form", ["disable", "disable()", "disable(recursive=False)"])
def test_a_library_may_keep_the_compiler_out_of_its_functions_in_every_form(form):
    """Keras does so when it is imported; what it calls after a compiler is there is still its function."""
    code = f"""
fit(Arm(data="xor", model="logistic", batch_size=2, epochs=1))
import torch._dynamo as dynamo

@dynamo.{form}
def double(x):
    return 2 * x

print(double(3), isinstance(sys.modules["torch._dynamo"], _StandIn))
dynamo.reset()
print(double(4), isinstance(sys.modules["torch._dynamo"], _StandIn))
"""
    assert run(code) == ["6", "True", "8", "False"]


@pytest.mark.parametrize("touch", ["import torch._dynamo.config", "torch._dynamo.reset()"])
def test_who_compiles_gets_the_real_one(touch):
    code = f"""
fit(Arm(data="xor", model="logistic", batch_size=2, epochs=1))
{touch}
model = torch.compile(torch.nn.Linear(4, 2), backend="eager")
print(tuple(model(torch.ones(3, 4)).shape), type(sys.modules["torch._dynamo"]).__name__)
"""
    assert run(code) == ["(3,", "2)", "module"]
