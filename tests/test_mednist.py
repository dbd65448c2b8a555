"""MedNIST: archives and folders, sound and hostile; the cache of decoded images; averaging; the real set."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from fake_sets import (
    contents,
    images,
    jpeg,
    mednist_files,
    member,
    tar_bytes,
    write_mednist,
    write_mednist_folder,
)  # fmt: skip
from nnbench.data import DataError, DataMissing, content_sha256, copies, mednist
from nnbench.data.mednist_files import read_files

FILES = mednist_files()
PUBLISHED = mednist.CONTENTS
BIG = 10 << 30


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """No test reads or writes the user's own cache; the set is the small one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NNBENCH_DATA", raising=False)
    monkeypatch.setattr(mednist, "CONTENTS", contents(FILES))
    return tmp_path / "cache" / "nnbench" / "data" / "decoded"


@pytest.fixture(params=["archive", "folder"])
def root(request, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return (write_mednist if request.param == "archive" else write_mednist_folder)(folder, FILES)


def in_sorted_order(dataset):
    """Images and labels in the order of the sorted names."""
    inverse = np.argsort(mednist._order(12))
    whole = torch.cat([dataset.train.images, dataset.validation.images])[inverse]
    return whole, torch.cat([dataset.train.labels, dataset.validation.labels])[inverse]


# what is read


def test_folder_and_archive_give_the_same_set(root):
    dataset = mednist.mednist(root)
    assert (len(dataset.train), len(dataset.validation)) == (8, 4)
    assert dataset.input_shape == (1, 64, 64)
    assert dataset.classes == ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
    assert dataset.licence == "CC-BY-SA-4.0"
    whole, labels = in_sorted_order(dataset)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert torch.equal(whole[0], whole[1]), "the copy"
    assert len(torch.unique(whole.flatten(1), dim=0)) == 11
    assert dataset.train.images.untyped_storage().data_ptr() == (
        dataset.validation.images.untyped_storage().data_ptr()
    ), "both are views of one array"
    assert dataset.sha256 == content_sha256(dataset.train, dataset.validation)


def test_folders_a_leading_dot_and_one_notice_are_let_pass(tmp_path):
    extra = [
        member(".", type=tarfile.DIRTYPE), member("./MedNIST/", type=tarfile.DIRTYPE),
        member("MedNIST/Hand", type=tarfile.DIRTYPE), member("MedNIST/README.md", b"licence"),
    ]  # fmt: skip
    dotted = [member(f"./{info.name}", data) for info, data in reversed(images(FILES))]
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        (tmp_path / "MedNIST.tar.gz").write_bytes(tar_bytes([*extra, *dotted], form))
        found = read_files(tmp_path / "MedNIST.tar.gz", mednist.CONTENTS, "")
        assert found == FILES
        assert list(found) == sorted(FILES)


def hostile():
    """Member of each kind that has no place in the archive, and what is said of it."""
    data = FILES["Hand/000000.jpeg"]
    name = "MedNIST/Hand/000009.jpeg"
    long_name = member("././@LongLink", type=tarfile.GNUTYPE_LONGNAME, size=BIG)
    pax = member("PaxHeaders/x", type=tarfile.XHDTYPE, size=BIG)
    shared = member("PaxHeaders/x", type=tarfile.XGLTYPE, size=BIG)
    size = "of 10,737,418,240 bytes"
    return {
        "upwards": (member("../x", data), "found '../x';"),
        "upwards below": (member("MedNIST/Hand/../../x.jpeg", data), "found 'MedNIST/Hand/../../x.jpeg'"),
        "absolute": (member(f"/{name}", data), f"found '/{name}'"),
        "absolute folder": (member("/MedNIST", type=tarfile.DIRTYPE), "found a folder '/MedNIST'"),
        "symbolic link": (
            member(name, type=tarfile.SYMTYPE, linkname="/etc/passwd"), f"found a symbolic link '{name}'",
        ),
        "hard link": (
            member(name, type=tarfile.LNKTYPE, linkname="MedNIST/Hand/000000.jpeg"), f"a hard link '{name}'",
        ),
        "device": (member(name, type=tarfile.CHRTYPE), f"found a device or pipe '{name}'"),
        "pipe": (member(name, type=tarfile.FIFOTYPE), f"found a device or pipe '{name}'"),
        "sparse": (member(name, type=tarfile.GNUTYPE_SPARSE), f"found a sparse file '{name}'"),
        "unknown kind": (member(name, type=b"Z"), f"found a file of an unknown kind '{name}'"),
        "unknown class": (member("MedNIST/Foot/000000.jpeg", data), "found 'MedNIST/Foot/000000.jpeg'"),
        "unknown folder": (member("MedNIST/Foot", type=tarfile.DIRTYPE), "found a folder 'MedNIST/Foot'"),
        "other name": (member("MedNIST/Hand/x.jpeg", data), "found 'MedNIST/Hand/x.jpeg'"),
        "escape codes": (member("MedNIST/Hand/\x1b[31m", data), r"found 'MedNIST/Hand/\x1b[31m'"),
        "twice": (member("MedNIST/Hand/000000.jpeg", data), "found 'MedNIST/Hand/000000.jpeg' twice"),
        "two notices": (member("MedNIST/b", b""), "found a second file beside the classes, 'MedNIST/b'"),
        "large": (member(name, bytes(65_537)), f"found '{name}' of 65,537 bytes"),
        "huge": (member(name, size=BIG), f"found '{name}' {size}"),
        "huge folder": (member("MedNIST", type=tarfile.DIRTYPE, size=BIG), f"found 'MedNIST' {size}"),
        "negative": (member(name, size=-5), f"found '{name}' of -5 bytes"),
        "huge long name": (long_name, f"found '././@LongLink' {size}"),
        "huge pax header": (pax, f"found 'PaxHeaders/x' {size}"),
        "huge global pax header": (shared, f"found 'PaxHeaders/x' {size}"),
        "huge by pax": (member(name, pax_headers={"size": str(BIG)}), f"found '{name}' {size}"),
        "negative by pax": (member(name, pax_headers={"size": "-5"}), f"found '{name}' of -5 bytes"),
        "name by pax": (member(name, data, pax_headers={"path": "/etc/x"}), "found '/etc/x'"),
    }  # fmt: skip


@pytest.mark.parametrize("case", hostile())
def test_a_hostile_member_is_refused_by_name(case, tmp_path):
    bad, message = hostile()[case]
    path = tmp_path / "MedNIST.tar.gz"
    form = tarfile.PAX_FORMAT if bad[0].pax_headers else tarfile.GNU_FORMAT
    path.write_bytes(tar_bytes([*images(FILES), member("MedNIST/a", b""), bad], form))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError) as caught:
        mednist.mednist(tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: expected files MedNIST/CLASS/NNNNNN.jpeg of up to 65,536")
    assert f"'nnbench data fetch mednist --data-dir {tmp_path}' brings it anew" in str(caught.value)
    cache_only = [p for p in sorted(tmp_path.rglob("*")) if "cache" not in p.parts]
    assert cache_only == before, "nothing is extracted"


def test_a_chain_of_headers_and_an_endless_end_are_damage(tmp_path):
    path = tmp_path / "MedNIST.tar.gz"
    chain = [member("x", b"0" * 512, type=tarfile.GNUTYPE_LONGNAME)] * 5000
    path.write_bytes(tar_bytes(chain))
    with pytest.raises(DataError, match=r"expected files to read, found damaged ones \(maximum recursion"):
        mednist.mednist(tmp_path)
    path.write_bytes(tar_bytes(images(FILES)) + tar_bytes([member("x", bytes(2 << 20))]))
    with pytest.raises(DataError, match="found neither the next one nor an end up to byte 1,"):
        mednist.mednist(tmp_path)


@pytest.mark.parametrize("damage", ["cut by one", "cut in half", "empty", "no gzip", "no tar", "flipped"])
def test_a_damaged_archive_is_a_data_error(damage, tmp_path):
    whole = tar_bytes(images(FILES))
    middle = len(whole) // 2
    bad = {
        "cut by one": whole[:-1], "cut in half": whole[:middle], "empty": b"", "no gzip": b"x" * 600,
        "no tar": tar_bytes([])[:4] + b"x", "flipped": whole[:middle] + bytes((whole[middle] ^ 1,)) + whole[middle + 1 :],
    }[damage]  # fmt: skip
    (tmp_path / "MedNIST.tar.gz").write_bytes(bad)
    with pytest.raises(
        DataError, match=r"MedNIST\.tar\.gz: expected .*found .*; 'nnbench data fetch mednist"
    ):
        mednist.mednist(tmp_path)


def test_a_miscounted_class_is_said_by_its_counts(root):
    fewer = {name: data for name, data in FILES.items() if name != "CXR/000001.jpeg"}
    more = {**FILES, "Hand/000002.jpeg": jpeg(99)}
    folder = root / "other"
    folder.mkdir()
    for files, message in ((fewer, "CXR has 1 instead of 2"), (more, "Hand has 3 instead of 2")):
        write_mednist(folder, files)
        with pytest.raises(DataError, match=f"expected 12 images in 6 classes, found {message}; "):
            mednist.mednist(folder)


def test_other_content_of_the_right_counts_is_said_by_its_checksum(tmp_path):
    write_mednist(tmp_path, {**FILES, "Hand/000001.jpeg": jpeg(99)})
    with pytest.raises(
        DataError, match=f"expected content with SHA-256 {mednist.CONTENTS.sha256}, found [0-9a-f]+"
    ):
        mednist.mednist(tmp_path)


def test_a_folder_is_held_to_the_same_rules(tmp_path):
    write_mednist_folder(tmp_path, FILES)
    hand = tmp_path / "MedNIST" / "Hand"
    outside = tmp_path / "outside.jpeg"
    outside.write_bytes(FILES["Hand/000000.jpeg"])

    def refused(make, undo, message):
        make()
        with pytest.raises(DataError, match=message) as caught:
            mednist.mednist(tmp_path)
        assert f"remove {tmp_path / 'MedNIST'} and 'nnbench data fetch mednist" in str(caught.value)
        undo()

    link, large, foot = hand / "000009.jpeg", hand / "000008.jpeg", tmp_path / "MedNIST" / "Foot"
    refused(lambda: link.symlink_to(outside), link.unlink, "found a link 'MedNIST/Hand/000009.jpeg'")
    refused(lambda: foot.symlink_to(hand), foot.unlink, "found a link 'MedNIST/Foot'")
    refused(foot.mkdir, foot.rmdir, "found a folder 'MedNIST/Foot'")
    refused(lambda: large.write_bytes(bytes(65_537)), large.unlink, "000008.jpeg' of 65,537 bytes")
    refused(lambda: os.mkfifo(link), link.unlink, "found no regular file 'MedNIST/Hand/000009.jpeg'")
    refused((hand / "x").touch, (hand / "x").unlink, "found 'MedNIST/Hand/x'")
    (tmp_path / "MedNIST" / "README.md").write_text("licence")
    assert len(mednist.mednist(tmp_path).train) == 8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (jpeg(1, mode="RGB"), "found mode RGB of 64x64"),
        (jpeg(1, size=(64, 65)), "found mode L of 64x65"),
        (jpeg(1, kind="PNG"), "found a damaged file"),
        (jpeg(1)[:300], "found a damaged file"),
        (b"", "found a damaged file"),
    ],
)
def test_what_is_no_grey_jpeg_is_named(data, message, tmp_path, monkeypatch):
    files = {**FILES, "Hand/000001.jpeg": data}
    monkeypatch.setattr(mednist, "CONTENTS", contents(files))
    write_mednist(tmp_path, files)
    with pytest.raises(DataError, match=f"Hand/000001.jpeg: expected a grey JPEG of 64x64 pixels, {message}"):
        mednist.mednist(tmp_path)


