"""Data sets: their contents, their splits, and what is said when they are missing or damaged."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from nnbench.config import DATA_SETS, ConfigError
from nnbench.data import DataError, Dataset, Split, build_fashion_mini, content_sha256, fashion_mini, load
from nnbench.data.digits import stratified
from nnbench.data.idx import find_idx, read_idx
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


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_built_in_set_has_its_counts_shape_and_checksum(name: str) -> None:
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


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read_plain_and_gzipped(packed: bool, tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = idx_bytes(images)
    name = tmp_path / ("images.gz" if packed else "images")
    name.write_bytes(gzip.compress(content) if packed else content)
    path = find_idx(tmp_path, "images", "mend")
    assert np.array_equal(read_idx(path, 3, md5(content), "mend"), images)


def _bad_idx() -> dict[str, tuple[str, bytes, str]]:
    good = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    packed = gzip.compress(good)
    huge = bytes((0, 0, 8, 3)) + struct.pack(">3I", *[2**32 - 1] * 3)
    return {
        "labels": ("images", idx_bytes(np.zeros(2, np.uint8)), "expected IDX magic 00000803, found 00000801"),
        "empty": ("images", b"", "found an empty file"),
        "header cut": ("images", good[:9], "found a file cut off in them"),
        "truncated": ("images", good[:-1], "expected 24 bytes after the header, found 23"),
        "too long": ("images", good + b"x", "expected 24 bytes after the header, found more"),
        "no image": ("images", idx_bytes(np.zeros((0, 3, 4), np.uint8)), r"found dimensions \(0, 3, 4\)"),
        "huge": ("images", huge, "found dimensions"),
        "other content": ("images", good[:-1] + b"x", "expected content with MD5"),
        "gz cut": ("images.gz", packed[:-9], "found a damaged one"),
        "gz flipped": (
            "images.gz",
            packed[:20] + bytes((packed[20] ^ 255,)) + packed[21:],
            "damaged|MD5|bytes",
        ),
        "gz is none": ("images.gz", good, "found a damaged one"),
    }


@pytest.mark.parametrize("case", _bad_idx())
def test_a_bad_idx_file_is_a_data_error_with_the_cure(case: str, tmp_path: Path) -> None:
    name, content, message = _bad_idx()[case]
    path = tmp_path / name
    path.write_bytes(content)
    good = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, 3, md5(good), "fetch it again")
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("; fetch it again")


def test_a_missing_idx_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\[\.gz\]: .*dataset-fashion-mnist"):
        build_fashion_mini.read_source(tmp_path)


def test_the_first_images_per_class_keep_their_order() -> None:
    labels = np.array([*range(10), *reversed(range(10)), *range(10)], np.uint8)
    images = np.arange(30, dtype=np.uint8)[:, None, None]
    chosen, their_labels = build_fashion_mini.first_per_class(images, labels, 2)
    assert chosen.ravel().tolist() == list(range(20))
    assert their_labels.tolist() == labels[:20].tolist()
    with pytest.raises(DataError, match=r"class T-shirt/top: expected 4 or more images, found 3"):
        build_fashion_mini.first_per_class(images, labels, 4)


def test_packing_writes_the_same_bytes_at_any_time(tmp_path: Path) -> None:
    arrays = {"train_images": np.arange(8, dtype=np.uint8).reshape(2, 2, 2)}
    packed = build_fashion_mini.pack(arrays)
    assert packed == build_fashion_mini.pack(arrays)
    (tmp_path / "packed.npz").write_bytes(packed)
    with zipfile.ZipFile(tmp_path / "packed.npz") as archive:
        assert [entry.date_time for entry in archive.infolist()] == [(1980, 1, 1, 0, 0, 0)]
    with np.load(tmp_path / "packed.npz") as file:
        assert np.array_equal(file["train_images"], arrays["train_images"])


def test_the_command_ends_with_code_5_and_the_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        build_fashion_mini.main([str(tmp_path), "-o", str(tmp_path / "out.npz")])
    assert caught.value.code == 5
    assert "apt-get install dataset-fashion-mnist" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_the_command_refuses_other_content_and_unwritable_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = {
        f"{split}_{kind}": np.zeros((2, 2, 2) if kind == "images" else 2, np.uint8)
        for split in ("train", "validation")
        for kind in ("images", "labels")
    }
    monkeypatch.setattr(build_fashion_mini, "read_source", lambda _folder: arrays)
    for output, message in (
        (tmp_path / "o.npz", "expected content with"),
        (tmp_path / "no" / "o.npz", "a place"),
    ):
        with pytest.raises(SystemExit) as caught:
            build_fashion_mini.main(["anywhere", "-o", str(output)])
        assert caught.value.code == 5
        assert message in capsys.readouterr().err


def test_the_builder_reproduces_the_embedded_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = os.environ.get("NNBENCH_DATA")
    if not folder:
        pytest.skip("needs Fashion-MNIST's IDX files: NNBENCH_DATA is not set")
    if not (Path(folder) / "FashionMNIST" / "raw").is_dir():
        pytest.skip(f"needs Fashion-MNIST's IDX files: none in {folder}/FashionMNIST/raw")
    target = tmp_path / "fashion-mini.npz"
    with pytest.raises(SystemExit) as caught:
        build_fashion_mini.main([folder, "-o", str(target)])
    assert caught.value.code == 0, capsys.readouterr().err
    train, validation = fashion_mini.read(target)
    assert content_sha256(train, validation) == SHA256["fashion-mini"]
    again = build_fashion_mini.pack(build_fashion_mini.read_source(Path(folder)))
    assert target.read_bytes() == again, "the same zlib writes the same bytes"
