"""Cross-entropy, a layer, a batch in memory: against torch, numpy and the slides' digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import nnbench.studies.tensors as tensors
from lecture_runs import draw_all, records_of, scenarios_of, verdicts_of
from nnbench.claims import SUPPORTED
from nnbench.config import ConfigError

SCENARIOS = scenarios_of("test_tensors.py")


def test_the_slides_losses_to_their_digits():
    assert tensors.cross_entropy((5, 1, -2), 0).metrics["cross_entropy"] == pytest.approx(0.0190450, abs=5e-8)
    assert tensors.cross_entropy((1, 5, -2), 0).metrics["cross_entropy"] == pytest.approx(4.0190450, abs=1e-7)
    assert tensors.cross_entropy((0,) * 10, 7).metrics["cross_entropy"] == pytest.approx(math.log(10))


@pytest.mark.parametrize("scores", [(5, 1, -2), (0.1, 0.2, 0.3), (-700, 700, 3), (1, 1)])
@pytest.mark.parametrize("label", [0, 1])
def test_by_hand_it_is_torch_s(scores, label):
    told = tensors.cross_entropy(scores, label).metrics
    assert told["by_hand_loss"] == pytest.approx(told["cross_entropy"], rel=1e-12, abs=1e-12)
    if told["naive_loss"] is not None and max(map(abs, scores)) < 30:
        assert told["naive_loss"] == pytest.approx(told["cross_entropy"], rel=1e-9)


@pytest.mark.parametrize(
    ("dtype", "score"), [("float16", 12), ("float32", 89), ("bfloat16", 89), ("float64", 710)]
)
def test_where_exponentials_end(dtype, score):
    told = tensors.cross_entropy((score, 0), 0, dtype=dtype)
    assert told.metrics["naive_is_finite"] == 0
    assert told.metrics["naive_loss"] is None
    assert f"beyond {dtype}" in told.missing["naive_loss"]
    assert told.metrics["cross_entropy"] == pytest.approx(0, abs=1e-5)


def test_the_curve_is_that_of_two_classes():
    arrays = tensors.cross_entropy((1, 0), 0).arrays
    pairs = torch.tensor([[lead, 0.0] for lead in arrays["lead"]], dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(
        pairs, torch.zeros(len(pairs), dtype=torch.int64), reduction="none"
    )
    np.testing.assert_allclose(arrays["loss"], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tensors.cross_entropy((1, 2), 2), "label: expected 0 to 1, got 2"),
        (
            lambda: tensors.cross_entropy((1, 2), 0, dtype="int8"),
            "dtype: expected one of float64, .*, got 'int8'",
        ),
    ],
)
def test_what_is_none_is_refused(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


@pytest.mark.parametrize(("inputs", "outputs", "batch"), [(784, 10, 3), (1, 1, 1), (5, 7, 2)])
def test_a_layer_is_sums_of_products(inputs, outputs, batch):
    told = tensors.linear_layer(inputs, outputs, batch)
    assert (told["weight_rows"], told["weight_columns"], told["biases"]) == (outputs, inputs, outputs)
    assert (told["output_rows"], told["output_columns"]) == (batch, outputs)
    assert told["layer_parameters"] == inputs * outputs + outputs
    assert told["layer_error"] < 1e-12


def test_a_batch_of_images_in_memory():
    told = tensors.image_batch((2, 3, 4, 5))
    assert told.metrics["tensor_bytes"] == 2 * 3 * 4 * 5 * 4
    assert told.metrics["contiguous_stride"] == 20
    assert told.metrics["channels_last_stride"] == 1
    assert told.arrays["contiguous"].tolist() == [0] * 9 + [1] * 9 + [2] * 9
    assert told.arrays["channels last"].tolist() == [0, 1, 2] * 9


def test_all_claims_hold():
    for scenario in SCENARIOS.values():
        verdicts = verdicts_of(scenario)
        assert set(verdicts.values()) == {SUPPORTED}, verdicts


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_plot_is_drawn(name, tmp_path):
    draw_all(SCENARIOS[name], records_of(SCENARIOS[name]), tmp_path)
