"""The lecture's Dataset and DataLoader: the same training as over sliced tensors, batch by batch."""

from __future__ import annotations

import gc
import multiprocessing

import pytest
import torch

from nnbench.benchmarking import Measurement, readings
from nnbench.config import Arm, ConfigError
from nnbench.meters.timing import Stopwatch
from nnbench.training import Training, fit
from nnbench.training.loaders import ImageDataset, LoadedSamples
from nnbench.training.shares import share_of
from nnbench.training.transforms import equalize
from test_noise import noise as disturbed

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


@pytest.mark.parametrize("args", [{}, {"num_workers": 2, "persistent_workers": True}])
def test_a_transform_is_of_each_image_in_training_and_in_validation(args):
    plain, arm = Training(LOADED), LOADED.replace(loader_args={"transform": "equalize", **args}, epochs=1)
    assert isinstance(plain.train, LoadedSamples)
    share = share_of(torch.arange(len(plain.train)), 64)
    images = plain.dataset.train.images
    x, _ = next(iter(Training(arm).train.batches(share)))
    expected = torch.stack([equalize(image) for image in images[:64]])
    assert torch.equal(x, plain.train.decode(expected))
    assert not torch.equal(expected, images[:64])
    scored = next(iter(Training(arm).scored.scoring_batches()))[0]
    assert torch.equal(scored[0], plain.train.decode(equalize(plain.dataset.validation.images[0])))
    one_process = fit(arm.replace(loader_args={"transform": "equalize"}), seed=2)
    assert fit(arm, seed=2).weights_sha256() == one_process.weights_sha256()


def test_equalized_pixels_are_their_ranks():
    image = torch.tensor([[[0, 0, 10, 200]]], dtype=torch.uint8)
    assert equalize(image).tolist() == [[[127, 127, 191, 255]]]
    assert equalize(image).dtype == torch.uint8
    assert equalize(torch.full((1, 2, 2), 7, dtype=torch.uint8)).unique().tolist() == [255]


def test_a_transform_of_ones_own_and_one_that_nobody_knows():
    own = LOADED.replace(loader_args={"transform": "torch:bitwise_not"})
    x, _ = next(iter(Training(own).scored.scoring_batches()))
    assert torch.allclose(x[0], 1 - next(iter(Training(LOADED).scored.scoring_batches()))[0][0])
    with pytest.raises(ConfigError, match=r"transform: unknown name 'equalise'; did you mean 'equalize'"):
        Training(LOADED.replace(loader_args={"transform": "equalise"}))


def test_pinned_memory_without_a_gpu_is_skipped_with_the_reason():
    record = Measurement(LOADED.replace(loader_args={"pin_memory": True}, device="cpu")).record(0)
    assert record.status == "SKIPPED"
    assert record.reason.startswith("loader_args: pin_memory is for the copy to a GPU")


def test_workers_that_are_kept_end_with_their_training():
    """Not with the next garbage collection, which may come in the midst of another arm's steps."""
    gc.disable()
    try:
        training = Training(
            LOADED.replace(loader_args={"num_workers": 1, "persistent_workers": True}, epochs=1)
        )
        training.run()
        assert len(multiprocessing.active_children()) == 2  # of the training and of the validation loader
        del training
        assert multiprocessing.active_children() == []
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("cores", "args", "found"),
    [
        (2, {"num_workers": 2}, ("OVERSUBSCRIBED",)),
        (3, {"num_workers": 2}, ("INVALID",)),
        (1, {}, ("INVALID",)),
    ],
)
def test_waiting_for_cores_that_its_own_workers_fill_is_no_disturbance(cores, args, found, monkeypatch):
    monkeypatch.setattr("nnbench.devices.usable_cores", lambda: cores)
    arm, noise = LOADED.replace(loader_args=args), disturbed(wait_share=0.5)
    assert readings.quality(arm, Stopwatch(torch.device("cpu")), noise) == found


def test_a_bad_argument_of_the_loader_is_told():
    with pytest.raises(ConfigError, match=r"loader_args: \{'workers': 2\}: .*unexpected keyword"):
        Training(LOADED.replace(loader_args={"workers": 2}))
    with pytest.raises(ConfigError, match=r"loader_args: .*num_workers option should be non-negative"):
        Training(LOADED.replace(loader_args={"num_workers": -1}))
