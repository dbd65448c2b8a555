"""Data sets of a few images in the very formats of MNIST and MedNIST, sound or hostile."""

import gzip
import hashlib
import io
import struct
import tarfile

import numpy as np
from PIL import Image

from nnbench.data.mednist_files import Contents, content_of

CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")


def idx_bytes(array):
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def md5(content):
    return hashlib.md5(content).hexdigest()


def mnist_files(seed=0, train=6, validation=4):
    """The four IDX files, name -> bytes."""
    random = np.random.RandomState(seed)
    files = {}
    for prefix, count in (("train", train), ("t10k", validation)):
        files[f"{prefix}-images-idx3-ubyte"] = idx_bytes(
            random.randint(0, 256, (count, 28, 28)).astype(np.uint8)
        )
        files[f"{prefix}-labels-idx1-ubyte"] = idx_bytes(random.randint(0, 10, count).astype(np.uint8))
    return files


def md5s(files):
    return {name: md5(content) for name, content in files.items()}


def write_mnist(raw, files, packed=True):
    raw.mkdir(parents=True)
    for name, content in files.items():
        path = raw / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    return raw


def jpeg(value, size=(64, 64), mode="L", kind="JPEG"):
    """A picture of its own for each *value*."""
    pixels = np.random.RandomState(value).randint(0, 256, (size[1], size[0])).astype(np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(target, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return target.getvalue()


def mednist_files(each=2):
    """*each* images of every class, 'Hand/000001.jpeg' -> bytes, sorted; the last one copies the first."""
    names = [f"{name}/{index:06d}.jpeg" for name in CLASSES for index in range(each)]
    files = {name: jpeg(value) for value, name in enumerate(names)}
    files[names[1]] = files[names[0]]
    return files


def contents(files, train=8):
    counts = {name: sum(file.startswith(f"{name}/") for file in files) for name in CLASSES}
    return Contents(counts, content_of(files), train)


def member(name, data=b"", **changes):
    """(header, data) of a regular file, changed by *changes* such as type=tarfile.SYMTYPE."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, data


def images(files):
    return [member(f"MedNIST/{name}", data) for name, data in files.items()]


def tar_bytes(members, form=tarfile.GNU_FORMAT):
    """A gzipped tar archive; a header may claim more than follows."""
    blocks = [info.tobuf(form) + data + bytes(-len(data) % 512) for info, data in members]
    return gzip.compress(b"".join(blocks) + bytes(1024), mtime=0)


def write_mednist(root, files):
    (root / "MedNIST.tar.gz").write_bytes(tar_bytes(images(files)))
    return root


def write_mednist_folder(root, files):
    for name, data in files.items():
        path = root / "MedNIST" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root
