"""Data sets: their contents, their splits, and what is said when they are missing or damaged."""

from __future__ import annotations

import dataclasses
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from nnbench.config import DATA_SETS, ConfigError
from nnbench.data import DataError, Dataset, Split, content_sha256, copies, fashion_mini, load
from nnbench.data.digits import stratified
from nnbench.data.places import LAYOUT, MADE_OF
from nnbench.data.synthetic import coded_noise

COUNTS = {"fashion-mini": (6000, 2000), "digits": (1400, 397), "xor": (4, 4), "synthetic": (2000, 500)}
SHAPES = {"fashion-mini": (1, 28, 28), "digits": (1, 8, 8), "xor": (1, 1, 2), "synthetic": (1, 28, 28)}
# Of the content, so that another library version or machine that changes a pixel is noticed.
SHA256 = {
    "fashion-mini": "b52ffd771af1ccf5638436a19b76bbff5114d56c67ad0ad8a08faf3202e0a568",
    "digits": "9e301c6d4fae6464192720603be64810a50df42a589b6837d944118e17f3deed",
    "xor": "1695d41df4173c72747533f9a013295769076e5b23f2d61bec0329a9fe81554b",
    "synthetic": "4db91b108bb140d8a18cb57fcec629d7121181c85e4cba77eb7a936a6de504db",
}


def a_split(count: int = 6, label: int = 0) -> Split:
    return Split(torch.zeros(count, 1, 2, 2, dtype=torch.uint8), torch.full((count,), label))


def a_dataset(**changes: object) -> Dataset:
    split = a_split()
    whole = Dataset("toy", split, split, ("a", "b"), "made here", "CC0-1.0", content_sha256(split, split))
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def test_every_set_has_its_counts_here_or_files_of_its_own() -> None:
    assert set(DATA_SETS) == {*COUNTS, *LAYOUT, *MADE_OF}, "test_mnist.py and test_mednist.py hold the others"


@pytest.mark.parametrize("name", COUNTS)
def test_every_embedded_set_has_its_counts_shape_and_checksum(name: str) -> None:
    dataset = load(name)
    assert dataset.name == name
    assert (len(dataset.train), len(dataset.validation)) == COUNTS[name]
    assert dataset.input_shape == SHAPES[name]
    assert dataset.sha256 == content_sha256(dataset.train, dataset.validation) == SHA256[name]
    assert dataset.licence
    assert dataset.source


def test_fashion_mini_has_equally_many_images_of_each_class() -> None:
    dataset = load("fashion-mini")
    assert dataset.train.labels.bincount().tolist() == [600] * 10
    assert dataset.validation.labels.bincount().tolist() == [200] * 10
    assert len(set(dataset.train.labels[:10].tolist())) > 3, "classes are mixed"
    assert dataset.train.images.max() == 255
    assert dataset.classes[9] == "Ankle boot"
    assert dataset.train.labels[0] == 9, "the first image of Fashion-MNIST is an ankle boot"


def test_digits_are_stretched_to_all_of_255_and_stratified() -> None:
    dataset = load("digits")
    assert sorted(set(dataset.train.images.flatten().tolist())) == [
        round(level * 255 / 16) for level in range(17)
    ]
    whole = dataset.train.labels.bincount() + dataset.validation.labels.bincount()
    assert whole.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    share = dataset.validation.labels.bincount() - whole * 397 / 1797
    assert share.abs().max() < 1


def test_digits_are_read_through_scikit_learn_where_its_file_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    from nnbench.data import digits

    monkeypatch.setattr(digits, "find_spec", lambda _name: None)
    assert digits.digits().sha256 == SHA256["digits"]


def test_stratified_parts_are_disjoint_and_complete() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    train, validation = stratified(labels, 20)
    assert sorted([*train, *validation]) == list(range(100))
    assert np.bincount(labels[validation]).tolist() == [10, 6, 4]


