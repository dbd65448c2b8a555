"""`nnbench data`: what is listed, fetched and verified, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fake_sets import md5s, mednist_files, mnist_files, write_mnist
from nnbench.cli import main
from nnbench.config import DATA_SETS
from nnbench.data import fetch, load, places
from nnbench.data.mnist import MD5

FILES = mnist_files()
EMBEDDED = ("fashion-mini", "digits", "xor", "synthetic")


@pytest.fixture(autouse=True)
def _here_only(tmp_path, monkeypatch):
    """No test sees the sets of this machine, nor writes the user's cache; MNIST is the small one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NNBENCH_DATA", raising=False)
    monkeypatch.setattr(places, "DEBIAN", tmp_path / "debian")
    monkeypatch.setitem(MD5, "mnist", md5s(FILES))
    load.cache_clear()
    yield
    load.cache_clear()


def run(capsys, *arguments):
    """Exit code, standard output, standard error."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_list_says_what_is_here_and_how_to_get_the_rest(capsys, tmp_path):
    write_mnist(tmp_path / "data" / "MNIST" / "raw", FILES)
    (tmp_path / "data" / "MedNIST.tar.gz").write_bytes(b"is not opened")
    code, out, err = run(capsys, "data", "list", "--data-dir", tmp_path / "data")
    assert (code, err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert list(lines) == list(DATA_SETS)
    assert {lines[name] for name in EMBEDDED} == {"embedded"}
    assert lines["mnist"] == f"here: {tmp_path / 'data' / 'MNIST' / 'raw'}"
    assert lines["fashion-mnist"] == "not here: nnbench data fetch fashion-mnist"
    assert lines["mednist-28"] == f"here: {tmp_path / 'data' / 'MedNIST.tar.gz'}"
    rows = json.loads(run(capsys, "data", "list", "--json", "--data-dir", tmp_path / "data")[1])
    assert [row["name"] for row in rows] == list(DATA_SETS)
    assert rows[4] == {
        "name": "mnist",
        "state": "here",
        "path": lines["mnist"].removeprefix("here: "),
        "fetch": None,
    }
    assert rows[5]["fetch"] == "nnbench data fetch fashion-mnist"


def test_list_and_help_need_no_torch(tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None; from nnbench.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for arguments in (("list",), ("--help",), ("list", "--help"), ("fetch", "--help"), ("verify", "--help")):
        done = subprocess.run(
            [sys.executable, "-c", code, "data", *arguments],
            capture_output=True, text=True, env=dict(os.environ), timeout=60, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "embedded" in done.stdout or "example: nnbench data" in done.stdout


def test_verify_prints_counts_checksum_copies_and_notes(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("NNBENCH_DATA", str(tmp_path))
    write_mnist(tmp_path / "MNIST" / "raw", FILES)
    code, out, err = run(capsys, "data", "verify")
    assert (code, err) == (0, "")
    assert "mnist  6 + 4 images of 1x28x28, 10 classes\n  sha256  " in out
    assert "xor  4 + 4 images of 1x1x2, 2 classes" in out
    assert "copies  4 validation images equal a training image" in out
    assert "fashion-mnist" not in out, "no names: only what is here"


def test_verify_reads_the_files_again_although_they_were_decoded_before(capsys, tmp_path, monkeypatch):
    from fake_sets import contents, write_mednist
    from nnbench.data import mednist

    files = mednist_files()
    monkeypatch.setattr(mednist, "CONTENTS", contents(files))
    write_mednist(tmp_path, files)
    verify = ("data", "verify", "mednist", "mednist-clean", "--data-dir", tmp_path)
    code, out, _ = run(capsys, *verify)
    assert code == 0
    assert "mednist  8 + 4 images of 1x64x64, 6 classes" in out
    whole = (tmp_path / "MedNIST.tar.gz").read_bytes()
    (tmp_path / "MedNIST.tar.gz").write_bytes(whole[:-1])
    code, out, err = run(capsys, *verify)
    assert (code, out) == (5, "")
    assert (
        err.count(f"nnbench: {tmp_path / 'MedNIST.tar.gz'}: expected files to read, found damaged ones") == 2
    )


def test_a_damaged_set_is_exit_code_5_and_the_others_are_verified(capsys, tmp_path):
    raw = write_mnist(tmp_path / "MNIST" / "raw", {**FILES, "t10k-labels-idx1-ubyte": b""})
    code, out, err = run(capsys, "data", "verify", "--data-dir", tmp_path)
    assert code == 5
    assert err.startswith(f"nnbench: {raw / 't10k-labels-idx1-ubyte.gz'}: expected IDX magic")
    assert err.endswith(f"; 'nnbench data fetch mnist --data-dir {tmp_path}' brings it anew\n")
    assert all(name in out for name in EMBEDDED)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("verify", "mnist"), 5, "'nnbench data fetch mnist' brings it"),
        (("verify", "minst"), 2, "did you mean 'mnist'"),
        (("fetch", "minst"), 2, "did you mean 'mnist'"),
        (("fetch",), 2, "NAME"),
        ((), 2, "COMMAND"),
        (
            ("list", "--data-dir", "no/such/folder"),
            5,
            "--data-dir: expected a folder with data sets, found none",
        ),
        (("verify", "mnist", "--data-dir", "no/such"), 5, "found none at no/such"),
    ],
)
def test_a_mistake_is_one_message_and_its_code(arguments, code, message, capsys):
    found, out, err = run(capsys, "data", *arguments)
    assert (found, out) == (code, "")
    assert message in err


def test_fetch_says_what_it_did(capsys, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(fetch, "fetch", lambda name, root: asked.append((name, root)) or len(asked) == 1)
    code, out, _ = run(capsys, "data", "fetch", "digits", "mednist-clean", "mednist", "mnist")
    assert code == 0
    cache = tmp_path / "cache" / "nnbench" / "data"
    assert asked == [("mednist", cache), ("mnist", cache)]
    assert out.splitlines() == [
        "digits: nothing to fetch, it comes with nnbench",
        f"mednist: fetched to {cache}",
        f"mnist: nothing to fetch, sound in {cache}",
    ]
    run(capsys, "data", "fetch", "mnist", "--data-dir", tmp_path / "own")
    assert asked[-1] == ("mnist", tmp_path / "own")


def test_a_failed_fetch_is_exit_code_5(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "MEDNIST_URLS", ["http://127.0.0.1:9/MedNIST.tar.gz"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    code, out, err = run(capsys, "data", "fetch", "mednist", "--data-dir", tmp_path)
    assert (code, out) == (5, "")
    assert "http://127.0.0.1:9/MedNIST.tar.gz: " in err


def test_training_on_a_set_that_is_not_here_is_exit_code_5(capsys):
    code, out, err = run(capsys, "train", "--data", "mnist", "--model", "logistic", "--no-memory", "--json")
    assert (code, out) == (5, "")
    assert "nnbench data fetch mnist" in err


def test_doctor_only_looks_whether_a_set_is_here(tmp_path, monkeypatch):
    from nnbench import doctor

    monkeypatch.setenv("NNBENCH_DATA", str(tmp_path))
    (tmp_path / "MedNIST.tar.gz").write_bytes(b"is not opened")
    assert doctor._data("mednist") == f"here: {tmp_path / 'MedNIST.tar.gz'}"
    assert doctor._data("mnist") == "not here: nnbench data fetch mnist"
    assert doctor._data("digits") == "verified, 1,400 + 397"


def test_tune_hands_the_folder_on(capsys, tmp_path, monkeypatch):
    from test_pytest_plugin import BENCH

    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "test_tiny.py").write_text(BENCH.replace("epochs=2", "lr='tuned', epochs=2"))
    seen = []
    monkeypatch.setattr(
        "nnbench.tuning.tune_accuracy", lambda arm, seed, data_folder: seen.append(data_folder) or 0.5
    )
    code, *_ = run(capsys, "tune", tmp_path / "bench", "--data-dir", tmp_path)
    assert code == 0
    assert set(seen) == {tmp_path}


def test_the_readme_names_the_commands():
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    for command in ("nnbench data list", "nnbench data fetch", "nnbench data verify", "NNBENCH_DATA"):
        assert command in readme
