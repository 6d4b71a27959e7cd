# SPDX-License-Identifier: MIT
"""The device's part of codec "llm-token" as a LiteRT file of 8 bits: where it lies, and its runner.

The file holds two layers, the student for the next two, the bottleneck and the importance, for
texts of a few fixed lengths, which share the weights. `python -m models.compression.export_device`
makes it in the cache folder. Its name says what it was made from, so that a file of other weights
is never taken for it, and a small JSON file beside it has its SHA-256.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.assets.cache import cache_folder, replacing, sha256_of
from models.backbone import Backbone, BackboneError
from models.backbone.llama import LlamaBackbone

LENGTHS = (16, 32, 48, 64)
"""Tokens that a file can compute. A text takes the least that holds it; what is behind its own
tokens is not read."""
TOKENS = LENGTHS[-1]
"""Tokens of the longest text."""
FORMAT = 1
"""Counts up when the graph of the file changes."""
Values = NDArray[np.float32]
Run = Callable[[Values], tuple[Values, Values]]
"""Maps embeddings [1, n, hidden] to values [1, n, dimensions] and importances [1, n], n of
`LENGTHS`."""


@dataclass(frozen=True)
class Origin:
    """What a device file is made from.

    Attributes:
        task: name of the task.
        weights: fingerprint of the codec's weights for it.
        student: fingerprint of the student's file.
        backbone: fingerprint of the language model's files.
    """

    task: str
    weights: str
    student: str
    backbone: str

    @property
    def path(self) -> Path:
        """Return where the file lies in the cache folder.

        Raises:
            AssetError: the cache folder cannot be made.
        """
        parts = (self.weights, self.student, self.backbone, repr(LENGTHS), str(FORMAT))
        key = hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]
        return cache_folder("devices") / f"llm-token-{self.task}-int8-{key}.tflite"

    @property
    def remedy(self) -> str:
        """Return how to make the file."""
        return (
            f"`python -m models.compression.export_device --task {self.task}` makes it, with "
            "--weights FOLDER of weights of your own (extra `device`: pip install semcosim[device])"
        )


def signature(length: int) -> str:
    """Return the name of a file's signature for texts of up to `length` tokens."""
    return f"tokens_{length}"


def padded(tokens: int) -> int:
    """Return how many tokens a file computes for a text of `tokens`, at most `TOKENS`."""
    return next(length for length in LENGTHS if tokens <= length)


def files_of(backbone: Backbone) -> str:
    """Return the fingerprint of a language model's files, whatever its number type.

    Raises:
        BackboneError: it is no Llama model.
    """
    if not isinstance(backbone, LlamaBackbone):
        raise BackboneError(f"{backbone.name} is no Llama model: it has no LiteRT file")
    return backbone.files


def keep(made: Path, origin: Origin, about: dict[str, Any]) -> Path:
    """Move a file that was just made into the cache folder and return its path there.

    Args:
        made: the file.
        origin: what it was made from.
        about: what to write beside it: versions of what made it.
    """
    path = origin.path
    facts = {**vars(origin), **about, "sha256": sha256_of(made)}
    with replacing(path) as temporary:
        temporary.write_bytes(made.read_bytes())
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    return path


class DeviceRunner:
    """Runs a LiteRT file on one thread.

    Args:
        path: of the file.

    Raises:
        BackboneError: LiteRT is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            raise BackboneError(
                "running a LiteRT file needs ai-edge-litert: install semcosim[device] (or "
                "`pip install ai-edge-litert`)"
            ) from None
        self._interpreter = Interpreter(str(path), num_threads=1)
        self._runners: dict[int, Any] = {}

    def __call__(self, hidden: Values) -> tuple[Values, Values]:
        """Return values and importances of embeddings; see `Run`."""
        length = hidden.shape[1]
        if length not in self._runners:  # a length takes memory of its own
            self._runners[length] = self._interpreter.get_signature_runner(signature(length))
        runner = self._runners[length]
        out = runner(**{next(iter(runner.get_input_details())): hidden})
        values, importance = sorted(out.values(), key=lambda a: -a.ndim)
        return values, importance


@dataclass(frozen=True)
class DeviceFile:
    """A file, ready to run.

    Attributes:
        run: see `Run`.
        fingerprint: of the file and of what runs it.
        size: of the file, bytes.
    """

    run: Run
    fingerprint: str
    size: int

    def encode(self, embedded: Tensor) -> Tensor:
        """Return the bottleneck's values and, in the last column, the importance of each token.

        Args:
            embedded: token embeddings of one text, float32 of shape [tokens, hidden], at most
                `TOKENS` tokens. One text at a time: no result depends on a batch.

        Returns:
            Shape [tokens, dimensions + 1].
        """
        count = len(embedded)
        hidden = np.zeros((1, padded(count), embedded.shape[1]), np.float32)
        hidden[0, :count] = embedded.numpy()
        values, importance = self.run(hidden)
        both = np.concatenate([values[0, :count], importance[0, :count, None]], axis=1)
        return torch.from_numpy(both)


def load_device_file(origin: Origin) -> DeviceFile:
    """Return the file that was made from `origin` (read once a process).

    Raises:
        BackboneError: it is missing or damaged, or LiteRT is not installed.
        AssetError: the cache folder cannot be made.
    """
    path = origin.path
    if not path.is_file():
        raise BackboneError(
            f"there is no LiteRT file for task {origin.task!r} with these weights in "
            f"{path.parent}: {origin.remedy}"
        )
    return _load(path, origin)


@functools.cache
def _load(path: Path, origin: Origin) -> DeviceFile:
    digest = sha256_of(path)
    try:
        noted = json.loads(path.with_suffix(".json").read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        noted = None
    if digest != noted:
        raise BackboneError(f"{path} is not what was exported: {origin.remedy}")
    run = DeviceRunner(path)
    return DeviceFile(run, f"litert-{digest[:16]}-{_version()}", path.stat().st_size)


def _version() -> str:
    """Return the version of LiteRT, on which the last bits of a result may depend."""
    from importlib.metadata import version

    return version("ai-edge-litert")
