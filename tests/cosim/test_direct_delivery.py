# SPDX-License-Identifier: MIT
"""Delivery as bits and symbols over the network: what arrives, what it costs, what is refused."""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cosim.agents.packetiser import pack, parse
from cosim.bridge import sim_dtypes
from cosim.direct_delivery import BITS, SYMBOLS, DirectDelivery
from cosim.scenario import ScenarioError
from cosim.scenario.loader import validate
from cosim.traces import read_trace, trace_hashes

FLOW = 3
UNITS = [bytes(range(10, 20)), bytes(range(30, 45))]


class PlanOfOneFlow:
    """As much of a plan as delivery looks at."""

    scenario = SimpleNamespace(mac=SimpleNamespace(mcs_table=1))

    def __init__(self, delivery):
        from cosim.scenario import SemanticTraffic

        traffic = SemanticTraffic(kind="semantic", task="sentiment", delivery=delivery)
        self.flows = [SimpleNamespace(number=FLOW, traffic=traffic)]

    def seed(self, *names):
        return len(names) + int(names[-1])


def delivery(mode, snr_db, *cuts):
    """Return a packet's delivery, after ns-3 has said in which blocks its contents went."""
    packet = pack(UNITS, [1.0, 0.5], message_number=7, max_packet_bytes=200)[0]
    contents = len(packet.data) - packet.header_bytes
    direct = DirectDelivery(PlanOfOneFlow("bits" if mode == BITS else "symbols"))
    bounds = [0, *cuts, contents]
    for first, last in itertools.pairwise(bounds):
        note(direct, mode, snr_db, contents, first, last)
    return direct, packet.data


def note(direct, mode, snr_db, contents, first, last, *, room=60):
    """Let ns-3 say that a part of a packet's contents went in a block."""
    record = np.zeros(1, sim_dtypes()["DirectBlock"])[0]
    record["delivery"], record["elements"], record["header_elements"] = mode, 132, 20
    record["content_bytes"], record["mcs"] = room, 4
    record["prb_count"], record["layers"], record["pieces"] = 8, 1, 1
    piece = np.zeros(1, sim_dtypes()["DirectPiece"])
    piece["message_id"] = (FLOW << 32) | 7
    piece["offset"], piece["bytes"], piece["at"] = contents - first, last - first, 5
    sinr = np.full((1, 8), 10 ** (snr_db / 10), np.float32)
    direct.note(record, piece.tobytes() + sinr.tobytes())


@pytest.mark.parametrize("mode", [BITS, SYMBOLS])
def test_a_good_link_changes_next_to_nothing(mode):
    direct, data = delivery(mode, 40.0, 8)
    got = direct.received(FLOW, data)
    sent, there = parse(data).units, parse(got).units
    if mode == BITS:
        assert got == data and direct.tally.facts()["bit_error_rate"] == 0.0
    for number in sent:
        assert np.abs(np.frombuffer(there[number], np.int8).astype(int)
                      - np.frombuffer(sent[number], np.int8)).max() <= 2  # fmt: skip
    assert direct.tally.blocks == 2


@pytest.mark.parametrize("mode", [BITS, SYMBOLS])
def test_a_bad_link_changes_contents_and_never_headers(mode):
    direct, data = delivery(mode, -12.0)
    got = direct.received(FLOW, data)
    assert len(got) == len(data) and got != data
    assert parse(got).units.keys() == parse(data).units.keys()  # the headers are as they were
    assert [len(u) for u in parse(got).units.values()] == [len(u) for u in UNITS]


def test_only_the_part_in_the_bad_block_is_wrong():
    direct, data = delivery(BITS, 40.0, 12)
    # The second block's SINR falls: nothing of it was asked for yet.
    late = direct._pieces[(FLOW << 32) | 7][0][1][0]
    late.contents = replace(late.contents, sinr=late.contents.sinr * 1e-6)
    units = parse(direct.received(FLOW, data)).units
    assert units[0] == UNITS[0] and units[1][:2] == UNITS[1][:2]
    assert units[1][2:] != UNITS[1][2:]


def test_other_flows_are_left_alone_and_decided_messages_forgotten():
    direct, data = delivery(BITS, -12.0)
    assert direct.received(FLOW + 1, data) == data
    direct.forget((FLOW << 32) | 7)
    assert not direct._pieces


