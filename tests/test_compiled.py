"""execution='compiled': torch.compile, before the first step, and the same training; skipped without a compiler."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nnbench import Arm, fit, measure
from nnbench.benchmarking import Measurement
from nnbench.training import Training
from nnbench.training import compiled as compiling
from nnbench.training.phased import PhasedTraining
from nnbench.training.vectorised import NotVectorisable, VectorisedTraining

TESTS = Path(__file__).parent
LACKING = compiling._lacking(torch.device("cpu"))
needs_a_compiler = pytest.mark.skipif(bool(LACKING), reason=f"torch.compile needs {LACKING}")
# the compiler's own imports and what it generates warn of this and that
quiet = pytest.mark.filterwarnings("ignore")
# the last batch of an epoch is short
ARM = Arm(
    data="digits", model="cnn", model_args={"channels": (3,), "batch_norm": True}, optimizer="momentum",
    lr=0.05, batch_size=48, epochs=2, name="x", device="cpu",
)  # fmt: skip
COMPILED = ARM.replace(execution="compiled")
DIFFERENT = [{}, {"loader": "dataloader"}, {"memory_format": "channels_last", "precision": "bf16-mixed"}]


@needs_a_compiler
@quiet
@pytest.mark.parametrize("changes", DIFFERENT, ids=str)
def test_it_learns_the_same_and_no_step_compiles(changes):
    arm = COMPILED.replace(**changes)
    training = Training(arm, 3)
    assert training.make_ready()
    assert not training.make_ready()
    with torch.compiler.set_stance("fail_on_recompile"):
        found = training.run()
    expected = fit(arm.replace(execution="eager"), 3)
    near = 0.05 if arm.precision == "bf16-mixed" else 1e-4
    for name, values in expected.curves.items():
        assert found.curves[name] == pytest.approx(values, rel=near), name
    if arm.precision == "float32":
        for name, value in expected.model.state_dict().items():
            torch.testing.assert_close(found.model.state_dict()[name], value, rtol=0, atol=1e-4)


@needs_a_compiler
@quiet
def test_a_length_that_was_not_tried_would_compile():
    training = Training(COMPILED)
    training._batch_lengths = lambda: [48]
    torch.compiler.reset()
    training.make_ready()
    with torch.compiler.set_stance("fail_on_recompile"), pytest.raises(RuntimeError, match="recompile"):
        training.run()
    torch.compiler.reset()


@needs_a_compiler
@quiet
def test_to_try_batches_leaves_nothing_behind():
    training, untouched = Training(COMPILED), Training(ARM)
    state = torch.get_rng_state()
    training.make_ready()
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in untouched.model.state_dict().items():
        assert torch.equal(training.model.state_dict()[name], value), name
    assert all(weight.grad is None for weight in training.model.parameters())


@needs_a_compiler
@quiet
def test_it_is_measured_with_its_compiling_apart_and_reasons_for_what_is_null():
    torch.compiler.reset()
    record = measure(COMPILED, phases=True)
    assert record.status == "OK"
    assert record.metrics["compile_s"] > 10 * record.metrics["step_s"]
    assert record.metrics["flops_per_sample"] == measure(ARM).metrics["flops_per_sample"]
    assert record.metrics["forward_s"] > 0
    assert record.metrics["peak_bytes"] is None
    assert "compiling takes cannot be told" in record.missing["peak_bytes"]


@needs_a_compiler
@quiet
def test_the_loop_that_tells_its_phases_does_the_same():
    assert PhasedTraining(COMPILED).run().weights_sha256() == fit(COMPILED).weights_sha256()


@needs_a_compiler
@quiet
def test_dropout_draws_the_same_numbers_under_a_seed_and_others_under_another():
    """The first weights are the same for all, and the order of the samples is that of the files."""
    arm = COMPILED.replace(
        model="mlp", model_args={"hidden": (8,), "dropout": 0.5}, sampling="sequential", init_seed=0, epochs=1
    )
    first, again, other = (Training(arm, seed).run().weights_sha256() for seed in (1, 1, 2))
    assert first == again != other


def test_only_lengths_that_are_met_are_tried():
    count = len(Training(ARM).train)
    assert Training(ARM)._batch_lengths() == [48, count % 48]
    assert Training(ARM.replace(max_steps=5))._batch_lengths() == [48]
    assert Training(ARM.replace(batch_size="full"))._batch_lengths() == [count]
    assert Training(ARM.replace(batch_size=1))._batch_lengths() == [1]


def test_without_a_compiler_it_is_skipped_with_the_way_out(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler-here")
    record = Measurement(COMPILED).record(0)
    assert record.status == "SKIPPED"
    assert "needs a C++ compiler ('no-such-compiler-here'" in record.reason
    assert "install it, or take execution 'eager'" in record.reason


def test_without_pythons_headers_it_is_skipped_too(monkeypatch, tmp_path):
    monkeypatch.setattr(compiling.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(compiling.shutil, "which", lambda name: name)
    assert "Python.h" in Measurement(COMPILED).record(0).reason


def test_a_gpu_needs_triton(monkeypatch):
    monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda name: None)
    assert compiling._lacking(torch.device("cuda")) == "the package triton"


def test_many_seeds_as_one_model_are_refused():
    with pytest.raises(NotVectorisable, match="the execution 'compiled' makes the steps of one model"):
        VectorisedTraining(COMPILED, (0, 1))


# ranks


@needs_a_compiler
def test_two_ranks_learn_what_one_eager_process_does(tmp_path):
    """33 samples in batches of 8: rank 1 gets none of the last."""
    path = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         str(TESTS / "mode_ranks.py"), str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]), "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for mode, ranks in json.loads(path.read_text()).items():
        near = 1e-4 if mode == "compiled" else 0.05
        assert ranks[0] == ranks[1], mode
        assert ranks[0]["losses"] == pytest.approx(ranks[0]["alone"], rel=near), mode
