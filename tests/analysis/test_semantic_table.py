# SPDX-License-Identifier: MIT
"""The table over codecs and tasks, from a run whose every number can be worked out on paper."""

import numpy as np
import pytest

from analysis.semantic_table import COLUMNS, entries_of, semantic_table, symbols_per_byte
from cosim.plan import make_plan
from cosim.scenario import load_scenario
from cosim.traces import Manifest, TraceError

UES = 2


def message(number, node, label, prediction, size, *, accepted, on_time=True, flow=1, **changes):
    return {
        "message_id": number, "node": node, "flow": flow, "task": "sentiment", "codec": "llm-token",
        "rung": "default", "sample_id": f"s{number}", "t_created_s": 0.1 * number,
        "t_decoded_s": 0.1 * number + 0.01, "units_sent": 4, "units_received": 3,
        "bytes_app": size // 2, "bytes_air": size, "received_mask": b"\1\1\1\0",
        "on_time": on_time, "label": label, "prediction": prediction,
        "correct": label == prediction, "offline_prediction": label, "offline_correct": True,
        "accepted": accepted,
    } | changes  # fmt: skip


# Four of five right, three of these in time; always answering 1 would have been right three times.
MESSAGES = [
    message(1, 0, 1, 1, 100, accepted=True),
    message(2, 0, 1, 1, 100, accepted=True),
    message(3, 1, 1, 0, 50, accepted=True),
    message(4, 0, 0, 0, 100, accepted=None),
    message(5, 1, 0, 0, 150, accepted=False, on_time=False, flow=1 + UES),
    message(6, 1, 1, 1, 10, accepted=True, codec="raw-text"),
]

# Up: UE 0 sends 10 PRBs on 2 layers with 2000 bits, so 10 * 2 * 168 / 250 = 13.44 elements a byte.
# UE 1 sends 20 PRBs on one layer with 1000 bits, and again: 2 * 20 * 168 / (2 * 125) = 26.88.
# What goes down, to UE 0, counts for nobody.
SLOTS = {
    "t_s": np.arange(4) * 5e-4, "cell": [0] * 4, "direction": ["ul", "ul", "ul", "dl"],
    "ue": [0, 1, 1, 0], "prb_first": [0] * 4, "prb_count": [10, 20, 20, 40],
    "layers": [2, 1, 1, 1], "mcs": [5] * 4, "tbs_bits": [2000, 1000, 1000, 10],
    "harq_process": [0] * 4, "redundancy_version": [0, 0, 2, 0], "sinr_eff_db": [5.0] * 4,
    "bler_predicted": [0.1] * 4, "ack": [True, False, True, True],
}  # fmt: skip


@pytest.fixture
def run(make_run):
    settings = [f"ues.count={UES}", "carrier.bandwidth_mhz=20"]
    return make_run(messages=MESSAGES, slot_table=SLOTS, settings=settings)


def test_symbols_a_byte_count_layers_and_repetitions(run):
    assert symbols_per_byte(run).to_dict() == pytest.approx({0: 13.44, 1: 26.88})


def test_every_column_by_hand(run):
    table = semantic_table(run)
    assert list(table.columns) == list(COLUMNS)
    assert list(table["codec"]) == ["llm-token", "raw-text"]
    row = table.iloc[0]
    assert (row["messages"], row["accuracy"], row["offline"]) == (5, 0.8, 1.0)
    # R. G. Newcombe 1998 gives the formula; with 4 of 5 and z = 1.96: 0.3755 to 0.9638
    assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((0.3755, 0.9638), abs=5e-5)
    assert row["prior"] == 0.6
    assert row["token_success"] == 0.75
    # three accepted, one of them wrong; who did not say so did not accept
    assert row["coverage"] == 0.6
    assert row["accepted_outage"] == pytest.approx(1 / 3)
    assert (row["bytes_app"], row["bytes_air"]) == (50.0, 100.0)
    assert row["bytes_air_per_correct"] == 125.0
    # 3 * 100 * 13.44 + (50 + 150) * 26.88 = 9408 symbols for five messages
    assert row["symbols"] == pytest.approx(9408 / 5)
    # (0.8 - 0.6) / (1 - 0.6) = 0.5 of an answer for these
    assert row["semantic_efficiency"] == pytest.approx(0.5 / (9408 / 5))
    # 2 s and a drain time of 0.1 s
    assert row["goodput_hz"] == pytest.approx(3 / 2.1)
    assert row["goodput_per_mhz"] == pytest.approx(3 / 2.1 / 20)


def test_elements_that_were_counted_come_before_those_by_bytes(make_run):
    counted = [m | {"elements_air": 300.0} for m in MESSAGES[:2]]
    counted.append(MESSAGES[2] | {"elements_air": None})
    folder = make_run(messages=counted, slot_table=SLOTS, settings=[f"ues.count={UES}"])
    # Two of 300, and one of 50 bytes at 26.88 elements each
    assert semantic_table(folder).iloc[0]["symbols"] == pytest.approx((600 + 50 * 26.88) / 3)


def test_one_answer_that_everybody_would_have_given_gains_nothing(run):
    row = semantic_table(run).iloc[1]
    assert (row["accuracy"], row["prior"], row["semantic_efficiency"]) == (1.0, 1.0, 0.0)


def test_a_run_taken_twice_has_the_same_shares_and_rates(run):
    one, two = semantic_table(run), semantic_table([run, run])
    same = ["accuracy", "symbols", "semantic_efficiency", "goodput_hz", "goodput_per_mhz"]
    for name in same:
        assert list(two[name]) == pytest.approx(list(one[name]))
    assert list(two["messages"]) == [10, 2]


def test_entries_of_the_scenario_can_have_rows_of_their_own(run):
    # Two entries, two UEs each, a flow for each UE.
    assert entries_of(Manifest.read(run)) == [(1, 2), (3, 4)]
    table = semantic_table(run, by_entry=True)
    counts = {(r["codec"], r["rung"]): r["messages"] for _, r in table.iterrows()}
    assert counts == {
        ("llm-token", "default #0"): 4,
        ("llm-token", "default #1"): 1,
        ("raw-text", "default #0"): 1,
    }


def test_the_entries_flows_are_those_of_the_plan(tmp_path):
    # Two flows with an answer each; all five UEs, one way.
    settings = ["ues.count=5", 'traffic.0.feedback="confidence"', "traffic.0.ues=[0,3]"]
    scenario = load_scenario("hello", settings)
    by_entry = {}
    for flow in make_plan(scenario).flows:
        by_entry.setdefault(flow.entry, []).append(flow.number)
    found = entries_of(Manifest.start(tmp_path, scenario))
    assert found == [(1, 4), (5, 9)]
    assert found == [(min(numbers), max(numbers)) for _, numbers in sorted(by_entry.items())]


def test_without_slots_there_is_no_table(make_run):
    with pytest.raises(TraceError, match="slots"):
        semantic_table(make_run(with_slots=False))