def test_what_comes_of_a_message_nobody_waits_for_is_not_kept():
    direct, _ = delivery(BITS, -12.0)
    direct.forget((FLOW << 32) | 7)
    direct.is_open = lambda message_id: False
    note(direct, BITS, -12.0, 30, 0, 30)
    assert not direct._pieces


def test_headers_alone_need_no_look_at_the_contents():
    direct = DirectDelivery(PlanOfOneFlow("bits"))
    packet = pack([b""], [1.0], message_number=7, max_packet_bytes=200)[0]
    note(direct, BITS, -12.0, 0, 0, 0, room=0)
    assert direct.received(FLOW, packet.data) == packet.data
    assert direct.tally.blocks == 0


def scenario(**changes):
    entry = {"kind": "semantic", "task": "image", "codec": "llm-multi-symbols"} | changes
    return {"name": "direct", "run": {"duration_s": 3.0}, "traffic": [entry]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"delivery": "symbols", "codec": "jpeg"}, "sends no values; llm-multi"),
        ({"delivery": "bits", "rlc": "am"}, 'traffic.0.rlc = "am"'),
        ({"delivery": "bits", "feedback": "confidence"}, 'traffic.0.feedback = "confidence"'),
        ({"delivery": "bits", "codec": "llm-token", "task": "sentiment", "rung": "auto"},
         "traffic.0.rung"),
        ({"delivery": "symbols", "budget_bytes": 64}, "no order of importance"),
        ({"delivery": "waves"}, "traffic.0.delivery"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_said(changes, words):
    with pytest.raises(ScenarioError) as caught:
        validate(scenario(**changes))
    assert words in str(caught.value)


def both(gain_db):
    """Return options of a run with an entry of bits and one of symbols on a constant channel."""
    entry = '{kind="semantic",task="image",codec="llm-multi-symbols",rate_hz=4.0,deadline_s=0.5'
    return (
        "channel.model=constant", f"channel.gain_db={gain_db}", "ues.count=2",
        "run.duration_s=3.0", "mac.bler_table=semcosim", "traces.slots=true",
        f'traffic=[{entry},delivery="bits"}},{entry},delivery="symbols"}}]',
    )  # fmt: skip


@pytest.mark.slow
def test_oracle_1_without_noise_every_answer_is_the_offline_models(run):
    # At -60 dB the gNB sees more than 40 dB, see test_oracles.
    folder = run("hello", *both(-60.0))
    table = read_trace(folder, "messages")
    assert set(table["delivery"]) == {"bits", "symbols"} and table["complete"].all()
    bits = table[table["delivery"] == "bits"]
    assert (bits["prediction"] == bits["offline_prediction"]).all()
    values = table[table["delivery"] == "symbols"]
    # Power control leaves the values a noise of some -25 dB: margins smaller than that may turn.
    assert (values["prediction"] == values["offline_prediction"]).mean() > 0.9
    facts = json.loads((folder / "run.json").read_text())
    assert facts["direct"]["bit_error_rate"] == 0.0
    assert 0.0 < facts["direct"]["mean_squared_error"] < 0.02
    # Oracle 3 holds for blocks of both kinds.
    for row in facts["counters"]:
        assert row["phy"] == sum(
            row[part] for part in ("retransmitted", "padding", "mac_header", "rlc_header",
                                   "pdcp_header", "sdu_sent")
        )  # fmt: skip
        assert row["sdu_sent"] == row["sdu_delivered"] + row["sdu_lost"] + row["sdu_in_flight"]


@pytest.mark.slow
def test_errors_reach_the_model_and_a_seed_repeats_itself(run):
    # Fading street links at some 10 dB: channel state is 4 slots old or more when it is used.
    street = ("channel.model=umi", "channel.los=never", "ues.speed_m_s=8.0", "ues.count=4",
              "ues.min_distance_m=200.0", "ues.max_distance_m=300.0")  # fmt: skip
    kept = [option for option in both(0.0) if not option.startswith(("channel", "ues"))]
    # The second has an option more, its default, so that it is a run of its own.
    first, second = run("hello", *kept, *street), run("hello", *kept, *street, "mac.max_layers=1")
    assert trace_hashes(first) == trace_hashes(second)
    facts = json.loads((first / "run.json").read_text())["direct"]
    assert facts["bit_error_rate"] > 0.0
    # The least error is 1 / (1 + SINR), see test_direct: above 20 dB it would be less than 0.01.
    assert facts["mean_squared_error"] > 0.01
    table = read_trace(first, "messages")
    assert (table["elements_air"] > 0).all()
