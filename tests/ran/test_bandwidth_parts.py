# SPDX-License-Identifier: MIT
"""Bandwidth parts, packet filters and MCS back-off in scenarios and in runs."""

import json

import numpy as np
import pytest

from cosim.channel_process import prb_offsets_hz
from cosim.engine import run_scenario
from cosim.ns3_setup import setup_text
from cosim.plan import make_plan
from cosim.scenario import ScenarioError
from cosim.scenario.loader import validate
from cosim.traces import read_trace


def scenario(*flows, parts=(), **carrier):
    base = {"kind": "cbr", "direction": "dl", "rate_bps": 1e6}
    return {
        "name": "parts",
        "run": {"duration_s": 0.3},
        "ues": {"count": 1},
        "channel": {"model": "constant", "gain_db": -90.0},
        "carrier": carrier | {"parts": list(parts)},
        "traffic": [base | flow for flow in flows or ({},)],
    }


def problems(raw):
    with pytest.raises(ScenarioError) as caught:
        validate(raw)
    return [str(problem) for problem in caught.value.problems]


def flow_lines(raw):
    lines = setup_text(make_plan(validate(raw))).splitlines()
    return [line.split() for line in lines if line.startswith("flow ")]


def test_a_part_is_checked_like_the_carrier():
    (text,) = problems(scenario(parts=[{"bandwidth_mhz": 7}]))
    assert text.startswith("carrier.parts.0.bandwidth_mhz = 7") and "20" in text
    (text,) = problems(scenario(parts=[{"numerology": 3}]))
    assert text.startswith("carrier.parts.0.numerology = 3: FR1 has 0, 1, 2")
    (text,) = problems(scenario(parts=[{"tdd_pattern": "DDDDD"}]))
    assert text.startswith("carrier.parts.0.tdd_pattern") and "U slot" in text


def test_a_flow_needs_its_part():
    texts = problems(scenario({"bandwidth_part": 1}))
    assert texts[0].startswith("traffic.0.bandwidth_part = 1: 0 to 0")
    assert "[[carrier.parts]]" in texts[0]


def test_a_filter_by_mark_needs_a_mark_of_its_own():
    (text,) = problems(scenario({"packet_filter": "dscp"}))
    assert text.startswith("traffic.0.dscp = 0: 1 to 63")
    marked = {"packet_filter": "dscp", "dscp": 46}
    (text,) = problems(scenario(marked, marked))
    assert text.startswith("traffic.1.dscp = 46: another one than traffic.0.dscp")
    validate(scenario(marked, marked | {"direction": "ul"}))
    validate(scenario(marked, marked | {"packet_filter": "port"}))
    (text,) = problems(
        scenario(
            marked,
            marked | {"packet_filter": "port", "bandwidth_part": 1},
            parts=[{"numerology": 0}],
        )
    )
    assert text.startswith("traffic.0.bandwidth_part = 0: that of traffic.1, 1")


def test_prbs_of_parts_lie_side_by_side():
    # 20 MHz, 51 PRBs of 360 kHz, then 10 MHz, 52 of 180 kHz: 30 MHz in all, so the middles of the
    # parts are 5 MHz below and 10 MHz above the carrier frequency.
    loaded = validate(scenario(parts=[{"bandwidth_mhz": 10, "numerology": 0}]))
    offsets = np.array(prb_offsets_hz(loaded))
    assert loaded.prb_counts == (51, 52)
    assert offsets[:51].mean() == pytest.approx(-5e6) and offsets[51:].mean() == pytest.approx(10e6)
    assert np.diff(offsets[:51]) == pytest.approx(360e3)
    assert np.diff(offsets[51:]) == pytest.approx(180e3)
    assert offsets[50] + 180e3 < 5e6 < offsets[51] - 90e3  # both within their part
    assert prb_offsets_hz(validate(scenario())) is None


def test_ns3_is_told():
    raw = scenario(
        {"bandwidth_part": 1, "dscp": 46, "packet_filter": "dscp"},
        parts=[{"bandwidth_mhz": 10, "numerology": 0, "tdd_pattern": "DSUUU"}],
    )
    assert {"part=1", "dscp=46", "filter=dscp"} <= set(flow_lines(raw)[0])
    text = setup_text(make_plan(validate(raw)))
    assert "bandwidth_part 1 numerology=0 prbs=52 tdd_pattern=DSUUU" in text.splitlines()
    raw["carrier"]["duplex"] = "fdd"
    text = setup_text(make_plan(validate(raw)))
    assert "bandwidth_part 1 numerology=0 prbs=52" in text.splitlines()
    semantic = {"kind": "semantic", "task": "sentiment", "mcs_backoff": 2, "important_from": 0.5}
    raw["traffic"] = [semantic]
    assert {"mcs_backoff=2", "important_from=0.5"} <= set(flow_lines(raw)[0])


def test_a_mark_goes_before_the_port(tmp_path):
    # Flow 2's packets bear the mark of flow 1's bearer and all travel in it.
    marked = {"dscp": 46, "rate_bps": 1e6}
    raw = scenario(marked | {"packet_filter": "dscp"}, marked)
    run_scenario(validate(raw), tmp_path)
    packets = read_trace(tmp_path, "packets")
    assert set(packets["flow"]) == {1}
    (row, _) = json.loads((tmp_path / "run.json").read_text())["counters"]
    assert row["sdu_delivered"] == row["app_delivered"] + row["ip_udp_header"] > 50_000


def test_parts_serve_side_by_side_and_bytes_add_up(tmp_path):
    raw = scenario(
        {"rate_bps": 2e6},
        {"rate_bps": 4e6, "bandwidth_part": 1, "rlc": "am"},
        {"kind": "tcp", "bandwidth_part": 1, "rlc": "am", "dscp": 46, "packet_filter": "dscp"},
        parts=[{"bandwidth_mhz": 10, "numerology": 0, "tdd_pattern": "DSUUU"}],
    )
    del raw["traffic"][2]["rate_bps"]
    run_scenario(validate(raw), tmp_path)
    manifest = json.loads((tmp_path / "run.json").read_text())
    assert {(row["cell"], row["direction"]) for row in manifest["counters"]} == {
        (0, "dl"), (0, "ul"), (1, "dl"), (1, "ul")
    }  # fmt: skip
    for row in manifest["counters"]:
        headers = row["mac_header"] + row["rlc_header"] + row["pdcp_header"]
        assert row["phy"] == row["retransmitted"] + row["padding"] + headers + row["sdu_sent"]
        assert row["sdu_delivered"] == row["app_delivered"] + row["ip_udp_header"]
    packets = read_trace(tmp_path, "packets")
    cell_of = packets[packets["event"] == "deliver"].groupby("flow")["cell"].unique()
    assert {flow: list(cells) for flow, cells in cell_of.items()} == {1: [0], 2: [1], 3: [1]}
    slots = read_trace(tmp_path, "slots")
    # Part 1 has slots of 1 ms, downlink in the first two of five.
    place = np.rint(slots[slots["cell"] == 1]["t_s"] / 1e-3).astype(int) % 5
    down = (slots[slots["cell"] == 1]["direction"] == "dl").to_numpy()
    assert set(place[down]) <= {0, 1} and set(place[~down]) <= {2, 3, 4}
