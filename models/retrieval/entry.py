# SPDX-License-Identifier: MIT
"""What a knowledge base holds and what travels, and the checks on what comes in.

An entry is a fact with its version vector (who changed it how often), the time of the last change
and where it came from. Its bytes, little endian::

    offset  size  field
    0       1     format (1)
    1       1     flags: 1 deleted
    2       8     time of the last change, float64, s
    10      2     node that it came from
    12      1     entries of the version vector, then 2 (node) + 2 (count) bytes each
    …       …     subject, relation, value: 1 byte of length and UTF-8 each
    …       4     first bytes of the SHA-256 of all before

Entries of other nodes are data: limited in size, checked against the relation's form, never
executed and never shown to a model as anything but the relation's own sentence.
"""

import hashlib
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from models.retrieval.facts import RELATIONS, Fact

_HEAD = struct.Struct("<BBdHB")
_CLOCK = struct.Struct("<HH")
_CHECK_BYTES = 4
_FORMAT = 1
MAX_ENTRY_BYTES = 512
MAX_CLOCKS = 64
MAX_FIELD_BYTES = 120
_WORDS_THAT_COMMAND = ("ignore", "instruction", "system:", "assistant:", "<|", "http")


class EntryError(ValueError):
    """An entry that is refused, with the reason."""


@dataclass(frozen=True)
class Entry:
    """A fact in a knowledge base.

    Attributes:
        fact: subject, relation and value.
        clock: version vector: node → how often it changed the fact.
        changed_s: simulated time of the last change.
        origin: node that the entry came from first.
        deleted: a tombstone: the fact is no longer held to be true.
    """

    fact: Fact
    clock: Mapping[int, int] = field(default_factory=dict)
    changed_s: float = 0.0
    origin: int = 0
    deleted: bool = False

    @property
    def key(self) -> int:
        """Return a number of 64 bits for subject and relation."""
        return entry_key(self.fact.subject, self.fact.relation)

    @property
    def version(self) -> int:
        """Return how often the fact was changed in all."""
        return sum(self.clock.values())

    @property
    def mark(self) -> int:
        """Return 32 bits that stand for the version vector: the version, and bits of its hash.

        Concurrent changes may be as many, so that the version alone would not tell them apart.
        """
        pairs = b"".join(_CLOCK.pack(node, count) for node, count in sorted(self.clock.items()))
        (low,) = struct.unpack("<H", hashlib.sha256(pairs).digest()[:2])
        return (self.version & 0xFFFF) << 16 | int(low)

    def encode(self) -> bytes:
        """Return the entry's bytes.

        Raises:
            EntryError: it is too large.
        """
        parts = [
            _HEAD.pack(_FORMAT, int(self.deleted), self.changed_s, self.origin, len(self.clock))
        ]
        parts += [_CLOCK.pack(node, count) for node, count in sorted(self.clock.items())]
        for text in (self.fact.subject, self.fact.relation, self.fact.value):
            data = text.encode()
            if len(data) > MAX_FIELD_BYTES:
                raise EntryError(f"{text[:20]!r}… has {len(data)} bytes, at most {MAX_FIELD_BYTES}")
            parts.append(bytes([len(data)]) + data)
        body = b"".join(parts)
        return body + hashlib.sha256(body).digest()[:_CHECK_BYTES]


