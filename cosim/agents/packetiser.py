# SPDX-License-Identifier: MIT
"""Whole units into packets, and back: the wire format of a semantic message.

Every packet can be used without the others. Little endian::

    offset  size  field
    0       1     version (2)
    1       1     layout: 0 consecutive units; n in 1 … 254 every (n+1)th unit; 255 a bitmap
    2       2     packet number in the message
    4       4     message number in the flow
    8       2     units in the whole message
    10      2     number of this packet's first unit
    12      2     units in this packet
    14      2     bytes of each unit; 0: every unit has a length of its own
    16      …     layout 255: one bit a unit of the message, the first in the highest bit
    16 …    …     with lengths of their own: the 2-byte length of each unit
    16 …    …     the units, in ascending order of their numbers

What stands before the units are headers: flows that deliver bits or symbols protect them.

Which units share a packet is the packing policy (`POLICIES`).
"""

import itertools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEADER = struct.Struct("<BBHIHHHH")
HEADER_BYTES = HEADER.size
_LENGTH = struct.Struct("<H")
_VERSION = 2
_BITMAP = 255
_LOOK_AHEAD_PACKETS = 16
"""Roll-outs cost packets · units² steps; beyond this the greedy placement alone is used."""


class WireError(ValueError):
    """Bytes that are no packet of this format, or units that do not fit into it."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A UDP payload.

    Attributes:
        data: the payload.
        importance: PDU-set importance (TS 23.501 §5.37), 0 least.
        share: part of the message's units that it holds, 0 if unknown.
        header_bytes: of the payload, those before its units, 0 if unknown.
    """

    data: bytes
    importance: float = 0.0
    share: float = 0.0
    header_bytes: int = 0


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
    policy: str = "in-order",
    numbers: Sequence[int] | None = None,
) -> list[Packet]:
    """Put whole units into as few packets as the policy allows.

    Args:
        units: the message's units, the most important first, each at most 65 535 bytes.
        importance: one number a unit; a packet is as important as its most important unit.
        message_number: the message's number in its flow, modulo 2**32.
        max_packet_bytes: UDP payload limit.
        policy: which units share a packet, a name of `POLICIES`.
        numbers: ascending numbers of the units to send now; None: all.

    Raises:
        WireError: a unit does not fit into a packet, there are more units than the header counts,
        or no policy has this name.
    """
    if len(units) != len(importance):
        raise WireError(f"{len(units)} units but {len(importance)} importances")
    if not 0 < len(units) <= 0xFFFF:
        raise WireError(f"a message has 1 to 65535 units, not {len(units)}")
    if policy not in POLICIES:
        raise WireError(f"no packing policy is named {policy!r}; known: {', '.join(POLICIES)}")
    sizes = {len(unit) for unit in units}
    uniform = sizes.pop() if len(sizes) == 1 else 0
    prefix = 0 if uniform else _LENGTH.size
    room = max_packet_bytes - HEADER_BYTES
    for number, unit in enumerate(units):
        if prefix + len(unit) > room:
            raise WireError(
                f"unit {number} has {len(unit)} bytes; a packet of max_packet_bytes="
                f"{max_packet_bytes} holds {room - prefix}"
            )
    chosen = range(len(units)) if numbers is None else numbers
    costs = [prefix + len(units[n]) for n in chosen]
    scores = [importance[n] for n in chosen]
    if numbers is not None:
        # A part of a message may need a bitmap, whatever the policy.
        room -= -(-len(units) // 8)
    packets: list[Packet] = []
    for places in POLICIES[policy](costs, scores, room):
        group = [chosen[place] for place in places]
        layout, bitmap = _layout(group, len(units))
        header = HEADER.pack(
            _VERSION,
            layout,
            len(packets),
            message_number & 0xFFFFFFFF,
            len(units),
            group[0],
            len(group),
            uniform,
        )
        lengths = b"" if uniform else b"".join(_LENGTH.pack(len(units[n])) for n in group)
        head = header + bitmap + lengths
        packets.append(
            Packet(
                head + b"".join(units[n] for n in group),
                max(importance[n] for n in group),
                len(group) / len(units),
                len(head),
            )
        )
    return packets


def _layout(group: Sequence[int], total: int) -> tuple[int, bytes]:
    """Return the layout byte and the bitmap of a packet's ascending unit numbers."""
    steps = {after - before for before, after in itertools.pairwise(group)}
    if len(steps) <= 1:
        stride = steps.pop() if steps else 1
        if stride <= _BITMAP:
            return stride - 1, b""
    bits = sum(1 << (total - 1 - n) for n in group) << (-total % 8)
    return _BITMAP, bits.to_bytes(-(-total // 8), "big")


def _in_order(costs: Sequence[int], importance: Sequence[float], room: int) -> list[list[int]]:
    """Fill one packet after the other: the first packets matter most, so protect them most."""
    groups: list[list[int]] = []
    used = 0
    for number, cost in enumerate(costs):
        if not groups or used + cost > room:
            groups.append([])
            used = 0
        groups[-1].append(number)
        used += cost
    return groups


def _interleaved(costs: Sequence[int], importance: Sequence[float], room: int) -> list[list[int]]:
    """Deal the units out in turn: every packet matters about as much as any other."""
    count = len(_in_order(costs, importance, room))
    while True:
        groups = [list(range(first, len(costs), count)) for first in range(count)]
        if all(sum(costs[n] for n in group) <= room for group in groups):
            return groups
        count += 1


def _look_ahead(costs: Sequence[int], importance: Sequence[float], room: int) -> list[list[int]]:
    """Share importance out as evenly as a roll-out search finds.

    If each packet is lost with probability e, independently, the importance that arrives has the
    variance e·(1−e)·Σ s², s being a packet's sum. Units are placed one by one; for each packet that
    has room the rest is placed greedily (into the lightest packet), and the place with the least
    Σ s² at the end is taken. A packet's bitmap takes room too.
    """
    room -= -(-len(costs) // 8)
    if any(cost > room for cost in costs):
        return _interleaved(costs, importance, room + -(-len(costs) // 8))
    count = len(_in_order(costs, importance, room))
    while True:
        groups = _roll_out(costs, importance, room, count)
        if groups is not None:
            return [sorted(group) for group in groups if group]
        count += 1


def _roll_out(
    costs: Sequence[int], importance: Sequence[float], room: int, count: int
) -> list[list[int]] | None:
    sums, used = [0.0] * count, [0] * count
    groups: list[list[int]] = [[] for _ in range(count)]
    for number in range(len(costs)):
        places = [p for p in range(count) if used[p] + costs[number] <= room]
        if not places:
            return None
        best = min(places, key=lambda p: (sums[p], used[p]))
        if count <= _LOOK_AHEAD_PACKETS and len(places) > 1:
            scored = [
                (_outlook(costs, importance, room, sums, used, number, p), sums[p], p)
                for p in places
            ]
            best = min(scored)[2]
        groups[best].append(number)
        sums[best] += importance[number]
        used[best] += costs[number]
    return groups


def _outlook(
    costs: Sequence[int],
    importance: Sequence[float],
    room: int,
    sums: Sequence[float],
    used: Sequence[int],
    number: int,
    place: int,
) -> float:
    """Return Σ s² after placing a unit and all others greedily; infinity if they do not fit."""
    sums, used = list(sums), list(used)
    for n in range(number, len(costs)):
        if n > number:
            places = [p for p in range(len(sums)) if used[p] + costs[n] <= room]
            if not places:
                return float("inf")
            place = min(places, key=lambda p: (sums[p], used[p]))
        sums[place] += importance[n]
        used[place] += costs[n]
    return sum(s * s for s in sums)


Policy = Callable[[Sequence[int], Sequence[float], int], list[list[int]]]

POLICIES: dict[str, Policy] = {
    "in-order": _in_order,
    "interleaved": _interleaved,
    "look-ahead": _look_ahead,
}
"""Name → function of the units' bytes, their importances and a packet's room in bytes, to the
ascending unit numbers of each packet."""


def parse(data: bytes) -> PacketContents:
    """Read one packet.

    Raises:
        WireError: truncated, of another version, or inconsistent.
    """
    if len(data) < HEADER_BYTES:
        raise WireError(f"{len(data)} bytes are fewer than the header's {HEADER_BYTES}")
    version, layout, packet_number, message_number, total, first, count, uniform = HEADER.unpack(
        data[:HEADER_BYTES]
    )
    if version != _VERSION:
        raise WireError(f"version {version}: expected {_VERSION}")
    at = HEADER_BYTES
    if layout == _BITMAP:
        bitmap = data[at : at + -(-total // 8)]
        at += -(-total // 8)
        numbers = [
            n for n in range(total) if n // 8 < len(bitmap) and bitmap[n // 8] << n % 8 & 128
        ]
        if len(numbers) != count or numbers[:1] != [first]:
            raise WireError(f"a bitmap of {len(numbers)} units for {count} from {first}")
    else:
        numbers = list(range(first, first + count * (layout + 1), layout + 1))
        if first + (count - 1) * (layout + 1) >= total:
            raise WireError(f"units {first} to {numbers[-1] if numbers else first} of only {total}")
    sizes: Sequence[int] = [uniform] * len(numbers)
    if not uniform:
        if at + _LENGTH.size * len(numbers) > len(data):
            raise WireError(f"truncated before the lengths of {len(numbers)} units")
        sizes = [size for (size,) in _LENGTH.iter_unpack(data[at : at + 2 * len(numbers)])]
        at += _LENGTH.size * len(numbers)
    units: dict[int, bytes] = {}
    for number, size in zip(numbers, sizes, strict=True):
        if at + size > len(data):
            raise WireError(f"unit {number} is truncated")
        units[number] = data[at : at + size]
        at += size
    if at != len(data):
        raise WireError(f"{len(data) - at} bytes after the last unit")
    return PacketContents(message_number, packet_number, total, units)
