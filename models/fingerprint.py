# SPDX-License-Identifier: MIT
"""What is known of weights without loading them. Imports the standard library only."""

import hashlib
import json
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).resolve().parent / "weights"
_DIGITS = 16
_MOST_HEADER_BYTES = 1 << 24


class WeightFileError(ValueError):
    """A file that is no weight file of a codec's; the text says which."""


def file_fingerprint(path: Path) -> str:
    """Return the shortened SHA-256 (hex) of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]


def weights_meta(path: Path) -> dict[str, Any]:
    """Return what a training command wrote into a weight file beside the tensors.

    A safetensors file begins with the length of a JSON header, 8 bytes, little end first.

    Raises:
        WeightFileError: it cannot be read, or is another kind of file.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, _MOST_HEADER_BYTES)))
        meta = json.loads(header["__metadata__"]["semcosim"])
        if not isinstance(meta, dict) or not {"backbone", "last"} <= meta.keys():
            raise KeyError("backbone")
    except OSError as error:
        raise WeightFileError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WeightFileError(
            f"{path} is damaged, or was not written by a command of models/training"
        ) from None
    return meta


def task_weights(codec: str, folder: Path) -> dict[str, Path]:
    """Return the files of a codec that has one for each task: task → file."""
    files = sorted(folder.glob(f"{codec}-*.safetensors"))
    return {path.stem.removeprefix(f"{codec}-"): path for path in files}


def weights_fingerprint(codec: str, task: str, folder: Path = SHIPPED) -> str | None:
    """Return the fingerprint of a codec's weights for a task, None if it has no file of them.

    They are in a file of the task's, or in one for all tasks of the codec.
    """
    for name in (f"{codec}-{task}", codec):
        path = folder / f"{name}.safetensors"
        if path.is_file():
            return file_fingerprint(path)
    return None