def entry_key(subject: str, relation: str) -> int:
    """Return a number of 64 bits for what a fact is about."""
    digest = hashlib.sha256(f"{relation}\0{subject}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def shorten_entry(entry: Entry) -> bytes:
    """Return an entry's bytes without subject and relation, for a receiver that knows its key."""
    data = entry.encode()
    at = _HEAD.size + len(entry.clock) * _CLOCK.size
    texts = 2 + len(entry.fact.subject.encode()) + len(entry.fact.relation.encode())
    return data[:at] + data[at + texts :]


def complete_entry(short: bytes, have: Entry) -> bytes:
    """Return the bytes of the entry that `shorten_entry` made short.

    Args:
        short: as received; `decode_entry` of what is returned finds any damage.
        have: an entry of the same key.

    Raises:
        EntryError: it is too short to be one.
    """
    at = _HEAD.size + (short[_HEAD.size - 1] * _CLOCK.size if len(short) >= _HEAD.size else 0)
    if at > len(short):
        raise EntryError(f"a difference of {len(short)} bytes is truncated")
    texts = [have.fact.subject.encode(), have.fact.relation.encode()]
    return short[:at] + b"".join(bytes([len(text)]) + text for text in texts) + short[at:]


def decode_entry(data: bytes, *, now_s: float = math.inf) -> Entry:
    """Return an entry from the network, or refuse it.

    Args:
        data: as received.
        now_s: simulated time; nothing can have been changed later.

    Raises:
        EntryError: with the reason.
    """
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryError(f"{len(data)} bytes, at most {MAX_ENTRY_BYTES}")
    if len(data) < _HEAD.size + 3 + _CHECK_BYTES:
        raise EntryError(f"{len(data)} bytes are no entry")
    body = data[:-_CHECK_BYTES]
    if hashlib.sha256(body).digest()[:_CHECK_BYTES] != data[-_CHECK_BYTES:]:
        raise EntryError("damaged: its checksum does not match")
    kind, flags, changed_s, origin, clocks = _HEAD.unpack_from(body)
    if kind != _FORMAT or flags > 1 or clocks > MAX_CLOCKS:
        raise EntryError(f"of format {kind} with flags {flags} and {clocks} clocks")
    at = _HEAD.size
    try:
        clock = {}
        for _ in range(clocks):
            node, count = _CLOCK.unpack_from(body, at)
            clock[node] = count
            at += _CLOCK.size
        texts = []
        for _ in range(3):
            size = body[at]
            texts.append(body[at + 1 : at + 1 + size].decode())
            at += 1 + size
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise EntryError(f"malformed: {error}") from None
    if at != len(body):
        raise EntryError("malformed: its fields do not fill it")
    entry = Entry(Fact(*texts), clock, changed_s, origin, bool(flags))
    check_entry(entry, now_s=now_s)
    return entry


def check_entry(entry: Entry, *, now_s: float = math.inf) -> None:
    """Refuse an entry that is not a fact of a known kind.

    Raises:
        EntryError: unknown relation, a value of another form, characters that do not belong into a
        name, text that speaks to a model, a time to come, or an empty version vector.
    """
    fact = entry.fact
    relation = RELATIONS.get(fact.relation)
    if relation is None:
        raise EntryError(f"relation {fact.relation[:40]!r} is unknown")
    if not math.isfinite(entry.changed_s) or entry.changed_s > now_s:
        raise EntryError(f"changed at {entry.changed_s} s, which is to come")
    if not entry.clock or not all(entry.clock.values()):
        raise EntryError("its version vector is empty")
    for text in (fact.subject, fact.value):
        if not text or not text.isprintable():
            raise EntryError("it has characters that do not print")
        lower = text.lower()
        if any(word in lower for word in _WORDS_THAT_COMMAND):
            raise EntryError(f"{text[:40]!r} is no name but speaks to a model")
    if not entry.deleted and not relation.value.fullmatch(fact.value):
        raise EntryError(f"{fact.value[:40]!r} is no value of {fact.relation}")


def newer(first: Mapping[int, int], second: Mapping[int, int]) -> bool | None:
    """Return whether version vector `first` is newer than `second`; None if neither is.

    Equal vectors count as not newer.
    """
    nodes = {*first, *second}
    above = any(first.get(n, 0) > second.get(n, 0) for n in nodes)
    below = any(first.get(n, 0) < second.get(n, 0) for n in nodes)
    if above and below:
        return None
    return above


def join(first: Mapping[int, int], second: Mapping[int, int]) -> dict[int, int]:
    """Return the least version vector that is not older than either."""
    return {n: max(first.get(n, 0), second.get(n, 0)) for n in sorted({*first, *second})}


def pack_entries(entries: Iterable[Entry]) -> bytes:
    """Return many entries, each with 2 bytes of length in front."""
    return b"".join(struct.pack("<H", len(d)) + d for d in (e.encode() for e in entries))


def unpack_entries(data: bytes, *, now_s: float) -> tuple[list[Entry], list[str]]:
    """Return the entries that are accepted, and why the others are not.

    Raises:
        EntryError: the framing is broken, so that nothing can be told apart.
    """
    entries, refused = [], []
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise EntryError("truncated before an entry")
        (size,) = struct.unpack_from("<H", data, at)
        at += 2
        if size > MAX_ENTRY_BYTES or at + size > len(data):
            raise EntryError(f"an entry of {size} bytes is truncated or too large")
        try:
            entries.append(decode_entry(data[at : at + size], now_s=now_s))
        except EntryError as error:
            refused.append(str(error))
        at += size
    return entries, refused
