# SPDX-License-Identifier: MIT
import heapq
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.agents.arq import HEADER, ArqEndpoint


class Wire:
    """Two endpoints and a link with delay, loss and reordering."""

    def __init__(self, *, loss=0.0, delay_s=0.01, jitter_s=0.0, seed=0, **options):
        self.ends = [ArqEndpoint(max_packet_bytes=200, **options) for _ in range(2)]
        self.rng, self.loss = random.Random(seed), loss
        self.delay_s, self.jitter_s = delay_s, jitter_s
        self.now_s, self.events, self.count = 0.0, [], 0
        self.got = [[], []]
        self.deaf = False

    def flush(self):
        for end in (0, 1):
            for packet in self.ends[end].take_packets():
                if self.rng.random() >= self.loss and not self.deaf:
                    at = self.now_s + self.delay_s + self.rng.random() * self.jitter_s
                    self.count += 1
                    heapq.heappush(self.events, (at, self.count, 1 - end, packet))

    def run(self, until_s=1000.0):
        self.flush()
        while True:
            wake = min(end.next_wake_s for end in self.ends)
            at = min(self.events[0][0] if self.events else wake, wake)
            if at > until_s:
                return
            self.now_s = max(self.now_s, at)
            if self.events and self.events[0][0] <= at:
                _, _, end, packet = heapq.heappop(self.events)
                self.got[end] += self.ends[end].receive(packet, self.now_s)
            else:
                for end in (0, 1):
                    self.got[end] += self.ends[end].poll(self.now_s)
            self.flush()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 9000), min_size=1, max_size=4),
    st.floats(0.0, 0.4),
    st.floats(0.0, 0.2),
    st.integers(0, 1000),
)
def test_every_message_arrives_whole_and_in_order(sizes, loss, jitter_s, seed):
    wire = Wire(loss=loss, jitter_s=jitter_s, seed=seed, window_bytes=2000, give_up_s=1e6)
    messages = [random.Random(n).randbytes(size) for n, size in enumerate(sizes)]
    for data in messages:
        wire.ends[0].send(data, 0.0)
    wire.ends[1].send(b"other way", 0.0)
    wire.run()
    assert [d.data for d in wire.got[1]] == messages
    assert [d.data for d in wire.got[0]] == [b"other way"]
    assert not any(d.missing for d in wire.got[1])


def test_bytes_are_counted_without_loss():
    # 1000 bytes in fragments of 200 - 16 = 184: six packets; an acknowledgement after the last
    # packet only (8 a piece, and they come together), of 16 bytes as nothing lies beyond its base.
    wire = Wire()
    wire.ends[0].send(bytes(1000), 0.0)
    wire.run()
    sent = wire.ends[0].sent
    assert (sent.payload, sent.headers, sent.repeated) == (1000, 6 * HEADER.size, 0)
    assert wire.ends[1].sent.acknowledgements == HEADER.size
    assert wire.ends[1].received_bytes == sent.total


def test_only_lost_fragments_are_sent_again():
    wire = Wire()
    wire.ends[0].send(bytes(184 * 30), 0.0)
    packets = wire.ends[0].take_packets()
    for number, packet in enumerate(packets):
        if number not in (3, 11):
            heapq.heappush(wire.events, (0.01 + number * 1e-3, number, 1, packet))
    wire.run()
    assert len(wire.got[1]) == 1
    assert wire.ends[0].sent.repeated == 2 * 200


def test_the_window_bounds_what_is_under_way():
    end = ArqEndpoint(max_packet_bytes=200, window_bytes=1000)
    end.send(bytes(10_000), 0.0)
    assert len(end.take_packets()) == 5


def test_a_peer_that_went_away_is_given_up():
    wire = Wire(give_up_s=5.0)
    wire.deaf = True
    wire.ends[0].send(b"x", 0.0)
    wire.ends[0].send(b"y", 0.0)
    wire.run()
    assert wire.ends[0].failed == 2
    assert 10.0 < wire.now_s < 20.0  # two messages, 5 s each, timers at most 2 s apart


def test_best_effort_rows_report_what_is_missing():
    wire = Wire()
    rows = random.Random(1).randbytes(50 * 40)  # 4 rows of 40 bytes fit into 184
    wire.ends[0].send_lossy(b"head", rows, 40, 0.0)
    for number, packet in enumerate(wire.ends[0].take_packets()):
        if number not in (2, 5):  # packet 0 is the head, so fragments 1 and 4 of the rows are lost
            heapq.heappush(wire.events, (0.01 + number * 1e-3, number, 1, packet))
    wire.run()
    # The rows wait for the head's acknowledgement, which goes out at once.
    (delivery,) = wire.got[1]
    assert delivery.data[:4] == b"head" and len(delivery.data) == 4 + 2000


def test_best_effort_rows_are_lost_in_whole_packets():
    wire = Wire(loss=0.0)
    rows = random.Random(1).randbytes(50 * 40)
    wire.ends[0].send_lossy(b"head", rows, 40, 0.0)
    dropped = []
    receive = wire.ends[1].receive

    def lossy(packet, now_s):
        _, flags, _, _, fragment, _ = HEADER.unpack_from(packet)
        if flags & 1 and fragment in (1, 4):
            dropped.append(fragment)
            return []
        return receive(packet, now_s)

    wire.ends[1].receive = lossy
    wire.run()
    (delivery,) = wire.got[1]
    assert dropped == [1, 4]
    # fragments of 4 rows = 160 bytes after the 4 bytes of the head
    assert delivery.missing == ((164, 324), (644, 804))
    kept = bytearray(rows)
    kept[160:320] = bytes(160)
    kept[640:800] = bytes(160)
    assert delivery.data == b"head" + bytes(kept)
    assert wire.ends[0].sent.repeated == 0


@pytest.mark.parametrize("packet", [b"", b"\x01", b"\x07" * 20, HEADER.pack(1, 0, 0, 0, 5, 5)])
def test_what_is_no_packet_is_counted(packet):
    end = ArqEndpoint()
    assert end.receive(packet, 0.0) == [] and end.malformed == 1


def test_a_count_that_would_take_all_memory_is_refused():
    end = ArqEndpoint()
    end.receive(HEADER.pack(1, 0, 0, 0, 0, 2**31), 0.0)
    assert end.malformed == 1
