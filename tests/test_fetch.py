"""Downloads from a server of our own: sound, damaged, failing; what was there is never the worse for it."""

import gzip
import http.server
import re
import threading

import pytest

from fake_sets import (
    contents,
    images,
    md5s,
    mednist_files,
    mnist_files,
    tar_bytes,
    write_mednist_folder,
    write_mnist,
)
from nnbench.data import DataError, fetch, mednist
from nnbench.data.mnist import MD5, mnist

FILES = mnist_files()
NAMES = [f"{name}.gz" for name in FILES]


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`: name -> bytes, or a number that is the error; notes what was asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.files.get(self.path, 404)
        if isinstance(answer, int):
            self.send_error(answer)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """A server whose /good/ holds everything sound; the sets are the small ones and come from there."""
    archive = tar_bytes(images(mednist_files()))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.files = {f"/good/{name}.gz": gzip.compress(data) for name, data in FILES.items()}
    server.files["/good/MedNIST.tar.gz"] = archive
    server.asked = []
    server.at = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(MD5, "mnist", md5s(FILES))
    monkeypatch.setattr(mednist, "CONTENTS", contents(mednist_files()))
    use(monkeypatch, server, "good")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def use(monkeypatch, server, *mirrors):
    """Fetch from these folders of *server*, in this order."""
    monkeypatch.setattr(
        fetch,
        "urls",
        lambda name: {file: [f"{server.at}/{mirror}/{file}" for mirror in mirrors] for file in NAMES},
    )
    monkeypatch.setattr(fetch, "MEDNIST_URLS", [f"{server.at}/{mirror}/MedNIST.tar.gz" for mirror in mirrors])


def tree(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_fetched_set_can_be_loaded_and_is_not_fetched_again(server, tmp_path, capfd, monkeypatch):
    root = tmp_path / "new" / "folder"
    assert fetch.fetch("mnist", root) is True
    assert sorted(tree(root)) == sorted(f"MNIST/raw/{name}" for name in NAMES)
    assert len(mnist(root).train) == 6
    asked = list(server.asked)
    monkeypatch.setattr(fetch.tempfile, "TemporaryDirectory", None)  # a sound set may lie where nobody writes
    assert fetch.fetch("mnist", root) is False
    assert server.asked == asked
    assert capfd.readouterr() == ("", ""), "no progress bar without a terminal"


@pytest.mark.parametrize("name", ["mednist", "mednist-clean", "mednist-28"])
def test_mednist_comes_as_its_archive(name, server, tmp_path):
    assert fetch.fetch(name, tmp_path) is True
    assert list(tree(tmp_path)) == ["MedNIST.tar.gz"]
    assert fetch.fetch(name, tmp_path) is False
    assert server.asked == ["/good/MedNIST.tar.gz"]


def test_a_sound_folder_of_mednist_is_enough(server, tmp_path):
    write_mednist_folder(tmp_path, mednist_files())
    assert fetch.fetch("mednist", tmp_path) is False
    (tmp_path / "MedNIST" / "Hand" / "000000.jpeg").write_bytes(b"")
    with pytest.raises(DataError, match=f"remove {tmp_path / 'MedNIST'} and"):
        fetch.fetch("mednist", tmp_path)
    assert server.asked == []


def test_mirrors_are_tried_in_order(server, tmp_path, monkeypatch):
    server.files["/cut/" + NAMES[0]] = server.files["/good/" + NAMES[0]][:-1]
    use(monkeypatch, server, "none", "cut", "good")
    assert fetch.fetch("mnist", tmp_path) is True
    assert server.asked[:4] == [
        f"/none/{NAMES[0]}",
        f"/cut/{NAMES[0]}",
        f"/good/{NAMES[0]}",
        f"/none/{NAMES[1]}",
    ]


def bad_answers():
    good, archive = gzip.compress(FILES["train-images-idx3-ubyte"]), tar_bytes(images(mednist_files()))
    other = gzip.compress(mnist_files(seed=1)["train-images-idx3-ubyte"])
    return {
        "not found": ("mnist", 404, "HTTP Error 404"),
        "broken server": ("mnist", 500, "HTTP Error 500"),
        "cut by one": ("mnist", good[:-1], "expected a whole IDX file, found a damaged one"),
        "a page": ("mnist", b"<html>Please log in</html>", "expected a whole IDX file, found a damaged one"),
        "empty": ("mnist", b"", "found an empty file"),
        "other content": ("mnist", other, "expected content with MD5"),
        "archive not found": ("mednist", 404, "HTTP Error 404"),
        "archive cut": ("mednist", archive[:-1], "found damaged ones"),
        "archive miscounted": ("mednist", tar_bytes(images({})), "AbdomenCT has 0 instead of 2"),
    }


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("case", bad_answers())
def test_a_failed_fetch_names_each_address_and_changes_nothing(case, there, server, tmp_path, monkeypatch):
    name, answer, reason = bad_answers()[case]
    target = tmp_path / ("MNIST/raw/train-images-idx3-ubyte.gz" if name == "mnist" else "MedNIST.tar.gz")
    for mirror in ("bad", "worse"):
        server.files.update(
            {path.replace("good", mirror): data for path, data in server.files.items() if "good" in path}
        )
        server.files[f"/{mirror}/{target.name}"] = answer
    use(monkeypatch, server, "bad", "worse")
    if there:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"damaged, and all that there is")
    before = tree(tmp_path)
    with pytest.raises(DataError) as caught:
        fetch.fetch(name, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{target}: expected a download, got none: {server.at}/bad/{target.name}: ")
    assert len(re.findall(re.escape(reason), message)) == 2
    assert f"; {server.at}/worse/{target.name}: " in message
    assert "fetch it elsewhere and put it there, or name a folder that has it with --data-dir" in message
    assert ".fetch-" not in message
    assert tree(tmp_path) == before
    assert not list(tmp_path.rglob(".fetch-*"))


def test_damaged_files_give_way_to_sound_ones(server, tmp_path):
    raw = write_mnist(
        tmp_path / "MNIST" / "raw", {**FILES, "t10k-labels-idx1-ubyte": b"damaged"}, packed=False
    )
    assert fetch.fetch("mnist", tmp_path) is True
    assert server.asked == ["/good/t10k-labels-idx1-ubyte.gz"], "the sound ones stay"
    assert not (raw / "t10k-labels-idx1-ubyte").exists()
    assert len(mnist(tmp_path).validation) == 4
    (tmp_path / "MedNIST.tar.gz").write_bytes(b"damaged")
    assert fetch.fetch("mednist", tmp_path) is True


def test_an_https_address_is_never_asked_over_http(server, tmp_path, monkeypatch):
    server.at = server.at.replace("http:", "https:")
    use(monkeypatch, server, "good")
    with pytest.raises(DataError, match="SSL"):
        fetch.fetch("mednist", tmp_path)
    assert server.asked == []


def test_a_silent_server_is_given_up(tmp_path, monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(fetch, "_SILENCE_S", 0.2)
        monkeypatch.setattr(fetch, "MEDNIST_URLS", [f"http://127.0.0.1:{silent.getsockname()[1]}/x"])
        with pytest.raises(DataError, match="timed out"):
            fetch.fetch("mednist", tmp_path)
    assert socket.getdefaulttimeout() is None


def test_a_place_that_cannot_be_written_is_an_error(server, tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("mnist", "mednist"):
        with pytest.raises(
            DataError, match=r"expected a folder to write to, found: .*; name another with --data-dir"
        ):
            fetch.fetch(name, tmp_path / "file")


def test_what_comes_with_nnbench_is_not_fetched(server, tmp_path):
    assert fetch.fetch("fashion-mini", tmp_path) is False
    assert server.asked == []
    assert tree(tmp_path) == {}


def test_addresses_are_those_of_torchvision():
    for name in ("mnist", "fashion-mnist"):
        found = fetch.urls(name)
        assert set(found) == set(NAMES)
        assert all(url.endswith(f"/{file}") for file, urls in found.items() for url in urls)
    assert fetch.urls("mnist")[NAMES[0]][0].startswith("https://")
    assert all(url.startswith("https://") for url in fetch.MEDNIST_URLS)
