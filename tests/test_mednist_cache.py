"""The cache of decoded images: decoded once, never believed when damaged, never in the way."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from fake_sets import contents, jpeg, mednist_files, write_mednist
from nnbench.data import content_sha256, mednist, mednist_cache

FILES = mednist_files()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """No test reads or writes the user's own cache; the set is the small one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NNBENCH_DATA", raising=False)
    monkeypatch.setattr(mednist, "CONTENTS", contents(FILES))
    return tmp_path / "cache" / "nnbench" / "data" / "decoded"


@pytest.fixture
def decodings(monkeypatch):
    """How often images were decoded."""
    seen, real = [], mednist.decode
    monkeypatch.setattr(mednist, "decode", lambda files, path: seen.append(path) or real(files, path))
    return seen


def test_images_are_decoded_once(tmp_path, cache, decodings):
    write_mednist(tmp_path, FILES)
    sets = [mednist.mednist(tmp_path) for _ in range(3)]
    assert len(decodings) == 1
    assert len({dataset.sha256 for dataset in sets}) == 1
    assert sets[1].sha256 == content_sha256(sets[2].train, sets[2].validation)
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".lock", ".npy"]
    facts = json.loads(next(cache.glob("*.json")).read_text())["facts"]
    assert facts["files_sha256"] == mednist.CONTENTS.sha256
    assert facts["counts"]["Hand"] == 2


def _flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage",
    [
        lambda npy, facts: _flip(npy, -1), lambda npy, facts: _flip(npy, 3), lambda npy, facts: _flip(npy, 70),
        lambda npy, facts: npy.write_bytes(npy.read_bytes()[:-1]), lambda npy, facts: npy.unlink(),
        lambda npy, facts: np.save(npy, np.zeros(3)), lambda npy, facts: facts.unlink(),
        lambda npy, facts: facts.write_text("{"), lambda npy, facts: facts.write_text("[]"),
        lambda npy, facts: facts.write_text('{"facts": {}, "sha256": "0"}'),
        lambda npy, facts: facts.write_text(facts.read_text().replace('"Hand": 2', '"Hand": 3')),
    ],
)  # fmt: skip
def test_a_damaged_cache_is_made_anew(damage, tmp_path, cache, decodings):
    write_mednist(tmp_path, FILES)
    first = mednist.mednist(tmp_path)
    damage(next(cache.glob("*.npy")), next(cache.glob("*.json")))
    assert mednist.mednist(tmp_path).sha256 == first.sha256
    assert len(decodings) == 2
    assert mednist.mednist(tmp_path).sha256 == first.sha256
    assert len(decodings) == 2


def test_other_contents_have_a_cache_of_their_own(tmp_path, decodings, monkeypatch):
    write_mednist(tmp_path, FILES)
    first = mednist.mednist(tmp_path)
    other = {**FILES, "Hand/000001.jpeg": jpeg(99)}
    monkeypatch.setattr(mednist, "CONTENTS", contents(other))
    assert mednist.mednist(write_mednist(tmp_path, other)).sha256 != first.sha256
    assert len(decodings) == 2


@pytest.mark.parametrize("fault", ["no folder", "no home", "no lock", "disk full"])
def test_without_a_cache_it_goes_on(fault, tmp_path, cache, decodings, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    if fault == "no folder":
        (tmp_path / "cache").write_text("a file")
    elif fault == "no home":
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    else:
        monkeypatch.setattr(*((mednist_cache.fcntl, "flock") if fault == "no lock" else (os, "fsync")), full)
    write_mednist(tmp_path, FILES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for count in (1, 2):
            assert len(mednist.mednist(tmp_path).train) == 8
            assert len(decodings) == count
    left = [path for path in cache.iterdir() if path.suffix != ".lock"] if cache.is_dir() else []
    assert left == []


SCRIPT = """
import sys, time
from pathlib import Path
folder, number = Path(sys.argv[1]), sys.argv[2]
from fake_sets import contents, mednist_files
from nnbench.data import mednist
mednist.CONTENTS = contents(mednist_files())
real = mednist.decode
def slow(files, path):
    with open(folder / "decodings", "a") as file:
        file.write(number)
    time.sleep(1)
    return real(files, path)
mednist.decode = slow
(folder / f"ready{number}").touch()
while not all((folder / f"ready{other}").exists() for other in "01"):
    time.sleep(0.01)
print(mednist.mednist(folder).sha256)
"""


def test_of_two_processes_at_once_one_decodes(tmp_path):
    write_mednist(tmp_path, FILES)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path), number],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in "01"
    ]  # fmt: skip
    answers = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0], answers
    assert len({out for out, _ in answers}) == 1
    assert len((tmp_path / "decodings").read_text()) == 1
    assert [err for _, err in answers] == ["", ""], "no progress bar without a terminal"
