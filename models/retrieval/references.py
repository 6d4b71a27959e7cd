# SPDX-License-Identifier: MIT
"""Retrieval-augmented extraction: send a reference to what the other side knows, not the text.

A report is a list of statements, each either a reference (key of 8 bytes and version of 2) to an
entry that the receiver has, or the entry itself. The receiver resolves a reference only if it has
that very version: otherwise it asks for the entry, and never takes another value for the one meant.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.retrieval.base import KnowledgeBase
from models.retrieval.entry import Entry, EntryError, decode_entry

_REFERENCE = struct.Struct("<BQH")
_TEXT = struct.Struct("<BH")
REFERENCE, TEXT = 1, 2


@dataclass(frozen=True)
class Report:
    """What a receiver makes of a report.

    Attributes:
        entries: resolved statements.
        wanted: keys of references that could not be resolved.
        refused: why statements were refused.
    """

    entries: tuple[Entry, ...]
    wanted: tuple[int, ...]
    refused: tuple[str, ...]


def encode_report(entries: Sequence[Entry], known: Mapping[int, int]) -> bytes:
    """Return a report.

    Args:
        entries: what is stated.
        known: key → version of what the receiver is known to have.
    """
    parts = []
    for entry in entries:
        if known.get(entry.key) == entry.version:
            parts.append(_REFERENCE.pack(REFERENCE, entry.key, entry.version & 0xFFFF))
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
        if data[at] == REFERENCE and at + _REFERENCE.size <= len(data):
            _, key, version = _REFERENCE.unpack_from(data, at)
            at += _REFERENCE.size
            have = base.get(key)
            if have is None or have.version & 0xFFFF != version:
                wanted.append(key)
            else:
                entries.append(have)
        elif data[at] == TEXT and at + _TEXT.size <= len(data):
            _, size = _TEXT.unpack_from(data, at)
            at += _TEXT.size
            if at + size > len(data):
                raise EntryError("a statement is truncated")
            try:
                entries.append(decode_entry(data[at : at + size], now_s=now_s))
            except EntryError as error:
                refused.append(str(error))
            at += size
        else:
            raise EntryError(f"a statement of kind {data[at]} or truncated")
    return Report(tuple(entries), tuple(wanted), tuple(refused))
