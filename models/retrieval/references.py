# SPDX-License-Identifier: MIT
"""Retrieval-augmented extraction: send what the other side does not know, not the text.

A report is a list of statements, each one of

- a reference (key of 8 bytes and version of 2) to an entry that the receiver has;
- a difference to another version that the receiver has: the key and the entry without subject and
  relation, which the receiver puts back in. The checksum is that of the whole entry;
- the entry itself.

The receiver resolves a reference only if it has that very version, and a difference only if it has
the key: otherwise it asks for the entry, and never takes another value for the one meant.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.retrieval.base import KnowledgeBase
from models.retrieval.entry import Entry, EntryError, complete_entry, decode_entry, shorten_entry

_REFERENCE = struct.Struct("<BQH")
_TEXT = struct.Struct("<BH")
_DIFFERENCE = struct.Struct("<BQH")
REFERENCE, TEXT, DIFFERENCE = 1, 2, 3
_HEADS = {REFERENCE: _REFERENCE, TEXT: _TEXT, DIFFERENCE: _DIFFERENCE}


@dataclass(frozen=True)
class Report:
    """What a receiver makes of a report.

    Attributes:
        entries: resolved statements.
        wanted: keys of references and differences that could not be resolved.
        refused: why statements were refused.
    """

    entries: tuple[Entry, ...]
    wanted: tuple[int, ...]
    refused: tuple[str, ...]


def encode_report(entries: Sequence[Entry], known: Mapping[int, int]) -> bytes:
    """Return a report.

    Args:
        entries: what is stated.
        known: key → version of what the receiver is known to have; of another version the
            difference is sent.
    """
    parts = []
    for entry in entries:
        if known.get(entry.key) == entry.version:
            parts.append(_REFERENCE.pack(REFERENCE, entry.key, entry.version & 0xFFFF))
        elif entry.key in known:
            data = shorten_entry(entry)
            parts.append(_DIFFERENCE.pack(DIFFERENCE, entry.key, len(data)) + data)
        else:
            data = entry.encode()
            parts.append(_TEXT.pack(TEXT, len(data)) + data)
    return b"".join(parts)


def decode_report(data: bytes, base: KnowledgeBase, *, now_s: float) -> Report:
    """Return what a report says.

    Raises:
        EntryError: the framing is broken.
    """
    entries: list[Entry] = []
    wanted: list[int] = []
    refused: list[str] = []
    at = 0
    while at < len(data):
        kind = data[at]
        head = _HEADS.get(kind)
        if head is None or at + head.size > len(data):
            raise EntryError(f"a statement of kind {kind} or truncated")
        _, *fields = head.unpack_from(data, at)
        at += head.size
        have = base.get(fields[0]) if kind != TEXT else None
        if kind == REFERENCE:
            key, version = fields
            if have is None or have.version & 0xFFFF != version:
                wanted.append(key)
            else:
                entries.append(have)
            continue
        size = fields[-1]
        if at + size > len(data):
            raise EntryError("a statement is truncated")
        body = data[at : at + size]
        at += size
        if kind == DIFFERENCE and have is None:
            wanted.append(fields[0])
            continue
        try:
            whole = complete_entry(body, have) if have is not None else body
            entries.append(decode_entry(whole, now_s=now_s))
        except EntryError as error:
            refused.append(str(error))
    return Report(tuple(entries), tuple(wanted), tuple(refused))
