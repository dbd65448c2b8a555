"""The lecture's Dataset and DataLoader: the same training as over sliced tensors, batch by batch."""

from __future__ import annotations

import pytest
import torch

from nnbench.config import Arm, ConfigError
from nnbench.training import Training, fit
from nnbench.training.loaders import ImageDataset, LoadedSamples
from nnbench.training.shares import share_of

ARM = Arm(data="digits", model="mlp", model_args={"hidden": (16,), "dropout": 0.5}, batch_size=64, epochs=2)
LOADED = ARM.replace(loader="dataloader")


@pytest.mark.parametrize(
    "changes", [{}, {"sampling": "shuffle-once"}, {"normalize": True}, {"batch_size": "full"}]
)
def test_the_loader_changes_nothing_that_is_learned(changes):
    sliced, loaded = fit(ARM.replace(**changes), seed=2), fit(LOADED.replace(**changes), seed=2)
    assert loaded.weights_sha256() == sliced.weights_sha256()
    for name, values in sliced.curves.items():  # validation is summed in other batches
        assert loaded.curves[name] == pytest.approx(values), name


def test_workers_change_nothing_that_is_learned_either():
    arm = LOADED.replace(loader_args={"num_workers": 2, "persistent_workers": True}, epochs=1)
    assert fit(arm, seed=2).weights_sha256() == fit(ARM.replace(epochs=1), seed=2).weights_sha256()


def test_batches_are_those_of_slicing():
    sliced, loaded = Training(ARM).train, Training(LOADED).train
    assert isinstance(loaded, LoadedSamples)
    share = share_of(torch.randperm(len(sliced)), 64)
    for (x, y), (x_loaded, y_loaded) in zip(sliced.batches(share), loaded.batches(share), strict=True):
        assert torch.equal(x, x_loaded)
        assert torch.equal(y, y_loaded)


def test_the_dataset_gives_one_image_as_numbers_with_its_label():
    training = Training(LOADED)
    dataset = ImageDataset(training.dataset.train, training.train)
    x, y = dataset[3]
    assert (len(dataset), x.shape, x.dtype, y.dtype) == (1400, (1, 8, 8), torch.float32, torch.int64)
    assert x.max() <= 1


def test_it_validates_in_batches_of_its_own():
    validation = Training(LOADED).scored
    assert isinstance(validation, LoadedSamples)
    assert len(validation.loader) == 7  # ceil(397 / 64)
    assert [len(y) for _, y in validation.scoring_batches()] == [64] * 6 + [13]


def test_a_bad_argument_of_the_loader_is_told():
    with pytest.raises(ConfigError, match=r"loader_args: \{'workers': 2\}: .*unexpected keyword"):
        Training(LOADED.replace(loader_args={"workers": 2}))
    with pytest.raises(ConfigError, match=r"loader_args: .*num_workers option should be non-negative"):
        Training(LOADED.replace(loader_args={"num_workers": -1}))
