# SPDX-License-Identifier: MIT
"""Oracles 1 to 3 of the design, over the whole chain: real models, real ns-3, real bytes."""

import itertools
import json

import pytest

from analysis.metrics import wilson_interval
from cosim.traces import read_trace

FLAT = ("channel.model=constant", "ues.count=2", "run.duration_s=4.0")
# 33 dBm over 51 PRBs of 360 kHz against -174 dBm/Hz + 9 dB: at -60 dB the SINR is above 40 dB,
# where every MCS's BLER is 0; at -200 dB it is below -60 dB, where nothing gets through.
PERFECT = (*FLAT, "channel.gain_db=-60.0", "traffic.0.deadline_s=2.0", "traffic.1.deadline_s=2.0")
SILENT = (*FLAT, "channel.gain_db=-200.0")


def messages(folder):
    return read_trace(folder, "messages")


def test_oracle_1_without_loss_or_deadline_every_answer_is_the_offline_models(run):
    table = messages(run("hello", *PERFECT))
    assert len(table) >= 10
    assert table["complete"].all()
    assert (table["prediction"] == table["offline_prediction"]).all()
    assert (table["correct"] == (table["prediction"] == table["label"])).all()


def test_oracle_1_with_everything_lost_every_answer_is_the_priors(run):
    folder = run("hello", *SILENT)
    table = messages(folder)
    assert len(table) >= 10
    assert (table["units_received"] == 0).all()
    assert not table["on_time"].any() and not table["accepted"].any()
    for _, group in table.groupby("task", observed=True):
        assert group["prediction"].nunique() == 1
    offline = json.loads((folder / "run.json").read_text())["offline"]
    for key, tally in offline.items():
        task, codec, _ = key.split("/")
        group = table[(table["task"] == task) & (table["codec"] == codec)]
        assert group["correct"].mean() == pytest.approx(tally["prior_accuracy"])


@pytest.mark.slow
def test_oracle_2_accuracy_does_not_rise_with_loss(run):
    # One HARQ transmission: what the first misses is lost. At -40 dB power control reaches -88 dBm
    # a PRB, 25 dB over the gNB's noise, where the highest MCS has no errors; in between, link
    # adaptation holds its target of 10 %; at -145 dB no MCS is low enough.
    fixed = ("channel.model=constant", "ues.count=2", "run.duration_s=15.0", "mac.max_harq_tx=1")
    rates = []
    for gain_db in (-40.0, -100.0, -121.0, -123.0, -125.0, -127.0, -145.0):
        table = messages(run("hello", *fixed, f"channel.gain_db={gain_db}"))
        table = table[table["codec"] == "llm-token"]
        sent, received = table["units_sent"].sum(), table["units_received"].sum()
        rates.append((1 - received / sent, int(table["correct"].sum()), len(table)))
    rates.sort()
    assert rates[0][0] < 0.01 and rates[-1][0] > 0.9  # the sweep covers the range
    for (_, better, n), (_, worse, m) in itertools.pairwise(rates):
        assert wilson_interval(worse, m)[0] <= wilson_interval(better, n)[1]


@pytest.mark.parametrize(
    "settings",
    [
        PERFECT,
        SILENT,
        (*FLAT, "channel.gain_db=-124.0", "mac.scheduler=rr"),
        (*FLAT, "channel.gain_db=-122.0", "mac.max_harq_tx=1", "carrier.duplex=fdd"),
    ],
    ids=["perfect", "silent", "lossy-rr", "lossy-fdd"],
)
def test_oracle_3_every_byte_is_accounted_for(run, settings):
    folder = run("hello", *settings)
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["counters"]
    for row in manifest["counters"]:
        headers = row["mac_header"] + row["rlc_header"] + row["pdcp_header"]
        assert row["phy"] == row["retransmitted"] + row["padding"] + headers + row["sdu_sent"]
        assert row["sdu_sent"] == row["sdu_delivered"] + row["sdu_lost"] + row["sdu_in_flight"]
        assert row["sdu_delivered"] == row["app_delivered"] + row["ip_udp_header"]
    # The same from the traces, which another part of the program writes: transport blocks against
    # phy, delivered packets against sdu_delivered.
    slots = read_trace(folder, "slots")
    packets = read_trace(folder, "packets")
    for name in ("dl", "ul"):
        phy = sum(r["phy"] for r in manifest["counters"] if r["direction"] == name)
        sdu = sum(r["sdu_delivered"] for r in manifest["counters"] if r["direction"] == name)
        assert slots.loc[slots["direction"] == name, "tbs_bits"].sum() == 8 * phy
        delivered = packets[(packets["direction"] == name) & (packets["event"] == "deliver")]
        assert delivered["bytes"].sum() == sdu


def test_every_packet_ends_exactly_once(run):
    packets = read_trace(
        run("hello", *FLAT, "channel.gain_db=-124.0", "mac.scheduler=rr"), "packets"
    )
    entered = packets[packets["event"] == "enqueue"]
    ended = packets[packets["event"].isin(["deliver", "drop", "discard"])]
    refused = ended[ended["reason"] == "queue_full"]
    assert set(entered["packet_id"]) == set(ended["packet_id"]) - set(refused["packet_id"])
    assert ended["packet_id"].is_unique
