# SPDX-License-Identifier: MIT
"""A knowledge base: stores entries, finds them by meaning, merges versions, evicts by use."""

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from models.retrieval.entry import Entry, check_entry, join, newer

FAISS_FROM = 50_000
"""Entries from which faiss is used, if it is installed: below, a product with all is as fast."""

BYTES_OF_VECTOR = 4 * 384


class Encoder(Protocol):
    """What turns texts into unit vectors."""

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return float32 of shape [texts, dimensions]."""


class ConflictError(ValueError):
    """An entry that contradicts one of a trusted node."""


@dataclass(frozen=True)
class Match:
    """A found entry and the cosine between its sentence and the question."""

    entry: Entry
    similarity: float


@dataclass
class _Slot:
    entry: Entry
    uses: int = 0
    used_s: float = 0.0


class KnowledgeBase:
    """Entries of one node.

    Args:
        encoder: of sentences.
        node: whose base it is.
        memory_bytes: what entries and their vectors may take; the least used are evicted.
        trusted: nodes whose entries no other node may contradict; none: everybody may.
        faiss_from: entries from which faiss is used.

    Attributes:
        evicted: entries that had to go.
        conflicts: concurrent changes to different values that had to be decided.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        node: int,
        memory_bytes: int = 1 << 40,
        trusted: Iterable[int] = (),
        faiss_from: int = FAISS_FROM,
    ) -> None:
        self._encoder, self.node = encoder, node
        self._memory, self._trusted = memory_bytes, frozenset(trusted)
        self._faiss_from = faiss_from
        self._slots: dict[int, _Slot] = {}
        self._bytes = 0
        self._keys: list[int] = []
        self._matrix: np.ndarray | None = None
        self._index: Any = None
        self.evicted = 0
        self.conflicts = 0

    def __len__(self) -> int:
        return sum(not slot.entry.deleted for slot in self._slots.values())

    @property
    def used_bytes(self) -> int:
        """Return what entries and vectors take."""
        return self._bytes

    def get(self, key: int) -> Entry | None:
        """Return an entry by `Entry.key`, tombstones too."""
        slot = self._slots.get(key)
        return slot.entry if slot else None

    def entries(self) -> list[Entry]:
        """Return all entries that are no tombstones, in order of their keys."""
        return [s.entry for _, s in sorted(self._slots.items()) if not s.entry.deleted]

    def marks(self) -> dict[int, int]:
        """Return key → `Entry.mark` of all entries, tombstones too."""
        return {key: slot.entry.mark for key, slot in sorted(self._slots.items())}

    def uses(self, key: int) -> int:
        """Return how often an entry was found."""
        slot = self._slots.get(key)
        return slot.uses if slot else 0

    def merge(self, entry: Entry, *, now_s: float) -> bool:
        """Take over an entry if it says more than what is known; return whether it did.

        A newer version vector wins. Of concurrent changes the later one wins, then the one of the
        lower node, and the result carries both vectors, so that all nodes decide alike.

        Raises:
            EntryError: it is no valid entry.
            ConflictError: it contradicts an entry of a trusted node without coming from one.
        """
        check_entry(entry, now_s=now_s)
        slot = self._slots.get(entry.key)
        if slot is None:
            self._put(entry, now_s)
            return True
        have = slot.entry
        order = newer(entry.clock, have.clock)
        if order is False:
            return False
        contradicts = entry.fact.value != have.fact.value or entry.deleted != have.deleted
        if contradicts and have.origin in self._trusted and entry.origin not in self._trusted:
            raise ConflictError(
                f"node {entry.origin} contradicts node {have.origin} about {have.fact.subject!r}"
            )
        if order is None:
            self.conflicts += contradicts
            first, second = sorted((entry, have), key=lambda e: (-e.changed_s, e.origin))
            entry = replace(first, clock=join(first.clock, second.clock))
        self._put(entry, now_s)
        return True

    def change(self, key: int, value: str, *, now_s: float) -> Entry:
        """Change a fact here and return its new entry.

        Raises:
            KeyError: it is not in the base.
        """
        have = self._slots[key].entry
        clock = {**have.clock, self.node: have.clock.get(self.node, 0) + 1}
        entry = Entry(replace(have.fact, value=value), clock, now_s, self.node)
        self._put(entry, now_s)
        return entry

    def delete(self, key: int, *, now_s: float) -> Entry:
        """Delete a fact here, leaving a tombstone that travels like an entry."""
        have = self._slots[key].entry
        clock = {**have.clock, self.node: have.clock.get(self.node, 0) + 1}
        entry = replace(have, clock=clock, changed_s=now_s, origin=self.node, deleted=True)
        self._put(entry, now_s)
        return entry

    def search(self, question: str, *, now_s: float, count: int = 1) -> list[Match]:
        """Return the `count` nearest entries, the nearest first, and note their use."""
        self._build()
        if not self._keys:
            return []
        query = self._encoder.encode([question])[0]
        count = min(count, len(self._keys))
        if self._index is not None:
            values, rows = self._index.search(query[None], count)
            found = [(int(r), float(v)) for r, v in zip(rows[0], values[0], strict=True)]
        else:
            assert self._matrix is not None
            scores = self._matrix @ query
            best = np.argsort(-scores, kind="stable")[:count]
            found = [(int(r), float(scores[r])) for r in best]
        out = []
        for row, score in found:
            slot = self._slots[self._keys[row]]
            slot.uses += 1
            slot.used_s = now_s
            out.append(Match(slot.entry, score))
        return out

    def search_cost(self) -> tuple[float, float]:
        """Return operations and memory traffic of one search over all entries."""
        return 2.0 * len(self) * 384, float(len(self) * BYTES_OF_VECTOR)

    def _put(self, entry: Entry, now_s: float) -> None:
        slot = self._slots.get(entry.key)
        if slot is None:
            self._slots[entry.key] = _Slot(entry, 0, now_s)
        else:
            self._bytes -= _size(slot.entry)
            slot.entry = entry
        self._bytes += _size(entry)
        self._matrix = self._index = None
        while self._bytes > self._memory and len(self._slots) > 1:
            others = [item for item in self._slots.items() if item[0] != entry.key]
            key, gone = min(others, key=lambda i: (i[1].uses, i[1].used_s, i[0]))
            del self._slots[key]
            self._bytes -= _size(gone.entry)
            self.evicted += 1

    def _build(self) -> None:
        if self._matrix is not None or self._index is not None:
            return
        there = {k: s.entry for k, s in sorted(self._slots.items()) if not s.entry.deleted}
        self._keys = list(there)
        if not there:
            return
        matrix = self._encoder.encode([entry.fact.sentence for entry in there.values()])
        if len(there) >= self._faiss_from and importlib.util.find_spec("faiss"):
            import faiss

            self._index = faiss.IndexFlatIP(matrix.shape[1])
            self._index.add(matrix)
        else:
            self._matrix = matrix


def _size(entry: Entry) -> int:
    return len(entry.encode()) + BYTES_OF_VECTOR


def missing_from(theirs: Mapping[int, int], base: KnowledgeBase) -> list[Entry]:
    """Return the entries of a base that a digest's owner may not know, of those in the digest.

    Args:
        theirs: key → `Entry.mark`.
        base: in which newer versions, and as new but other ones, are looked for.
    """
    out = []
    for key, mark in sorted(theirs.items()):
        entry = base.get(key)
        if entry is not None and entry.mark != mark and entry.mark >> 16 >= mark >> 16:
            out.append(entry)
    return out
