"""Smoothed labels: the loss of training alone, the formula of the paper, and a refusal where none is defined."""

import pytest
import torch
import torch.nn.functional as F

from nnbench import Arm, fit, measure
from nnbench.config import ConfigError
from nnbench.training import Training
from nnbench.training.phased import PhasedTraining
from nnbench.training.vectorised import VectorisedTraining
from nnbench.training.vectorised.stacked import NotVectorisable

ARM = Arm(
    data="digits",
    model_args={"hidden": (12,)},
    lr=0.1,
    batch_size=64,
    epochs=2,
    precision="float64",
    name="x",
)
SMOOTH = ARM.replace(label_smoothing=0.2)


def test_the_loss_of_a_step_is_that_of_the_paper():
    """Cross-entropy against 1 - a + a/K for the label and a/K for every other class."""
    outputs, labels = torch.randn(5, 10, dtype=torch.float64), torch.arange(5)
    targets = torch.full((5, 10), 0.02, dtype=torch.float64)
    targets[torch.arange(5), labels] = 0.82
    expected = -(targets * F.log_softmax(outputs, 1)).sum(1).mean()
    torch.testing.assert_close(Training(SMOOTH).loss_of(outputs, labels), expected)


def test_validation_keeps_the_plain_loss():
    training = Training(SMOOTH)
    assert training.validation_loss_of is F.cross_entropy
    assert Training(ARM).loss_of is F.cross_entropy
    history = training.run()
    outputs = torch.cat([history.model(x) for x, _ in training.scored.scoring_batches()])
    plain = F.cross_entropy(outputs, training.scored.labels)
    assert history.curves["validation_loss"][-1] == pytest.approx(plain.item())


def test_it_makes_the_network_less_sure_of_itself():
    confidence = []
    for arm in (ARM.replace(epochs=8), SMOOTH.replace(epochs=8)):
        training = Training(arm)
        model = training.run().model
        x = torch.cat([x for x, _ in training.scored.scoring_batches()])
        confidence.append(model(x).softmax(1).amax(1).mean().item())
    assert confidence[1] < confidence[0] - 0.03


def test_the_loop_that_tells_its_phases_does_the_same():
    told = PhasedTraining(SMOOTH).run().model.state_dict()
    assert all(torch.equal(told[name], found) for name, found in fit(SMOOTH).model.state_dict().items())
    assert fit(SMOOTH).weights_sha256() != fit(ARM).weights_sha256()


def test_it_is_measured_like_any_other():
    record = measure(SMOOTH.replace(precision="float32"))
    assert (record.status, record.arm["label_smoothing"]) == ("OK", 0.2)


def test_a_loss_of_its_own_has_no_labels_to_smooth():
    with pytest.raises(
        ConfigError, match=r"label_smoothing: 0.2 is for cross-entropy, and the model perceptr"
    ):
        Training(SMOOTH.replace(model="perceptron", model_args={}))


def test_its_seeds_train_alone():
    with pytest.raises(NotVectorisable, match="its labels are smoothed"):
        VectorisedTraining(SMOOTH, (0, 1))
