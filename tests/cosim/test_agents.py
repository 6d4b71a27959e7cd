# SPDX-License-Identifier: MIT
"""Source, sink, ledger and evaluation with a codec whose every answer is known by hand."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cosim.agents.api import Event, EventKind, ReceivedPacket, Send, Timer
from cosim.agents.semantic_sink import SemanticSink
from cosim.agents.semantic_source import SemanticSource
from cosim.evaluation import Evaluator
from cosim.ledger import Ledger
from cosim.scenario import ScenarioError, load_scenario
from cosim.traces import read_trace, trace_hashes
from models.codecs import Codec, Decoded, EncodedMessage, Sample
from models.compression import DeviceProfile

FLOW = 3
DEADLINE_S = 0.1


class LengthCodec(Codec):
    """One unit a letter; the prediction is how many arrived."""

    name = "length"
    modality = "text"

    def encode(self, samples, *, task, rung, budget_bytes=None):
        return [
            EncodedMessage(
                sample_id=sample.id,
                codec=self.name,
                task=task,
                rung=rung,
                units=tuple(letter.encode() for letter in sample.text),
                importance=tuple(1.0 for _ in sample.text),
                operations=1e9,
                memory_bytes=0.0,
            )
            for sample in samples
        ]

    def decode(self, received, *, task, rung):
        return [Decoded(len(r.units), float(len(r.units)), 1.0, bool(r.units)) for r in received]

    def decode_cost(self, message, *, task, rung):
        return 2e10, 0.0


def profile(seconds_per_gflop):
    """A device that takes this long for 1e9 operations and nothing for memory."""
    return DeviceProfile(
        name="test",
        peak_flops=1e9 / seconds_per_gflop,
        memory_bandwidth_bytes_s=1e12,
        overhead_s=0.0,
        energy_per_flop_j=1e-12,
        energy_per_byte_j=0.0,
    )


def make(texts, arrivals_s, device_s=0.01):
    ledger, codec = Ledger(), LengthCodec()
    samples = [Sample(id=text, text=text, label=len(text)) for text in texts]
    source = SemanticSource(
        node=0,
        flow=FLOW,
        arrivals_s=np.array(arrivals_s),
        samples=samples,
        codec=codec,
        task="t",
        rung="r",
        budget_bytes=None,
        profile=profile(device_s),
        deadline_s=DEADLINE_S,
        max_packet_bytes=17,  # the header and one one-byte unit
        ledger=ledger,
    )
    source.set_encoded(codec.encode(samples, task="t", rung="r"))
    return source, SemanticSink(node=5, flows=[FLOW], ledger=ledger), ledger


def tick(source, t_s, token):
    return list(source.handle(Event(t_s, EventKind.TIMER, 0, token=token)))


def test_the_source_sleeps_until_each_arrival():
    source, _, _ = make(["ab", "c"], [0.5, 0.75])
    assert list(source.handle(Event(0.0, EventKind.START, 0))) == [Timer(0.5, 0)]
    send, timer = tick(source, 0.5, 0)
    assert isinstance(send, Send) and len(send.packets) == 2
    assert timer == Timer(0.25, 1)
    assert len(tick(source, 0.75, 1)) == 1  # the last one sets no timer


def test_a_sample_waits_while_the_device_encodes_another():
    # 10 ms each: the second, 4 ms later, is ready 20 ms after the first came, so 16 ms after
    # itself.
    source, _, _ = make(["a", "b"], [0.0, 0.004])
    first, _ = tick(source, 0.0, 0)
    (second,) = tick(source, 0.004, 1)
    assert first.delay_s == pytest.approx(0.010)
    assert second.delay_s == pytest.approx(0.016)
    assert second.deadline_s == pytest.approx(0.104)


def deliver(sink, send, when_s):
    """Deliver packet `i` of a message at `when_s[i]`, None for never."""
    for packet, at in zip(send.packets, when_s, strict=True):
        if at is not None:
            sink.receive(ReceivedPacket(at, 5, 0, FLOW, packet.data))


def decide(ledger, edge_s=0.0005):
    # 2e10 operations a decision: edge_s of 0.5 ms a 1e9 makes 10 ms.
    return Evaluator(profile(edge_s)).decide(list(ledger.close_until(math.inf)))


def test_units_after_the_decoders_start_are_erasures_even_before_the_deadline():
    source, sink, ledger = make(["abcd"], [0.0])
    (send,) = tick(source, 0.0, 0)
    # Decoding takes 10 ms, so the last useful arrival is at 100 - 10 = 90 ms.
    deliver(sink, send, [0.02, 0.0899, 0.0901, None])
    (verdict,) = decide(ledger)
    assert verdict.mask == bytes([1, 1, 0, 0])
    assert verdict.decoded.prediction == 2 and not verdict.correct
    assert verdict.offline.prediction == 4 and verdict.offline_correct
    assert verdict.on_time and not verdict.complete
    assert verdict.decoded_s == pytest.approx(0.1)
    assert math.isnan(verdict.delivered_s)


def test_a_complete_message_is_decided_at_once():
    source, sink, ledger = make(["ab"], [0.0])
    (send,) = tick(source, 0.0, 0)
    deliver(sink, send, [0.03, 0.02])
    (verdict,) = decide(ledger)
    assert verdict.complete and verdict.correct
    assert verdict.delivered_s == pytest.approx(0.03)
    assert verdict.decoded_s == pytest.approx(0.04)


def test_a_late_but_whole_message_is_delivered_and_not_on_time():
    source, sink, ledger = make(["ab"], [0.0])
    (send,) = tick(source, 0.0, 0)
    deliver(sink, send, [0.2, 0.21])
    (verdict,) = decide(ledger)
    assert verdict.delivered_s == pytest.approx(0.21)
    assert not verdict.on_time and verdict.decoded.prediction == 0


def test_nothing_that_was_sent_leaks_to_the_decoder():
    source, sink, ledger = make(["abc"], [0.0])
    (send,) = tick(source, 0.0, 0)
    # The network alters a byte: the decoder must see the altered one.
    damaged = send.packets[0].data[:-1] + b"Z"
    sink.receive(ReceivedPacket(0.01, 5, 0, FLOW, damaged))
    (message,) = ledger.close_until(math.inf)
    assert message.units_by(1.0) == {0: b"Z"}


def test_malformed_and_unknown_packets_are_counted():
    _, sink, ledger = make(["a"], [0.0])
    sink.receive(ReceivedPacket(0.01, 5, 0, FLOW, b"garbage"))
    assert sink.malformed == 1
    source, _, _ = make(["a"], [0.0])
    (send,) = tick(source, 0.0, 0)
    deliver(sink, send, [0.01])
    assert ledger.unknown == 1


def test_radio_facts_add_up_per_message():
    source, _, ledger = make(["ab"], [0.0])
    (send,) = tick(source, 0.0, 0)
    ids = np.array([send.message_id, 0, send.message_id, send.message_id, send.message_id])
    ledger.on_air(
        ids,
        np.array([0.011, 0.012, 0.013, 0.014, 0.015]),
        np.array([True, True, True, False, False]),
        np.array([0, 0, 0, 40, 45]),
        np.array([0.0, 0.0, 0.0, 150.5, 84.0]),
    )
    (message,) = ledger.close_until(math.inf)
    assert message.first_tx_s == 0.011 and message.bytes_air == 85
    assert message.elements_air == 234.5


def test_agents_of_ones_own_speak_both_ways_and_one_seed_gives_the_same_bytes(tmp_path):
    examples = Path(__file__).parents[2] / "ns3_scenarios" / "examples"
    hashes = []
    for name in ("a", "b"):
        words = [sys.executable, "-m", "cosim.cli", "run", str(examples / "echo.toml"), "--quiet"]
        words += ["--plugin", str(examples / "echo_agent.py"), "--out", str(tmp_path / name)]
        words += ["--set", "channel.model=constant", "--set", "channel.gain_db=-90"]
        result = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0, result.stderr
        hashes.append(trace_hashes(tmp_path / name))
    assert hashes[0] == hashes[1]
    packets = read_trace(tmp_path / "a", "packets")
    delivered = packets[packets["event"] == "deliver"]
    # 2 UEs ping every 50 ms for 2 s and 0 s of drain: 39 or 40 pings each; each one is echoed.
    pings, echoes = ((delivered["direction"] == way).sum() for way in ("ul", "dl"))
    assert 2 * 38 <= pings <= 2 * 40
    assert pings - 2 <= echoes <= pings
    assert (delivered["bytes"] == 64 + 28).all()  # 64 of payload, 28 of IPv4 and UDP


def test_an_agent_that_nobody_registered_is_refused_with_the_remedy():
    example = Path(__file__).parents[2] / "ns3_scenarios" / "examples" / "echo.toml"
    with pytest.raises(ScenarioError, match=r"traffic\.0\.agent.*--plugin"):
        load_scenario(example)
