# SPDX-License-Identifier: MIT
"""Whole units into packets, and back: the wire format of a semantic message.

Every packet can be used without the others. Little endian::

    offset  size  field
    0       1     version (1)
    1       1     flags (0)
    2       2     packet number in the message
    4       4     message number in the flow
    8       2     units in the whole message
    10      2     number of this packet's first unit
    12      2     units in this packet
    14      2     bytes of each unit; 0: every unit has its own 2-byte length in front
    16      …     the units
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

HEADER = struct.Struct("<BBHIHHHH")
HEADER_BYTES = HEADER.size
_LENGTH = struct.Struct("<H")
_VERSION = 1


class WireError(ValueError):
    """Bytes that are no packet of this format, or units that do not fit into it."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A UDP payload and its PDU-set importance (TS 23.501 §5.37), 0 least."""

    data: bytes
    importance: float = 0.0


@dataclass(frozen=True, slots=True)
class PacketContents:
    """What `parse` reads: `units` maps a unit's number in the message to its bytes."""

    message_number: int
    packet_number: int
    unit_count: int
    units: dict[int, bytes]


def pack(
    units: Sequence[bytes],
    importance: Sequence[float],
    *,
    message_number: int,
    max_packet_bytes: int,
) -> list[Packet]:
    """Put whole units, in order, into as few packets as that order allows.

    Args:
        units: the message's units in sending order, each at most 65 535 bytes.
        importance: one number a unit; a packet is as important as its most important unit.
        message_number: the message's number in its flow, modulo 2**32.
        max_packet_bytes: UDP payload limit.

    Raises:
        WireError: a unit does not fit into a packet, or there are more units than the header
        counts.
    """
    if len(units) != len(importance):
        raise WireError(f"{len(units)} units but {len(importance)} importances")
    if not 0 < len(units) <= 0xFFFF:
        raise WireError(f"a message has 1 to 65535 units, not {len(units)}")
    sizes = {len(unit) for unit in units}
    uniform = sizes.pop() if len(sizes) == 1 else 0
    prefix = 0 if uniform else _LENGTH.size
    room = max_packet_bytes - HEADER_BYTES
    packets: list[Packet] = []
    first = 0
    while first < len(units):
        used, last = 0, first
        while last < len(units) and used + prefix + len(units[last]) <= room:
            used += prefix + len(units[last])
            last += 1
        if last == first:
            raise WireError(
                f"unit {first} has {len(units[first])} bytes; a packet of max_packet_bytes="
                f"{max_packet_bytes} holds {room - prefix}"
            )
        header = HEADER.pack(
            _VERSION,
            0,
            len(packets),
            message_number & 0xFFFFFFFF,
            len(units),
            first,
            last - first,
            uniform,
        )
        body = b"".join(
            unit if uniform else _LENGTH.pack(len(unit)) + unit for unit in units[first:last]
        )
        packets.append(Packet(header + body, max(importance[first:last])))
        first = last
    return packets


def parse(data: bytes) -> PacketContents:
    """Read one packet.

    Raises:
        WireError: truncated, of another version, or inconsistent.
    """
    if len(data) < HEADER_BYTES:
        raise WireError(f"{len(data)} bytes are fewer than the header's {HEADER_BYTES}")
    version, flags, packet_number, message_number, total, first, count, uniform = HEADER.unpack(
        data[:HEADER_BYTES]
    )
    if version != _VERSION or flags != 0:
        raise WireError(f"version {version}, flags {flags}: expected {_VERSION} and 0")
    if first + count > total:
        raise WireError(f"units {first} to {first + count - 1} of only {total}")
    units: dict[int, bytes] = {}
    at = HEADER_BYTES
    for number in range(first, first + count):
        size = uniform
        if not uniform:
            if at + _LENGTH.size > len(data):
                raise WireError(f"truncated before unit {number}")
            (size,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
        if at + size > len(data):
            raise WireError(f"unit {number} is truncated")
        units[number] = data[at : at + size]
        at += size
    if at != len(data):
        raise WireError(f"{len(data) - at} bytes after the last unit")
    return PacketContents(message_number, packet_number, total, units)
