# SPDX-License-Identifier: MIT
"""Tidy frames of the run of conftest.py, whose numbers can be worked out on paper."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis import tidy
from cosim.traces import TraceError, TraceSet


def test_throughput_by_bin(handmade):
    found = tidy.throughput(handmade, bin_s=0.5)
    rows = {(r.t_s, r.ue, r.direction): r.throughput_bps for r in found.itertuples()}
    # 500 bytes in half a second are 8000 bit/s; the edges 0.5 and 1.5 begin their bins
    assert rows == {
        (0.0, 0, "ul"): 8000.0, (0.0, 1, "ul"): 4000.0, (0.5, 0, "dl"): 16000.0,
        (1.5, 0, "dl"): 24000.0,
    }  # fmt: skip
    # what was delivered does not depend on bins or batches: 500 + 250 + 1000 + 1500 bytes
    fine = tidy.throughput(handmade, bin_s=0.01)
    assert fine["throughput_bps"].sum() * 0.01 / 8 == pytest.approx(3250)


def test_batches_give_the_same_whatever_their_size(handmade, monkeypatch):
    def small(run, table, columns):
        return tidy_batches(run, table, columns, rows=2)

    whole = tidy.link_quality(handmade), tidy.throughput(handmade), tidy.delays(handmade)
    tidy_batches = tidy.batches
    assert max(len(b) for b in tidy_batches(handmade, "packets", ["t_s"], rows=3)) <= 3
    monkeypatch.setattr(tidy, "batches", small)
    again = tidy.link_quality(handmade), tidy.throughput(handmade), tidy.delays(handmade)
    for one, two in zip(whole, again, strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_links_by_hand(handmade):
    found = tidy.link_quality(handmade, bin_s=1.0).set_index(["ue", "direction"])
    dl = found.loc[(0, "dl")]
    # four blocks, one lost, and it was one of three first transmissions
    assert dl["blocks"] == 4 and dl["bler"] == 0.25
    assert dl["bler_first"] == pytest.approx(1 / 3)
    assert dl["sinr_db"] == pytest.approx((12 + 10 + 11 + 9) / 4) and dl["mcs_mean"] == 13.0
    assert dl["prbs"] == 40 and dl["bler_predicted"] == pytest.approx(0.1, abs=1e-6)
    assert found.loc[(1, "ul"), "bler"] == 1.0


def packets(rows):
    t, event, packet = zip(*rows, strict=True)
    n = len(rows)
    return {"t_s": t, "flow": [1] * n, "ue": [0] * n, "event": event, "bytes": [100] * n,
            "reason": ["none"] * n, "cell": [0] * n, "direction": ["ul"] * n, "packet_id": packet,
            "message_id": [0] * n, "air_bytes": [0] * n}  # fmt: skip


def test_delays_pair_a_packets_events(tmp_path):
    with TraceSet(tmp_path) as traces:
        traces.append("packets", packets([
            (0.000, "enqueue", 1), (0.001, "enqueue", 2), (0.002, "enqueue", 3),
            (0.010, "deliver", 1), (0.021, "deliver", 2), (0.050, "discard", 3),
            (0.060, "deliver", 9),  # never seen to enter
        ]))  # fmt: skip
    (row,) = tidy.delays(tmp_path, shares=(0.5, 1.0)).itertuples()
    # 10 and 20 ms
    assert row.packets == 2 and row.delay_ms_mean == pytest.approx(15.0)
    assert 10.0 <= row.delay_ms_p50 <= 10.1 * (1 + 1e-9)
    assert 20.0 <= row.delay_ms_p100 <= 20.2 * (1 + 1e-9)


def test_outcomes_by_hand(handmade):
    found = tidy.outcomes(handmade, 2.0, 1e6).set_index("task")
    sentiment = found.loc["sentiment"]
    # five, three right and in time: 1.5 a second; all accepted, so outage is 2 of 5
    assert sentiment["messages"] == 5 and sentiment["accuracy"] == pytest.approx(0.6)
    assert sentiment["goodput_hz"] == 1.5 and sentiment["goodput_per_hz"] == 1.5e-6
    assert sentiment["coverage"] == 1.0 and sentiment["outage"] == pytest.approx(0.4)
    # node 0: 2 of 3 right, node 1: 1 of 2; (7/6)^2 / (2 (4/9 + 1/4)) = 0.98
    assert sentiment["fairness"] == pytest.approx(0.98)
    # right at node 0: created 0.1 and 0.3, the second decoded at 0.33: a peak of 0.23 s
    assert sentiment["age_peak_s"] == pytest.approx(0.23)
    assert found.loc["topic", "goodput_hz"] == 0.0 and math.isnan(found.loc["topic", "age_peak_s"])
    nodes = tidy.outcomes(handmade, 2.0, by_node=True)
    assert list(nodes[nodes["task"] == "sentiment"]["messages"]) == [3, 2]


def test_an_old_answer_does_not_make_information_younger():
    messages = pd.DataFrame({
        "node": [0] * 4, "task": ["a"] * 4, "correct": [True, True, False, True],
        "t_created_s": [0.0, 2.0, 3.0, 1.0], "t_decoded_s": [1.0, 3.0, 3.5, 4.0],
    })  # fmt: skip
    # the peak before the second: 3.0 - 0.0; the wrong one and the one from 1.0 change nothing
    assert tidy.peak_ages(messages)["age_peak_s"].to_list() == [3.0]


def test_queues(handmade):
    assert list(tidy.queues(handmade)["queue_bytes"]) == [0, 0, 0]


def test_fine_tuning_and_retrieval(tmp_path):
    assert tidy.fine_tuning(tmp_path).empty and tidy.retrieval(tmp_path).empty
    with TraceSet(tmp_path) as traces:
        traces.append("rounds", {
            "round": [0, 0, 1], "client": [0, 1, 0], "cut_layer": [4] * 3, "rank": [8] * 3,
            "bytes_up": [100, 200, 300], "bytes_down": [10, 20, 30],
            "t_start_s": [0.0, 0.0, 2.0], "t_end_s": [1.0, 1.5, 2.5],
            "late": [False, True, False], "loss": [1.0, 2.0, 0.5], "accuracy": [0.5, 0.7, 0.8],
        })  # fmt: skip
        traces.append("retrievals", {
            "t_s": [0.1, 0.2, 0.3], "node": [0] * 3, "query_id": [1, 2, 3],
            "store": ["local", "local", "none"], "hit": [True, False, False],
            "staleness_s": [1.0, 3.0, np.nan], "bytes": [10, 20, 0],
        })  # fmt: skip
    first, second = tidy.fine_tuning(tmp_path).itertuples()
    assert (first.clients, first.late, first.bytes_up, first.duration_s) == (2, 1, 300, 1.5)
    assert first.loss == 1.5 and second.accuracy == 0.8
    found = tidy.retrieval(tmp_path).set_index("store")
    assert found.loc["local", "hit_rate"] == 0.5 and found.loc["local", "staleness_s"] == 2.0


def test_a_column_that_is_not_there_is_named(handmade):
    with pytest.raises(TraceError, match="no column 'snr'"):
        next(tidy.batches(handmade, "slots", ["snr"]))


def test_a_run_without_rows(make_run):
    run = make_run(with_rows=False)
    assert tidy.throughput(run).empty and tidy.delays(run).empty and tidy.link_quality(run).empty
    assert tidy.outcomes(run, 1.0).empty
