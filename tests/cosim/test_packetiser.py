# SPDX-License-Identifier: MIT
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.agents.packetiser import HEADER_BYTES, WireError, pack, parse

unit_lists = st.lists(st.binary(max_size=60), min_size=1, max_size=80)


@given(units=unit_lists, number=st.integers(0, 2**32 - 1), limit=st.integers(78, 1500))
def test_units_come_back_from_any_packing(units, number, limit):
    packets = pack(units, [0.0] * len(units), message_number=number, max_packet_bytes=limit)
    received = {}
    for packet in packets:
        assert len(packet.data) <= limit
        contents = parse(packet.data)
        assert contents.message_number == number
        assert contents.unit_count == len(units)
        assert not received.keys() & contents.units.keys()
        received |= contents.units
    assert received == dict(enumerate(units))


def test_header_size_and_packet_count_by_hand():
    # 10 units of 17 bytes in packets of 16 + 3 * 17 = 67 bytes: three a packet, so 4 packets, the
    # last with one unit and 16 + 17 = 33 bytes.
    packets = pack([bytes(17)] * 10, range(10), message_number=1, max_packet_bytes=67)
    assert HEADER_BYTES == 16
    assert [len(p.data) for p in packets] == [67, 67, 67, 33]
    assert [p.importance for p in packets] == [2, 5, 8, 9]


def test_units_of_different_size_carry_two_bytes_of_length_each():
    (packet,) = pack([b"a", b"bcd"], [1.0, 0.5], message_number=0, max_packet_bytes=100)
    assert len(packet.data) == 16 + (2 + 1) + (2 + 3)


def test_a_unit_that_does_not_fit_names_it_and_the_room():
    with pytest.raises(WireError, match=r"unit 1 has 90 bytes.*max_packet_bytes=100 holds 82"):
        pack([b"a", bytes(90)], [0, 0], message_number=0, max_packet_bytes=100)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read_but_never_crash(data):
    try:
        contents = parse(data)
    except WireError:
        return
    assert all(number < contents.unit_count for number in contents.units)


@given(units=unit_lists, cut=st.integers(1, 40))
def test_a_truncated_packet_is_refused(units, cut):
    packet = pack(units, [0.0] * len(units), message_number=0, max_packet_bytes=6000)[0]
    if cut < len(packet.data):
        with pytest.raises(WireError):
            parse(packet.data[:-cut])
