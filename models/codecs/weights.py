# SPDX-License-Identifier: MIT
"""Weight files: those that ship with the project, or a folder of the user's."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.backbone import Adapters
from models.codecs.base import CodecError
from models.fingerprint import SHIPPED as SHIPPED
from models.fingerprint import file_fingerprint


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

    def check_backbone(self, name: str) -> None:
        """Raise a CodecError unless the weights were trained with the model of this name."""
        trained = self.meta["backbone"]
        if name != trained:
            raise CodecError(
                f"the weights for task {self.meta['task']} were trained with the model {trained}, "
                f"not {name}: train others with models/training"
            )

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


@functools.cache
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
    try:
        digest = file_fingerprint(path)
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
            meta = json.loads(file.metadata()["semcosim"])
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise CodecError(f"{path} is damaged or of another format: {error}") from None
    return CodecWeights(tensors, meta, digest)


@functools.cache
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
