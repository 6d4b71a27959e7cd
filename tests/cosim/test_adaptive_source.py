# SPDX-License-Identifier: MIT
"""Senders that choose their rungs: in an event loop without ns-3, and in a cell."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cosim.agents.adaptive_source import AdaptiveSource
from cosim.agents.api import Agent
from cosim.agents.packetiser import HEADER_BYTES, parse
from cosim.agents.semantic_source import MESSAGE_NUMBER_BITS, Battery, SemanticSource
from cosim.ledger import Ledger
from cosim.scenario import ScenarioError, load_scenario
from cosim.traces import read_trace
from models.codecs import Codec, EncodedMessage, Sample
from models.codecs.registry import codec_rungs
from models.compression import DeviceProfile, LadderRung

spec = importlib.util.spec_from_file_location("agent_loop", Path(__file__).parent / "agent_loop.py")
agent_loop = importlib.util.module_from_spec(spec)
spec.loader.exec_module(agent_loop)

STUDY = Path(__file__).resolve().parents[2] / "studies" / "controller-cell.toml"
FAST = DeviceProfile("fast", 1e12, 1e12, 1e-3, 0.0, 0.0)
SLOW = DeviceProfile("slow", 1e12, 1e12, 0.2, 0.0, 0.0)
UNITS = {"short": 10, "long": 80}
LADDER = (
    LadderRung("short", 0.7, 0.5, 0, 0, 0, 0, curve=(0.5, 0.7)),
    LadderRung("long", 0.8, 0.5, 0, 0, 0, 0, curve=(0.5, 0.8)),
)


class TwoRungs(Codec):
    """One-byte units: ten at rung "short", eighty at rung "long"."""

    name, modality = "two", "text"

    def encode(self, samples, *, task, rung, budget_bytes=None):
        count = UNITS[rung]
        units, scores = (b"u",) * count, (1.0,) * count
        return [
            EncodedMessage(s.id, self.name, task, rung, units, scores, 1.0, 0.0) for s in samples
        ]

    def decode(self, received, *, task, rung):
        raise AssertionError("only the sender is under test")

    def decode_cost(self, message, *, task, rung):
        return 1.0, 0.0


class Edge(Agent):
    """Enters what arrives."""

    def __init__(self, ledger):
        super().__init__(node=1, flows=(1,))
        self.ledger = ledger

    def handle(self, event):
        if event.flow == 1:
            contents = parse(event.payload)
            number = (1 << MESSAGE_NUMBER_BITS) | contents.message_number
            self.ledger.received(number, event.t_s, contents)
        return ()


class NarrowLoop(agent_loop.AgentLoop):
    """Loses every packet longer than a limit."""

    def __init__(self, *args, longest, **options):
        super().__init__(*args, **options)
        self.longest = longest

    def transmit(self, send):
        kept = [p for p in send.packets if len(p.data) <= self.longest]
        super().transmit(type(send)(send.flow, send.message_id, kept, send.delay_s))


def make_source(ledger, packing="in-order", *, profile=FAST, messages=0):
    samples = [Sample(str(n), "x", 0) for n in range(messages)]
    return AdaptiveSource(
        node=0, flow=1, arrivals_s=np.arange(1, messages + 1) * 1.0, samples=samples,
        codec=TwoRungs(), task="t", rung="auto", budget_bytes=None, profile=profile,
        deadline_s=0.1, max_packet_bytes=200, ledger=ledger, packing=packing, ladder=LADDER,
        edge_profile=FAST,
    )  # fmt: skip


def simulate(*, profile=FAST, longest=1000, messages=12):
    ledger = Ledger()
    source = make_source(ledger, profile=profile, messages=messages)
    for rung in source.rungs:
        encoded = source.codec.encode(source.samples, task="t", rung=rung)
        source.set_encoded(encoded, rung)
    NarrowLoop([source, Edge(ledger)], {1: (0, 1)}, longest=longest).run()
    return list(ledger.close_until(float("inf")))


def test_it_begins_short_and_goes_on_long_where_that_gets_through():
    found = simulate()
    # short: 26 bytes with the header; long: 96, not more than four times as much
    assert [m.rung for m in found] == ["short"] + ["long"] * 11
    assert [m.bytes_app for m in found[:2]] == [10 + HEADER_BYTES, 80 + HEADER_BYTES]


def test_it_falls_back_where_long_messages_are_lost_and_tries_again():
    rungs = [m.rung for m in simulate(longest=50, messages=60)]
    # Long after a miss is believed in by half: 0.5 + 0.3/2 = 0.65 < 0.7; the miss fades until
    # 1/(1 + w) > 2/3 (and a little more, for the price of airtime), w = 0.95^n < 1/2, n = 14.
    assert rungs[:2] == ["short", "long"]
    again = [n for n, rung in enumerate(rungs) if rung == "long"]
    assert len(again) >= 2 and again[1] - again[0] >= 14
    assert rungs.count("short") > 50


def test_a_device_that_is_too_slow_sends_the_cheapest():
    # 200 ms of encoding and a deadline of 100: nothing can be in time
    found = simulate(profile=SLOW, messages=4)
    assert {m.rung for m in found} == {"short"}


def test_a_budget_of_n_packets_sends_n_packets():
    # 100 units of 10 bytes: a packet of 200 bytes holds (200 - 16) / 10 = 18 of them.
    # Of 100 units of 10 and 12 bytes in turn, each with its 2-byte length, two take 26 bytes: 7
    # pairs are 182 of the 184 bytes.
    for sizes, held in (((10,), 18), ((10, 12), 14)):
        units = tuple(bytes(sizes[n % len(sizes)]) for n in range(100))
        message = EncodedMessage("s", "two", "t", "long", units, (1.0,) * 100, 1.0, 0.0)
        source, dealt = make_source(Ledger()), make_source(Ledger(), "interleaved")
        for count in (1, 2, 3, 4):
            cut = source._cut(message, count)
            assert cut.units == units[: held * count]
            assert len(source._packets(cut, "in-order")) == count
            # Dealt out in turn, all long units may fall to one packet: it holds fewer then.
            cut = dealt._cut(message, count)
            assert cut.units == units[: len(cut.units)] and len(cut.units) <= held * count
            assert len(dealt._packets(cut, "interleaved")) == count
        # Where not even a packet is worth it, the smallest message is left.
        assert source._cut(message, 0).units == units[:1]


def test_a_messages_bytes_count_headers_and_the_lengths_of_its_units():
    # 15 units of 10 and 12 bytes in turn: 14 in a packet of 16 + 14 * 2 + 7 * 22 = 198 bytes, and
    # one in a packet of 16 + 2 + 10 = 28.
    units = tuple(bytes((10, 12)[n % 2]) for n in range(15))
    message = EncodedMessage("s", "two", "t", "long", units, (1.0,) * 15, 1.0, 0.0)
    assert make_source(Ledger())._payload_bytes(message) == 198 + 28


def test_the_scenario_says_what_is_missing(tmp_path):
    with pytest.raises(ScenarioError, match=r"models\.codecs\.ladder --task topic --codec raw"):
        load_scenario(STUDY, overrides=['traffic.0.task="topic"', 'traffic.0.codec="raw-text"'])
    with pytest.raises(ScenarioError, match=r'feedback.*"none" with rung = "auto"'):
        load_scenario(STUDY, overrides=['traffic.0.feedback="confidence"'])
    with pytest.raises(ScenarioError, match=r"ues\.profiles\.1"):
        load_scenario(STUDY, overrides=['ues.profiles=["phone", "fone"]'])


JOULES = DeviceProfile("joules", 1e12, 1e12, 1e-3, 1.0, 0.0)
"""An operation is a joule: "long" takes 2, "short" 1."""


class Costly(TwoRungs):
    """The long rung takes two operations, the short one."""

    def encode(self, samples, *, task, rung, budget_bytes=None):
        count = 1.0 if rung == "short" else 2.0
        found = super().encode(samples, task=task, rung=rung)
        return [dataclasses.replace(m, operations=count) for m in found]


def drained(kind, battery_j, messages, **extra):
    ledger = Ledger()
    samples = [Sample(str(n), "x", 0) for n in range(messages)]
    source = kind(
        node=0, flow=1, arrivals_s=np.arange(1, messages + 1) * 1.0, samples=samples,
        codec=Costly(), task="t", rung="long", budget_bytes=None, profile=JOULES,
        deadline_s=0.1, max_packet_bytes=200, ledger=ledger, battery=Battery(battery_j), **extra,
    )  # fmt: skip
    for rung in source.rungs:
        source.set_encoded(source.codec.encode(samples, task="t", rung=rung), rung)
    agent_loop.AgentLoop([source, Edge(ledger)], {1: (0, 1)}).run()
    return list(ledger.close_until(float("inf")))


def test_an_empty_battery_sends_nothing_and_takes_nothing():
    # 2 J a message and 7 J: three messages, and one joule that is of no use.
    found = drained(SemanticSource, 7.0, 5)
    assert [m.energy_j for m in found] == [2.0, 2.0, 2.0, 0.0, 0.0]
    assert [m.units_sent for m in found] == [80, 80, 80, 0, 0]
    assert [m.bytes_app for m in found[3:]] == [0, 0]
    assert all(np.isnan(m.encoded_s) for m in found[3:]) and not found[3].received


def test_a_battery_is_spread_over_what_is_to_come():
    # A message a second from 1 s on, for 11 s. At message n, counted from 0, n have come in n + 1
    # seconds, and 10 - n are left: this one and n (10 - n) / (n + 1) more share the rest.
    extra = {"ladder": LADDER, "edge_profile": FAST, "duration_s": 11.0}
    # 25 J: 24 J left for 1 + 9/2, and at message 7 after six of 2 J 12 J for 1 + 21/8.
    rich = drained(AdaptiveSource, 25.0, 10, **extra)
    assert [m.rung for m in rich] == ["short"] + ["long"] * 9  # as without a battery
    # 10 J: 9 J left for 1 + 9/2 messages, 8 J for 1 + 16/3, ...: never 2 J a message.
    poor = drained(AdaptiveSource, 10.0, 10, **extra)
    assert [(m.rung, m.energy_j) for m in poor] == [("short", 1.0)] * 10
    # Less than the cheapest for all: it goes on until nothing is left.
    empty = drained(AdaptiveSource, 4.0, 10, **extra)
    assert [m.units_sent for m in empty] == [10, 10, 10, 10, 0, 0, 0, 0, 0, 0]


@pytest.mark.slow
def test_a_battery_in_a_cell(run):
    # 1 s of d8-int4 on the phone takes some 3 mJ a sentence: 10 mJ are for about three.
    folder = run(
        str(STUDY), "run.duration_s=2.0", "traffic.0.ues=[0]", "ues.battery_j=0.01",
        'traffic.0.rung="d8-int4"',
    )  # fmt: skip
    messages = read_trace(folder, "messages")
    sent = messages["units_sent"] > 0
    assert 1 <= sent.sum() < len(messages)
    assert messages["energy_j"].sum() <= 0.01
    assert messages.loc[~sent, "t_encoded_s"].isna().all()
    assert not messages.loc[~sent, "complete"].any()


@pytest.mark.slow
def test_choices_differ_between_devices_and_are_in_the_trace(run):
    folder = run(str(STUDY), "run.duration_s=4.0", "traffic.0.ues=[0, 1, 9]")
    messages = read_trace(folder, "messages")
    messages["rung"] = messages["rung"].astype(str)
    near, slow, far = (messages[messages["node"] == node] for node in (0, 1, 9))
    assert set(messages["rung"]) <= set(codec_rungs("llm-token"))
    # near with a fast device long messages, far with a slow one short ones
    assert near["bytes_app"].mean() > 2 * far["bytes_app"].mean()
    assert near["rung"].mode()[0] != far["rung"].mode()[0]
    # at the same place the slow device takes ten times as long over a token
    fast_s, slow_s = ((p["t_encoded_s"] - p["t_created_s"]).median() for p in (near, slow))
    assert slow_s > 3 * fast_s