def test_a_missing_set_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(
        DataMissing,
        match=r"mednist: no MedNIST or MedNIST\.tar\.gz on this machine; 'nnbench data fetch mednist'",
    ):
        mednist.mednist_28(tmp_path)


# copies and averages


def test_clean_validates_without_copies(tmp_path, monkeypatch):
    train_first = mednist._order(12)[0]  # this image is for training; all others copy it
    names = sorted(FILES)
    files = {**FILES, names[mednist._order(12)[9]]: FILES[names[train_first]]}
    files = dict(sorted(files.items()))
    monkeypatch.setattr(mednist, "CONTENTS", contents(files))
    write_mednist(tmp_path, files)
    whole, clean = mednist.mednist(tmp_path), mednist.mednist_clean(tmp_path)
    found = copies(whole.train, whole.validation)
    assert 1 in found
    assert whole.notes == (
        f"{len(found)} of 4 validation images are exact copies of training images; mednist-clean is without them",
    )
    assert copies(clean.train, clean.validation) == []
    assert len(clean.validation) == 4 - len(found)
    assert torch.equal(clean.train.images, whole.train.images)
    assert clean.sha256 == content_sha256(clean.train, clean.validation) != whole.sha256


def test_a_set_without_copies_has_no_note(tmp_path, monkeypatch):
    files = {name: jpeg(value) for value, name in enumerate(FILES)}
    monkeypatch.setattr(mednist, "CONTENTS", contents(files))
    write_mednist(tmp_path, files)
    sets = [make(tmp_path) for make in (mednist.mednist, mednist.mednist_clean, mednist.mednist_28)]
    assert [dataset.notes for dataset in sets] == [()] * 3
    assert sets[0].sha256 == sets[1].sha256


