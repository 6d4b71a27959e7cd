# SPDX-License-Identifier: MIT
"""Files that appear whole or not at all, and errors that say what to do about a full disk."""

import contextlib
import errno
import os
import shutil
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class TraceError(RuntimeError):
    """A trace, manifest or run folder cannot be written or read: why, and what to do."""


def write_bytes(descriptor: int, data: bytes) -> None:
    """Write all of `data` to an open file and through to the disk."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Make or replace `path` with `data`: a reader, or a crash, sees the old file or the new one.

    The temporary file begins with a dot, which Parquet readers leave out.

    Raises:
        TraceError: the disk is full or refuses; no temporary file is left, `path` is as before.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            write_bytes(descriptor, data)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise _explained(error, path, len(data)) from error


def _sync_folder(folder: Path) -> None:
    # Without it a power cut could forget the new name; some file systems refuse, which is no loss.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explained(error: OSError, path: Path, need_bytes: int) -> TraceError:
    if error.errno not in _FULL:
        return TraceError(f"cannot write {path}: {error.strerror or error}")
    limit = {
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "the file would be larger than the allowed file size (ulimit -f)",
    }.get(error.errno or 0, "no space is left on the disk")
    try:
        free = f", {shutil.disk_usage(path.parent).free} bytes are free"
    except OSError:
        free = ""
    return TraceError(
        f"cannot write {path.name} in {path.parent}: {limit} ({need_bytes} bytes needed{free}). "
        "What was written before is intact and readable. Free some space or choose a folder on "
        "another disk with --out."
    )
