"""MNIST and Fashion-MNIST: the IDX format, where files are looked for, what is said of bad ones."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fake_sets import idx_bytes, md5, md5s, mnist_files, write_mnist
from nnbench.data import DataError, DataMissing, build_fashion_mini, content_sha256, fashion_mini, places
from nnbench.data.idx import find_idx, read_idx
from nnbench.data.mnist import MD5, fashion_mnist, mnist

FILES = mnist_files()


@pytest.fixture(autouse=True)
def _here_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the sets of this machine unless it asks for them; MNIST is the small one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(places, "DEBIAN", tmp_path / "debian")
    monkeypatch.setitem(MD5, "mnist", md5s(FILES))


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the real files."""
    folder = os.environ.get("NNBENCH_DATA")
    if not folder:
        pytest.skip("needs the IDX files of MNIST and Fashion-MNIST: NNBENCH_DATA is not set")
    for name in ("MNIST", "FashionMNIST"):
        if not (Path(folder) / name / "raw").is_dir():
            pytest.skip(f"needs {name}'s IDX files: none in {folder}/{name}/raw")
    monkeypatch.setitem(MD5, "mnist", PUBLISHED)
    return Path(folder)


PUBLISHED = MD5["mnist"]


# where files are looked for


def test_the_first_place_that_holds_the_set_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_order = [
        tmp_path / "asked",
        tmp_path / "variable",
        tmp_path / "cache/nnbench/data",
        tmp_path / "debian",
    ]
    monkeypatch.setenv("NNBENCH_DATA", str(in_order[1]))
    for place in in_order:
        place.mkdir(parents=True)
    for place in reversed(in_order):
        write_mnist(place / "MNIST" / "raw", FILES)
        assert places.find("mnist", in_order[0]) == (place, place / "MNIST" / "raw")
    assert places.find("mnist")[0] == in_order[1]
    monkeypatch.delenv("NNBENCH_DATA")
    assert places.find("mnist")[0] == in_order[2]
    assert len(mnist().train) == 6


def test_debians_folder_holds_the_files_directly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NNBENCH_DATA", raising=False)
    monkeypatch.setitem(MD5, "fashion-mnist", md5s(FILES))
    write_mnist(tmp_path / "debian" / "fashion-mnist", FILES)
    assert len(fashion_mnist().validation) == 4


def test_an_empty_folder_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNBENCH_DATA", str(tmp_path))
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    write_mnist(tmp_path / "debian" / "MNIST" / "raw", FILES)
    assert places.find("mnist")[0] == tmp_path / "debian"


def test_a_damaged_set_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNBENCH_DATA", str(tmp_path))
    write_mnist(tmp_path / "MNIST" / "raw", {**FILES, "t10k-labels-idx1-ubyte": b""})
    write_mnist(tmp_path / "debian" / "MNIST" / "raw", FILES)
    with pytest.raises(DataError, match=f"'nnbench data fetch mnist --data-dir {tmp_path}' brings it anew"):
        mnist()


def test_a_missing_set_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("NNBENCH_DATA", raising=False)
    with pytest.raises(DataMissing) as caught:
        fashion_mnist()
    assert str(caught.value) == (
        "fashion-mnist: no FashionMNIST/raw or fashion-mnist on this machine; 'nnbench data fetch fashion-mnist' "
        "brings it, or name the folder that has it with --data-dir or NNBENCH_DATA"
    )


def test_a_named_folder_that_does_not_exist_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "nowhere"
    message = f"expected a folder with data sets, found none at {missing}; name another, or leave"
    with pytest.raises(DataError, match=f"--data-dir: {message} --data-dir out") as caught:
        mnist(missing)
    assert not isinstance(caught.value, DataMissing)
    monkeypatch.setenv("NNBENCH_DATA", str(missing))
    with pytest.raises(DataError, match=f"NNBENCH_DATA: {message}"):
        mnist()


def test_the_cache_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for text, expected in (
        ("", tmp_path / ".cache"),
        ("not/absolute", tmp_path / ".cache"),
        ("/x", Path("/x")),
    ):
        monkeypatch.setenv("XDG_CACHE_HOME", text)
        assert places.cache_folder() == expected / "nnbench" / "data"


