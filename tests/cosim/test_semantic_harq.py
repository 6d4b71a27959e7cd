# SPDX-License-Identifier: MIT
"""Semantic HARQ with a codec whose confidence is known by hand, in an event loop without ns-3."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.agents.packetiser import WireError, pack, parse
from cosim.agents.semantic_harq import (
    AnsweredSource,
    SemanticAsker,
    read_request,
    write_request,
)
from cosim.evaluation import Evaluator
from cosim.ledger import Ledger
from models.codecs import Codec, Decoded, EncodedMessage, Sample
from models.compression import DeviceProfile

spec = importlib.util.spec_from_file_location("agent_loop", Path(__file__).parent / "agent_loop.py")
agent_loop = importlib.util.module_from_spec(spec)
spec.loader.exec_module(agent_loop)

UP, DOWN = 1, 2
FAST = DeviceProfile("fast", 1e12, 1e12, 1e-3, 0.0, 0.0)


class CountCodec(Codec):
    """Twelve one-byte units; accepted from `enough` units on."""

    name = "count"
    modality = "text"

    def __init__(self, enough):
        self.enough = enough

    def encode(self, samples, *, task, rung, budget_bytes=None):
        units = tuple(bytes([65 + n]) for n in range(12))
        importance = tuple(1.0 - n / 12 for n in range(12))
        return [
            EncodedMessage(s.id, self.name, task, rung, units, importance, 1.0, 0.0)
            for s in samples
        ]

    def decode(self, received, *, task, rung):
        return [Decoded(len(r.units), 1.0, 0.5, len(r.units) >= self.enough) for r in received]

    def decode_cost(self, message, *, task, rung):
        return 1.0, 0.0


def run(enough, *, messages=1, loss=0.0, seed=0, adapt=False, first=4, deadline_s=0.2):
    ledger, codec = Ledger(), CountCodec(enough)
    samples = [Sample(str(n), "x", 0) for n in range(messages)]
    source = AnsweredSource(
        node=0, flow=UP, flows=(DOWN,), arrivals_s=np.arange(messages) * 1.0, samples=samples,
        codec=codec, task="t", rung="r", budget_bytes=None, profile=FAST, deadline_s=deadline_s,
        max_packet_bytes=22, ledger=ledger, first_units=first, more_units=3, adapt_first=adapt,
    )  # fmt: skip
    source.set_encoded(codec.encode(samples, task="t", rung="r"))
    asker = SemanticAsker(
        node=1, flow=UP, answer_flow=DOWN, ledger=ledger, profile=FAST,
        first_units=None if adapt else first, more_units=3, patience_s=0.02,
    )  # fmt: skip
    loop = agent_loop.AgentLoop([source, asker], {UP: (0, 1), DOWN: (1, 0)}, loss=loss, seed=seed)
    loop.run()
    closed = list(ledger.close_until(float("inf")))
    return Evaluator(FAST).decide(closed), asker, loop


def test_a_sure_edge_stays_silent():
    (verdict,), asker, _ = run(enough=4)
    assert asker.requests == 0
    assert verdict.message.units_sent == 4 and verdict.complete and verdict.decoded.prediction == 4


def test_an_unsure_edge_asks_until_it_is_sure():
    # 4 units, then 3 and 3 more: 10 are at least 9
    (verdict,), asker, loop = run(enough=9)
    assert asker.requests == 2
    assert verdict.decoded.prediction == 10 and verdict.message.units_sent == 10
    # every byte of both directions is the message's: 22-byte packets hold 16 of header, at most 2
    # of bitmap for 12 units and so 4 units; a request has 7 + 2 bytes
    assert verdict.message.bytes_app == loop.bytes
    # 1 ms of encoder, 5 ms a way, 1 ms of decoder before each request and before the answer
    assert verdict.decoded_s == pytest.approx(0.001 + 0.005 + 2 * (0.001 + 0.01) + 0.001)


def test_where_nothing_makes_it_sure_everything_is_sent_once():
    (verdict,), asker, _ = run(enough=99)
    assert verdict.message.units_sent == 12 and verdict.decoded.prediction == 12
    assert asker.requests == 3  # 4, 7, 10, 12


def test_the_deadline_ends_the_asking():
    (verdict,), asker, _ = run(enough=99, deadline_s=0.012)
    # decided at 6 ms; the request leaves at 7 and its answer would be there at 17
    assert asker.requests == 1 and verdict.decoded.prediction == 4


@pytest.mark.parametrize("seed", range(8))
def test_lost_units_and_lost_requests_are_asked_for_again(seed):
    verdicts, asker, _ = run(enough=12, loss=0.3, seed=seed, deadline_s=0.9)
    # Only where every packet of the first round is lost does the edge know of nothing.
    assert asker.requests == 0 or verdicts[0].decoded.prediction == 12


def test_the_first_units_follow_what_was_needed():
    verdicts, asker, _ = run(enough=8, messages=12, adapt=True, first=1)
    first = [v.message.units_sent for v in verdicts]
    # one unit is never enough: requests raise the number by 2; what suffices falls by 1
    assert asker.requests > 0
    assert all(v.decoded.prediction >= 8 for v in verdicts)
    assert max(first[6:]) <= 12 and min(first[6:]) >= 8


@given(st.integers(1, 70), st.data())
def test_requests_come_back_as_they_were(count, data):
    arrived = data.draw(st.sets(st.integers(0, count - 1)))
    number, missing = read_request(write_request(7, count, arrived))
    assert number == 7 and missing == set(range(count)) - arrived


@pytest.mark.parametrize("data", [b"", b"\2" + bytes(8), write_request(1, 9, [])[:-1]])
def test_what_is_no_request_is_refused(data):
    with pytest.raises(WireError):
        read_request(data)


@given(st.sets(st.integers(0, 29), min_size=1), st.sampled_from(["in-order", "look-ahead"]))
def test_a_part_of_a_message_keeps_its_numbers(numbers, policy):
    units = [bytes([n, n]) for n in range(30)]
    importance = [1 - n / 30 for n in range(30)]
    packets = pack(
        units, importance, message_number=3, max_packet_bytes=30, policy=policy,
        numbers=sorted(numbers),
    )  # fmt: skip
    found = {}
    for packet in packets:
        assert len(packet.data) <= 30
        contents = parse(packet.data)
        assert contents.unit_count == 30
        found |= contents.units
    assert found == {n: units[n] for n in numbers}