def test_xor_is_the_truth_table_and_validates_on_itself() -> None:
    dataset = load("xor")
    rows = (dataset.train.images.reshape(4, 2) // 255).tolist()
    assert [(a, b, a ^ b) for a, b in rows] == [
        (a, b, label) for (a, b), label in zip(rows, dataset.train.labels.tolist(), strict=True)
    ]
    assert dataset.validation is dataset.train


def test_synthetic_says_so_everywhere_and_depends_on_its_seed() -> None:
    dataset = load("synthetic")
    assert all("synthetic" in text for text in (dataset.name, dataset.source, *dataset.classes))
    small = coded_noise(train=20, validation=10, shape=(3, 8, 8), classes=4, seed=1)
    assert small.input_shape == (3, 8, 8)
    assert small.train.labels.bincount().tolist() == [5] * 4
    other = coded_noise(train=20, validation=10, shape=(3, 8, 8), classes=4, seed=2)
    assert small.sha256 != other.sha256
    assert not torch.equal(small.train.images[:10], small.validation.images)


def test_tune_holds_back_the_last_sixth_of_train() -> None:
    dataset = load("fashion-mini")
    assert dataset.split("train") == (dataset.train, dataset.validation)
    train, scored = dataset.split("tune")
    assert (len(train), len(scored)) == (5000, 1000)
    assert torch.equal(torch.cat([train.images, scored.images]), dataset.train.images)
    assert torch.equal(torch.cat([train.labels, scored.labels]), dataset.train.labels)
    assert [len(part) for part in load("xor").split("tune")] == [3, 1]


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected 'train' or 'tune', got 'test'"):
        a_dataset().split("test")
    with pytest.raises(ConfigError, match="needs 2 or more training samples, toy has 1"):
        a_dataset(train=a_split(1)).split("tune")


def test_the_checksum_covers_pixels_labels_shapes_and_which_split_is_which() -> None:
    split, other = a_split(6), a_split(6, label=1)
    brighter = Split(split.images + 1, split.labels)
    reshaped = Split(split.images.reshape(6, 1, 1, 4), split.labels)
    sums = {
        content_sha256(*pair)
        for pair in (
            (split, split), (split, other), (other, split), (brighter, split), (reshaped, split),
        )
    }  # fmt: skip
    assert len(sums) == 5
    assert content_sha256(split, split) == content_sha256(a_split(6), a_split(6))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 1, 2, 2), torch.zeros(2).long(), r"expected uint8 \(N, C, H, W\), found float32"),
        (torch.zeros(2, 4).byte(), torch.zeros(2).long(), r"found uint8 \(2, 4\)"),
        (torch.zeros(0, 1, 2, 2).byte(), torch.zeros(0).long(), r"found uint8 \(0, 1, 2, 2\)"),
        (torch.zeros(2, 1, 2, 2).byte(), torch.zeros(2).int(), r"expected int64 \(N,\), found int32"),
        (torch.zeros(2, 1, 2, 2).byte(), torch.zeros(3).long(), "a label per image, found 3 for 2"),
    ],
)
def test_a_split_checks_itself(images: torch.Tensor, labels: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Split(images, labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ("only",)}, "2 or more different classes"),
        ({"classes": ("a", "a")}, "2 or more different classes"),
        ({"train": a_split(label=2)}, "toy: train labels: expected 0 to 1 for 2 classes, found 2 to 2"),
        ({"validation": a_split(label=-1)}, "validation labels: expected 0 to 1"),
        ({"train": Split(torch.zeros(1, 1, 3, 3).byte(), torch.zeros(1).long())}, "expected one image shape"),
        ({"sha256": "none"}, "64 hexadecimal digits, found 'none'"),
    ],
)
def test_a_dataset_checks_itself(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        a_dataset(**changes)


def test_copies_are_images_that_are_equal_in_every_pixel() -> None:
    images = torch.arange(6, dtype=torch.uint8).reshape(6, 1, 1, 1).repeat(1, 1, 2, 2)
    train, validation = Split(images[:4], torch.zeros(4).long()), Split(images[2:], torch.ones(4).long())
    assert copies(train, validation) == [0, 1]
    changed = validation.images.clone()
    changed[1, 0, 1, 1] ^= 1
    assert copies(train, Split(changed, validation.labels)) == [0]
    assert copies(a_split(), load("xor").train) == []


def test_a_set_has_no_notes_unless_it_brings_some() -> None:
    assert a_dataset().notes == ()
    assert a_dataset(notes=("odd",)).notes == ("odd",)


def test_loading_twice_gives_the_same_object() -> None:
    assert load("xor") is load("xor")


def test_an_unknown_name_is_refused_with_a_hint() -> None:
    with pytest.raises(ConfigError, match="did you mean 'fashion-mini'"):
        load("fashon-mini")


def test_your_own_factory_is_called_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_data_sets.py").write_text(
        "from nnbench.data.xor import xor\n"
        "asked = []\n"
        "def good(folder):\n    asked.append(folder)\n    return xor()\n"
        "def bad(folder):\n    return 3\n"
        "def deaf():\n    return xor()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert load("own_data_sets:good", tmp_path).name == "xor"
    import own_data_sets  # type: ignore[import-not-found]

    assert own_data_sets.asked == [tmp_path]
    with pytest.raises(DataError, match=r"returned int, expected nnbench\.data\.Dataset"):
        load("own_data_sets:bad")
    with pytest.raises(ConfigError, match=r"must be callable as factory\(folder=…\)"):
        load("own_data_sets:deaf")


def test_a_data_error_is_the_environments_fault() -> None:
    assert DataError.exit_code == 5


def test_a_missing_embedded_file_names_itself_and_the_commands_that_mend(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        fashion_mini.read(tmp_path / "fashion-mini.npz")
    message = str(caught.value)
    assert str(tmp_path / "fashion-mini.npz") in message
    assert "found no file" in message
    assert "git checkout nnbench/data/fashion-mini.npz" in message
    assert "python -m nnbench.data.build_fashion_mini" in message


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "one array", "npy", "types"])
def test_a_damaged_embedded_file_is_a_data_error(damage: str, tmp_path: Path) -> None:
    whole = fashion_mini.FILE.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    bad = {
        "empty": b"",
        "text": b"not a zip file",
        "cut": whole[: len(whole) // 2],
        "flipped": bytes(flipped),
    }
    path = tmp_path / "fashion-mini.npz"
    if damage in bad:
        path.write_bytes(bad[damage])
    elif damage == "one array":
        np.savez(path, train_images=np.zeros((1, 2, 2), np.uint8))
    elif damage == "types":
        pixels, labels = np.zeros((1, 2, 2)), np.zeros(1)
        np.savez(path, train_images=pixels, train_labels=labels)
    else:
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    with pytest.raises(
        DataError, match=r"fashion-mini\.npz: expected an \.npz of images, found a damaged file"
    ):
        fashion_mini.read(path)


def test_other_content_in_a_sound_file_is_a_data_error(tmp_path: Path) -> None:
    with np.load(fashion_mini.FILE) as file:
        arrays = dict(file)
    arrays["train_images"][0, 14, 14] ^= 1
    np.savez(tmp_path / "changed.npz", **arrays)
    with pytest.raises(DataError, match=f"expected content with SHA-256 {SHA256['fashion-mini']}, found "):
        fashion_mini.read(tmp_path / "changed.npz")


def test_the_notice_of_the_embedded_images_lies_beside_them() -> None:
    notice = fashion_mini.FILE.with_suffix(".LICENSE").read_text()
    assert "Copyright (c) 2017 Zalando SE, https://tech.zalando.com" in notice
    assert "WITHOUT WARRANTY OF ANY KIND" in notice


def test_an_error_in_your_own_factory_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "my_data", types.SimpleNamespace(load=lambda folder: Dataset()))  # type: ignore[call-arg]
    with pytest.raises(
        DataError, match=r"data: my_data:load failed: TypeError: .*; it returns a nnbench\.data"
    ):
        load("my_data:load")
