# SPDX-License-Identifier: MIT
"""Whole messages of any size over a lossy pair of UDP flows: selective repeat, acknowledged.

A message is cut into fragments; a window of them is under way at a time. The receiver acknowledges
with the number up to which it has everything and a bitmap of what lies beyond. A fragment counts as
lost once a later-sent one was acknowledged and the reordering time has passed (RACK, RFC 8985), or
when the retransmission timer of RFC 6298 expires. Little endian::

    offset  size  field
    0       1     1 data, 2 acknowledgement
    1       1     flags of data: 1 best effort (never acknowledged or repeated), 2 a best-effort
                  message with the next number belongs to this one
    2       2     bits in the bitmap (acknowledgement)
    4       4     message number
    8       4     fragment number; acknowledgement: all below have arrived
    12      4     fragments of the message; acknowledgement: the fragment that caused it
    16      …     the fragment, or the bitmap, lowest bit first

Best-effort messages are how activations may be lost: their head travels acknowledged, the rows
after it best effort, and what is missing once no more comes is reported as byte ranges.
"""

import math
import struct
from collections import deque
from dataclasses import dataclass, field

HEADER = struct.Struct("<BBHIII")
_BODY = struct.Struct("<II")
_DATA, _ACK = 1, 2
_BEST_EFFORT, _HAS_BODY = 1, 2
MAX_MESSAGE_BYTES = 64 << 20


@dataclass(frozen=True)
class Delivery:
    """A message that arrived.

    Attributes:
        data: its bytes; what is missing is zero.
        missing: byte ranges (first, after the last) that were lost, none if acknowledged.
    """

    data: bytes
    missing: tuple[tuple[int, int], ...] = ()


@dataclass
class Counters:
    """UDP payload bytes that an endpoint sent, by what they were for."""

    payload: int = 0
    headers: int = 0
    acknowledgements: int = 0
    repeated: int = 0

    @property
    def total(self) -> int:
        """Return all of them."""
        return self.payload + self.headers + self.acknowledgements + self.repeated


@dataclass
class _Outgoing:
    number: int
    fragments: list[bytes]
    flags: int
    next: int = 0
    base: int = 0
    acked: set[int] = field(default_factory=set)
    under_way: dict[int, float] = field(default_factory=dict)  # fragment → sent at, oldest first
    repeat: deque[int] = field(default_factory=deque)
    sent_twice: set[int] = field(default_factory=set)


@dataclass
class _Incoming:
    count: int
    flags: int
    got: dict[int, bytes] = field(default_factory=dict)
    base: int = 0
    latest_s: float = 0.0
    trigger: int = 0


