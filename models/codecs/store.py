# SPDX-License-Identifier: MIT
"""Results on disk by content hash, safe in many processes at once.

A file is its payload's SHA-256 and the payload; it appears whole (atomic rename) or not at all,
and one that does not check out is treated as missing.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from models.assets.cache import cache_folder, replacing

_DIGEST_BYTES = 32
_MEMORY_ENTRIES = 16_384

Item = TypeVar("Item")


class ResultStore:
    """A mapping from content keys to JSON values, in memory and, if asked, on disk.

    Args:
        on_disk: whether results outlive the process.
    """

    def __init__(self, *, on_disk: bool) -> None:
        self._folder: Path | None = cache_folder("features") if on_disk else None
        self._memory: dict[str, Any] = {}

    def get(self, key: str) -> Any | None:
        """Return the value of a key, or None."""
        if key in self._memory:
            return self._memory[key]
        if self._folder is None:
            return None
        try:
            blob = self._path(key).read_bytes()
        except OSError:
            return None
        payload = blob[_DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() != blob[:_DIGEST_BYTES]:
            return None
        value = json.loads(payload)
        self._remember(key, value)
        return value

    def put(self, key: str, value: Any) -> None:
        """Keep a value; a full disk or a read-only cache only costs time later."""
        # Through JSON, so that a value is the same whether it was just made or read back.
        text = json.dumps(value, separators=(",", ":"))
        self._remember(key, json.loads(text))
        if self._folder is None:
            return
        payload = text.encode()
        with contextlib.suppress(OSError), replacing(self._path(key)) as temporary:
            temporary.write_bytes(hashlib.sha256(payload).digest() + payload)

    def fill(
        self,
        keys: Sequence[str],
        items: Sequence[Item],
        compute: Callable[[list[Item]], Sequence[Any]],
    ) -> list[Any]:
        """Return the value of each key; what is missing is computed together, once a key.

        Args:
            keys: one an item; equal keys stand for equal items.
            items: what `compute` takes.
            compute: returns one value an item; called with none if nothing is missing.
        """
        found = {key: self.get(key) for key in dict.fromkeys(keys)}
        todo = {key: item for key, item in zip(keys, items, strict=True) if found[key] is None}
        for key, value in zip(todo, compute(list(todo.values())), strict=True):
            self.put(key, value)
            found[key] = value
        return [found[key] for key in keys]

    def forget(self) -> None:
        """Drop what is in memory."""
        self._memory.clear()

    def _remember(self, key: str, value: Any) -> None:
        if len(self._memory) >= _MEMORY_ENTRIES:
            del self._memory[next(iter(self._memory))]  # the oldest
        self._memory[key] = value

    def _path(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / key[:2] / key[2:]


def content_key(*parts: str | bytes | int | None) -> str:
    """Return a hash of parts that no other list of parts gives."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
