# SPDX-License-Identifier: MIT
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.agents.packetiser import HEADER_BYTES, POLICIES, WireError, pack, parse

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


@pytest.mark.parametrize("policy", POLICIES)
@given(units=unit_lists, limit=st.integers(90, 1500), data=st.data())
def test_units_come_back_from_every_policy(policy, units, limit, data):
    importance = sorted(data.draw(st.lists(st.floats(0, 1), min_size=len(units),
                                           max_size=len(units))), reverse=True)  # fmt: skip
    packets = pack(units, importance, message_number=3, max_packet_bytes=limit, policy=policy)
    received = {}
    for packet in packets:
        assert len(packet.data) <= limit
        contents = parse(packet.data)
        assert not received.keys() & contents.units.keys()
        assert packet.importance == max(importance[n] for n in contents.units)
        received |= contents.units
    assert received == dict(enumerate(units))


def test_interleaving_deals_units_out_in_turn():
    # 7 units of 10 bytes, three a packet: three packets; dealt out 0 3 6, 1 4, 2 5.
    packets = pack([bytes(10)] * 7, [0.0] * 7, message_number=0, max_packet_bytes=46,
                   policy="interleaved")  # fmt: skip
    assert [sorted(parse(p.data).units) for p in packets] == [[0, 3, 6], [1, 4], [2, 5]]
    assert [len(p.data) for p in packets] == [46, 36, 36]  # no bytes beyond the header


def test_look_ahead_finds_the_even_split_that_greed_misses():
    # 6 5 5 4 4 (tenths), at most three a packet: the pairs and what is left are 6 5 : 13, 6 4 : 14,
    # 5 5 : 14, 5 4 : 15, 4 4 : 16, so 11 : 13 is the most even. Greed (always the lightest packet)
    # ends with 6 4 4 : 5 5 = 14 : 10.
    importance = [0.6, 0.5, 0.5, 0.4, 0.4]
    packets = pack([bytes(10)] * 5, importance, message_number=0, max_packet_bytes=16 + 1 + 30,
                   policy="look-ahead")  # fmt: skip
    sums = sorted(sum(importance[n] for n in parse(p.data).units) for p in packets)
    assert sums == pytest.approx([1.1, 1.3])


def test_an_unknown_policy_lists_the_known_ones():
    with pytest.raises(WireError, match="known: in-order, interleaved, look-ahead"):
        pack([b"a"], [1.0], message_number=0, max_packet_bytes=100, policy="random")
