# SPDX-License-Identifier: MIT
"""The cache folder, and writing into it so that concurrent processes never see half a file."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from models.assets.errors import AssetError

CACHE_VARIABLE = "SEMCOSIM_CACHE"
LOCK_TIMEOUT_S = 1800.0


def cache_folder(*parts: str) -> Path:
    """Return a folder inside the cache, made if it is missing.

    The cache is `$SEMCOSIM_CACHE`, or ~/.cache/semcosim.

    Raises:
        AssetError: the folder cannot be made or written.
    """
    named = os.environ.get(CACHE_VARIABLE)
    root = Path(named) if named else Path.home() / ".cache" / "semcosim"
    folder = root.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssetError(
            f"the cache folder {folder} cannot be made ({error.strerror}): "
            f"set {CACHE_VARIABLE} to a folder that you can write"
        ) from None
    return folder


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock `name`, across processes.

    The operating system frees it when its holder dies, so a killed process leaves nothing stale.
    """
    path = cache_folder("locks") / f"{name}.lock"
    try:
        with FileLock(path, timeout=LOCK_TIMEOUT_S):
            yield
    except Timeout:
        raise AssetError(
            f"another process has held {path} for {LOCK_TIMEOUT_S:.0f} s; end it and try again"
        ) from None
    except OSError as error:
        raise AssetError(
            f"{path} cannot be written ({error.strerror}): "
            f"set {CACHE_VARIABLE} to a folder that you can write"
        ) from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path that becomes `path` if the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        yield Path(temporary)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