class ArqEndpoint:
    """One end of a pair of flows; time is handed in, nothing here waits.

    Args:
        max_packet_bytes: UDP payload of a packet at most.
        window_bytes: fragments under way at most; below the RLC queue's limit nothing overflows.
        reorder_s: how much later than its successors a packet may come without being lost.
        least_timeout_s: of the retransmission timer.
        give_up_s: a message of which nothing is acknowledged for this long has failed.
        ack_every: packets an acknowledgement.
        ack_delay_s: the longest that one is put off.
        idle_s: a best-effort message is over when nothing came for this long.

    Attributes:
        sent: what was sent so far.
        received_bytes: UDP payload bytes that arrived here.
        failed: messages given up.
        malformed: packets that were none of this format.
        rate_bps: payload rate of the last acknowledged message of more than one window, or NaN.
    """

    def __init__(
        self,
        *,
        max_packet_bytes: int = 1200,
        window_bytes: int = 150_000,
        reorder_s: float = 0.04,
        least_timeout_s: float = 0.1,
        give_up_s: float = 20.0,
        ack_every: int = 8,
        ack_delay_s: float = 0.005,
        idle_s: float = 0.2,
    ) -> None:
        self._room = max_packet_bytes - HEADER.size
        if self._room < 64:
            raise ValueError(f"max_packet_bytes = {max_packet_bytes} must be at least 80")
        self._window = max(1, window_bytes // max_packet_bytes)
        self._reorder_s, self._least_timeout_s = reorder_s, least_timeout_s
        self._give_up_s, self._idle_s = give_up_s, idle_s
        self._ack_every, self._ack_delay_s = ack_every, ack_delay_s
        self._numbers = 0
        self._queue: deque[_Outgoing] = deque()
        self._incoming: dict[int, _Incoming] = {}
        self._waiting_heads: dict[int, tuple[bytes, float]] = {}
        self._bodies: dict[int, _Incoming] = {}
        self._done: set[int] = set()
        self._unacked: dict[int, int] = {}
        self._ack_due_s = math.inf
        self._packets: list[bytes] = []
        self._smoothed_s, self._deviation_s = math.nan, 0.0
        self._timeout_s = 1.0
        self._progress_s = 0.0
        self._started_s = 0.0
        self.sent = Counters()
        self.received_bytes = 0
        self.failed = 0
        self.malformed = 0
        self.rate_bps = math.nan

    # Sending

    def send(self, data: bytes, now_s: float) -> None:
        """Send a message so that it arrives whole."""
        self._enqueue(data, 0, self._room, now_s)

    def send_lossy(self, head: bytes, rows: bytes, row_bytes: int, now_s: float) -> None:
        """Send `head` so that it arrives and `rows` once; fragments hold whole rows if they fit."""
        size = self._room // row_bytes * row_bytes if 0 < row_bytes <= self._room else self._room
        self._enqueue(_BODY.pack(len(rows), size) + head, _HAS_BODY, self._room, now_s)
        self._enqueue(rows, _BEST_EFFORT, size, now_s)

    def _enqueue(self, data: bytes, flags: int, size: int, now_s: float) -> None:
        fragments = [data[at : at + size] for at in range(0, max(len(data), 1), size)]
        if not self._queue:
            self._progress_s = self._started_s = now_s
        self._queue.append(_Outgoing(self._numbers, fragments, flags))
        self._numbers += 1
        self._push(now_s)

    def _push(self, now_s: float) -> None:
        """Send what the window allows; messages go one after the other."""
        while self._queue:
            message = self._queue[0]
            if message.flags & _BEST_EFFORT:
                for number in range(len(message.fragments)):
                    self._emit(message, number, now_s)
                self._begin_next(now_s)
                continue
            while len(message.under_way) < self._window:
                if message.repeat:
                    number = message.repeat.popleft()
                    if number in message.acked or number < message.base:
                        continue
                    message.sent_twice.add(number)
                elif message.next < len(message.fragments):
                    number = message.next
                    message.next += 1
                else:
                    break
                message.under_way[number] = now_s
                self._emit(message, number, now_s)
            return

    def _emit(self, message: _Outgoing, number: int, now_s: float) -> None:
        fragment = message.fragments[number]
        head = HEADER.pack(_DATA, message.flags, 0, message.number, number, len(message.fragments))
        self._packets.append(head + fragment)
        if number in message.sent_twice:
            self.sent.repeated += len(head) + len(fragment)
        else:
            self.sent.headers += len(head)
            self.sent.payload += len(fragment)

    def _begin_next(self, now_s: float) -> None:
        self._queue.popleft()
        self._progress_s = self._started_s = now_s

    def _take_ack(self, data: bytes, now_s: float) -> None:
        _, _, bits, number, base, trigger = HEADER.unpack_from(data)
        if not self._queue or self._queue[0].number != number:
            return  # of a message that is over
        message = self._queue[0]
        bitmap = int.from_bytes(data[HEADER.size :], "little")
        known = [
            n for n in message.under_way if n < base or (n - base < bits and bitmap >> n - base & 1)
        ]
        if trigger in message.under_way and trigger not in message.sent_twice:
            self._measure(now_s - message.under_way[trigger])
        latest = max((message.under_way[n] for n in known), default=-math.inf)
        for n in known:
            del message.under_way[n]
            message.acked.add(n)
        if known:
            self._progress_s = now_s
        message.base = max(message.base, base)
        for n, sent_s in list(message.under_way.items()):
            if sent_s >= latest - self._reorder_s:
                break  # in the order of sending
            del message.under_way[n]
            message.repeat.append(n)
        if message.base >= len(message.fragments):
            size = sum(map(len, message.fragments))
            if len(message.fragments) > 8 and now_s > self._started_s:
                self.rate_bps = 8 * size / (now_s - self._started_s)
            self._begin_next(now_s)

    def _measure(self, sample_s: float) -> None:
        if math.isnan(self._smoothed_s):
            self._smoothed_s, self._deviation_s = sample_s, sample_s / 2
        else:
            self._deviation_s += (abs(self._smoothed_s - sample_s) - self._deviation_s) / 4
            self._smoothed_s += (sample_s - self._smoothed_s) / 8
        self._timeout_s = max(self._smoothed_s + 4 * self._deviation_s, self._least_timeout_s)

    # Receiving

    def receive(self, packet: bytes, now_s: float) -> list[Delivery]:
        """Take a packet and return the messages that it completes."""
        self.received_bytes += len(packet)
        if len(packet) < HEADER.size or packet[0] not in (_DATA, _ACK):
            self.malformed += 1
            return []
        if packet[0] == _ACK:
            self._take_ack(packet, now_s)
            self._push(now_s)
            return []
        _, flags, _, number, fragment, count = HEADER.unpack_from(packet)
        if fragment >= count or count * self._room > MAX_MESSAGE_BYTES + self._room:
            self.malformed += 1
            return []
        body = packet[HEADER.size :]
        if flags & _BEST_EFFORT:
            if number not in self._done:
                state = self._bodies.setdefault(number, _Incoming(count, flags))
                state.got.setdefault(fragment, body)
                state.latest_s = now_s
            return self._join_bodies(now_s)
        out = self._take_data(number, flags, fragment, count, body, now_s)
        return [*out, *self._join_bodies(now_s)]

    def _take_data(
        self, number: int, flags: int, fragment: int, count: int, body: bytes, now_s: float
    ) -> list[Delivery]:
        state = self._incoming.setdefault(number, _Incoming(count, flags))
        if count != state.count:
            self.malformed += 1
            return []
        state.trigger = fragment
        if number in self._done:
            state.base = count
            self._acknowledge(number, state)
            return []
        state.got.setdefault(fragment, body)
        while state.base in state.got:
            state.base += 1
        self._unacked[number] = self._unacked.get(number, 0) + 1
        whole = state.base == count
        if whole or self._unacked[number] >= self._ack_every:
            self._acknowledge(number, state)
        elif self._ack_due_s == math.inf:
            self._ack_due_s = now_s + self._ack_delay_s
        if not whole:
            return []
        data = b"".join(state.got[n] for n in range(count))
        self._done.add(number)
        self._incoming[number] = _Incoming(count, flags)  # only to acknowledge what comes again
        if flags & _HAS_BODY:
            if len(data) < _BODY.size:
                self.malformed += 1
                return []
            self._waiting_heads[number] = (data, now_s)
            return []
        return [Delivery(data)]

    def _acknowledge(self, number: int, state: _Incoming) -> None:
        self._unacked.pop(number, None)
        if not self._unacked:
            self._ack_due_s = math.inf
        beyond = [n - state.base for n in state.got if n >= state.base]
        bits = max(beyond, default=-1) + 1
        bitmap = sum(1 << n for n in beyond).to_bytes(-(-bits // 8), "little")
        packet = HEADER.pack(_ACK, 0, bits, number, state.base, state.trigger) + bitmap
        self.sent.acknowledgements += len(packet)
        self._packets.append(packet)

    def _join_bodies(self, now_s: float) -> list[Delivery]:
        out = []
        for number in list(self._waiting_heads):
            data, since_s = self._waiting_heads[number]
            size, step = _BODY.unpack_from(data)
            body = self._bodies.get(number + 1, _Incoming(-(-size // max(step, 1)), 0))
            quiet = now_s - max(since_s, body.latest_s) >= self._idle_s - 1e-9
            if len(body.got) < -(-size // max(step, 1)) and not quiet:
                continue
            del self._waiting_heads[number]
            self._bodies.pop(number + 1, None)
            self._done.add(number + 1)
            if size > MAX_MESSAGE_BYTES or step == 0:
                self.malformed += 1
                continue
            out.append(_joined(data[_BODY.size :], body.got, size, step))
        return out

    # Time

    @property
    def next_wake_s(self) -> float:
        """Return when `poll` must be called at the latest, infinity for never."""
        times = [self._ack_due_s]
        if self._queue and self._queue[0].under_way:
            oldest = next(iter(self._queue[0].under_way.values()))
            times.append(oldest + self._timeout_s)
        for number, (_, since_s) in self._waiting_heads.items():
            body = self._bodies.get(number + 1)
            times.append(max(since_s, body.latest_s if body else 0.0) + self._idle_s)
        return min(times)

    def poll(self, now_s: float) -> list[Delivery]:
        """Do what is due and return best-effort messages that are over."""
        if now_s >= self._ack_due_s - 1e-9:
            for number in list(self._unacked):
                self._acknowledge(number, self._incoming[number])
        if self._queue and self._queue[0].under_way:
            message = self._queue[0]
            oldest_s = next(iter(message.under_way.values()))
            if now_s - self._progress_s > self._give_up_s:
                self.failed += 1
                self._begin_next(now_s)
            elif now_s >= oldest_s + self._timeout_s - 1e-9:
                due = now_s - self._timeout_s + 1e-9
                late = [n for n, sent_s in message.under_way.items() if sent_s <= due]
                for n in late:
                    del message.under_way[n]
                message.repeat.extend(late)
                self._timeout_s = min(2 * self._timeout_s, 2.0)
        self._push(now_s)
        return self._join_bodies(now_s)

    def drop(self) -> None:
        """Give up everything that is waiting to be sent."""
        self._queue.clear()

    def take_packets(self) -> list[bytes]:
        """Return and forget the packets to send now."""
        packets, self._packets = self._packets, []
        return packets


def _joined(head: bytes, got: dict[int, bytes], size: int, step: int) -> Delivery:
    data = bytearray(size)
    missing = []
    for number in range(-(-size // step)):
        first, last = number * step, min((number + 1) * step, size)
        part = got.get(number)
        if part is None or len(part) != last - first:
            missing.append((len(head) + first, len(head) + last))
        else:
            data[first:last] = part
    return Delivery(head + bytes(data), tuple(missing))
