# SPDX-License-Identifier: MIT
"""Oracle 3 over random scenarios: bytes add up in every RLC mode, whatever the link does."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cosim.engine import run_scenario
from cosim.scenario.loader import validate
from cosim.traces import read_trace

SCHEDULERS = ["pf", "rr", "max-ci", "edf", "m-lwdf", "qos", "importance-first"]
"""Those of cells without semantic traffic."""

BEARERS = st.fixed_dictionaries(
    {
        "rlc": st.sampled_from(["um", "am"]),
        "sn_bits": st.sampled_from([12, 18]),
        "in_order": st.booleans(),
    },
    optional={
        "discard_timer_s": st.sampled_from([0.01, 0.05]),
        "queue_bytes": st.sampled_from([3000, 100_000]),
        "prioritised_bps": st.sampled_from([8e3, 1e6]),
        "bandwidth_part": st.sampled_from([0, 1]),
        "dscp": st.sampled_from([10, 46]),
    },
)


@st.composite
def scenarios(draw):
    traffic = [
        {"kind": "cbr", "direction": direction, "rate_bps": draw(st.sampled_from([2e5, 2e6, 2e7]))}
        | {"packet_bytes": draw(st.integers(20, 1400))}
        | draw(BEARERS)
        for direction in draw(st.sampled_from([["dl"], ["ul"], ["dl", "ul"], ["dl", "dl", "ul"]]))
    ]
    return {
        "name": "random",
        "run": {"duration_s": 0.3, "seed": draw(st.integers(0, 1000)), "drain_s": 0.1},
        "carrier": {
            "duplex": draw(st.sampled_from(["tdd", "fdd"])),
            "parts": [{"bandwidth_mhz": 10, "numerology": 0, "tdd_pattern": "DSUUU"}],
        },
        # From no errors at all over some per cent to nothing that gets through.
        "channel": {
            "model": "constant",
            "gain_db": draw(st.sampled_from([-60.0, -118.0, -124.0, -127.0, -150.0])),
        },
        "ues": {"count": draw(st.integers(1, 3))},
        "mac": {
            "max_harq_tx": draw(st.integers(1, 4)),
            "rlc_max_retx": draw(st.integers(1, 8)),
            "rlc_poll_retransmit_s": draw(st.sampled_from([0.01, 0.045])),
            "rlc_reassembly_s": draw(st.sampled_from([0.005, 0.035])),
            "scheduler": draw(st.sampled_from(SCHEDULERS)),
        },
        "traffic": traffic,
    }


@st.composite
def moving_scenarios(draw):
    """Three sites in a row, UEs that run past them, handovers with any trigger and interruption."""
    raw = draw(scenarios())
    y_m = draw(st.floats(-30.0, 30.0))
    ends = [[-100.0, 300.0], [300.0, -100.0], [150.0, 50.0]][: raw["ues"]["count"]]
    return raw | {
        "run": {"duration_s": 1.0, "seed": raw["run"]["seed"], "drain_s": 0.2},
        "channel": {"model": "distance", "gain_db": -128.1},
        "cells": [{"position_m": [x, 0.0, 10.0]} for x in (0.0, 100.0, 200.0)],
        "mobility": {
            "model": "waypoints",
            "waypoints": [[[0.0, a, y_m], [1.0, b, y_m]] for a, b in ends],
        },
        "handover": {
            "enabled": True,
            "time_to_trigger_s": draw(st.sampled_from([0.0, 0.04])),
            "interruption_s": draw(st.sampled_from([0.0, 0.03])),
        },
    }


def check(folder):
    """Hold a run's counters and traces against each other."""
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["status"] == "finished", manifest.get("reason")
    assert manifest["counters"]
    for row in manifest["counters"]:
        headers = row["mac_header"] + row["rlc_header"] + row["pdcp_header"]
        assert row["phy"] == row["retransmitted"] + row["padding"] + headers + row["sdu_sent"]
        assert row["sdu_sent"] == row["sdu_delivered"] + row["sdu_lost"] + row["sdu_in_flight"]
        assert row["sdu_delivered"] == row["app_delivered"] + row["ip_udp_header"]
        assert row["rlc_status"] <= row["rlc_header"]
        assert row["rlc_retransmitted"] <= row["retransmitted"]
    packets = read_trace(folder, "packets")
    ended = packets[packets["event"].isin(["deliver", "drop", "discard"])]
    entered = packets[packets["event"] == "enqueue"]
    refused = ended[ended["reason"] == "queue_full"]
    assert ended["packet_id"].is_unique
    assert set(entered["packet_id"]) == set(ended["packet_id"]) - set(refused["packet_id"])
    return manifest, packets


PROFILE = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def run_and_check(raw, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    run_scenario(validate(raw), folder)
    manifest, packets = check(folder)
    for flow, group in packets[packets["event"] == "deliver"].groupby("flow"):
        # flows are numbered from 1, entry by entry, UE by UE
        bearer = raw["traffic"][(flow - 1) // raw["ues"]["count"]]
        if bearer["in_order"]:
            assert group["packet_id"].is_monotonic_increasing
    return manifest, packets


@PROFILE
@given(raw=scenarios())
def test_bytes_add_up_in_any_scenario(tmp_path, raw):
    run_and_check(raw, tmp_path / "run")


@PROFILE
@given(raw=moving_scenarios())
def test_bytes_add_up_through_handovers(tmp_path, raw):
    run_and_check(raw, tmp_path / "run")
    slots = read_trace(tmp_path / "run", "slots")
    # The first UE passes all three sites at 400 m/s: it cannot have stayed in its first cell.
    if len(slots):
        assert slots[slots["ue"] == slots["ue"].min()]["cell"].nunique() > 1


@pytest.mark.parametrize("mode", ["um", "am"])
def test_acknowledged_mode_delivers_what_unacknowledged_mode_loses(tmp_path, mode):
    # One HARQ transmission at the BLER target of link adaptation: some per cent of blocks are lost.
    raw = {
        "name": "lossy",
        "run": {"duration_s": 0.5, "drain_s": 0.5},
        "channel": {"model": "constant", "gain_db": -122.0},
        "ues": {"count": 2},
        "mac": {"max_harq_tx": 1},
        "traffic": [
            {"kind": "cbr", "direction": way, "rate_bps": 4e5, "packet_bytes": 200, "rlc": mode}
            for way in ("dl", "ul")
        ],
    }
    run_scenario(validate(raw), tmp_path)
    manifest, packets = check(tmp_path)
    lost = packets[packets["event"] == "drop"]
    assert bool(len(lost)) == (mode == "um")
    assert any(row["rlc_retransmitted"] for row in manifest["counters"]) == (mode == "am")