@pytest.mark.parametrize(("rank", "disable"), [(None, None), ("0", None), ("1", True)])
def test_one_rank_alone_shows_a_bar_and_only_on_a_terminal(rank, disable, root, monkeypatch):
    seen = []
    monkeypatch.setattr(
        mednist, "tqdm", lambda order, *_, **options: seen.append(options["disable"]) or order
    )
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    mednist.mednist(root)
    assert seen == [disable]


def test_averaging_is_exact():
    images = np.random.RandomState(0).randint(0, 256, (450, 1, 64, 64)).astype(np.uint8)
    fine = images[::90].astype(np.int64).repeat(7, axis=2).repeat(7, axis=3)
    sums = fine.reshape(-1, 1, 28, 16, 28, 16).sum(axis=(3, 5))
    expected = (sums + 128) // 256
    assert np.array_equal(mednist.averaged(images)[::90], expected)
    for value in (0, 1, 254, 255):
        assert (mednist.averaged(np.full((1, 1, 64, 64), value, np.uint8)) == value).all()
    weights = mednist._overlaps(64, 28)
    assert set(weights.sum(axis=1)) == {16}
    assert set(weights.sum(axis=0)) == {7}


def test_mednist_28_has_the_split_of_mednist(root):
    whole, small = mednist.mednist(root), mednist.mednist_28(root)
    assert small.input_shape == (1, 28, 28)
    assert torch.equal(small.train.labels, whole.train.labels)
    assert np.array_equal(small.validation.images.numpy(), mednist.averaged(whole.validation.images.numpy()))