def test_presence_is_told_without_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNBENCH_DATA", str(tmp_path))
    (tmp_path / "MedNIST.tar.gz").write_bytes(b"not read")
    assert str(places.presence("digits")) == "embedded"
    assert str(places.presence("mednist-28")) == f"here: {tmp_path}/MedNIST.tar.gz"
    assert str(places.presence("mnist")) == "not here: nnbench data fetch mnist"


# what is read


@pytest.mark.parametrize("packed", [True, False])
def test_the_four_files_make_the_set(packed: bool, tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", FILES, packed)
    dataset = mnist(tmp_path)
    assert (len(dataset.train), len(dataset.validation), dataset.input_shape) == (6, 4, (1, 28, 28))
    images = np.frombuffer(FILES["train-images-idx3-ubyte"][16:], np.uint8).reshape(6, 1, 28, 28)
    assert np.array_equal(dataset.train.images.numpy(), images)
    assert dataset.validation.labels.tolist() == list(FILES["t10k-labels-idx1-ubyte"][8:])
    assert dataset.sha256 == content_sha256(dataset.train, dataset.validation)


OTHER = mnist_files(seed=1)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train-labels-idx1-ubyte", OTHER["train-labels-idx1-ubyte"], "expected content with MD5 .*, found"),
        ("train-labels-idx1-ubyte", FILES["t10k-labels-idx1-ubyte"], "expected content with MD5 .*, found"),
        ("t10k-images-idx3-ubyte", FILES["train-images-idx3-ubyte"], "expected content with MD5 .*, found"),
        ("train-labels-idx1-ubyte", FILES["train-images-idx3-ubyte"], "expected IDX magic 00000801, found"),
        ("train-images-idx3-ubyte", FILES["train-labels-idx1-ubyte"], "expected IDX magic 00000803, found"),
    ],
)
def test_swapped_files_are_noticed(file: str, content: bytes, message: str, tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", {**FILES, file: content})
    with pytest.raises(DataError, match=rf"{file}\.gz: {message}"):
        mnist(tmp_path)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("damage", ["cut by one", "flipped", "gone"])
def test_damaged_files_are_noticed(damage: str, packed: bool, tmp_path: Path) -> None:
    raw = write_mnist(tmp_path / "MNIST" / "raw", FILES, packed)
    path = raw / f"train-images-idx3-ubyte{'.gz' if packed else ''}"
    whole = path.read_bytes()
    if damage == "cut by one":
        path.write_bytes(whole[:-1])
    elif damage == "flipped":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes((whole[middle] ^ 1,)) + whole[middle + 1 :])
    else:
        path.unlink()
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.*: expected .*, found") as caught:
        mnist(tmp_path)
    assert not isinstance(caught.value, DataMissing)


def test_the_real_sets(published: Path) -> None:
    digits = mnist(published)
    assert (len(digits.train), len(digits.validation), digits.input_shape) == (60_000, 10_000, (1, 28, 28))
    assert digits.sha256 == "58a6bcfa21889ed0feefa865e8fa2ca079bb0baf43ec5cee17781ec4a438a397"
    assert digits.train.labels[10] == 3
    assert math.ceil(60_000 / 16) == len(digits.train.labels.split(16)) == 3_750
    clothes = fashion_mnist(published)
    assert (len(clothes.train), len(clothes.validation), clothes.input_shape) == (60_000, 10_000, (1, 28, 28))
    assert clothes.sha256 == "87c9b941183598b23c1a54bc5ae4a497711ae652cc579fecc2c8aac13cc641ac"
    assert clothes.train.labels.bincount().tolist() == [6_000] * 10
    assert (digits.licence, clothes.licence) == ("CC-BY-SA-3.0", "MIT")


# the format


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


# the embedded part of Fashion-MNIST


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


def test_the_builder_reproduces_the_embedded_file(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "fashion-mini.npz"
    with pytest.raises(SystemExit) as caught:
        build_fashion_mini.main([str(published), "-o", str(target)])
    assert caught.value.code == 0, capsys.readouterr().err
    train, validation = fashion_mini.read(target)
    assert content_sha256(train, validation) == fashion_mini.SHA256
    again = build_fashion_mini.pack(build_fashion_mini.read_source(published))
    assert target.read_bytes() == again, "the same zlib writes the same bytes"
