"""One arm in, one record out: complete, honest, and the same training as fit's."""

import pytest
import torch

from fakes import FakeClock
from nnbench import Arm, Probe, fit, measure
from nnbench.benchmarking import Measurement, run_probe
from nnbench.benchmarking.failures import status_of as _status
from nnbench.config import ConfigError
from nnbench.data import DataError
from nnbench.devices import DeviceMissing
from nnbench.records import record_from_json, strict_dumps, strict_loads

SMALL = Arm(data="digits", model="mlp", model_args={"hidden": (16,)}, batch_size=64, lr=0.1, epochs=3)


def record_of(arm, seed=0, **arguments):
    return Measurement(arm, **arguments).record(seed)


def test_measuring_does_not_change_the_training():
    history = fit(SMALL, seed=4)
    record = record_of(SMALL, seed=4)
    assert record.weights_sha256 == history.weights_sha256()
    for name in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
        assert record.curves[name] == history.curves[name]
        assert record.metrics[name] == history.curves[name][-1]


def test_a_record_survives_its_file():
    record = record_of(SMALL)
    assert record_from_json(strict_loads(strict_dumps(record.to_json()))) == record


def test_work_is_counted():
    record = record_of(SMALL.replace(max_steps=30))
    assert record.metrics["steps"] == 30
    assert record.metrics["samples"] == record.curves["samples"][-1]
    assert record.metrics["epochs"] == pytest.approx(record.metrics["samples"] / record.data["train"])
    assert record.samples["step_s"]["count"] == record.samples["step_loss"]["count"] == 30


def test_times_are_sums_and_medians_of_what_the_clock_said():
    """A clock that advances 1 ms at every reading: each step takes exactly one."""
    clock = FakeClock(tick_ns=10**6)
    record = record_of(SMALL, clock=clock)
    metrics = record.metrics
    assert metrics["step_s"] == pytest.approx(1e-3)
    assert metrics["train_s"] == pytest.approx(3 * metrics["epoch_s"])
    assert metrics["samples_per_s"] == pytest.approx(metrics["samples"] / metrics["train_s"])
    assert metrics["validation_s"] == pytest.approx(3e-3)
    assert record.curves["train_s"][-1] == pytest.approx(metrics["train_s"])


def test_time_to_target_counts_training_alone():
    record = record_of(SMALL.replace(target_accuracy=0.2))
    reached = next(i for i, a in enumerate(record.curves["validation_accuracy"]) if a >= 0.2)
    assert record.metrics["target_s"] == pytest.approx(record.curves["train_s"][reached])


def test_a_missed_target_is_null_with_the_reason():
    record = record_of(SMALL.replace(target_accuracy=1.0, epochs=1))
    assert record.metrics["target_s"] is None
    assert "100.0% was not reached in 1 epochs" in record.missing["target_s"]


def test_a_diverged_training_has_no_accuracy_and_no_time():
    record = record_of(SMALL.replace(lr=1e30))
    assert record.status == "DIVERGED"
    assert "from step 2 on" in record.reason
    for name in ("validation_accuracy", "train_s", "samples_per_s"):
        assert record.metrics[name] is None
        assert "DIVERGED" in record.missing[name]
    assert record.metrics["parameters"] > 0
    assert record.weights_sha256 is None


def test_a_training_that_breaks_in_its_last_step_is_a_record_too():
    record = record_of(SMALL.replace(lr=1e30, max_steps=1))
    assert record.status == "DIVERGED"
    assert record.metrics["validation_loss"] is None


def test_a_clock_that_goes_back_costs_the_times_but_not_the_accuracy():
    record = record_of(SMALL, clock=FakeClock(tick_ns=-(10**6)))
    assert "CLOCK" in record.quality
    assert record.metrics["train_s"] is None
    assert record.metrics["validation_accuracy"] is not None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "OOM"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "OOM"),
        (DataError("file is damaged"), "DATA"),
        (DeviceMissing("needs a CUDA device, found 0"), "SKIPPED"),
        (KeyboardInterrupt(), "INTERRUPTED"),
        (ZeroDivisionError("boom"), "CRASH"),
    ],
)
def test_an_error_becomes_its_status(error, status):
    assert _status(error)[0] == status
    assert Measurement(SMALL).failure(3, error).seed == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_gpu_that_is_not_here_is_a_skip_with_the_fact():
    record = record_of(SMALL.replace(device="cuda"))
    assert record.status == "SKIPPED"
    assert "found 0" in record.reason


def test_without_a_memory_pass_the_peak_is_null_with_the_reason():
    record = record_of(SMALL)
    assert record.metrics["peak_bytes"] is None
    assert record.missing["peak_bytes"]


def test_measure_takes_a_memory_pass_of_its_own():
    assert measure(SMALL).metrics["peak_bytes"] > 0
    assert measure(SMALL, memory=False).metrics["peak_bytes"] is None


def test_names_of_host_and_user_stay_out(monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "the-hosts-own-name")
    monkeypatch.setenv("USER", "the-users-own-name")
    monkeypatch.setenv("LOGNAME", "the-users-own-name")
    assert "own-name" not in strict_dumps(record_of(SMALL).to_json())


def test_samples_are_thinned_evenly_and_keep_their_count():
    record = record_of(SMALL.replace(batch_size=1, epochs=1))
    assert record.samples["step_loss"]["count"] > 1000
    assert len(record.samples["step_loss"]["values"]) == 512
    assert len(strict_dumps(record.to_json())) < 64 * 1024


def test_losses_in_a_record_read_back_as_the_same_float32():
    record = record_of(SMALL)
    for value in record.samples["step_loss"]["values"]:
        assert float(torch.tensor(value, dtype=torch.float32)) == pytest.approx(value, rel=1e-7)
        assert len(repr(value)) <= 14


def test_a_probe_gives_its_metrics():
    probe = Probe(
        name="5x5",
        function="nnbench.analysis.receptive_field:conv_stack",
        args={"kernel_sizes": (5,), "channels": 64},
    )
    metrics = measure(probe).metrics
    assert metrics["parameters"] == 102_464
    assert metrics["receptive_field"] == 5


@pytest.mark.parametrize(
    ("function", "args", "message"),
    [
        ("nnbench.analysis.receptive_field:conv_stack", {"kernels": 3}, "kernels"),
        ("nnbench.analysis.receptive_field:nothing", {}, "has no 'nothing'"),
        ("nnbench.nowhere:f", {}, "no module"),
        ("nnbench.stats:evenly", {"count": 2, "most": 3}, "returned list"),
    ],
)
def test_a_probe_that_cannot_run_says_why(function, args, message):
    with pytest.raises(ConfigError, match=message):
        run_probe(Probe(name="p", function=function, args=args))


def test_a_round_has_no_record_before_it_ran():
    with pytest.raises(RuntimeError, match="run the round"):
        Measurement(SMALL).prepare(0).record()
