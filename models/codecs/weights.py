# SPDX-License-Identifier: MIT
"""Weight files: those that ship with the project, or a folder of the user's."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.backbone import DEFAULT_BACKBONE, Adapters, Backbone, load_backbone
from models.backbone.loading import Precision
from models.codecs.base import CodecError
from models.fingerprint import SHIPPED as SHIPPED
from models.fingerprint import WeightFileError, file_fingerprint, weights_meta

DEFAULT_LAYERS = 12
"""Of the default model: as many as the shipped weights use."""


@dataclass(frozen=True)
class CodecWeights:
    """Tensors and metadata of one codec for one task.

    Attributes:
        tensors: by name, float32.
        meta: what the training script wrote: cut, last layer, threshold, command, seed, hashes.
        fingerprint: the file's SHA-256, shortened.
    """

    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    fingerprint: str

    @property
    def cut(self) -> int:
        """Return how many layers run at the device."""
        return int(self.meta["cut"])

    @property
    def last(self) -> int:
        """Return how many layers run at device and edge together."""
        return int(self.meta["last"])

    def check_backbone(self, model: Backbone) -> None:
        """Raise a CodecError unless the weights were trained with this model.

        A model of the user's may have moved: it is recognised by its fingerprint.
        """
        _check(self.meta, model)

    @functools.cached_property
    def adapters(self) -> Adapters:
        """Return the edge layers' low-rank changes."""
        numbers = sorted(
            int(name.split(".")[1]) for name in self.tensors if name.startswith("down.")
        )
        return Adapters(
            name=self.fingerprint,
            down={number: self.tensors[f"down.{number}"] for number in numbers},
            up={number: self.tensors[f"up.{number}"] for number in numbers},
        )


def backbone_of(
    files: Sequence[Path], *, name: str | None, precision: Precision, allow_hub: bool
) -> Backbone:
    """Return the language model that weight files were trained with.

    Args:
        files: of one codec; none: the default model.
        name: of the model in the place of the one that the files name, if it has moved.
        precision: number type of matrix products.
        allow_hub: whether the network may be asked.

    Raises:
        CodecError: the files are damaged or name different models.
        BackboneError: the model cannot be loaded.
    """
    try:
        metas = [weights_meta(path) for path in files]
    except WeightFileError as error:
        raise CodecError(str(error)) from None
    named = sorted({str(meta["backbone"]) for meta in metas}) or [DEFAULT_BACKBONE]
    if len(named) > 1:
        raise CodecError(
            f"{files[0].parent} has weights for different language models ({', '.join(named)}): "
            "put them into folders of their own"
        )
    chosen = name or named[0]
    last = max((int(meta["last"]) for meta in metas), default=DEFAULT_LAYERS)
    if chosen == DEFAULT_BACKBONE:
        last = max(last, DEFAULT_LAYERS)  # one copy in memory for all codecs
    model = load_backbone(chosen, layers=last, precision=precision, allow_hub=allow_hub)
    for meta in metas:
        _check(meta, model)
    return model


def _check(meta: dict[str, Any], model: Backbone) -> None:
    """Raise a CodecError unless weights with this metadata were trained with the model."""
    trained = meta["backbone"]
    if DEFAULT_BACKBONE in (trained, model.name):
        same = model.name == trained
    else:
        # The number type of the products, behind the first dash, may be another one.
        known = str(meta.get("backbone_fingerprint")).split("-")[0]
        same = model.fingerprint.split("-")[0] == known
    if not same:
        found = model.name if model.name != trained else "what is there now under this name"
        raise CodecError(
            f"the weights for task {meta.get('task')} were trained with the model {trained}, not "
            f"with {found}: train others with models/training"
        )


def load_weights(codec: str, task: str, folder: Path = SHIPPED) -> CodecWeights:
    """Return the weights of a codec for a task.

    Raises:
        CodecError: there is no such file, or it is damaged.
    """
    path = folder / f"{codec}-{task}.safetensors"
    if not path.is_file():
        known = sorted(
            p.stem.removeprefix(f"{codec}-") for p in folder.glob(f"{codec}-*.safetensors")
        )
        raise CodecError(
            f"codec {codec} has no weights for task {task!r} in {folder}; it has them for: "
            f"{', '.join(known) or 'none'}; train some with models/training"
        )
    return _read(path)


def _read(path: Path) -> CodecWeights:
    """Return a file's contents, read again only when it has changed."""
    state = path.stat()
    return _read_once(path, state.st_mtime_ns, state.st_size)


@functools.cache
def _read_once(path: Path, modified_ns: int, size: int) -> CodecWeights:
    try:
        digest = file_fingerprint(path)
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
            meta = json.loads(file.metadata()["semcosim"])
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise CodecError(f"{path} is damaged or of another format: {error}") from None
    return CodecWeights(tensors, meta, digest)


def load_shared_weights(codec: str, folder: Path = SHIPPED) -> CodecWeights:
    """Return the weights of a codec whose tasks share one file.

    Raises:
        CodecError: there is no such file, or it is damaged.
    """
    path = folder / f"{codec}.safetensors"
    if not path.is_file():
        raise CodecError(
            f"codec {codec} has no weights in {folder}: train some with models/training"
        )
    return _read(path)


def of_task(shared: CodecWeights, task: str) -> CodecWeights:
    """Return the part of shared weights that one task's answers need.

    Its fingerprint stays that of the file: what tasks share is computed and kept once.

    Raises:
        CodecError: the weights were not trained for this task.
    """
    tasks = shared.meta["tasks"]
    if task not in tasks:
        raise CodecError(
            f"the weights of codec {shared.meta['codec']} were not trained for task {task!r}; "
            f"they were for: {', '.join(tasks)}"
        )
    tensors = {n: t for n, t in shared.tensors.items() if n.startswith(("down.", "up."))}
    tensors |= {
        "pool": shared.tensors[f"pool.{task}"],
        "head.weight": shared.tensors[f"head.{task}.weight"],
        "head.bias": shared.tensors[f"head.{task}.bias"],
    }
    return CodecWeights(tensors, {**shared.meta, **tasks[task]}, shared.fingerprint)
