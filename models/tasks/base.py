# SPDX-License-Identifier: MIT
"""What a task is, and the registry of tasks."""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

SPLITS = ("train", "validation", "test")


class TaskError(ValueError):
    """An unknown task, or data that cannot make one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image.

    Attributes:
        width: in pixels.
        height: in pixels.
        pixels: red, green and blue of each pixel, row by row, 3 · width · height bytes.
    """

    width: int
    height: int
    pixels: bytes = field(repr=False)

    def __post_init__(self) -> None:
        wanted = 3 * self.width * self.height
        if len(self.pixels) != wanted or not wanted:
            raise TaskError(
                f"a picture of {self.width} x {self.height} has {wanted} bytes, "
                f"not {len(self.pixels)}"
            )


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled sample.

    Attributes:
        id: hexadecimal content hash, the same on every machine.
        text: what the device has; a question where there is a picture too, or empty.
        label: index into the task's labels.
        picture: what the device sees.
    """

    id: str
    text: str
    label: int
    picture: Picture | None = None


@dataclass(frozen=True)
class Task:
    """Labelled data in fixed splits.

    Attributes:
        name: of the task.
        labels: names of the labels.
        train: samples that weights may be fitted on.
        validation: samples that thresholds may be set on.
        test: samples that simulations draw from; nothing was fitted on them.
        modality: "text", "image", or "image+text".
    """

    name: str
    labels: tuple[str, ...]
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]
    modality: str = "text"

    @property
    def splits(self) -> dict[str, tuple[Sample, ...]]:
        """Return the splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @functools.cached_property
    def prior_label(self) -> int:
        """Return the commonest label of the training split: the answer without any message."""
        counts = Counter(sample.label for sample in self.train)
        return min(counts, key=lambda label: (-counts[label], label))

    @functools.cached_property
    def prior_probability(self) -> float:
        """Return the prior label's share of the training split."""
        return sum(s.label == self.prior_label for s in self.train) / len(self.train)

    @functools.cached_property
    def prior_accuracy(self) -> float:
        """Return the test accuracy of always answering the prior label."""
        return sum(s.label == self.prior_label for s in self.test) / len(self.test)

    @functools.cached_property
    def data_hash(self) -> str:
        """Return a SHA-256 over splits, identifiers and labels."""
        digest = hashlib.sha256()
        for name, samples in self.splits.items():
            for sample in samples:
                digest.update(f"{name} {sample.id} {sample.label}\n".encode())
        return digest.hexdigest()


_FACTORIES: dict[str, Callable[[], Task]] = {}


def register(name: str) -> Callable[[Callable[[], Task]], Callable[[], Task]]:
    """Return a decorator that enters a function without arguments as the maker of task `name`."""

    def enter(make: Callable[[], Task]) -> Callable[[], Task]:
        _FACTORIES[name] = make
        get_task.cache_clear()
        return make

    return enter


def task_names() -> tuple[str, ...]:
    """Return the names of all registered tasks, in order of registration."""
    return tuple(_FACTORIES)


@functools.cache
def get_task(name: str) -> Task:
    """Return a task with its data loaded (once a process).

    Raises:
        TaskError: no task has this name.
        AssetError: its data are not in the cache.
    """
    if name not in _FACTORIES:
        raise TaskError(f"no task is named {name!r}; known: {', '.join(_FACTORIES)}")
    return _FACTORIES[name]()


def content_id(text: str, picture: Picture | None = None) -> str:
    """Return the identifier of a sample: the first 16 digits of its content's SHA-256."""
    digest = hashlib.sha256(text.encode())
    if picture is not None:
        digest.update(f"\0{picture.width}x{picture.height}\0".encode() + picture.pixels)
    return digest.hexdigest()[:16]


def split_of(identifier: str, shares: tuple[float, float, float]) -> str:
    """Return the split that a content hash falls into.

    Args:
        identifier: of `content_id`.
        shares: of train, validation and test; they sum to 1.

    A sample keeps its split whatever other samples there are.
    """
    point = int(identifier[:8], 16) / 2**32
    if point < shares[0]:
        return "train"
    return "validation" if point < shares[0] + shares[1] else "test"


def build_task(
    name: str,
    labels: tuple[str, ...],
    rows: Iterable[tuple[str, int, str | None]],
    shares: tuple[float, float, float],
) -> Task:
    """Make a task from rows of text, label and split (None: by content hash).

    A text that occurs twice is kept once, so that no test text was trained on; the rows of the
    test split come first where a text is in both. Samples are ordered by identifier.
    """
    samples = (
        (Sample(content_id(text), text, label), fixed or split_of(content_id(text), shares))
        for text, label, fixed in rows
    )
    return gather_task(name, labels, samples)


def gather_task(
    name: str,
    labels: tuple[str, ...],
    samples: Iterable[tuple[Sample, str]],
    modality: str = "text",
) -> Task:
    """Make a task from samples with their splits; see `build_task` for what occurs twice."""
    chosen: dict[str, tuple[str, Sample]] = {}
    for sample, split in samples:
        known = chosen.get(sample.id)
        if known is None or (split == "test" and known[0] != "test"):
            chosen[sample.id] = (split, sample)
    parts: dict[str, list[Sample]] = {split: [] for split in SPLITS}
    for identifier in sorted(chosen):
        split, sample = chosen[identifier]
        parts[split].append(sample)
    if not all(parts.values()):
        raise TaskError(f"task {name}: a split is empty")
    train, validation, test = (tuple(parts[split]) for split in SPLITS)
    return Task(name, labels, train, validation, test, modality)