# the real set


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Folder with the real archive, and a cache into which it is decoded once."""
    folder = os.environ.get("NNBENCH_DATA")
    if not folder:
        pytest.skip("needs MedNIST: NNBENCH_DATA is not set")
    if not any((Path(folder) / part).exists() for part in ("MedNIST", "MedNIST.tar.gz")):
        pytest.skip(f"needs MedNIST: neither MedNIST nor MedNIST.tar.gz in {folder}")
    return Path(folder), tmp_path_factory.mktemp("mednist")


def test_the_real_set(real, monkeypatch):
    folder, cache = real
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(mednist, "CONTENTS", PUBLISHED)
    whole = mednist.mednist(folder)
    assert (len(whole.train), len(whole.validation)) == (42_000, 16_954)
    counts = whole.train.labels.bincount() + whole.validation.labels.bincount()
    assert counts.tolist() == [10_000, 8_954, 10_000, 10_000, 10_000, 10_000]
    assert whole.sha256 == "59cb47bbe62811998f6c97b137dd28d482abeffa88b124a10518b37711311eea"
    assert "174 of 16,954 validation images are exact copies" in whole.notes[0]
    batches = [part.labels.split(16) for part in (whole.train, whole.validation)]
    assert [(len(part), len(part[-1])) for part in batches] == [(2_625, 16), (1_060, 10)]
    clean = mednist.mednist_clean(folder)
    assert len(clean.validation) == 16_780
    assert clean.sha256 == "818fb0df254207debc2595b6c1ebaee854f3192ffa9a8acf8822227e67bf25d9"
    small = mednist.mednist_28(folder)
    assert small.sha256 == "aa7156706445d7106736fcc386d0ba97118f9a507024d907945eaee4e9764c4d"
