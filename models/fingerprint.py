# SPDX-License-Identifier: MIT
"""By what weights are recognised, without reading them. Imports the standard library only."""

import hashlib
from pathlib import Path

SHIPPED = Path(__file__).resolve().parent / "weights"
_DIGITS = 16


def file_fingerprint(path: Path) -> str:
    """Return the shortened SHA-256 (hex) of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]


def weights_fingerprint(codec: str, task: str, folder: Path = SHIPPED) -> str | None:
    """Return the fingerprint of a codec's weights for a task, None if it has no file of them.

    They are in a file of the task's, or in one for all tasks of the codec.
    """
    for name in (f"{codec}-{task}", codec):
        path = folder / f"{name}.safetensors"
        if path.is_file():
            return file_fingerprint(path)
    return None
